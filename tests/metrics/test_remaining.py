"""Cost left in planted pools whose cost is known."""

from __future__ import annotations

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.remaining import cost_left, decision_costs
from hitl.metrics.sample import LabelledSample
from hitl.policy import Policy
from hitl.types import Resolution

SEVERITY, BENIGN = np.array([0.0, 2.0, 9.0]), np.array([0.0, 1.0, 3.0])


def costs(sample):
    return tuple(np.broadcast_to(part, sample.y.shape) for part in (SEVERITY, BENIGN))


def test_intervals_hold_the_pools_own_cost(plant) -> None:
    pool = plant(5, [0.8, 0.15, 0.05])
    whole = pool.everything()
    truth = decision_costs(whole, *costs(whole))[0].sum()
    rng = np.random.default_rng(0)
    told = [cost_left(s, *costs(s)) for s in (pool.sample(*pool.draw(rng, 200, pool.risk)) for _ in range(300))]
    assert np.mean([one.low <= truth <= one.high for one in told]) >= 0.92
    assert np.mean([one.value for one in told]) == pytest.approx(truth, rel=0.05)


def test_a_better_model_leaves_less(plant) -> None:
    worse, better = (plant(5, [0.8, 0.15, 0.05], worth=worth).everything() for worth in (0.5, 4.0))
    assert cost_left(better, *costs(better)).value < 0.5 * cost_left(worse, *costs(worse)).value


def policy(multi_label: bool = False) -> Policy:
    return Policy.parse(
        f"{{name: p, version: 1, multi_label: {str(multi_label).lower()}, labels: ["
        "{name: ok, violating: false},"
        "{name: mild, severity: 2, actions: {review: 0.3, limit: 0.5, remove: 0.7}},"
        "{name: grave, severity: 10, actions: {review: 0.3, limit: 0.5, remove: 0.7}}]}"
    )


def judged(labels, number: int = 0) -> Resolution:
    return Resolution(f"item {number}", number, labels, 1.0, "m", "1")


@pytest.mark.parametrize(
    ("said", "proba", "paid"),
    [
        (("ok",), [0.9, 0.05, 0.05], 0.0),
        (("mild",), [0.9, 0.05, 0.05], 7 * 2.0),
        (("grave",), [0.9, 0.05, 0.05], 7 * 10.0),
        (("grave",), [0.1, 0.8, 0.1], 0.0),  # taken down for another harm: nobody sees it
        (None, [0.9, 0.05, 0.05], np.nan),
    ],
)
def test_each_decision_costs_what_the_policy_says(said, proba, paid) -> None:
    drawn = LabelledSample.of(
        policy(), [judged(said)], np.array([proba]), inclusion=np.array([0.5]), reach=np.array([7.0])
    )
    table = policy().costs([""])
    cost, most = decision_costs(drawn, table.severity, table.benign_cost)
    assert cost[0] == pytest.approx(paid, nan_ok=True)
    assert most[0] >= np.nan_to_num(cost[0])
    wrongly = LabelledSample.of(
        policy(), [judged(("ok",))], np.array([[0.1, 0.8, 0.1]]), inclusion=np.array([0.5]), reach=np.array([7.0])
    )
    assert decision_costs(wrongly, table.severity, table.benign_cost)[0][0] == 7 * table.benign_cost[0, 1]


def test_open_items_are_taken_to_be_like_the_others_and_nothing_is_told_of_nothing() -> None:
    half = [judged(("mild",) if at % 4 == 0 else ("ok",) if at % 2 == 0 else None, at) for at in range(80)]
    proba, table = np.full((80, 3), 1 / 3), policy().costs([""] * 80)
    drawn = LabelledSample.of(policy(), half, proba, inclusion=np.full(80, 0.1))
    assert cost_left(drawn, table.severity, table.benign_cost).value == pytest.approx(2.0 * 400)
    open_ones = LabelledSample.of(policy(), [judged(None)] * 80, proba, inclusion=np.full(80, 0.1))
    assert np.isnan(cost_left(open_ones, table.severity, table.benign_cost).value)
    stream = LabelledSample.of(policy(), half, proba)
    assert "finite" in cost_left(stream, table.severity, table.benign_cost).method
    with pytest.raises(DataError, match="costs have the shapes"):
        cost_left(drawn, table.severity[:3], table.benign_cost)
