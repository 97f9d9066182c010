"""Weighting for what was not settled: by hand, by properties, and by simulation with a planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.audit import share
from hitl.metrics.responses import GROUPS, LEAST, Responses, collapsed, responses


def test_rates_by_hand() -> None:
    """Cell 0: weights 10, 10, 20 of which 10 and 20 are settled; cell 1 is settled."""
    inclusion = np.array([0.1, 0.1, 0.05, 0.5])
    found = Responses(inclusion, np.array([True, False, True, True]), np.array([0, 0, 0, 1]))
    assert found.rate.tolist() == [0.75, 0.75, 0.75, 1.0]
    assert found.adjusted == pytest.approx([0.075, 0.075, 0.0375, 0.5])


def planted(seed: int, n: int) -> tuple:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.01, 1.0, n), rng.random(n) < 0.8, rng.integers(0, 5, n), rng.random(n).round(1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(1, 200))
def test_cells_are_large_enough_and_keep_the_weight(seed: int, n: int) -> None:
    inclusion, settled, strata, risk = planted(seed, n)
    settled[0] = True
    found = responses(inclusion, settled, strata, risk)
    held = np.bincount(found.cells, settled)
    assert (held >= min(LEAST, settled.sum())).all()
    for cell in np.unique(found.cells):
        rows = found.cells == cell
        assert (1 / found.adjusted[rows & settled]).sum() == pytest.approx((1 / inclusion[rows]).sum())
    assert ((found.rate > 0) & (found.rate <= 1)).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999))
def test_order_changes_nothing(seed: int) -> None:
    drawn = planted(seed, 120)
    order = np.random.default_rng(seed).permutation(120)
    assert responses(*(part[order] for part in drawn)).rate == pytest.approx(responses(*drawn).rate[order])


def test_what_is_all_settled_keeps_its_weights() -> None:
    inclusion, _, strata, risk = planted(1, 90)
    assert responses(inclusion, np.ones(90, dtype=bool), strata, risk).adjusted == pytest.approx(inclusion)


def test_a_stratum_with_few_joins_the_smallest_other() -> None:
    strata = np.repeat([3, 5, 9], [30, 20, 4])
    assert collapsed(strata, np.ones(54, dtype=bool)).tolist() == np.repeat([0, 1, 1], [30, 20, 4]).tolist()
    assert np.unique(collapsed(np.arange(12), np.ones(12, dtype=bool))).tolist() == [0]


def test_risk_is_told_apart_where_items_are_enough() -> None:
    risk = np.linspace(0, 1, 400)
    found = responses(np.full(400, 0.1), np.ones(400, dtype=bool), np.zeros(400, dtype=int), risk)
    assert len(np.bincount(found.cells)) == GROUPS
    tied = responses(
        np.full(400, 0.1), np.ones(400, dtype=bool), np.zeros(400, dtype=int), np.repeat([0.1, 0.9], [370, 30])
    )
    assert np.bincount(tied.cells).tolist() == [370, 30]
    for alone in (np.zeros(400), np.repeat([0.0, 1.0], [395, 5])):
        assert not responses(np.full(400, 0.1), np.ones(400, dtype=bool), np.zeros(400, dtype=int), alone).cells.any()


def test_weighting_takes_the_bias_away_and_its_variance_has_both_phases() -> None:
    """What violates is settled half as often; the risk tells it apart, as a model does, but for one item in ten."""
    rng = np.random.default_rng(7)
    truth = rng.random(20_000) < 0.3
    risk = np.where(rng.random(20_000) < 0.1, rng.random(20_000), np.where(truth, 0.8, 0.1))
    chance = np.where(risk > 0.5, 0.45, 0.9)
    told: dict[str, list] = {"weighted": [], "dropped": []}
    for _ in range(400):
        rows = rng.choice(20_000, 300, replace=False)
        inclusion, settled = np.full(300, 300 / 20_000), rng.random(300) < chance[rows]
        found = responses(inclusion, settled, np.zeros(300, dtype=int), risk[rows])
        values = truth[rows][settled].astype(float)
        told["weighted"].append(share(values, found.adjusted[settled]))
        told["dropped"].append(share(values, inclusion[settled]))
    bias = {way: np.mean([one.value for one in found]) - truth.mean() for way, found in told.items()}
    assert abs(bias["weighted"]) < 4 * np.std([one.value for one in told["weighted"]]) / 20
    assert bias["dropped"] < -0.08
    covered = np.mean([one.low <= truth.mean() <= one.high for one in told["weighted"]])
    assert 0.92 <= covered <= 0.995


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="3 drawn items need as many marks"):
        Responses(np.full(3, 0.1), np.ones(2, dtype=bool), np.zeros(3, dtype=int))
