"""Intervals for shares under weights: Wilson with an effective sample size, and means of such shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.types import Floats, Ints

Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""

FEW = 4.0
"""A variance estimate seen in this many events counts as much as the guess from the weights alone."""


@dataclass(frozen=True, eq=False)
class Shares:
    """m weighted shares: value and 95 % interval (m,), items in the denominator (m,), and each item's influence (n, m).

    The influences' squares sum to the linearised variance. A share without items is NaN in [0, 1].
    """

    value: Floats
    low: Floats
    high: Floats
    n: Ints
    influence: Floats


def shares(top: Floats, bottom: Floats, weights: Floats, uncertain: Floats) -> Shares:
    """Hájek ratios Σ w top / Σ w bottom of columns (n, m) with 0 ≤ top ≤ bottom, and their intervals. O(n m).

    The variance is that of independent draws with inclusion probability π = 1 / w (Poisson, and priority sampling,
    whose estimates are uncorrelated: Duffield, Lund and Thorup 2007, JACM 54:32), linearised: Σ (1 - π) w² (top - p
    bottom)² / (Σ w bottom)² (Särndal, Swensson and Wretman 1992, ch. 5); `uncertain` (n,) is 1 - π. The interval is
    Wilson's at the effective size p (1 - p) / variance with the t correction of Korn and Graubard (1998, Survey
    Methodology 24:193). Where few items speak for or against (about `FEW`), too little is seen of the variance to
    trust it, and it is pulled towards that of the weights' own effective size (Kish), if that is larger. Where none
    does, the interval is one-sided, the rule of three: 1 - 0.05^(1/n).

    >>> all_fine = shares(np.zeros((300, 1)), np.ones((300, 1)), np.ones(300), np.ones(300))
    >>> all_fine.value, all_fine.high.round(3)
    (array([0.]), array([0.01]))
    """
    weighted = weights[:, None] * bottom
    total = weighted.sum(axis=0)
    n = (bottom > 0).sum(axis=0)
    seen = total > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(seen, (weights @ top) / total, np.nan)
        influence = np.where(seen, weights[:, None] * (top - value * bottom) / total, 0.0)
        influence = np.sqrt(uncertain)[:, None] * influence * np.sqrt(n / np.maximum(n - 1, 1))
        by_weights = (uncertain @ weighted**2) / total**2
        # Items drawn for certain say nothing of those like them that were not drawn, unless all of the pool was.
        alone = (bottom > 0).T.astype(np.float64) @ uncertain == 0
        by_weights = np.where(alone & seen, uncertain.mean() / n, by_weights) if len(uncertain) else by_weights
    variance = (influence**2).sum(axis=0)
    events = np.minimum((top > 0).sum(axis=0), (bottom - top > 0).sum(axis=0))
    low, high = share_interval(value, variance, by_weights, events, n)
    return Shares(value, low, high, n, influence)


def share_interval(
    value: Floats, variance: Floats, by_weights: Floats, events: Ints | Floats, n: Ints
) -> tuple[Floats, Floats]:
    """Wilson's interval of shares (m,) from their estimated variance; see `shares`.

    `by_weights` is Σ (1 - π) w² / (Σ w)², one over Kish's effective size; `events` the items on the rarer side.
    """
    from scipy.special import stdtrit

    value = np.clip(value, 0.0, 1.0)
    guess = value * (1 - value) * by_weights
    pooled = (events * variance + FEW * np.maximum(variance, guess)) / (events + FEW)
    # One item has no spread of its own: t with one degree of freedom is the widest there is.
    correction = (Z / stdtrit(np.maximum(n, 2) - 1.0, 0.975)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(pooled > 0, pooled / (value * (1 - value)), by_weights) / correction
        centre = (value + Z * Z * spread / 2) / (1 + Z * Z * spread)
        half = Z * np.sqrt(spread * value * (1 - value) + (Z * spread / 2) ** 2) / (1 + Z * Z * spread)
        none_seen = 1 - 0.05**spread
    low = np.where(value <= 0, 0.0, np.where(value >= 1, 1 - none_seen, centre - half))
    high = np.where(value >= 1, 1.0, np.where(value <= 0, none_seen, centre + half))
    known = n > 0
    return np.where(known, np.clip(low, 0, 1), 0.0), np.where(known, np.clip(high, 0, 1), 1.0)


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
