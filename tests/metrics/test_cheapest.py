"""Thresholds of least cost: those of the planted optimum, and never worse than the present ones on the whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.cheapest import Bill, cheapest, moved
from hitl.metrics.operating import GRID
from hitl.metrics.remaining import decision_costs
from hitl.metrics.sample import LabelledSample

pytestmark = pytest.mark.simulation

SIZE, SEVERITY, WRONG = 8_000, np.array([0, 3.0, 20.0]), np.array([1.0, 1.0, 1.5])


def pool(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Truth and calibrated probabilities of three labels, the first harmless."""
    rng = np.random.default_rng(seed)
    prior = np.array([0.8, 0.15, 0.05])
    truth = rng.choice(3, size=SIZE, p=prior)
    logit = rng.normal(size=(SIZE, 3)) + np.log(prior)
    logit[np.arange(SIZE), truth] += 2.2
    odds = np.exp(2.2 * logit - 1.2 * np.log(prior))
    return truth, odds / odds.sum(axis=1, keepdims=True)


def sample(truth, proba, rows, weights, present) -> LabelledSample:
    never = np.full((len(rows), 3), np.inf)
    at = np.tile([np.inf, *present], (len(rows), 1))
    parts = {"review_at": never, "limit_at": never, "remove_at": at, "reach": np.ones(len(rows)), "weights": weights}
    names, violating = ("ok", "a", "b"), np.array([False, True, True])
    return LabelledSample(y=np.eye(3)[truth[rows]], proba=proba[rows], labels=names, multi_label=False,
                          violating=violating, **parts)  # fmt: skip


def bill(n: int, review: float | None = None) -> Bill:
    return Bill(np.tile(SEVERITY, (n, 1)), np.tile(WRONG, (n, 1)), review)


def cost(of: LabelledSample) -> float:
    return float(decision_costs(of, *(np.tile(one, (len(of), 1)) for one in (SEVERITY, WRONG)))[0].mean())


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
@pytest.mark.parametrize("present", [(0.9, 0.9), (0.25, 0.07)], ids=["bad", "near the best"])
def test_what_is_chosen_costs_no_more_than_the_present_on_the_whole(present, weighted: bool) -> None:
    truth, proba = pool()
    rng = np.random.default_rng(2)
    whole = sample(truth, proba, np.arange(SIZE), np.ones(SIZE), present)
    now, saved, covered = cost(whole), [], []
    for _ in range(10):
        risk = 1 - proba[:, 0] + 0.1 if weighted else np.ones(SIZE)
        inclusion = np.minimum(900 * risk / risk.sum(), 1)
        rows = np.flatnonzero(rng.random(SIZE) < inclusion)
        found = cheapest(sample(truth, proba, rows, 1 / inclusion[rows], present), bill(len(rows)), rng)
        after = whole
        for column in np.flatnonzero(np.isfinite(found.act_from)):
            after = moved(after, int(column), np.nan, float(found.act_from[column]))
        saved.append(now - cost(after))
        covered.append(found.saving.low <= saved[-1] <= found.saving.high)
    assert np.mean(saved) >= -0.01 * now
    if present == (0.9, 0.9):
        assert np.mean(saved) > 0.3 * now
        assert np.mean(covered) >= 0.7


def test_with_a_cost_of_review_both_thresholds_are_those_of_all_pairs() -> None:
    truth, proba = pool(3)
    rng = np.random.default_rng(1)
    rows = rng.choice(SIZE, 400, replace=False)
    drawn = sample(truth, proba, rows, np.ones(400), (0.95, 0.95))
    drawn = replace(drawn, review_at=np.where(np.isfinite(drawn.remove_at), 0.9, np.inf))
    found = cheapest(drawn, bill(400, review=0.4), rng)
    assert np.isfinite(found.act_from[2])

    def price(review: float, act: float) -> float:
        other = moved(drawn, 2, review, act)
        acts = ((other.proba >= other.remove_at) & other.violating).any(axis=1)
        seen = ((other.proba >= other.review_at) & other.violating).any(axis=1) & ~acts
        wrong, _ = decision_costs(other, *(np.tile(one, (400, 1)) for one in (SEVERITY, WRONG)))
        return float(np.where(seen, 0.4, wrong).sum())

    best = min(price(review, act) for review, act in product(GRID[::3], GRID[::3]) if review <= act)
    assert price(found.review_from[2], found.act_from[2]) <= best + 1e-9


def test_labels_that_are_never_acted_on_and_too_few_items_are_left_alone() -> None:
    truth, proba = pool()
    rng = np.random.default_rng(1)
    few = cheapest(sample(truth, proba, np.arange(8), np.ones(8), (0.9, 0.9)), bill(8), rng)
    assert np.isnan(few.act_from).all()
    assert (few.saving.value, "too few" in few.saving.method or "no other" in few.saving.method) == (0.0, True)
    never = cheapest(sample(truth, proba, np.arange(900), np.ones(900), (np.inf, 0.9)), bill(900), rng)
    assert np.isnan(never.act_from[1])
    assert "never acts" in never.by_label[1].method
    with pytest.raises(DataError, match="shape"):
        cheapest(sample(truth, proba, np.arange(9), np.ones(9), (0.9, 0.9)), bill(8), rng)
