from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.mcnemar import POWER, detectable, mcnemar, power

pytestmark = pytest.mark.simulation


def signs(wins: int, losses: int, alike: int):
    new, old = np.repeat([True, False, True], [wins, losses, alike]), np.repeat([False, True], [wins, losses + alike])
    return mcnemar(new, old, np.ones(len(new)))


def test_the_published_example() -> None:
    """Airway hyper-responsiveness of 21 children (Bentur et al. 2009, in Fagerland et al. 2013): mid-p 0.039."""
    found = signs(7, 1, 13)
    assert found.p == pytest.approx(0.039, abs=5e-4)
    assert (found.wins, found.losses, found.n, found.worth) == (7, 1, 21, 21)
    assert found.difference == pytest.approx(6 / 21)
    assert found.method == "McNemar's test, mid-p"


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 50))
@settings(max_examples=40)
def test_mid_p_is_the_exact_test_less_half_of_what_was_seen(wins: int, losses: int, alike: int) -> None:
    binom = pytest.importorskip("scipy.stats").binom
    few, m = min(wins, losses), wins + losses
    exact = 2 * binom.cdf(few, m, 0.5) - binom.pmf(few, m, 0.5) if m else 1.0
    found = signs(wins, losses, alike)
    assert found.p == pytest.approx(min(exact, 1 - binom.pmf(few, m, 0.5) / 2 if wins == losses and m else 1.0))
    assert found.p == signs(losses, wins, alike).p


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.data())
def test_weighted_signs_are_those_of_all_coins(sizes: list[int], data: st.DataObject) -> None:
    """Against every one of the 2^m ways in which the coins may fall."""
    won = np.array([data.draw(st.booleans()) for _ in sizes])
    weights = np.array(sizes, dtype=float)
    sums = np.array([abs(np.dot(coins, weights)) for coins in product([-1, 1], repeat=len(sizes))])
    seen = abs(np.dot(np.where(won, 1, -1), weights))
    away, same = (sums > seen + 1e-9).mean(), (abs(sums - seen) <= 1e-9).mean()
    # Whole weights that differ are rounded to steps: what is tied may come apart, and stay within the tie's mass.
    found = mcnemar(won, ~won, weights).p
    assert away - 1e-9 <= found <= away + same + 1e-9
    if len(set(sizes)) == 1:
        assert found == pytest.approx(away + same / 2)


@given(st.floats(0.01, 1000))
def test_the_unit_of_weights_says_nothing(unit: float) -> None:
    rng = np.random.default_rng(3)
    new, old, weights = rng.random(60) < 0.7, rng.random(60) < 0.5, rng.exponential(size=60) + 0.1
    one, other = mcnemar(new, old, weights), mcnemar(new, old, weights * unit)
    assert one.p == pytest.approx(other.p)
    assert (one.worth, one.difference) == pytest.approx((other.worth, other.difference))


def test_nothing_differs_and_nothing_is_there() -> None:
    alike = signs(0, 0, 50)
    assert (alike.p, alike.difference, alike.worth) == (1.0, 0.0, 50)
    assert 5 / 50 < alike.detectable() < 8 / 50
    nothing = signs(0, 0, 0)
    assert nothing.p == 1
    assert np.isnan(nothing.difference)
    assert np.isnan(nothing.detectable())


@pytest.mark.parametrize(("n", "discordance"), [(60, 0.3), (200, 0.1), (500, 0.04)])
def test_equal_models_are_called_different_in_at_most_one_of_twenty(n: int, discordance: float) -> None:
    rng = np.random.default_rng(n)
    false = 0
    for _ in range(1500):
        sign = rng.choice([-1, 0, 1], size=n, p=[discordance / 2, 1 - discordance, discordance / 2])
        false += mcnemar(sign > 0, sign < 0, np.ones(n)).p <= 0.05
    assert false / 1500 <= 0.05 + 2 * (0.05 * 0.95 / 1500) ** 0.5


@pytest.mark.parametrize("apart", [False, True], ids=["by a coin", "heavy items win, light ones lose"])
def test_a_weighted_sample_keeps_the_level(apart: bool) -> None:
    """The pool's difference is 0; in the second case only in all, as every win weighs four times a loss."""
    rng = np.random.default_rng(1)
    size, n = 20_000, 300
    light = np.arange(size) % 2 == 0
    chance = np.where(light, 1.0, 4.0) * n / (2.5 * size)
    sign = np.where(rng.random(size) < 0.2, np.where(light if apart else rng.random(size) < 0.5, 1, -1), 0)
    more = int(sign.sum())
    sign[np.flatnonzero(sign == np.sign(more))[: abs(more)]] = 0
    assert sign.sum() == 0
    false = 0
    for _ in range(800):
        drawn = np.flatnonzero(rng.random(size) < chance)
        false += mcnemar(sign[drawn] > 0, sign[drawn] < 0, 1 / chance[drawn]).p <= 0.05
    assert false / 800 <= 0.05 + 2 * (0.05 * 0.95 / 800) ** 0.5


@pytest.mark.parametrize(("n", "discordance"), [(80, 0.3), (200, 0.1), (200, 0.01), (1000, 0.05)])
def test_the_detectable_gain_is_found_four_times_in_five(n: int, discordance: float) -> None:
    gain = detectable(n, discordance)
    differ = max(gain, discordance)
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(1500):
        sign = rng.choice([-1, 0, 1], size=n, p=[(differ - gain) / 2, 1 - differ, (differ + gain) / 2])
        found += mcnemar(sign > 0, sign < 0, np.ones(n)).p <= 0.05
    assert found / 1500 == pytest.approx(POWER, abs=0.035)


def test_the_detectable_gain_of_a_weighted_sample_is_found_as_often() -> None:
    rng = np.random.default_rng(11)
    size, n, discordance = 20_000, 400, 0.15
    chance = rng.exponential(size=size) + 0.2
    chance *= n / chance.sum()
    told, found = [], 0
    for gain in (0.0, None):
        gain = float(np.mean(told)) if gain is None else gain
        sign = rng.choice(
            [-1, 0, 1], size=size, p=[(discordance - gain) / 2, 1 - discordance, (discordance + gain) / 2]
        )
        found = 0
        for _ in range(400):
            drawn = np.flatnonzero(rng.random(size) < chance)
            seen = mcnemar(sign[drawn] > 0, sign[drawn] < 0, 1 / chance[drawn])
            assert seen.weighted
            told += [seen.detectable()] if len(told) < 40 else []
            found += seen.p <= 0.05
    assert found / 400 == pytest.approx(POWER, abs=0.07)


def test_power_agrees_with_connor_s_approximation() -> None:
    """n = (z √ψ + z' √(ψ - δ²))² / δ² (Connor 1987), at discordances where both hold."""
    for discordance, gain in ((0.2, 0.05), (0.1, 0.03), (0.4, 0.1)):
        root = 1.959964 * discordance**0.5 + 0.841621 * (discordance - gain**2) ** 0.5
        assert power(round(root**2 / gain**2), gain, discordance) == pytest.approx(0.8, abs=0.02)
    assert power(20_000, 0.01, 0.03) == pytest.approx(power(16_600, 0.01, 0.03), abs=0.05)


@given(st.integers(1, 3000), st.floats(0, 1))
@settings(max_examples=40)
def test_detectable_gains_are_shares(n: int, discordance: float) -> None:
    gain = detectable(n, discordance)
    assert np.isnan(gain) == (n < 5)
    if n >= 5:
        assert 0 < gain <= 1
        assert power(n, gain, max(gain, discordance)) >= POWER
        assert gain <= detectable(n, discordance, level=0.01) or np.isnan(detectable(n, discordance, level=0.01))


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(DataError, match="align them"):
        mcnemar(np.ones(3, dtype=bool), np.ones(2, dtype=bool), np.ones(3))
    with pytest.raises(DataError, match="above 0"):
        mcnemar(np.ones(2, dtype=bool), np.ones(2, dtype=bool), np.array([1.0, 0.0]))
    with pytest.raises(DataError, match="needs a discordance"):
        power(100, 0.2, 0.1)
