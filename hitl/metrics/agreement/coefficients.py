"""Coefficients of agreement as one form: 1 - observed disagreement / the disagreement that chance would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hitl.metrics.agreement.ratings import Ratings
from hitl.metrics.agreement.scales import Credit, Scale, credits_of, differences
from hitl.types import Floats

TWICE = "no item was judged by two people"


@dataclass(frozen=True, eq=False)
class Coefficient:
    """One coefficient over t tasks, as sums that a bootstrap can weigh anew.

    Observed disagreement is Σ w top / Σ w bottom with 0 ≤ top ≤ bottom (t,); `expected` turns weighted sums of the
    `margins` (t, c), as rows (b, c), into the disagreement (b,) that chance would give.
    """

    name: str
    top: Floats
    bottom: Floats
    margins: Floats
    expected: Callable[[Floats], Floats]
    method: str = ""
    label: str = ""
    nothing: str = TWICE
    """Why it is not known where no task bears on it."""

    def about(self, label: str) -> Coefficient:
        """The same, told of one label or criterion."""
        return replace(self, label=label)


def alpha(ratings: Ratings, scale: Scale = "nominal", values: Floats | None = None) -> Coefficient:
    """Krippendorff's alpha: each answer counts once, and tasks that one person judged do not count.

    Source: Krippendorff (2018), Content Analysis, 4th ed., ch. 12. The ordinal metric is that of the answers at hand,
    in every replicate of a bootstrap.
    """
    twice = ratings.people > 1
    counts = np.where(twice[:, None], ratings.counts, 0.0)
    apart = differences(scale, ratings.weights @ counts, values)
    size = counts.sum(axis=1)
    top = ((counts @ apart) * counts).sum(axis=1) / np.maximum(size - 1, 1)

    def expected(sums: Floats) -> Floats:
        n = sums.sum(axis=1)
        return np.asarray(((sums @ apart) * sums).sum(axis=1) / (n * (n - 1)))

    return Coefficient("krippendorff_alpha", top, size, counts, expected, scale)


def fleiss(ratings: Ratings, credit: Credit = "identity") -> Coefficient:
    """Fleiss' kappa (1971, Psychological Bulletin 76:378), for any number of people a task: Gwet (2014, ch. 2).

    Each task counts once; chance is two answers drawn from the mean task. For two people it is Scott's pi.
    """
    apart = 1.0 - credits_of(credit, ratings.counts.shape[1])

    def expected(sums: Floats) -> Floats:
        share = sums / sums.sum(axis=1, keepdims=True)
        return np.asarray(((share @ apart) * share).sum(axis=1))

    return _each_task_once("fleiss_kappa", ratings, credit, expected)


def gwet(ratings: Ratings, credit: Credit = "identity") -> Coefficient:
    """Gwet's AC1, or AC2 with weights (2008, Brit. J. Math. Stat. Psychol. 61:29; 2014, ch. 4 and 5).

    Each task counts once; chance is guessing evenly among the labels where people guess at all, so that it stays
    high where nearly all content is of one label. All k labels must be in the counts, also those that nobody gave.
    """
    k = ratings.counts.shape[1]
    weight = float(credits_of(credit, k).sum()) / max(k * (k - 1), 1)

    def expected(sums: Floats) -> Floats:
        share = sums / sums.sum(axis=1, keepdims=True)
        return np.asarray(1.0 - weight * (share * (1 - share)).sum(axis=1))

    return _each_task_once("gwet_ac1" if credit == "identity" else "gwet_ac2", ratings, credit, expected)


def observed(ratings: Ratings) -> Coefficient:
    """The share of pairs of people on a task who gave it the same label; each task counts once, chance is let be."""
    found = _each_task_once("observed_agreement", ratings, "identity", _ones)
    return replace(found, margins=np.zeros((len(ratings.counts), 0)))


def specific(ratings: Ratings, code: int) -> Coefficient:
    """Specific agreement of one label: where one person gives it, how probably another gives it, too.

    For two people 2a / (2a + b + c), the positive agreement of Cicchetti and Feinstein (1990, J. Clin. Epidemiol.
    43:551); for more, over all pairs (de Vet et al. 2017, J. Clin. Epidemiol. 83:85).
    """
    given, others = ratings.counts[:, code], ratings.people - 1
    bottom = np.where(others > 0, given * others, 0.0)
    return Coefficient(
        "specific_agreement",
        bottom - given * np.where(others > 0, given - 1, 0.0),
        bottom,
        np.zeros((len(given), 0)),
        _ones,
        "pairs of people",
        nothing="no item that two people judged was given it",
    )


def cohen(first: Ratings, second: Ratings, credit: Credit = "identity") -> Coefficient:
    """Cohen's kappa (1960; weighted 1968) of two people, or of two groups, on the tasks that both judged.

    Chance has each keep their own shares of labels. A group speaks of a task by its mean: Schouten (1982, Statistica
    Neerlandica 36:45) and Vanbelle and Albert (2009, Statistica Neerlandica 63:82).
    """
    both = (first.people > 0) & (second.people > 0)
    a, b = (np.where(both[:, None], one.counts / np.maximum(one.people, 1.0)[:, None], 0.0) for one in (first, second))
    k = a.shape[1]
    apart = 1.0 - credits_of(credit, k)

    def expected(sums: Floats) -> Floats:
        n = sums[:, :k].sum(axis=1)
        return np.asarray(((sums[:, :k] @ apart) * sums[:, k:]).sum(axis=1) / n**2)

    return Coefficient(
        "cohen_kappa",
        ((a @ apart) * b).sum(axis=1),
        both.astype(np.float64),
        np.hstack([a, b]),
        expected,
        _weighted(credit),
        nothing="there is no item that both judged",
    )


def _each_task_once(name: str, ratings: Ratings, credit: Credit, expected: Callable[[Floats], Floats]) -> Coefficient:
    """Disagreement is the mean over tasks of that between two of a task's people; all answers make up the margins."""
    counts, people = ratings.counts, ratings.people
    apart = 1.0 - credits_of(credit, counts.shape[1])
    top = ((counts @ apart) * counts).sum(axis=1) / np.maximum(people * (people - 1), 1.0)
    margins = counts / np.maximum(people, 1.0)[:, None]
    return Coefficient(name, top, (people > 1).astype(np.float64), margins, expected, _weighted(credit))


def _weighted(credit: Credit) -> str:
    return "" if credit == "identity" else f"{credit} weights"


def _ones(sums: Floats) -> Floats:
    return np.ones(len(sums))
