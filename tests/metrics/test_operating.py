"""Thresholds that keep a promise: exact where it can be, and in simulation on planted truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.operating import GRID, Judgements, Promise, complete, missed, precise, wrongly_acted

pytestmark = pytest.mark.simulation

SIZE, RUNS = 10_000, 200
PROMISE = Promise(precision=0.9, missed=0.1)


def world(kind: str) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Probabilities and truth of a pool; an overconfident model claims more at both ends than is so."""
    rng = np.random.default_rng(5)
    logit = rng.normal(size=SIZE) * 4 - 3
    truth = rng.random(SIZE) < 1 / (1 + np.exp(-logit))
    told = 1.5 * logit + 0.4 if kind == "overconfident" else logit
    return 1 / (1 + np.exp(-told)), truth, rng


def drawn(rng: np.random.Generator, n: int, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows and 1 / inclusion: independent draws, or priority sampling by weight."""
    if weights is None:
        return rng.integers(0, SIZE, n), np.ones(n)
    rank = rng.random(SIZE) / weights
    nearest = np.argpartition(rank, n)[: n + 1]
    nearest = nearest[np.argsort(rank[nearest])]
    return nearest[:n], 1 / np.minimum(1.0, weights[nearest[:n]] * rank[nearest[n]])


@pytest.mark.parametrize("kind", ["calibrated", "overconfident"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
def test_what_is_promised_is_so_in_19_of_20_campaigns(kind: str, weighted: bool) -> None:
    proba, truth, rng = world(kind)
    weights = np.exp(rng.normal(size=SIZE)) * (proba + 0.05) + 0.1 if weighted else None
    good, given_out = np.zeros(2), np.zeros(2)
    for _ in range(RUNS):
        rows, weight = drawn(rng, 800, weights)
        judged = Judgements(truth[rows], proba[rows], weight)
        low, high = precise(judged, PROMISE).lowest, complete(judged, PROMISE).highest
        right = math.isnan(low) or truth[proba >= low].mean() >= PROMISE.precision
        caught = math.isnan(high) or (proba[truth] < high).mean() <= PROMISE.missed
        good += np.array([right, caught])
        given_out += np.array([not math.isnan(low), not math.isnan(high)])
    # Three standard errors below 0.95.
    assert (good / RUNS >= 0.95 - 3 * (0.95 * 0.05 / RUNS) ** 0.5).all(), good / RUNS
    # And the caution is not that of never promising anything.
    assert given_out[0] / RUNS > 0.2
    assert given_out[1] / RUNS > 0.9


def test_the_threshold_that_looks_best_breaks_its_promise() -> None:
    """What the bounds are for: the lowest threshold whose precision looks right is wrong in most campaigns."""
    proba, truth, rng = world("calibrated")
    broken = 0
    for _ in range(100):
        rows, _ = drawn(rng, 300, None)
        above = proba[rows][:, None] >= GRID
        seen = (above & truth[rows][:, None]).sum(axis=0) / np.maximum(above.sum(axis=0), 1)
        naive = GRID[(seen >= 0.9) & above.any(axis=0)].min()
        broken += truth[proba >= naive].mean() < 0.9
    assert broken > 50


@pytest.mark.parametrize(("n", "held"), [(59, True), (58, False)])
def test_59_without_a_mistake_are_the_least_that_promise_95_percent(n: int, held: bool) -> None:
    sure = Judgements(np.ones(n, dtype=bool), np.full(n, 0.9), np.ones(n))
    assert precise(sure, Promise()).kept.any() == held
    assert complete(sure, Promise()).kept.any() == held
    assert complete(sure, Promise()).highest == pytest.approx(0.9) or not held


@given(st.integers(0, 40), st.integers(1, 40), st.floats(0.5, 0.99))
def test_with_equal_weights_the_bound_is_clopper_and_pearsons(wrong: int, right: int, confidence: float) -> None:
    from scipy.special import bdtr

    truth = np.arange(wrong + right) < right
    judged = Judgements(truth, np.full(len(truth), 0.7), np.full(len(truth), 3.0))
    bound = float(wrongly_acted(judged, np.array([0.5])).bound(confidence)[0])
    # At the bound, so few mistakes or fewer are as unlikely as 1 - confidence.
    assert bdtr(wrong, len(truth), bound) == pytest.approx(1 - confidence, abs=1e-6)
    turned = Judgements(np.ones(len(truth), dtype=bool), np.where(truth, 0.9, 0.1), judged.weights)
    assert float(missed(turned, np.array([0.5])).bound(confidence)[0]) == pytest.approx(bound)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 100.0))
def test_neither_order_nor_scale_of_weights_matters_and_mistakes_do(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    judged = Judgements(rng.random(n) < 0.7, rng.random(n), rng.exponential(size=n) + 0.1)
    order = rng.permutation(n)
    other = Judgements(judged.truth[order], judged.proba[order], scale * judged.weights[order])
    for evidence in (wrongly_acted, missed):
        bound = evidence(judged, GRID).bound(0.95)
        assert evidence(other, GRID).bound(0.95) == pytest.approx(bound)
        assert (bound >= np.nan_to_num(evidence(judged, GRID).share) - 1e-9).all()
    mistaken = Judgements(np.zeros(n, dtype=bool), judged.proba, judged.weights)
    assert not precise(mistaken, Promise(precision=0.5)).kept.any()


def test_where_the_order_begins_depends_on_no_label() -> None:
    rng = np.random.default_rng(2)
    proba, weights = rng.beta(0.4, 1.0, 500), rng.exponential(size=500) + 0.2
    firsts = {precise(Judgements(rng.random(500) < share, proba, weights), PROMISE).first for share in (0, 0.3, 1)}
    assert len(firsts) == 1


def test_so_many_items_as_it_says_would_do() -> None:
    proba, truth, rng = world("calibrated")
    promise = Promise(precision=0.95, missed=0.05)
    needed = []
    for _ in range(40):
        rows, weight = drawn(rng, 200, None)
        tried = complete(Judgements(truth[rows], proba[rows], weight), promise)
        needed.append(tried.needed)
        assert tried.needed >= 200 or tried.kept.any()
    rows, weight = drawn(rng, int(np.median(needed)) * 2, None)
    assert complete(Judgements(truth[rows], proba[rows], weight), promise).kept.any()


def test_a_model_that_knows_nothing_is_promised_nothing_by_any_number() -> None:
    rng = np.random.default_rng(3)
    blind = Judgements(rng.random(2_000) < 0.3, rng.random(2_000), np.ones(2_000))
    assert precise(blind, PROMISE).needed == math.inf
    nobody = Judgements(np.zeros(0, dtype=bool), np.zeros(0), np.zeros(0))
    for tried in (precise(nobody, PROMISE), complete(nobody, PROMISE)):
        assert math.isnan(tried.lowest)
        assert math.isnan(tried.highest)


@pytest.mark.parametrize("wrong", [{"precision": 1.0}, {"missed": 0.0}, {"confidence": 95}])
def test_impossible_promises_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(wrong))):
        Promise(**wrong)
