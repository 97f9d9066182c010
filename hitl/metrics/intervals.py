"""Intervals for shares under weights: Wilson with an effective sample size, and means of such shares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hitl.types import Estimate, Floats, Ints

Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""

FEW = 5.0
"""A variance estimate seen in this many events counts as much as the guess from the weights alone."""

FEWEST = 5
"""Items that must bear on a ratio before its value is told: with fewer its bias can exceed its worth.

By the simulation of `benchmarks/coverage.py`: intervals cover all the same, and are told.
"""


@dataclass(frozen=True, eq=False)
class Shares:
    """m weighted shares: value and 95 % interval (m,), items in the denominator (m,), and each item's influence (n, m).

    The influences' squares sum to the linearised `variance` (m,). `by_weights` and `events` (m,) are what
    `share_interval` needs besides. A share without items is NaN in [0, 1].
    """

    value: Floats
    low: Floats
    high: Floats
    n: Ints
    influence: Floats
    variance: Floats
    by_weights: Floats
    events: Floats


def shares(top: Floats, bottom: Floats, weights: Floats, uncertain: Floats) -> Shares:
    """Hájek ratios Σ w top / Σ w bottom of columns (n, m) with 0 ≤ top ≤ bottom, and their intervals. O(n m).

    The variance is that of independent draws with inclusion probability π = 1 / w (Poisson, and priority sampling,
    whose estimates are uncorrelated: Duffield, Lund and Thorup 2007, JACM 54:32), linearised: Σ (1 - π) w² (top - p
    bottom)² / (Σ w bottom)² (Särndal, Swensson and Wretman 1992, ch. 5); `uncertain` (n,) is 1 - π. The interval is
    Wilson's at the effective size p (1 - p) / variance with the t correction of Korn and Graubard (1998, Survey
    Methodology 24:193). Where few items speak for or against (about `FEW`; an item whose top is part of its bottom
    speaks with that part, and those of uneven weights are fewer, by Kish), too little is seen of the variance to trust
    it, and it is pulled towards that of the weights' own effective size, if that is larger. Where none does, the
    interval is one-sided, the rule of three: 1 - 0.05^(1/n).

    >>> all_fine = shares(np.zeros((300, 1)), np.ones((300, 1)), np.ones(300), np.ones(300))
    >>> all_fine.value, all_fine.high.round(3)
    (array([0.]), array([0.01]))
    """
    weighted = weights[:, None] * bottom
    total = weighted.sum(axis=0)
    n = (bottom > 0).sum(axis=0)
    seen = total > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        # A share of all is exactly 1, whichever way the two sums were rounded.
        part = np.where((bottom > top).any(axis=0), np.minimum((weights @ top) / total, 1.0), 1.0)
        value = np.where(seen, part, np.nan)
        influence = np.where(seen, weights[:, None] * (top - value * bottom) / total, 0.0)
        influence = np.sqrt(uncertain)[:, None] * influence * np.sqrt(n / np.maximum(n - 1, 1))
        by_weights = (uncertain @ weighted**2) / total**2
        # Items drawn for certain say nothing of those like them that were not drawn, unless all of the pool was.
        alone = (bottom > 0).T.astype(np.float64) @ uncertain == 0
        by_weights = np.where(alone & seen, uncertain.mean() / n, by_weights) if len(uncertain) else by_weights
    variance = (influence**2).sum(axis=0)
    events = np.minimum(_events(top, bottom, weights), _events(bottom - top, bottom, weights))
    low, high = share_interval(value, variance, by_weights, events, n)
    return Shares(value, low, high, n, influence, variance, by_weights, events)


def _events(top: Floats, bottom: Floats, weights: Floats) -> Floats:
    """How many items speak for columns: as many as whole ones would, or as even weights would, if that is fewer."""
    count = np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0).sum(axis=0)
    return np.asarray(np.minimum(count, kish(weights[:, None] * top)))


def kish(parts: Floats) -> Floats:
    """(Σ x)² / Σ x² of each column (n, ...): how many even parts would be worth as much (Kish 1965); 0 of nothing."""
    squares = (parts**2).sum(axis=0)
    return np.asarray(parts.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1.0))


def share_interval(
    value: Floats, variance: Floats, by_weights: Floats, events: Ints | Floats, n: Ints | Floats
) -> tuple[Floats, Floats]:
    """Wilson's interval of shares (m,) from their estimated variance; see `shares`.

    `by_weights` is Σ (1 - π) w² / (Σ w)², one over Kish's effective size; `events` the items on the rarer side, `n`
    those that the degrees of freedom, n - 1, are of. O(m).
    """
    from scipy.special import stdtrit

    value = np.clip(value, 0.0, 1.0)
    guess = value * (1 - value) * by_weights
    pooled = (events**2 * variance + FEW**2 * np.maximum(variance, guess)) / (events**2 + FEW**2)
    # One item has no spread of its own: t with one degree of freedom is the widest there is.
    correction = (Z / stdtrit(np.maximum(n, 2) - 1.0, 0.975)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(pooled > 0, pooled / (value * (1 - value)), by_weights) / correction
        below, above = wilson_bounds(value, spread)
        none_seen = 1 - 0.05**spread
    low = np.where(value <= 0, 0.0, np.where(value >= 1, 1 - none_seen, below))
    high = np.where(value >= 1, 1.0, np.where(value <= 0, none_seen, above))
    known = n > 0
    return np.where(known, np.clip(low, 0, 1), 0.0), np.where(known, np.clip(high, 0, 1), 1.0)


def wilson_bounds(value: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Wilson's (1927, JASA 22:209) 95 % bounds of shares (m,), at effective sizes of 1 / `spread` (m,)."""
    centre = (value + Z * Z * spread / 2) / (1 + Z * Z * spread)
    half = Z * np.sqrt(spread * value * (1 - value) + (Z * spread / 2) ** 2) / (1 + Z * Z * spread)
    return centre - half, centre + half


def mean_interval(value: Floats, low: Floats, high: Floats, correlation: Floats) -> tuple[float, float, float]:
    """The mean of m figures with its interval, from their own intervals and their correlations (m, m).

    Method of variance estimates recovery (Zou and Donner 2008, Statistics in Medicine 27:1693): each half of the
    interval is the root of the correlated sum of squares of the figures' own halves, so that skewed figures
    near 0 or 1 keep their shape. No figures: NaN in [0, 1].
    """
    if not len(value):
        return float("nan"), 0.0, 1.0
    mean = float(value.mean())
    below, above = value - low, high - value
    down, up = (max(float(half @ correlation @ half), 0.0) ** 0.5 / len(value) for half in (below, above))
    return mean, max(mean - down, 0.0), min(mean + up, 1.0)


def correlations(deviations: Floats) -> Floats:
    """(m, m) correlations of the columns of (n, m) deviations; a column without spread correlates with itself alone."""
    size = np.sqrt((deviations**2).sum(axis=0))
    scaled = deviations / np.where(size > 0, size, 1.0)
    found: Floats = scaled.T @ scaled
    np.fill_diagonal(found, 1.0)
    return found


def unless_few(estimate: Estimate, count: float, what: str = "items bear on it") -> Estimate:
    """The estimate, or where fewer than `FEWEST` of what it rests on were seen, the same interval without a value.

    An estimate without uncertainty (all of the pool was judged) is told whatever it rests on.

    >>> print(unless_few(Estimate("recall", 0.5, 0.09, 0.91, 2), 2))
    recall unknown: too few: 2 items bear on it, 5 are needed
    """
    if np.isnan(estimate.value) or count >= FEWEST or estimate.low == estimate.high:
        return estimate
    return replace(estimate, value=float("nan"), method=f"too few: {count:g} {what}, {FEWEST} are needed")
