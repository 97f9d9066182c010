"""Estimates put together: published numbers, what must hold, and draws of a pool that shrinks, with planted truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.combined import Part, combined, stratified
from hitl.metrics.intervals import shares


def test_the_stratified_mean_that_lohr_printed() -> None:
    """Acres of farms a county, 1992 (Lohr, Sampling: Design and Analysis, example 3.2), in millions."""
    sizes = np.array([220, 1054, 1382, 422])
    drawn = np.array([21, 103, 135, 41])
    means = np.array([97_629.8, 300_504.2, 211_315.0, 662_295.5]) / 1e6
    variances = np.array([7_647_472_708, 29_618_183_543, 53_587_487_856, 396_185_950_266]) / 1e12
    of_means = (1 - drawn / sizes) * variances / drawn
    parts = [
        Part(mean, variance, size, 1e9, int(size)) for mean, variance, size in zip(means, of_means, drawn, strict=True)
    ]
    found = stratified(parts, sizes / sizes.sum())
    assert found.value == pytest.approx(295_560.8 / 1e6, rel=1e-6)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(16_379.87 / 1e6, rel=0.01)
    assert found.value * sizes.sum() == pytest.approx(909_736_034 / 1e6, rel=1e-6)


def drawn(rng: np.random.Generator, n: int, known: float = 0.0, rest: float = 1.0) -> Part:
    y, weights = (rng.random((n, 1)) < 0.3).astype(float), rng.uniform(1.5, 40, n)
    return replace(Part.of(shares(y, np.ones((n, 1)), weights, 1 - 1 / weights)), known=known, rest=rest)


@given(st.integers(0, 9999), st.integers(5, 200))
def test_one_draw_of_the_whole_is_what_its_shares_are(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    y, weights = (rng.random((n, 1)) < 0.3).astype(float), rng.uniform(1.5, 40, n)
    found = shares(y, np.ones((n, 1)), weights, 1 - 1 / weights)
    for told in (combined([Part.of(found)]), stratified([Part.of(found)], np.ones(1))):
        assert (told.value, told.low, told.high) == pytest.approx((found.value[0], found.low[0], found.high[0]))


@given(st.integers(0, 9999), st.permutations(range(4)))
def test_order_changes_nothing_and_the_value_lies_between(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    parts = [drawn(rng, 50, 0.02 * at, 1 - 0.1 * at) for at in range(4)]
    one, other = combined(parts), combined([parts[at] for at in order])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))
    each = [part.known + part.rest * part.value for part in parts]
    assert min(each) - 1e-12 <= one.value <= max(each) + 1e-12
    assert one.low <= one.value <= one.high


def test_more_draws_tell_more() -> None:
    part = drawn(np.random.default_rng(1), 100)
    one, four = combined([part]), combined([part] * 4)
    assert four.value == pytest.approx(one.value)
    assert four.high - four.low == pytest.approx((one.high - one.low) / 2, rel=0.05)


def test_what_is_known_is_a_bound() -> None:
    nothing = Part(0.0, 0.0, 50.0, 0.0, 50)
    found = combined([nothing, replace(nothing, known=0.04, rest=0.9)])
    assert found.low == 0.04
    assert found.high == pytest.approx(0.04 * 0.55 + 0.95 * 0.03, abs=0.02)
    everything = combined([Part(0.3, 0.001, 50.0, 9, 50, known=0.25, rest=0.0)])
    assert (everything.value, everything.low, everything.high) == (0.25, 0.25, 0.25)


def test_draws_of_a_pool_that_shrinks() -> None:
    """After each draw the riskiest items are judged, too: what they hold is known, and missing in the next draw."""
    rng = np.random.default_rng(3)
    truth = rng.random(4000) < 0.08
    risk = truth + rng.normal(size=4000)
    values, covered = [], []
    for _ in range(300):
        free, parts = np.ones(4000, dtype=bool), []
        for _round in range(3):
            rows = rng.choice(np.flatnonzero(free), 100, replace=False)
            one = shares(truth[rows, None] * 1.0, np.ones((100, 1)), np.full(100, free.sum() / 100), np.full(100, 0.97))
            parts.append(Part.of(one, known=(truth & ~free).sum() / 4000, rest=free.mean()))
            free[rows] = False
            free[np.argsort(np.where(free, -risk, np.inf))[:150]] = False
        found = combined(parts)
        values.append(found.value)
        covered.append(found.low <= truth.mean() <= found.high)
    assert np.mean(values) == pytest.approx(truth.mean(), abs=4 * np.std(values) / 300**0.5)
    assert 0.92 <= np.mean(covered) <= 0.99


def test_nothing_to_put_together() -> None:
    empty = Part(float("nan"), 0.0, 1.0, 0.0, 0)
    for found in (combined([]), combined([empty]), stratified([empty, Part(0.5, 0.01, 9, 4, 9)], np.full(2, 0.5))):
        assert np.isnan(found.value)
        assert (found.low, found.high) == (0, 1)
    assert "50.0% of the whole have no judged item" in found.method
    one = Part(0.5, 0.01, 9, 4, 9)
    assert stratified([empty, one], np.array([0.0, 1.0])).value == 0.5


def test_what_cannot_be_put_together_is_refused() -> None:
    part = Part(0.5, 0.01, 9, 4, 9)
    with pytest.raises(DataError, match="add up to 1"):
        stratified([part, part], np.array([0.5, 0.6]))
    with pytest.raises(DataError, match="effective size"):
        combined([replace(part, size=0.0)])
