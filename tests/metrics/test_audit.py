from __future__ import annotations

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.audit import audit, share, total


def test_total_and_variance_by_hand() -> None:
    """5,000 ones at π = 0.2: the total is 25,000 and its variance Σ (1 - π) / π² = 100,000."""
    estimate = total(np.ones(5000), np.full(5000, 0.2))
    assert estimate.value == pytest.approx(25_000)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(1.96 * 100_000**0.5, rel=0.01)


def test_equal_weights_give_the_plain_share() -> None:
    values = np.repeat([1.0, 0.0], [30, 70])
    estimate = share(values, np.full(100, 1e-6))
    assert estimate.value == pytest.approx(0.3)
    # Wilson's interval of 30 in 100 is [0.2189, 0.3958]; the t correction widens it a little.
    assert (estimate.low, estimate.high) == pytest.approx((0.2189, 0.3958), abs=0.003)


def test_no_positives_leave_the_rule_of_three() -> None:
    estimate = share(np.zeros(300), np.full(300, 1e-6))
    assert (estimate.value, estimate.low) == (0, 0)
    assert estimate.high == pytest.approx(3 / 300, rel=0.03)


def test_no_positives_under_uneven_weights_are_known_less_well() -> None:
    uneven = np.where(np.arange(300) % 10 == 0, 0.001, 0.1)
    assert share(np.zeros(300), uneven).high > 2 * share(np.zeros(300), np.full(300, 0.01)).high


def test_items_drawn_for_certain_are_added_as_they_are() -> None:
    estimate = total(np.array([5.0, 7.0]), np.ones(2), most=np.array([10.0, 10.0]))
    assert (estimate.value, estimate.low, estimate.high) == (12, 12, 12)
    mixed = total(np.array([5.0, 0.0]), np.array([1.0, 0.5]), most=np.array([10.0, 10.0]))
    assert mixed.value == mixed.low == 5
    assert mixed.high > 5


def test_views_weigh_the_share() -> None:
    estimate = share(np.array([1.0, 0.0]), np.array([0.5, 0.5]), views=np.array([30.0, 10.0]))
    assert estimate.value == pytest.approx(0.75)


def test_audit_tells_shares_and_totals(plant) -> None:
    pool = plant(3, [0.7, 0.3])
    rng = np.random.default_rng(0)
    found = {(e.name, e.label): e for e in audit(pool.sample(*pool.draw(rng, 400, pool.risk)))}
    bad = pool.truth > 0
    for key, truth in {
        ("prevalence", ""): bad.mean(),
        ("prevalence", "b"): bad.mean(),
        ("prevalence_by_views", ""): pool.reach[bad].sum() / pool.reach.sum(),
        ("violating_items", ""): bad.sum(),
        ("violating_views", ""): pool.reach[bad].sum(),
    }.items():
        assert found[key].low <= truth <= found[key].high, key
        assert found[key].value == pytest.approx(truth, rel=0.2), key


def test_items_left_open_are_taken_for_the_rest(plant) -> None:
    from dataclasses import replace

    pool = plant(4, [0.7, 0.3])
    rows, inclusion = pool.draw(np.random.default_rng(1), 400, np.ones(10_000))
    sample = pool.sample(rows, inclusion)
    y = sample.y.copy()
    y[::4] = np.nan
    found = {e.name: e for e in audit(replace(sample, y=y)) if not e.label}
    assert found["violating_items"].value == pytest.approx(3000, rel=0.25)
    assert found["prevalence"].n == 300


def test_a_stream_has_no_totals(plant) -> None:
    from dataclasses import replace

    pool = plant(4, [0.7, 0.3])
    sample = replace(pool.sample(np.arange(50), np.ones(50)), finite=False)
    assert {e.name for e in audit(sample)} == {"prevalence", "prevalence_by_views"}


@pytest.mark.parametrize("inclusion", [[0.0, 0.5], [0.5, 1.2], [0.5, float("nan")]])
def test_impossible_inclusion_is_refused(inclusion: list[float]) -> None:
    for figure in (share, total):
        with pytest.raises(DataError, match=r"item \d has the inclusion probability .* \(1 such\)"):
            figure(np.zeros(2), np.array(inclusion))


def test_impossible_values_are_refused() -> None:
    with pytest.raises(DataError, match="finite values from 0 to `most`"):
        total(np.array([-1.0]), np.array([0.5]))
    with pytest.raises(DataError, match="one probability an item"):
        share(np.zeros(2), np.ones(3))


def test_nothing_drawn() -> None:
    none = np.zeros(0)
    assert np.isnan(share(none, none).value)
    assert total(none, none).value == 0
