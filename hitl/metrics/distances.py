"""How far means are apart in bins, from noisy bins: the noise alone sets every bin apart, and is taken off again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hitl.metrics.intervals import FEW, Z
from hitl.types import Bools, Floats, Ints

Interval = tuple[float, float, float]
"""A figure, and the ends of its 95 % interval."""

_QUIET = 1e-18  # a variance below is none
_MOST = 4.0  # no distance whose noise could pass for one that is seen is larger


@dataclass(frozen=True, eq=False)
class Distances:
    """b bins: the `mass` of each, its `gap` (mean probability less the share that happened), and the gap's `variance`.

    `steady` is the variance to draw intervals by: pulled towards what the probabilities themselves say where few items
    speak for or against. Each (b,).
    """

    mass: Floats
    gap: Floats
    variance: Floats
    steady: Floats


def distances(proba: Floats, truth: Bools, place: Ints, weights: Floats, uncertain: Floats) -> Distances:
    """The gaps of n probabilities of what is true or not, in bins `place` (n,); no bin below the last is empty. O(n).

    Within a bin the gap is a Hájek mean of proba - truth; see `hitl.metrics.intervals.shares` for its variance and
    `uncertain`, and for the pull.
    """
    bins = int(place.max()) + 1
    n, total = np.bincount(place, minlength=bins), np.bincount(place, weights, bins)
    off = proba - truth
    gap = np.bincount(place, weights * off, bins) / total
    spread = np.bincount(place, uncertain * (weights * (off - gap[place])) ** 2, bins)
    variance = spread / total**2 * n / np.maximum(n - 1, 1)
    by_weights = np.bincount(place, uncertain * weights**2, bins) / total**2
    believed = np.bincount(place, weights * proba * (1 - proba), bins) / total * by_weights
    hits = np.bincount(place, truth, bins)
    events = np.minimum(hits, n - hits)
    steady = (events * variance + FEW * np.maximum(variance, believed)) / (events + FEW)
    return Distances(total / total.sum(), gap, variance, np.where(steady > _QUIET, steady, 0.0))


def mean_distance(seen: Distances) -> Interval:
    """The mean distance Σ mass |gap| without what noise adds to it, and its 95 % interval.

    A gap seen as N(gap, variance) has the mean distance of a folded normal (Leone, Nelson and Nottingham 1961,
    Technometrics 3:543), so that the plain sum is too large, most of all where there is no gap. The figure is the
    distance at which as large a sum as was seen would be expected, and the ends those at which it would be at the edge
    of chance; sums of bins are taken as normal. The distance must be shared out among the bins: in proportion to
    their noise, which adds the least to it and so gives the largest figure (too large where one quiet bin holds all),
    and for the low end also where it was seen, in proportion to its fourth power: one bin may hold all of it. O(b).
    """
    noise = np.sqrt(seen.steady)
    plain = float(seen.mass @ np.abs(seen.gap))
    if not (seen.mass @ noise) > 0:
        return plain, plain, plain
    found = np.maximum(seen.gap**2 - seen.steady, 0.0) ** 2
    worst, shape = noise / (seen.mass @ noise), found / max(float(seen.mass @ found), 1e-300)

    def at(share: Floats, z: float) -> float:
        return _zero_of(lambda distance: _edge(seen.mass, distance * share, noise, z) - plain)

    low = at(worst, Z)
    low = min(low, at(shape, Z)) if found.any() else low
    return min(at(worst, 0.0), 1.0), low, min(at(worst, -Z), 1.0)


def mean_square_distance(seen: Distances) -> Interval:
    """The mean square distance Σ mass gap² without what noise adds to it, and its 95 % interval.

    Less Σ mass variance it is without bias, and by chance below 0 (Kumar, Liang and Ma 2019, NeurIPS). The plain sum
    is a quadratic form in normal variables, whose distribution is taken for a scaled noncentral χ² of the same mean and
    variance; the interval holds the noncentralities at which what was seen is not at its edges (as Sun, Chaudhari,
    Barnett and Dobriban 2024 with normal ones, arXiv 2408.08998).
    """
    from scipy.special import chndtr, chndtrinc

    plain = float(seen.mass @ seen.gap**2)
    value = plain - float(seen.mass @ seen.variance)
    added = float(seen.mass @ seen.steady)
    if not added > 0:
        return value, value, value
    scale = float(((seen.mass * seen.steady) ** 2).sum()) / added
    found = np.maximum(seen.gap**2 - seen.steady, 0.0)
    if found.any():  # where the gaps lie in the noisy bins, the sum varies more than by the bins' average noise
        scale = max(scale, float((seen.mass**2 * found) @ seen.steady) / float(seen.mass @ found))
    freedom = added / scale

    def at(chance: float) -> float:
        inside = chndtr(plain / scale, freedom, 0.0) > chance
        return scale * float(chndtrinc(plain / scale, freedom, chance)) if inside else 0.0

    return value, min(at(0.975), value), max(at(0.025), value)


def _edge(mass: Floats, gap: Floats, noise: Floats, z: float) -> float:
    """The mean of Σ mass |N(gap, noise²)| and `z` of its standard deviations."""
    from scipy.special import ndtr

    ratio = np.divide(gap, noise, out=np.zeros_like(gap), where=noise > 0)
    folded = noise * (np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + ratio * (2 * ndtr(ratio) - 1))
    mean = np.where(noise > 0, folded, gap)
    variance = np.maximum(gap**2 + noise**2 - mean**2, 0.0)
    return float(mass @ mean + z * np.sqrt(mass**2 @ variance))


def _zero_of(rising: Callable[[float], float]) -> float:
    from scipy.optimize import brentq

    return float(brentq(rising, 0.0, _MOST)) if rising(0.0) < 0 < rising(_MOST) else 0.0
