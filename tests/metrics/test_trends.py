"""Growth and falls between two periods: against other implementations, published figures and planted change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hitl.errors import DataError
from hitl.metrics.multiplicity import benjamini_hochberg
from hitl.metrics.trends import falls_of_means, falls_of_shares, rate_ratios

pytestmark = pytest.mark.simulation

ALARM = 0.05


@given(st.integers(0, 60), st.integers(0, 60), st.floats(10, 1e4), st.floats(10, 1e4))
def test_a_rate_ratio_is_the_conditional_binomial_test(before, new, of_before, of_new):
    found = rate_ratios(np.array([before]), np.array([new]), of_before, of_new)
    if not before + new:
        assert np.isnan(found.value[0])
        assert found.p[0] == 1
        return
    chance = of_new / (of_before + of_new)
    assert found.p[0] == pytest.approx(stats.binomtest(new, before + new, chance, "greater").pvalue, rel=1e-6)
    ends = stats.binomtest(new, before + new, chance).proportion_ci(0.95, "exact")
    low, high = (end / (1 - end) * of_before / of_new if end < 1 else np.inf for end in (ends.low, ends.high))
    assert (found.low[0], found.high[0]) == pytest.approx((low, high), rel=1e-6)


def test_intervals_of_rate_ratios_cover():
    rng = np.random.default_rng(0)
    for rate, ratio in ((4, 1.0), (3, 5.0), (40, 1.5)):
        before, new = rng.poisson(rate, size=4000), rng.poisson(rate * ratio / 2, size=4000)
        found = rate_ratios(before, new, 2000, 1000)
        seen = before + new > 0
        assert ((found.low <= ratio) & (ratio <= found.high))[seen].mean() >= 0.95


def test_without_change_alarms_are_rare_and_what_grows_is_found():
    """Shares of 60 kinds with a long tail, as topics have; the last one then comes eight times as often."""
    rng = np.random.default_rng(1)
    shares = 1 / np.arange(1, 61)
    shares /= shares.sum()
    false, found, others = [], [], []
    for _ in range(200):
        before = rng.multinomial(2000, shares)
        false.append(_alarms(before, rng.multinomial(700, shares)).any())
        grown = shares.copy()
        grown[-1] *= 8
        alarms = _alarms(before, rng.multinomial(700, grown / grown.sum()))
        found.append(alarms[-1])
        others.append(alarms[:-1].any())
    assert np.mean(false) <= ALARM
    assert np.mean(found) > 0.9
    assert np.mean(others) <= ALARM


def _alarms(before, new):
    return benjamini_hochberg(rate_ratios(before, new, before.sum(), new.sum()).p) <= ALARM


def test_rates_need_items_on_both_sides():
    with pytest.raises(DataError, match="items before and items now"):
        rate_ratios(np.array([1]), np.array([1]), 0, 10)


def test_means_are_compared_as_welch_does():
    rng = np.random.default_rng(2)
    values, new = rng.normal(size=300), np.arange(300) % 3 == 0
    values[new] -= 0.4
    group = np.repeat([0, 1, -1], 100)
    found = falls_of_means(values, group, new, groups=3)
    for at in (0, 1):
        sides = values[(group == at) & new], values[(group == at) & ~new]
        other = stats.ttest_ind(*sides, equal_var=False, alternative="less")
        assert found.p[at] == pytest.approx(other.pvalue)
        interval = stats.ttest_ind(*sides, equal_var=False).confidence_interval()
        assert (found.low[at], found.high[at]) == pytest.approx(tuple(interval))
        assert np.sign(found.effect[at]) == np.sign(found.value[at])
    assert np.isnan(found.p[2])
    assert not np.isnan(found.before[:2]).any()


def test_shares_are_compared_as_fisher_and_newcombe_do():
    # Newcombe (1998, Statistics in Medicine 17:873), example (a): 56 of 70 and 48 of 80, method 10
    yes = np.repeat([True, False, True, False], [48, 32, 56, 14])
    new = np.arange(150) >= 80
    found = falls_of_shares(yes, np.zeros(150, dtype=np.int64), new, groups=1)
    assert (found.value[0], found.low[0], found.high[0]) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert found.p[0] == pytest.approx(stats.fisher_exact([[56, 14], [48, 32]], alternative="less").pvalue)
    back = falls_of_shares(yes, np.zeros(150, dtype=np.int64), ~new, groups=1)
    assert (back.low[0], back.high[0]) == pytest.approx((-0.3339, -0.0524), abs=5e-5)
    assert back.p[0] == pytest.approx(stats.fisher_exact([[56, 14], [48, 32]], alternative="greater").pvalue)


def test_confidence_without_change_rarely_falls_even_though_it_is_skewed():
    rng = np.random.default_rng(3)
    group, new = np.repeat(np.arange(8), 100), np.tile(np.arange(100) < 40, 8)
    alarms = 0
    for _ in range(400):
        found = falls_of_means(rng.beta(6, 1, size=800), group, new, groups=8)
        alarms += (benjamini_hochberg(found.p) <= ALARM).any()
    assert alarms / 400 <= 0.075  # 0.05, and two standard deviations of what 400 replications can tell


def test_groups_that_are_too_small_or_do_not_vary_are_not_compared():
    new = np.arange(100) >= 50
    flat = falls_of_means(np.ones(100), np.zeros(100, dtype=np.int64), new, groups=1)
    small = falls_of_shares(new, np.where(np.arange(100) < 55, 0, -1), new, groups=1)
    assert np.isnan([flat.p[0], small.p[0], small.value[0]]).all()
    assert small.n_new.tolist() == [5]
