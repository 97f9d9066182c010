"""Whether inputs, scores and labels are still what they were: each with a test, and with how far they moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import Z, shares
from hitl.metrics.prevalence import Drawn
from hitl.types import Estimate, Floats, Ints

BINS = 10
PERMUTATIONS = 499


@dataclass(frozen=True)
class Psi:
    """Population stability index: `value`, and `by_chance`, what it comes to on average when nothing changes."""

    value: float
    by_chance: float


def psi(before: Ints, new: Ints) -> Psi:
    """The population stability index of two histograms (b,): Σ (q - p) ln(q / p), Jeffreys' divergence of shares.

    By custom under 0.1 is little, over 0.25 much (Siddiqi 2006). Half an item is added to each bin, so that an empty
    one stays finite. Without change it is (b - 1) (1 / n + 1 / m) on average (Yurdakul 2018): read it against that.
    NaN where a side is empty. O(b).

    >>> round(psi(np.array([500, 500]), np.array([350, 650])).value, 3)
    0.093
    """
    n, m, bins = int(before.sum()), int(new.sum()), len(before)
    if not (n and m):
        return Psi(float("nan"), float("nan"))
    p, q = (before + 0.5) / (n + bins / 2), (new + 0.5) / (m + bins / 2)
    return Psi(float(((q - p) * np.log(q / p)).sum()), (bins - 1) * (1 / n + 1 / m))


@dataclass(frozen=True)
class Moved:
    """A two-sample test: its statistic and p-value, and effect sizes; `distance` in the units that the test says."""

    statistic: float
    p: float
    distance: float
    psi: Psi


def score_drift(before: Floats, new: Floats) -> Moved:
    """Whether scores (n,) and (m,) are of one distribution: Kolmogorov and Smirnov's test.

    The distance is Wasserstein's of order one, in units of the score: how far a score moved on average. The stability
    index is over the tenths of `before`. The p-value is exact for small samples, and conservative where scores tie.
    Raises `DataError` without scores on both sides. O((n + m) log (n + m)).

    >>> scores = np.arange(1000) / 1000
    >>> moved = score_drift(scores, 0.9 * scores)
    >>> moved.p < 0.05, round(moved.statistic, 2), round(moved.distance, 2)
    (True, 0.1, 0.05)
    """
    from scipy.stats import ks_2samp, wasserstein_distance

    if not (len(before) and len(new)):
        raise DataError("scores of both periods are needed to tell whether they moved")
    found = ks_2samp(before, new, method="auto" if max(len(before), len(new)) <= 2000 else "asymp")
    cuts = np.unique(np.quantile(before, np.arange(1, BINS) / BINS))
    counts = [np.bincount(np.searchsorted(cuts, side, side="left"), minlength=len(cuts) + 1) for side in (before, new)]
    return Moved(float(found.statistic), float(found.pvalue), float(wasserstein_distance(before, new)), psi(*counts))


def energy_test(before: Floats, new: Floats, rng: np.random.Generator, permutations: int = PERMUTATIONS) -> Moved:
    """Whether rows (n, d) and (m, d) are of one distribution: the energy test, by permutation.

    2 E|X - Y| - E|X - X'| - E|Y - Y'| is 0 for equal distributions alone (Székely and Rizzo 2013, J. Statist. Planning
    and Inference 143:1249); its p-value (hits + 1) / (permutations + 1) is exact whatever the distribution. The
    distance is their coefficient H in [0, 1], the statistic over 2 E|X - Y|. No stability index: it is NaN. Raises
    `DataError` without rows on both sides. O((n + m)² (d + permutations)) time, O((n + m)²) memory: give a sample.
    """
    n, m = len(before), len(new)
    if not (n and m):
        raise DataError("rows of both periods are needed to tell whether they moved")
    x = np.concatenate([before, new]).astype(np.float64)
    squares = np.einsum("ij,ij->i", x, x)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0.0))
    np.fill_diagonal(apart, 0.0)
    # one row a relabelling, 1 / m for new and -1 / n for before: the statistic is - zᵀ D z
    signs = np.full((permutations + 1, n + m), -1 / n)
    signs[0, n:] = 1 / m
    for row in signs[1:]:
        row[rng.permutation(n + m)[:m]] = 1 / m
    found = -np.einsum("ij,ij->i", signs @ apart, signs)
    across = float(apart[:n, n:].mean())
    hits = int((found[1:] >= found[0] * (1 - 1e-12)).sum())
    share = max(float(found[0]), 0.0) / (2 * across) if across else 0.0
    return Moved(float(found[0]), (hits + 1) / (permutations + 1), share, Psi(float("nan"), float("nan")))


@dataclass(frozen=True)
class Shifted:
    """How the share of a label changed: the difference new - before with its interval, p-value and both shares."""

    difference: Estimate
    before: Estimate
    new: Estimate
    p: float


def prevalence_drift(before: Sequence[Drawn], new: Sequence[Drawn], labels: Sequence[str]) -> list[Shifted]:
    """Whether each of k labels is as frequent in the pool as it was, from draws of known chance; none without both.

    Each draw speaks for its pool as `Drawn.prevalence` does, and draws of a side count by `Drawn.items`. The interval
    of the difference recovers its variance from those of the shares (Zou and Donner 2008, Statistics in Medicine
    27:1693), which are design-based (`hitl.metrics.intervals.shares`); the p-value belongs to it: 0.05 where the
    interval touches 0. O(items k).
    """
    from scipy.special import ndtr

    old, now = (_pooled([draw for draw in side if len(draw.y)]) for side in (before, new))
    if old is None or now is None:
        return []
    value = now.value - old.value
    down, up = np.hypot(now.down, old.up), np.hypot(now.up, old.down)
    p = 2 * ndtr(-Z * np.abs(value) / np.maximum(np.where(value > 0, down, up), 1e-300))

    def told(at: int) -> Shifted:
        middle, ends = float(value[at]), (float(value[at] - down[at]), float(value[at] + up[at]))
        how = "two independent draws, variance recovered from their intervals"
        difference = Estimate("prevalence", middle, *ends, old.n + now.n, label=labels[at], method=how)
        return Shifted(difference, old.estimate(at, labels[at]), now.estimate(at, labels[at]), float(min(p[at], 1.0)))

    return [told(at) for at in range(len(labels))]


@dataclass(frozen=True, eq=False)
class _Pooled:
    """The share of each label by all draws of a side (k,), and how far its interval reaches down and up."""

    value: Floats
    down: Floats
    up: Floats
    n: int

    def estimate(self, at: int, label: str) -> Estimate:
        value, down, up = float(self.value[at]), float(self.down[at]), float(self.up[at])
        return Estimate(
            "prevalence",
            value,
            max(value - down, 0.0),
            min(value + up, 1.0),
            self.n,
            label=label,
            method="Hájek, draws of known chance",
        )


def _pooled(draws: Sequence[Drawn]) -> _Pooled | None:
    if not draws:
        return None
    items = np.array([draw.items for draw in draws])
    value, below, above = np.zeros((3, draws[0].y.shape[1]))
    for draw, part in zip(draws, items / items.sum(), strict=True):
        found = shares(draw.y, np.ones_like(draw.y), 1 / draw.inclusion, 1 - draw.inclusion)
        rest = (draw.pool - draw.labelled) / draw.pool  # what the draw does not speak for is known
        value += part * (draw.known / draw.pool + rest * found.value)
        below += (part * rest * (found.value - found.low)) ** 2
        above += (part * rest * (found.high - found.value)) ** 2
    return _Pooled(value, np.sqrt(below), np.sqrt(above), sum(len(draw.y) for draw in draws))
