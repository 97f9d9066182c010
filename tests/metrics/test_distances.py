"""Distances of bins without their noise, on bins whose noise is known."""

from __future__ import annotations

import numpy as np
import pytest

from hitl.metrics.distances import Distances, distances, mean_distance, mean_square_distance

MASS = np.full(8, 1 / 8)


def seen(gap: np.ndarray, noise: np.ndarray) -> Distances:
    return Distances(MASS, gap, noise**2, noise**2)


@pytest.mark.parametrize("true", [np.zeros(8), np.full(8, 0.1), np.r_[0.4, np.zeros(7)], np.linspace(-0.2, 0.2, 8)])
def test_normal_noise_is_taken_off_and_the_intervals_cover(true: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noise = np.linspace(0.03, 0.1, 8)
    first, second = [], []
    for _ in range(400):
        found = seen(true + rng.normal(size=8) * noise, noise)
        first.append(mean_distance(found))
        second.append(mean_square_distance(found))
    for told, value in ((first, MASS @ np.abs(true)), (second, MASS @ true**2)):
        low, high = np.array(told)[:, 1], np.array(told)[:, 2]
        assert np.mean((low <= value) & (value <= high)) > 0.925
    squares = np.array(second)[:, 0]
    assert abs(squares.mean() - MASS @ true**2) < 4 * squares.std() / 20
    middle, added = np.median(np.array(first)[:, 0]), MASS @ noise * (2 / np.pi) ** 0.5
    if true.max() > 0.3:  # all of it in one bin: too large by what noise adds to the others, at most
        assert MASS @ np.abs(true) < middle < MASS @ np.abs(true) + added
    else:
        assert middle == pytest.approx(MASS @ np.abs(true), abs=0.025)


def test_without_noise_they_are_the_plain_ones() -> None:
    gap = np.linspace(-0.2, 0.3, 8)
    assert mean_distance(seen(gap, np.zeros(8))) == pytest.approx((MASS @ np.abs(gap),) * 3)
    assert mean_square_distance(seen(gap, np.zeros(8))) == pytest.approx((MASS @ gap**2,) * 3)


def test_bins_are_weighted_means_with_their_design_variance() -> None:
    rng = np.random.default_rng(1)
    proba, place = rng.random(60), np.arange(60) % 3
    truth, weights = rng.random(60) < proba, rng.uniform(1, 9, 60)
    found = distances(proba, truth, place, weights, 1 - 1 / weights)
    for one in range(3):
        at = place == one
        off, w = (proba - truth)[at], weights[at]
        assert found.mass[one] == pytest.approx(w.sum() / weights.sum())
        assert found.gap[one] == pytest.approx(np.average(off, weights=w))
        spread = ((1 - 1 / w) * (w * (off - found.gap[one])) ** 2).sum() / w.sum() ** 2
        assert found.variance[one] == pytest.approx(spread * 20 / 19)
    assert (distances(proba, truth, place, np.ones(60), np.zeros(60)).variance == 0).all()
