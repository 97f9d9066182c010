"""How far people agree: Krippendorff's alpha, the kappas of Cohen and Fleiss, Gwet's AC1 and AC2, specific agreement.

Each is 1 - observed disagreement / the disagreement that chance would give: 1 is full agreement, 0 what chance gives.
They differ in what they hold for chance. Where nearly all content is of one label, alpha and the kappas fall although
people nearly always agree (Feinstein and Cicchetti 1990), and AC1 does not: read them side by side, with the specific
agreement of each label.

All of them take answers in long form (`labels.AnswerTable`), with any number of people a task. Of several answers of a
person to a task the last counts. Coefficients of the same tasks share one bootstrap: `Ratings.of`, then `alpha`,
`fleiss`, `gwet`, `observed`, `specific` or `cohen`, then `estimates`.
"""

from __future__ import annotations

import numpy as np

from hitl.errors import DataError
from hitl.metrics.agreement.coefficients import Coefficient, alpha, cohen, fleiss, gwet, observed, specific
from hitl.metrics.agreement.pairs import PairAgreement, by_pair
from hitl.metrics.agreement.ratings import Answers, Ratings
from hitl.metrics.agreement.resampled import REPLICATES, estimates
from hitl.metrics.agreement.scales import Credit, Scale, credits_of, differences
from hitl.types import Estimate, Floats

__all__ = [
    "Answers",
    "Coefficient",
    "Credit",
    "PairAgreement",
    "Ratings",
    "Scale",
    "alpha",
    "by_pair",
    "cohen",
    "cohen_kappa",
    "credits_of",
    "differences",
    "estimates",
    "fleiss",
    "fleiss_kappa",
    "gwet",
    "gwet_ac",
    "krippendorff_alpha",
    "observed",
    "observed_agreement",
    "specific",
    "specific_agreement",
]


def krippendorff_alpha(
    answers: Answers,
    rng: np.random.Generator,
    *,
    scale: Scale = "nominal",
    values: Floats | None = None,
    weights: Floats | None = None,
    replicates: int = REPLICATES,
) -> Estimate:
    """Krippendorff's alpha with its interval: labels are names, ranks in the order of the vocabulary, or numbers.

    On the scale `interval` the labels stand at `values` (k,), which are 0, 1, 2, … when left out. `weights` (t,) say
    how many items each task stands for. `n` is the number of tasks that two people or more judged. See `alpha`.

    >>> from hitl.labels import AnswerTable
    >>> said = [("t1", "ana", "ok"), ("t1", "bo", "ok"), ("t2", "ana", "spam"), ("t2", "bo", "ok")]
    >>> said += [(f"t{at}", who, "spam" if at % 3 else "ok") for at in range(3, 40) for who in ("ana", "bo")]
    >>> estimate = krippendorff_alpha(AnswerTable.of(said), np.random.default_rng(0))
    >>> round(estimate.value, 3), estimate.n
    (0.946, 39)
    """
    ratings = Ratings.of(answers, weights)
    return estimates([alpha(ratings, scale, values)], ratings.weights, rng, replicates)[0]


def fleiss_kappa(
    answers: Answers,
    rng: np.random.Generator,
    *,
    credit: Credit = "identity",
    weights: Floats | None = None,
    replicates: int = REPLICATES,
) -> Estimate:
    """Fleiss' kappa with its interval, for any number of people a task; with `credit`, weighted. See `fleiss`."""
    ratings = Ratings.of(answers, weights)
    return estimates([fleiss(ratings, credit)], ratings.weights, rng, replicates)[0]


def gwet_ac(
    answers: Answers,
    rng: np.random.Generator,
    *,
    credit: Credit = "identity",
    weights: Floats | None = None,
    replicates: int = REPLICATES,
) -> Estimate:
    """Gwet's AC1 with its interval; with another `credit` than `identity`, AC2. See `gwet`.

    The table's vocabulary are the labels that people could choose from, whether or not anybody did.
    """
    ratings = Ratings.of(answers, weights)
    return estimates([gwet(ratings, credit)], ratings.weights, rng, replicates)[0]


def cohen_kappa(
    answers: Answers,
    first: str,
    second: str,
    rng: np.random.Generator,
    *,
    credit: Credit = "identity",
    replicates: int = REPLICATES,
) -> Estimate:
    """Cohen's kappa of two workers on the tasks that both judged; weighted with `credit`. See `cohen`.

    Raises `DataError` for a worker who is not in the table.

    >>> from hitl.labels import AnswerTable
    >>> pairs = ["yy"] * 20 + ["yn"] * 5 + ["ny"] * 10 + ["nn"] * 15
    >>> said = [(f"t{at}", who, word) for at, pair in enumerate(pairs) for who, word in zip(("ana", "bo"), pair)]
    >>> round(cohen_kappa(AnswerTable.of(said), "ana", "bo", np.random.default_rng(0)).value, 3)
    0.4
    """
    unknown = [name for name in (first, second) if name not in answers.workers]
    if unknown:
        raise DataError(f"worker {unknown[0]!r} gave none of the answers; give one of those in `workers`")
    names = np.array(answers.workers)
    one, other = (Ratings.of(answers, among=names == name) for name in (first, second))
    return estimates([cohen(one, other, credit)], one.weights, rng, replicates)[0]


def observed_agreement(
    answers: Answers, rng: np.random.Generator, *, weights: Floats | None = None, replicates: int = REPLICATES
) -> Estimate:
    """The share of pairs of people who gave a task the same label, with its interval. See `observed`."""
    ratings = Ratings.of(answers, weights)
    return estimates([observed(ratings)], ratings.weights, rng, replicates)[0]


def specific_agreement(
    answers: Answers,
    label: str,
    rng: np.random.Generator,
    *,
    weights: Floats | None = None,
    replicates: int = REPLICATES,
) -> Estimate:
    """How probably a second person gives the label where one does, with its interval. See `specific`.

    `n` is the number of tasks that two people judged and somebody gave the label to. Raises `DataError` for a label
    that is not in the table's vocabulary.
    """
    if label not in answers.labels:
        raise DataError(f"label {label!r} is not in the vocabulary ({', '.join(list(answers.labels)[:4])}, …)")
    ratings = Ratings.of(answers, weights)
    found = specific(ratings, list(answers.labels).index(label)).about(label)
    return estimates([found], ratings.weights, rng, replicates)[0]
