"""What grows and what falls between two periods: exact rate ratios, and differences of means and of shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import Z
from hitl.types import Bools, Floats, Ints

LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Rates:
    """m ratios of rates, new over before, with exact 95 % intervals and one-sided p-values of growth, each (m,)."""

    value: Floats
    low: Floats
    high: Floats
    p: Floats

    def __repr__(self) -> str:
        return f"Rates({len(self.p)} ratios, smallest p {self.p.min(initial=1.0):.2g})"


def rate_ratios(before: Ints, new: Ints, of_before: float, of_new: float) -> Rates:
    """Whether m kinds of items come more often than before: of `of_new` new items `new` (m,), of the others `before`.

    Given how many there are of a kind, how many of these are new is binomial, with the share of all items that are new
    as its chance if nothing changed (Przyborowski and Wilenski 1940, Biometrika 31:313). The interval is Clopper and
    Pearson's (1934) of that share, turned into the ratio: exact, never too short. A kind that never came before has an
    infinite ratio with a finite lower bound; one of which there is nothing is NaN with p = 1. Raises `DataError` for
    impossible counts. O(m).

    >>> found = rate_ratios(np.array([4, 40]), np.array([12, 20]), of_before=2000, of_new=1000)
    >>> found.value, found.low.round(1), found.high.round(1), found.p.round(4)
    (array([6., 1.]), array([1.8, 0.6]), array([25.5,  1.8]), array([0.0008, 0.5484]))
    """
    from scipy.special import betaincinv
    from scipy.stats import binom

    if not (of_before > 0 and of_new > 0) or (before < 0).any() or (new < 0).any():
        raise DataError("rates need items before and items now, and counts of 0 or more")
    total, chance = before + new, of_new / (of_before + of_new)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (new / of_new) / (before / of_before)
        low = np.where(new > 0, betaincinv(np.maximum(new, 1), before + 1.0, LEVEL / 2), 0.0)
        high = np.where(before > 0, betaincinv(new + 1.0, np.maximum(before, 1), 1 - LEVEL / 2), 1.0)
        ends = [share / (1 - share) * of_before / of_new for share in (low, high)]
    return Rates(value, ends[0], ends[1], np.asarray(binom.sf(new - 1, total, chance)))


@dataclass(frozen=True, eq=False)
class Falls:
    """m differences new - before with 95 % intervals, effect sizes and one-sided p-values of a fall, each (m,).

    NaN where a side is too small to be compared. `effect` is Cohen's d of means and h of shares.
    """

    before: Floats
    new: Floats
    value: Floats
    low: Floats
    high: Floats
    effect: Floats
    p: Floats
    n_before: Ints
    n_new: Ints


def falls_of_means(values: Floats, group: Ints, new: Bools, groups: int, least: int = 30) -> Falls:
    """Whether the mean of values (n,) is lower in the new items of each group; groups with fewer than `least` are NaN.

    Welch's (1947, Biometrika 34:28) t test and interval with Satterthwaite's degrees of freedom; the effect is the
    difference over the pooled standard deviation (Cohen 1988). Items of group -1 are left out. O(n + groups).
    """
    from scipy.special import stdtr, stdtrit

    n, mean, spread = _moments(values, group, new, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = spread / n
        freedom = error.sum(axis=0) ** 2 / (error**2 / (n - 1)).sum(axis=0)
        size = np.sqrt(error.sum(axis=0))
        difference = mean[1] - mean[0]
        pooled = np.sqrt(((n - 1) * spread).sum(axis=0) / (n.sum(axis=0) - 2))
        half = stdtrit(freedom, 1 - LEVEL / 2) * size
        p, effect = stdtr(freedom, difference / size), difference / pooled
    told = np.asarray((n >= least).all(axis=0) & (size > 0))
    return _told(n, mean, told, (difference, difference - half, difference + half, effect, p))


def falls_of_shares(yes: Bools, group: Ints, new: Bools, groups: int, least: int = 10) -> Falls:
    """Whether the share of `yes` (n,) is lower in the new items of each group; groups with fewer than `least` are NaN.

    Fisher's exact test, one-sided; Newcombe's (1998, Statistics in Medicine 17:873, method 10) interval of the
    difference from the two Wilson intervals; the effect is Cohen's (1988) h, a difference of angles. Items of group -1
    are left out. O(n + groups).

    >>> yes = np.repeat([True, False, True, False], [45, 5, 25, 25])
    >>> found = falls_of_shares(yes, np.zeros(100, dtype=np.int64), np.arange(100) >= 50, groups=1)
    >>> found.value, found.low.round(2), found.high.round(2), found.p.round(5)
    (array([-0.4]), array([-0.55]), array([-0.22]), array([1.e-05]))
    """
    from scipy.stats import hypergeom

    n, mean, _ = _moments(yes.astype(np.float64), group, new, groups)
    hits = np.rint(n * np.nan_to_num(mean))
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (mean + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z * np.sqrt(mean * (1 - mean) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
        low, high = mean - (centre - half), (centre + half) - mean
        difference = mean[1] - mean[0]
        ends = difference - np.hypot(low[1], high[0]), difference + np.hypot(high[1], low[0])
        angle = 2 * np.arcsin(np.sqrt(np.clip(mean, 0, 1)))
    p = hypergeom.cdf(hits[1], n.sum(axis=0), hits.sum(axis=0), n[1])
    told = np.asarray((n >= least).all(axis=0))
    return _told(n, mean, told, (difference, *ends, angle[1] - angle[0], p))


def _told(n: Floats, mean: Floats, told: Bools, parts: tuple[Floats, Floats, Floats, Floats, Floats]) -> Falls:
    value, low, high, effect, p = (np.where(told, part, np.nan) for part in parts)
    return Falls(mean[0], mean[1], value, low, high, effect, p, n[0].astype(np.int64), n[1].astype(np.int64))


def _moments(values: Floats, group: Ints, new: Bools, groups: int) -> tuple[Floats, Floats, Floats]:
    """Counts, means and variances, each (2, groups): before and new."""
    kept = group >= 0
    code = group[kept] + groups * new[kept]
    n = np.bincount(code, minlength=2 * groups).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(code, values[kept], minlength=2 * groups) / n
        off = (values[kept] - mean[code]) ** 2
        spread = np.bincount(code, off, minlength=2 * groups) / (n - 1)
    return n.reshape(2, groups), mean.reshape(2, groups), spread.reshape(2, groups)
