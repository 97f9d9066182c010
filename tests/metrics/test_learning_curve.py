"""Extrapolation on planted curves: intervals that hold, honesty where little is known, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.learning_curve import HORIZON, JITTER, fit_curve

BUDGET = 100.0


def planted(start: float, plateau: float, power: float, rounds: int):
    labels = BUDGET * np.arange(1, rounds + 1)
    return labels, lambda n: plateau - (plateau - start) * (n / labels[0]) ** -power


def measured(rng, truth, error, correlation, jitter):
    shared = rng.normal() * correlation**0.5 * error
    own = rng.normal(size=len(truth)) * np.hypot((1 - correlation) ** 0.5 * error, jitter)
    return np.clip(truth + shared + own, 0, 1)


def fit(labels, figure, error=0.02, seed=0, **more):
    return fit_curve(labels, figure, np.full(len(labels), error), np.random.default_rng(seed), **more)


def holds(estimate, truth) -> bool:
    return estimate.low <= truth <= estimate.high


def covered(rng, runs, correlation=0.6, error=0.03, **fixed):
    """How often each interval holds a planted curve's truth: the next round, its gain, 4 × the labels, the target."""
    hits = []
    for _ in range(runs):
        start, plateau = np.sort(rng.random(2))
        plant = {"start": start, "plateau": plateau, "power": 0.1 * 25 ** rng.random(), "rounds": 5} | fixed
        labels, truth = planted(**plant)
        jitter = rng.choice(JITTER)
        figure = measured(rng, truth(labels), error, correlation, jitter)
        curve = fit_curve(labels, figure, np.full(len(labels), error), rng, correlation=correlation)
        now = labels[-1]
        hits.append([
            holds(curve.at(now + BUDGET), truth(now + BUDGET)),
            holds(curve.gain(BUDGET), truth(now + BUDGET) - truth(now)),
            holds(curve.at(4 * now), truth(4 * now)),
            holds(curve.needed(truth(2 * now)), 2 * now),
        ])  # fmt: skip
    return np.mean(hits, axis=0)


@pytest.mark.simulation
@pytest.mark.parametrize("rounds", [5, 12])
def test_intervals_hold_at_their_nominal_rate_over_the_family(rounds: int) -> None:
    rates = covered(np.random.default_rng(rounds), 500, rounds=rounds)
    assert ((rates >= 0.93) & (rates <= 0.99)).all(), rates


@pytest.mark.parametrize(("start", "plateau", "power"), [(0.6, 0.8, 0.5), (0.43, 0.9, 0.25), (0.45, 0.65, 1.0)])
def test_intervals_hold_for_each_kind_of_curve(start: float, plateau: float, power: float) -> None:
    rates = covered(np.random.default_rng(1), 80, start=start, plateau=plateau, power=power, rounds=6)
    assert (rates >= 0.88).all(), rates


def test_more_rounds_and_smaller_errors_tell_more() -> None:
    def width(rounds: int, error: float) -> float:
        labels, truth = planted(0.5, 0.8, 0.6, rounds)
        told = fit(labels, truth(labels), error).at(3000)
        return told.high - told.low

    assert width(20, 0.02) < width(10, 0.02) < width(5, 0.02)
    assert width(10, 0.005) < width(10, 0.02) < width(10, 0.08)


def test_an_exact_curve_is_recovered() -> None:
    labels, truth = planted(0.4, 0.75, 0.7, 30)
    curve = fit(labels, truth(labels), 0.002)
    assert curve.plateau().value == pytest.approx(0.75, abs=0.01)
    assert holds(curve.plateau(), 0.75)
    assert curve.at(6000).value == pytest.approx(truth(6000), abs=0.01)
    assert curve.needed(0.7).value == pytest.approx(100 * (0.35 / 0.05) ** (1 / 0.7), rel=0.1)
    assert holds(curve.needed(0.9, of_plateau=True), 100 * (0.35 / 0.075) ** (1 / 0.7))


def test_a_shared_error_moves_the_level_and_not_the_gain() -> None:
    labels, truth = planted(0.5, 0.8, 0.6, 10)
    apart, together = (fit(labels, truth(labels), 0.05, correlation=share) for share in (0.0, 0.9))
    width = {name: [told.high - told.low for told in (getattr(c, name)(500) for c in (apart, together))]
             for name in ("at", "gain")}  # fmt: skip
    assert width["at"][1] > width["at"][0]
    assert width["gain"][1] < width["gain"][0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=9), st.floats(0.001, 0.2), st.floats(0, 0.95))
def test_whatever_the_figures_the_curve_rises_and_stays_in_bounds(figures, error, correlation) -> None:
    labels = 50.0 + 30 * np.arange(len(figures))
    curve = fit(labels, np.array(figures), error, correlation=correlation)
    ahead = [curve.at(n) for n in (10, *labels, 1e3, 1e5, 1e9)]
    for side in ("low", "value", "high"):
        values = [getattr(one, side) for one in ahead]
        assert all(0 <= value <= 1 for value in values)
        assert values == sorted(values)
    assert all(one.low <= one.value <= one.high for one in [*ahead, curve.gain(100), curve.plateau()])
    wanted = [curve.needed(target) for target in (0.1, 0.5, 0.9, 1.0)]
    assert [one.value for one in wanted] == sorted(one.value for one in wanted)
    assert all(one.value == np.inf or labels[0] <= one.value <= HORIZON * labels[-1] for one in wanted)
    assert curve.gain(0).high == 0


def test_the_same_seed_gives_the_same_and_nothing_is_changed() -> None:
    labels, truth = planted(0.5, 0.8, 0.6, 5)
    figure, error = truth(labels), np.full(5, 0.02)
    kept = [part.copy() for part in (labels, figure, error)]
    first, second, other = (fit_curve(labels, figure, error, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.at(900) == second.at(900)
    assert first.at(900) != other.at(900)
    assert first.at(900).value == pytest.approx(other.at(900).value, abs=0.005)
    assert all(np.array_equal(part, was) for part, was in zip((labels, figure, error), kept, strict=True))


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_too_few_rounds_are_told(rounds: int) -> None:
    curve = fit(BUDGET * np.arange(1.0, rounds + 1), np.full(rounds, 0.5))
    for told in (curve.at(1000), curve.gain(100), curve.plateau(), curve.needed(0.9)):
        assert np.isnan(told.value)
        assert told.method.startswith(f"too few rounds: {rounds} of 4")
    assert curve.needed(0.9).high == np.inf


def test_rounds_that_bought_nothing_or_have_no_figure_do_not_count() -> None:
    labels = np.array([100.0, 200, 200, 300, 400, 500])
    assert fit(labels[:4], np.full(4, 0.5)).why
    some = np.array([0.5, 0.55, np.nan, 0.6, np.nan, np.nan])
    assert fit(labels, some).why
    some[4] = 0.62
    assert fit(labels, some).at(600) == fit(labels[~np.isnan(some)], some[~np.isnan(some)]).at(600)


def test_a_flat_curve_stays_flat_and_does_not_reach_beyond_itself() -> None:
    curve = fit(BUDGET * np.arange(1.0, 11), np.full(10, 0.6), 0.01)
    assert curve.gain(1000).high < 0.03
    assert curve.needed(0.9).value == np.inf
    assert curve.needed(0.5).value <= 100
    assert "fall" not in curve.method


def test_a_falling_curve_is_read_as_flat_and_says_so() -> None:
    curve = fit(BUDGET * np.arange(1.0, 9), np.linspace(0.7, 0.4, 8), 0.01)
    assert "the figures fall" in curve.method
    assert curve.gain(100).value < 0.01
    assert np.isfinite(curve.at(900).value)


def test_what_cannot_be_is_refused() -> None:
    labels = np.arange(1.0, 6)
    with pytest.raises(DataError, match="shapes"):
        fit_curve(labels, labels[:4] / 9, labels / 99, np.random.default_rng(0))
    with pytest.raises(DataError, match="in \\[0, 1\\]"):
        fit(labels, labels)
    with pytest.raises(DataError, match="errors of 0"):
        fit(labels, labels / 9, -0.1)
    with pytest.raises(DataError, match="correlation"):
        fit(labels, labels / 9, correlation=1.0)
    with pytest.raises(DataError, match="above 0 and at most 1"):
        fit(labels, labels / 9).needed(1.2)
