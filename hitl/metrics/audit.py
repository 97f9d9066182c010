"""What the pool holds, from a probability sample of it: Hájek means and Horvitz-Thompson totals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.combined import Part, stratified
from hitl.metrics.figures import prevalences
from hitl.metrics.intervals import FEW, Shares, kish, shares
from hitl.metrics.quality import ratio_estimates
from hitl.metrics.responses import collapsed
from hitl.metrics.sample import LabelledSample
from hitl.types import Estimate, Floats, Ints

VIEWS = 10_000
"""Views that the violative view rate is told of, as platforms tell it."""

STRATUM = 30
"""Drawn items that a stratum needs to be weighed by its size: with fewer its own mean is too biased."""


def share(values: Floats, inclusion: Floats, *, views: Floats | None = None, name: str = "share") -> Estimate:
    """Hájek's estimate of a mean of values (n,) in [0, 1], of items or weighted by `views` (n,).

    See `hitl.metrics.intervals.shares` for variance and interval. Raises `DataError` for impossible inclusion.

    >>> print(share(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.1, 0.9, 0.9])))
    share 0.100 [0.003, 0.810] (n=4)
    """
    _check(inclusion, len(values))
    size = np.ones(len(values)) if views is None else views
    found: Shares = shares((values * size)[:, None], size[:, None], 1 / inclusion, 1 - inclusion)
    value, low, high = (float(part[0]) for part in (found.value, found.low, found.high))
    return Estimate(name, value, low, high, int(found.n[0]), method="Hájek, Wilson interval at the effective size")


def total(values: Floats, inclusion: Floats, *, most: Floats | None = None, name: str = "total") -> Estimate:
    """Horvitz and Thompson's total Σ y / π of values (n,) ≥ 0 in the pool, with a 95 % interval.

    Variance Σ (1 - π) y² / π² (Poisson and priority sampling; Särndal, Swensson and Wretman 1992, eq. 2.8.6 without
    covariances). The interval is Fay and Feuer's (1997, Statistics in Medicine 16:791) for weighted sums of rare
    events, which is skewed and stays honest when nothing was found; the one more event that it allows for has the mean
    weight of an item in the pool, and where many were found that of those. Of few events the variance, too, is pulled
    towards that of as many of the sample's own weights, as in `hitl.metrics.intervals.shares`. Items drawn for certain
    are added as they are. `most` (n,) is the largest value each item could have had (1 when left out). Raises
    `DataError` for impossible values.

    >>> print(total(np.zeros(300), np.full(300, 0.01)))
    total 0 [0, 369] (n=300)
    """
    _check(inclusion, len(values))
    most = np.ones(len(values)) if most is None else most
    if len(values) and not (np.isfinite(values).all() and (values >= 0).all() and (values <= most + 1e-9).all()):
        raise DataError("a total needs finite values from 0 to `most`; mend the values, or leave open items out")
    method = "Horvitz-Thompson, Fay-Feuer interval"
    chance = inclusion < 1
    certain = float(values[~chance].sum())
    weights = 1 / inclusion[chance]
    weighted = weights * values[chance]
    found, variance = float(weighted.sum()), float(((1 - inclusion[chance]) * weighted**2).sum())
    size = weights * most[chance]
    one = float((weights * size).sum() / weights.sum()) if len(weights) else 0.0
    if found > 0:
        trust = float(kish(weighted[:, None])[0])
        guess = found * float(((1 - inclusion[chance]) * size**2).sum() / size.sum())
        variance = (trust * variance + FEW * max(variance, guess)) / (trust + FEW)
        one = (trust * float((weighted**2).sum()) / found + FEW * one) / (trust + FEW)
    low, high = _gamma(found, variance, one)
    return Estimate(name, certain + found, certain + low, certain + high, len(values), method=method)


def poststratified(values: Floats, inclusion: Floats, strata: Ints, sizes: Floats, *, name: str = "share") -> Estimate:
    """The mean of values (n,) in [0, 1] over a pool whose strata hold `sizes` (h,) items, by the drawn items of each.

    `strata` (n,) are codes into `sizes`. What the draw took too much or too little of by chance is put right: Σ N_h /
    N × Hájek's mean in h (see `hitl.metrics.combined.stratified`). Strata with fewer than `STRATUM` drawn items are
    taken together. Raises `DataError` as `share` does.

    >>> drawn, said = np.repeat([0, 1], 30), np.repeat([1.0, 0.0], 30)
    >>> poststratified(said, np.full(60, 0.01), drawn, np.array([100.0, 300.0])).value
    0.25
    """
    _check(inclusion, len(values))
    n = len(values)
    joined = collapsed(np.append(strata, np.arange(len(sizes))), np.arange(n + len(sizes)) < n, STRATUM)
    strata, sizes = joined[:n], np.asarray(np.bincount(joined[n:], sizes), dtype=np.float64)
    parts = []
    for code in range(len(sizes)):
        rows = strata == code
        chance = inclusion[rows]
        parts.append(Part.of(shares(values[rows, None], np.ones((len(chance), 1)), 1 / chance, 1 - chance)))
    return stratified(parts, sizes / sizes.sum(), name=name)


def violative_view_rate(prevalence_by_views: Estimate) -> Estimate:
    """Views of violating items in `VIEWS` views, from their share.

    >>> print(violative_view_rate(Estimate("prevalence_by_views", 0.0011, 0.0010, 0.0012, 900)))
    violative_view_rate 11.000 [10.000, 12.000] (n=900)
    """
    ends = (VIEWS * end for end in (prevalence_by_views.value, prevalence_by_views.low, prevalence_by_views.high))
    value, low, high = ends
    return replace(prevalence_by_views, name="violative_view_rate", value=value, low=low, high=high)


def audit(sample: LabelledSample) -> tuple[Estimate, ...]:
    """What a judged probability sample says of its pool, whatever any model believes.

    `prevalence` (share of items that violate), `prevalence_by_views` (share of views that go to them), `prevalence` by
    label, and where the sample is of a finite pool the totals `violating_items` and `violating_views` of the pool.
    Items that people left open are taken to be like those that they settled.
    """
    told = ratio_estimates(list(prevalences(sample)), sample)
    if not sample.finite:
        return tuple(told)
    settled = ~np.isnan(sample.violates)
    answered = sample.weights @ settled / sample.weights.sum() if len(sample) else 1.0
    inclusion = np.clip(answered / sample.weights[settled], 1e-12, 1.0)
    bad, reach = sample.violates[settled], sample.reach[settled]
    items = total(bad, inclusion, name="violating_items")
    views = total(bad * reach, inclusion, most=reach, name="violating_views")
    return (*told, items, views)


def _gamma(found: float, variance: float, one: float) -> tuple[float, float]:
    """95 % bounds of a sum of weighted Poisson counts, whose next event would weigh `one`."""
    from scipy.special import gammaincinv

    low = 0.0
    if found > 0 and variance > 0:
        low = float(gammaincinv(found**2 / variance, 0.025)) * variance / found
    if one <= 0:
        return (low if variance > 0 else found), found
    more, spread = found + one, variance + one**2
    return low, float(gammaincinv(more**2 / spread, 0.975)) * spread / more


def _check(inclusion: Floats, n: int) -> None:
    if inclusion.shape != (n,):
        raise DataError(f"inclusion has the shape {inclusion.shape}, the values {(n,)}; give one probability an item")
    wrong = np.flatnonzero(~((inclusion > 0) & (inclusion <= 1)))
    if len(wrong):
        raise DataError(
            f"item {int(wrong[0])} has the inclusion probability {inclusion[wrong[0]]:g} ({len(wrong)} such); only "
            "items that a probability sample drew, with 0 < π <= 1, can be weighed"
        )
