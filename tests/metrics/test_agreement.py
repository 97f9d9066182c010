"""Coefficients of agreement against published tables and other implementations, and what must hold of any answers."""

from __future__ import annotations

from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from hitl.errors import DataError
from hitl.labels import AnswerTable
from hitl.metrics.agreement import (
    Ratings,
    alpha,
    by_pair,
    cohen,
    cohen_kappa,
    differences,
    estimates,
    fleiss,
    fleiss_kappa,
    gwet,
    gwet_ac,
    krippendorff_alpha,
    observed,
    observed_agreement,
    specific_agreement,
)

NA = -1
FOUR_RATERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3],
    [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
]
"""Krippendorff (2011), example C; Gwet's handbook has the same ones (`cac.raw4raters` of irrCAC)."""

SIX_RATERS = [
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1],
]  # fmt: skip
"""Gwet's `distrib.6raters`: how many of six psychiatrists gave each diagnosis."""

ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
"""Gwet's `cont3x3abstractors`: two people's diagnoses."""


def table(said: np.ndarray | list[list[int]], labels: str = "") -> AnswerTable:
    """Answers of a matrix with people in rows, NA where one did not answer; labels are single characters."""
    words = labels or "".join(map(str, sorted({one for row in np.asarray(said).tolist() for one in row} - {NA})))
    rows = [
        (f"t{at:04}", f"w{who}", str(one)) for who, row in enumerate(np.asarray(said).tolist())
        for at, one in enumerate(row) if one != NA
    ]  # fmt: skip
    return AnswerTable.of(rows, labels=list(words))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def planted(seed: int, people: int, tasks: int = 60, k: int = 4, missing: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    truth = chance.integers(k, size=tasks)
    said = np.where(chance.random((people, tasks)) < 0.7, truth, chance.integers(k, size=(people, tasks)))
    return np.where(chance.random(said.shape) < missing, NA, said)


def told(rows, weights=None, replicates: int = 50):
    size = len(rows[0].top)
    return estimates(rows, np.ones(size) if weights is None else weights, rng(), replicates)


@pytest.mark.parametrize(("scale", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_example(scale, value: float) -> None:
    estimate = krippendorff_alpha(table(FOUR_RATERS), rng(), scale=scale)
    assert estimate.value == pytest.approx(value, abs=5e-4)
    assert estimate.n == 11


def test_gwets_example_with_missing_answers() -> None:
    answers = table(FOUR_RATERS)
    assert observed_agreement(answers, rng()).value == pytest.approx(0.8181818, abs=5e-8)
    assert gwet_ac(answers, rng()).value == pytest.approx(0.77544, abs=5e-6)
    assert gwet_ac(answers, rng(), credit="quadratic").value == pytest.approx(0.914, abs=5e-4)
    assert fleiss_kappa(answers, rng()).value == pytest.approx(0.76117, abs=5e-6)
    assert krippendorff_alpha(answers, rng()).value == pytest.approx(0.74342, abs=5e-6)


def test_gwets_example_of_six_raters_with_its_errors() -> None:
    ratings = Ratings(np.array(SIX_RATERS, dtype=float), np.ones(15))
    found = told([gwet(ratings), fleiss(ratings), alpha(ratings)], replicates=1000)
    published = [(0.4448007, 0.264, 0.625), (0.4139265, 0.240, 0.588), (0.4204384, 0.244, 0.597)]
    for one, (value, low, high) in zip(found, published, strict=True):
        assert one.value == pytest.approx(value, abs=5e-8)
        assert (one.low, one.high) == pytest.approx((low, high), abs=0.045)  # his are symmetric


def test_gwets_example_of_two_raters_with_its_errors() -> None:
    first, second = np.nonzero(np.ones((3, 3)))
    times = np.array(ABSTRACTORS).ravel()
    a, b = (Ratings(np.eye(3)[np.repeat(codes, times)], np.ones(100)) for codes in (first, second))
    both = Ratings(a.counts + b.counts, a.weights)
    found = told([cohen(a, b), fleiss(both), gwet(both), alpha(both), observed(both)], replicates=1000)
    values = [0.7964094, 0.7962397, 0.8493305, 0.7972585, 0.89]
    errors = [0.05891072, 0.05905473, 0.04321747, 0.05905473, 0.03128898]
    assert [one.value for one in found] == pytest.approx(values, abs=5e-8)
    assert [(one.high - one.low) / (2 * 1.96) for one in found] == pytest.approx(errors, rel=0.08)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("seed", range(3))
def test_as_the_krippendorff_package(seed: int, scale) -> None:
    said = planted(seed, 5, missing=0.5)
    reference = krippendorff.alpha(np.where(said == NA, np.nan, said), level_of_measurement=scale)
    assert krippendorff_alpha(table(said), rng(), scale=scale, replicates=2).value == pytest.approx(reference)


@pytest.mark.parametrize("seed", range(3))
def test_as_statsmodels(seed: int) -> None:
    said = planted(seed, 3)
    counts, _ = aggregate_raters(said.T)
    assert fleiss_kappa(table(said), rng(), replicates=2).value == pytest.approx(statsmodels_fleiss(counts))
    for credit, name in (("identity", None), ("linear", "linear"), ("quadratic", "quadratic")):
        cells = np.zeros((4, 4))
        np.add.at(cells, (said[0], said[1]), 1)
        reference = cohens_kappa(cells, wt=name)
        estimate = cohen_kappa(table(said), "w0", "w1", rng(), credit=credit)
        assert estimate.value == pytest.approx(reference.kappa)
        assert (estimate.high - estimate.low) / (2 * 1.96) == pytest.approx(reference.std_kappa, rel=0.15)


def test_specific_agreement_is_that_of_pairs() -> None:
    """For two people 2a / (2a + b + c); for more, over all pairs of people (de Vet et al. 2017)."""
    answers = table([[1] * 8 + [0] * 12, [1] * 6 + [0] * 2 + [1] * 3 + [0] * 9])
    assert specific_agreement(answers, "1", rng()).value == pytest.approx(12 / (12 + 2 + 3))
    assert specific_agreement(answers, "1", rng()).n == 11
    said = planted(5, 4, missing=0.2)
    alike = sum(int(((a == 2) & (b == 2)).sum()) for a, b in combinations(said, 2))
    one_side = sum(int(((a == 2) & (b != 2) & (b != NA)).sum() + ((b == 2) & (a != 2) & (a != NA)).sum())
                   for a, b in combinations(said, 2))  # fmt: skip
    assert specific_agreement(table(said), "2", rng()).value == pytest.approx(2 * alike / (2 * alike + one_side))


def test_agreement_on_a_rare_label_is_told_apart_from_agreement_on_the_rest() -> None:
    """Feinstein and Cicchetti (1990): nearly all is one label, people nearly always agree, and kappa is low."""
    answers = table([[1] * 3 + [0] * 97, [1, 0, 0] + [0] * 95 + [1] * 2])
    assert observed_agreement(answers, rng()).value == pytest.approx(0.96)
    assert krippendorff_alpha(answers, rng()).value < 0.4
    assert gwet_ac(answers, rng()).value > 0.94
    assert specific_agreement(answers, "1", rng()).value == pytest.approx(1 / 3)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_a_person_who_answers_twice_is_one_person(scale) -> None:
    said = planted(7, 2, tasks=30)
    once = table(said)
    first = [(f"t{at:04}", "w0", "0") for at in range(30)]
    rest = [
        (once.tasks[t], once.workers[w], once.labels[k])
        for t, w, k in zip(once.task, once.worker, once.label, strict=True)
    ]
    twice = AnswerTable.of([*first, *rest], labels=once.labels)
    alone = AnswerTable.of([*first, *first], labels=once.labels)
    assert krippendorff_alpha(twice, rng(), scale=scale) == krippendorff_alpha(once, rng(), scale=scale)
    assert krippendorff_alpha(alone, rng(), scale=scale).n == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999), st.integers(2, 4), st.floats(0, 0.6))
def test_what_holds_of_any_answers(seed: int, people: int, missing: float) -> None:
    said = planted(seed, people, tasks=25, k=3, missing=missing)
    one = Ratings.of(table(said, "012"))
    made = [alpha, fleiss, gwet, observed, lambda r: alpha(r, "interval"), lambda r: gwet(r, "ordinal")]
    found = told([make(one) for make in made])
    for estimate in found:
        assert np.isnan(estimate.value) or estimate.low <= estimate.value <= estimate.high <= 1
    order = np.random.default_rng(seed).permutation(len(one.counts))
    shuffled = told([make(one.take(order)) for make in made])
    assert [e.value for e in shuffled] == pytest.approx([e.value for e in found], nan_ok=True)
    # Names of labels do not matter on a nominal scale, nor does turning a scale round.
    turned = told([make(Ratings(one.counts[:, ::-1], one.weights)) for make in made])
    assert [e.value for e in turned] == pytest.approx([e.value for e in found], nan_ok=True)
    # A task of twice the weight is that task twice, but for alpha's correction for few answers.
    heavy = np.where(np.arange(len(one.counts)) < 9, 2.0, 1.0)
    double = Ratings(np.vstack([one.counts, one.counts[:9]]), np.ones(len(one.counts) + 9))
    weighted = told([make(one) for make in made[1:4]], heavy / heavy.mean())
    assert [e.value for e in weighted] == pytest.approx(
        [e.value for e in told([m(double) for m in made[1:4]])], nan_ok=True
    )


def test_chance_is_nothing_and_full_agreement_is_one() -> None:
    said = np.random.default_rng(1).integers(3, size=(2, 20_000))
    one = Ratings.of(table(said))
    for estimate in told([alpha(one), fleiss(one), gwet(one), alpha(one, "ordinal")]):
        assert estimate.value == pytest.approx(0, abs=0.03)
    same = Ratings.of(table(said[[0, 0], :40]))
    for estimate in told([alpha(same), fleiss(same), gwet(same), observed(same)]):
        assert estimate.value == estimate.high == 1
        assert 0.75 < estimate.low < 0.95  # nobody disagreed on 40 items: that is no certainty


def test_weights_make_up_for_a_draw_by_risk() -> None:
    """Hard items drawn five times as often: weighted by what each stands for, alpha is that of the pool."""
    chance = np.random.default_rng(2)
    hard = np.arange(40_000) < 8_000
    truth = chance.integers(2, size=40_000)
    said = np.where(chance.random((2, 40_000)) < np.where(hard, 0.6, 0.98), truth, 1 - truth)
    pool = krippendorff_alpha(table(said), rng(), replicates=2).value
    odds = np.where(hard, 0.5, 0.1)
    drawn = chance.random(40_000) < odds
    plain = krippendorff_alpha(table(said[:, drawn]), rng())
    fair = krippendorff_alpha(table(said[:, drawn]), rng(), weights=1 / odds[drawn])
    assert plain.high < pool - 0.2
    assert fair.value == pytest.approx(pool, abs=0.05)


def test_labels_that_nobody_uses_do_not_stretch_ranks() -> None:
    used = differences("ordinal", np.array([10.0, 30.0, 20.0]))
    gaps = differences("ordinal", np.array([10.0, 0.0, 0.0, 30.0, 20.0]))
    assert gaps[np.ix_([0, 3, 4], [0, 3, 4])] == pytest.approx(used)
    assert differences("interval", np.ones(3), np.array([0.0, 1.0, 10.0]))[0] == pytest.approx([0, 0.01, 1])


def test_each_pair_is_told_as_if_alone_and_few_are_counted() -> None:
    said = planted(3, 4, tasks=90)
    said[3, 10:] = NA
    answers = table(said)
    found, of, few = by_pair(answers, rng(), replicates=200)
    assert [(one.first, one.second) for one in found] == [("w0", "w1"), ("w0", "w2"), ("w1", "w2")]
    assert (of, few) == (6, 3)
    for one in found:
        alone = cohen_kappa(answers, one.first, one.second, rng())
        assert one.kappa.value == pytest.approx(alone.value)
        assert one.shared == alone.n == 90
        same = (said[int(one.first[1])] == said[int(one.second[1])]).mean()
        assert one.observed.value == pytest.approx(same)
    assert len(by_pair(answers, rng(), most=2, replicates=2)[0]) == 2


def test_groups_agree_as_their_members_do() -> None:
    """One person a group is Cohen's kappa; people who all say the same speak as one."""
    said = planted(4, 2)
    answers = table(said[[0, 0, 1]])
    names = np.array(answers.workers)
    group, other = (Ratings.of(answers, among=among) for among in (names != "w2", names == "w2"))
    assert told([cohen(group, other)])[0].value == pytest.approx(cohen_kappa(answers, "w0", "w2", rng()).value)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([[0, 1, NA], [NA, NA, 1]], "no item was judged by two people"),
        ([[1, 1], [1, 1]], "all answers are the same"),
        ([[]], "no item was judged by two people"),
    ],
)
def test_what_cannot_be_told_is_said(said, why: str) -> None:
    for estimate in (krippendorff_alpha(table(said, "01"), rng()), fleiss_kappa(table(said, "01"), rng())):
        assert np.isnan(estimate.value)
        assert (estimate.low, estimate.high) == (-1, 1)
        assert why in estimate.method
    nobody = specific_agreement(table([[0, 0], [0, 0]], "01"), "1", rng())
    assert (np.isnan(nobody.value), nobody.low, nobody.method) == (
        True,
        0,
        "no item that two people judged was given it",
    )
    assert by_pair(table([[]], "01"), rng()) == ((), 0, 0)


def test_wrong_input_is_refused_with_what_to_do() -> None:
    answers = table([[0, 1], [0, 1]])
    with pytest.raises(DataError, match="one number above 0 for each of the 2 tasks"):
        krippendorff_alpha(answers, rng(), weights=np.array([1.0, 0.0]))
    with pytest.raises(DataError, match="one finite number for each of the 2 labels"):
        krippendorff_alpha(answers, rng(), scale="interval", values=np.array([1.0]))
    with pytest.raises(DataError, match="'zoe' gave none of the answers"):
        cohen_kappa(answers, "w0", "zoe", rng())
    with pytest.raises(DataError, match="'spam' is not in the vocabulary"):
        specific_agreement(answers, "spam", rng())
