"""Weighted shares against independent implementations: statsmodels, with a robust variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.metrics.audit import poststratified, share, violative_view_rate
from hitl.metrics.intervals import shares

# importing the other implementation takes longer than all of these tests
pytestmark = pytest.mark.simulation


def described(y: np.ndarray, weights: np.ndarray | None = None) -> Any:
    from statsmodels.stats.weightstats import DescrStatsW

    return DescrStatsW(y, weights)


def planted(seed: int, n: int = 120) -> tuple:
    rng = np.random.default_rng(seed)
    y, reach, weights = rng.random(n) < 0.3, rng.exponential(1, n) + 0.01, rng.uniform(1.5, 40, n)
    return np.append(y[2:], [True, False]).astype(float), reach, weights


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999))
def test_mean_and_variance_are_those_of_a_weighted_regression(seed: int) -> None:
    """The linearised variance of a Hájek ratio is that of a weighted intercept, robust as HC1 is."""
    import statsmodels.api as sm

    y, reach, weights = planted(seed)
    for size in (np.ones(120), reach):
        found = shares((y * size)[:, None], size[:, None], weights, np.ones(120))
        fitted = sm.WLS(y, np.ones(120), weights=weights * size).fit(cov_type="HC1")
        assert found.value[0] == pytest.approx(fitted.params[0])
        assert found.variance[0] == pytest.approx(fitted.bse[0] ** 2)
        assert found.value[0] == pytest.approx(described(y, weights * size).mean)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999))
def test_even_weights_leave_the_textbook_variance(seed: int) -> None:
    y, _, _ = planted(seed)
    found = shares(y[:, None], np.ones((120, 1)), np.full(120, 7.0), np.ones(120))
    assert found.variance[0] == pytest.approx(described(y).std_mean ** 2)
    drawn_without_replacement = shares(y[:, None], np.ones((120, 1)), np.full(120, 2.0), np.full(120, 0.5))
    assert drawn_without_replacement.variance[0] == pytest.approx(0.5 * described(y).std_mean ** 2)


@given(st.integers(0, 9999))
def test_poststratified_is_the_mean_of_weighted_means(seed: int) -> None:
    y, _, weights = planted(seed)
    strata = np.arange(120) % 3
    sizes = np.array([100.0, 500.0, 1400.0])
    each = [described(y[strata == code], weights[strata == code]).mean for code in range(3)]
    assert poststratified(y, 1 / weights, strata, sizes).value == pytest.approx(np.average(each, weights=sizes))


def test_strata_with_few_drawn_items_are_taken_together() -> None:
    y, _, weights = planted(1)
    strata, sizes = np.where(np.arange(120) < 29, 1, 0), np.array([100.0, 300.0])
    assert poststratified(y, 1 / weights, strata, sizes).value == pytest.approx(share(y, 1 / weights).value)


def test_views_are_told_by_ten_thousand() -> None:
    y, reach, weights = planted(2)
    found = violative_view_rate(share(y, 1 / weights, views=reach))
    mean = described(y, weights * reach).mean
    assert (found.name, found.value) == ("violative_view_rate", pytest.approx(1e4 * mean))
    assert found.low < found.value < found.high
