"""Shares of small groups, drawn towards what their kind has in common, as far as the groups are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.borrowing import LIKENESS
from hitl.metrics.intervals import FEW, Shares
from hitl.types import Floats

_MEANS: Floats = np.sin((np.arange(400) + 0.5) * np.pi / 800) ** 2
"""Equally likely values of the common share under Jeffreys' prior."""

_PARTS = 64
_HALVINGS = 20

METHOD = "beta-binomial, drawn towards {}"


@dataclass(frozen=True, eq=False)
class Shrunk:
    """g shares after partial pooling with equal-tailed 95 % posterior intervals, each (g,); and what they share.

    `mean` is the posterior mean of the common share, `strength` how many items of its own it counts for in a group.
    """

    value: Floats
    low: Floats
    high: Floats
    mean: float
    strength: float


def shrink(events: Floats, sizes: Floats) -> Shrunk:
    """Partial pooling of g shares events / sizes (g,), which need not be whole numbers.

    Each group's share is drawn from Beta(m M, (1 - m) M), its events are binomial. Both the common share m (Jeffreys'
    prior) and the strength M (any power of ten as likely as another, `borrowing.LIKENESS`) are integrated over, not
    plugged in, so that intervals hold for groups on average: Bayesian partial pooling (Gelman et al. 2013, Bayesian
    Data Analysis, ch. 5), the fully Bayesian form of Efron and Morris's empirical Bayes (1975, JASA 70:311). A group of
    size 0 gets what a new one of the kind would be. Raises `DataError` unless 0 ≤ events ≤ sizes. O(400 L g).

    >>> found = shrink(np.array([0.0, 4, 5, 6]), np.array([2.0, 50, 50, 50]))
    >>> bool(0.05 < found.value[0] < 0.15), bool(abs(found.value[2] - 0.1) < 0.02)
    (True, True)
    """
    if not (np.isfinite(sizes).all() and (events >= 0).all() and (events <= sizes + 1e-9).all()):
        raise DataError("events must be from 0 to the size of their group, and both finite")
    events = np.minimum(events, sizes)
    mean, strength = _believed(events, sizes)
    wrong = events[:, None] + mean * strength
    right = (sizes - events)[:, None] + (1 - mean) * strength
    value = (wrong / (wrong + right)).mean(axis=1)
    low, high = (_quantile(wrong, right, at) for at in (0.025, 0.975))
    return Shrunk(value, low, high, float(mean.mean()), float(np.median(strength)))


def effective(found: Shares) -> tuple[Floats, Floats]:
    """Events and sizes (m,) that weighted shares are worth, as counts of an even sample.

    The effective size is p (1 - p) / variance (Chen, Wakefield and Lumley 2014, Spatial and Spatio-temporal
    Epidemiology 11:33), its variance pulled towards that of the weights alone where few events tell of it, as in
    `hitl.metrics.intervals.share_interval`. Nothing has the size 0.
    """
    p = np.nan_to_num(found.value)
    guess = p * (1 - p) * found.by_weights
    pooled = (found.events**2 * found.variance + FEW**2 * np.maximum(found.variance, guess)) / (
        found.events**2 + FEW**2
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(pooled > 0, p * (1 - p) / pooled, 1 / found.by_weights)
    # No more than the items that were looked at, whatever their spread came to by chance.
    size = np.where(found.n > 0, np.minimum(np.nan_to_num(size, posinf=np.inf), found.n), 0.0)
    return p * size, np.asarray(size, dtype=np.float64)


def _believed(events: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """`_PARTS` equally likely pairs of common share and strength, by systematic resampling of the posterior's grid."""
    from scipy.special import betaln

    mean, strength = (grid.ravel() for grid in np.meshgrid(_MEANS, LIKENESS))
    wrong, right = mean * strength, (1 - mean) * strength
    told = np.zeros(len(mean))
    for k, n in zip(events.tolist(), sizes.tolist(), strict=True):
        told += betaln(k + wrong, n - k + right) - betaln(wrong, right)
    weight = np.cumsum(np.exp(told - told.max()))
    at = np.searchsorted(weight, (np.arange(_PARTS) + 0.5) / _PARTS * weight[-1])
    return mean[at], strength[at]


def _quantile(wrong: Floats, right: Floats, level: float) -> Floats:
    """The quantile (g,) of even mixtures of beta distributions (g, parts), by halving."""
    from scipy.special import betainc

    low: Floats = np.zeros(len(wrong))
    high: Floats = np.ones(len(wrong))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = betainc(wrong, right, middle[:, None]).mean(axis=1) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
