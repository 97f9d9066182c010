"""Whether probabilities can be believed: calibration error and Brier score of a probability sample, free of noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.metrics.distances import Distances, Interval, distances, mean_distance, mean_square_distance
from hitl.metrics.intervals import kish, share_interval, shares
from hitl.metrics.quality import RATIO
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Estimate, Floats, Ints, Proba

BINS = 10
"""Bins of equal mass that calibration error and the parts of the Brier score are told by."""

LEAST = 10
"""Items with the label, and without it, below which how far probabilities are off is not told: nothing covers there."""

_A_BIN = 10  # items at least in a bin of the reliability table


def calibration_error(proba: Proba | Floats, hit: Bools, weights: Floats, bins: int = BINS) -> float:
    """Expected calibration error of n probabilities of something that happened or not (`hit`), in equal-mass bins.

    Σ over bins of their weight times |mean probability - share that happened|; Naeini, Cooper & Hauskrecht (2015).
    Equal probabilities share a bin, so that no order of the items matters. Chance alone makes it positive: of a sample
    `calibration` tells it without that. O(n log n).

    >>> calibration_error(np.array([0.2, 0.2, 0.9, 0.9]), np.array([False, False, True, True]), np.ones(4), bins=2)
    0.15
    """
    total = weights.sum()
    if not total > 0:
        return 0.0
    proba = np.asarray(proba, dtype=np.float64)
    off = np.bincount(equal_mass(proba, weights, bins), weights * (proba - hit), bins)
    return float(np.round(np.abs(off).sum() / total, 12))


def equal_mass(values: Floats, weights: Floats, bins: int) -> Ints:
    """The bin (n,) of each value, of at most `bins` that weigh about the same; equal values share one."""
    distinct, at = np.unique(values, return_inverse=True)
    mass = np.bincount(at, weights, len(distinct))
    middle = (np.cumsum(mass) - mass / 2) / weights.sum()
    place: Ints = np.minimum(middle * bins, bins - 1).astype(np.int64)[at]
    return place


def calibration(sample: LabelledSample) -> tuple[Estimate, ...]:
    """How far each label's probabilities are from what people found, with 95 % intervals. O(k n log n).

    For each label, in `BINS` bins of equal mass of its probability:

    - `calibration_bias`: mean probability less the share that has the label;
    - `calibration_error`: the mean distance of the two within the bins, without what chance adds (`mean_distance`);
    - `brier`: the mean square of probability less truth, and its parts (Murphy 1973), brier = reliability - resolution
      + uncertainty: `brier_reliability`, the mean square distance within bins; `brier_resolution`, the variance of the
      truth that the probabilities explain; `brier_uncertainty`, that variance. They are freed of the bias that binning
      gives them (Bröcker 2012, Climate Dynamics 39:655; Ferro and Fricker 2012, QJRMS 138:1954), so that reliability
      may be below 0 by chance; what probabilities vary within a bin counts as resolution (Stephenson, Coelho and
      Jolliffe 2008, Weather and Forecasting 23:752).

    With fewer than `LEAST` items of either kind, error, reliability and resolution are NaN: no interval covers there,
    unless all of the pool was judged.

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> policy = Policy.parse("{name: p, version: 1, multi_label: true, labels: [{name: spam}]}")
    >>> judged = [Resolution(f"item {i}", i, ("spam",) if i % 4 == 0 else (), 1.0, "m", "1") for i in range(400)]
    >>> for figure in calibration(LabelledSample.of(policy, judged, np.full((400, 1), 0.35)))[:2]:
    ...     print(figure)
    calibration_bias[spam] 0.100 [0.055, 0.140] (n=400)
    calibration_error[spam] 0.100 [0.058, 0.143] (n=400)
    """
    return tuple(figure for column in range(len(sample.labels)) for figure in _of_label(sample, column))


@dataclass(frozen=True, eq=False)
class Reliability:
    """b bins of a label's probability: mean probability, share that has the label with its 95 % interval, items, mass.

    Each (b,), ascending; `mass` is the share of the pool in the bin.
    """

    proba: Floats
    share: Floats
    low: Floats
    high: Floats
    n: Ints
    mass: Floats


def reliability(sample: LabelledSample, column: int, bins: int = BINS) -> Reliability:
    """The reliability table of one label (DeGroot and Fienberg 1983): bins of equal width, with their intervals.

    Bins of fewer than ten items join a neighbour, since nothing could be read off them. O(n bins).

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> policy = Policy.parse("{name: p, version: 1, multi_label: true, labels: [{name: spam}]}")
    >>> judged = [Resolution(f"item {i}", i, ("spam",) if i % 4 == 0 else (), 1.0, "m", "1") for i in range(400)]
    >>> table = reliability(LabelledSample.of(policy, judged, np.tile([0.1, 0.4], 200)[:, None]), 0)
    >>> table.proba, table.share, table.n
    (array([0.1, 0.4]), array([0.5, 0. ]), array([200, 200]))
    """
    known = np.flatnonzero(sample.known[:, column])
    weights, proba = sample.weights[known], sample.proba[known, column].astype(np.float64)
    truth = sample.truth[known, column].astype(np.float64)
    place = joined(np.minimum((proba * bins).astype(np.int64), bins - 1), _A_BIN)
    inside = (place[:, None] == np.arange(place.max(initial=-1) + 1)).astype(np.float64)
    found = shares(truth[:, None] * inside, inside, weights, sample.uncertain[known])
    mass = weights @ inside
    mean = (weights * proba) @ inside / mass
    return Reliability(mean, found.value, found.low, found.high, found.n, mass / weights.sum())


def joined(place: Ints, least: int) -> Ints:
    """Bins (n,) numbered anew from 0, in which small ones have joined the next: each has `least` items or more.

    A single bin is left where there are not as many.
    """
    counts = np.bincount(place)
    number: Ints = np.zeros(len(counts), dtype=np.int64)
    bins = size = 0
    for at, count in enumerate(counts):
        number[at] = bins
        size += int(count)
        if size >= least:
            bins, size = bins + 1, 0
    if size and bins:  # what is left over at the end joins the last
        number = np.minimum(number, bins - 1)
    return number[place]


def spiegelhalter(sample: LabelledSample, column: int) -> tuple[float, float]:
    """Whether one label's probabilities are right, by Spiegelhalter's test (1986, Statistics in Medicine 5:421).

    z = Σ w (y - p)(1 - 2p) / √Σ w² (1 - 2p)² p (1 - p), and its two-sided p-value by the normal distribution; NaN
    where all probabilities are 0, ½ or 1. A small p-value says that they are off; a large one only that this many items
    do not show it. O(n).
    """
    from scipy.special import ndtr

    known = sample.known[:, column]
    weights, proba = sample.weights[known], sample.proba[known, column].astype(np.float64)
    slope = weights * (1 - 2 * proba)
    spread = float(np.sqrt((slope**2 * proba * (1 - proba)).sum()))
    if not spread > 0:
        return float("nan"), float("nan")
    z = float(slope @ (sample.truth[known, column] - proba)) / spread
    return z, float(2 * ndtr(-abs(z)))


def _of_label(sample: LabelledSample, column: int) -> list[Estimate]:
    known = np.flatnonzero(sample.known[:, column])
    truth, label, n = sample.truth[known, column], sample.labels[column], len(known)
    if not n:
        return [_unknown(name, label, 0, "no item is settled") for name in _METHODS]
    weights, uncertain = sample.weights[known], sample.uncertain[known]
    proba = sample.proba[known, column].astype(np.float64)
    whole = distances(proba, truth, np.zeros(n, dtype=np.int64), weights, uncertain)
    place = joined(equal_mass(proba, weights, BINS), 2)
    binned = distances(proba, truth, place, weights, uncertain)
    both = np.stack([(proba - truth) ** 2, truth], axis=1)
    means = shares(both, np.ones_like(both), weights, uncertain)
    brier, prevalence = ((float(means.value[at]), float(means.low[at]), float(means.high[at])) for at in (0, 1))
    off, doubt = mean_square_distance(binned), _doubt(prevalence, float((means.influence[:, 1] ** 2).sum()))
    left = (proba - truth - binned.gap[place]) ** 2
    explained = (1 - 2 * prevalence[0]) * truth - left
    told = {
        "calibration_bias": _difference(whole, prevalence[0], truth, uncertain @ weights**2 / weights.sum() ** 2),
        "calibration_error": mean_distance(binned),
        "brier": brier,
        "brier_reliability": off,
        "brier_resolution": _resolution(off[0] + doubt[0] - brier[0], explained, binned, weights, uncertain),
        "brier_uncertainty": doubt,
    }
    few = _too_few(truth, weights) if uncertain.any() else ""
    return [
        _unknown(name, label, n, few) if few and name in _BINNED else Estimate(name, *found, n, label, method=method)
        for (name, found), method in zip(told.items(), _METHODS.values(), strict=True)
    ]


_METHODS = {
    "calibration_bias": "difference of Hájek means, Wilson interval of the share by the variance of the difference",
    "calibration_error": f"at most {BINS} bins of equal mass, less what noise adds; interval by folded normals",
    "brier": RATIO,
    "brier_reliability": f"at most {BINS} bins of equal mass, debiased; interval by noncentral chi-square",
    "brier_resolution": "reliability + uncertainty - brier; linearised variance, t interval",
    "brier_uncertainty": "from the share with the label and its interval",
}
_BINNED = ("calibration_error", "brier_reliability", "brier_resolution")


def _unknown(name: str, label: str, n: int, why: str) -> Estimate:
    low, high = (-1.0, 1.0) if name == "calibration_bias" else (0.0, 0.25 if name in _QUARTER else 1.0)
    return Estimate(name, float("nan"), low, high, n, label, method=why)


_QUARTER = ("brier_resolution", "brier_uncertainty")


def _too_few(truth: Bools, weights: Floats) -> str:
    """Why nothing is told of the bins: the rarer kind of items, counted by what their weights are worth (Kish)."""
    kinds = {"with": weights[truth], "without": weights[~truth]}
    worth = {kind: float(kish(w)) for kind, w in kinds.items()}
    kind = min(worth, key=lambda one: worth[one])
    return f"too few: {len(kinds[kind])} items {kind} the label, worth {worth[kind]:.0f}" if worth[kind] < LEAST else ""


def _difference(whole: Distances, share: float, truth: Bools, by_weights: float) -> Interval:
    """The gap of a single bin: Wilson's interval of the share, by the variance of truth less probability."""
    n, hits, mean = len(truth), int(truth.sum()), share + float(whole.gap[0])
    seen, spread, kish, events = (
        np.array([one]) for one in (share, whole.variance[0], by_weights, min(hits, n - hits))
    )
    low, high = share_interval(seen, spread, kish, events, np.array([n]))
    return float(whole.gap[0]), mean - float(high[0]), mean - float(low[0])


def _doubt(prevalence: Interval, variance: float) -> Interval:
    """p (1 - p) of a share; the variance of its estimate is what the plain product lacks."""
    value, low, high = prevalence
    ends = low * (1 - low), high * (1 - high)
    most = 0.25 if low <= 0.5 <= high else max(ends)
    found = value * (1 - value) + variance
    return found, min(*ends, found), max(most, found)


def _resolution(value: float, explained: Floats, binned: Distances, weights: Floats, uncertain: Floats) -> Interval:
    """`value` and its interval, by what each item brings to it; the noise of the bins is all there is near 0."""
    mean = weights @ explained / weights.sum()
    linear = float((uncertain * (weights * (explained - mean)) ** 2).sum()) / weights.sum() ** 2
    half = _t(len(weights)) * float(np.sqrt(linear + 2 * ((binned.mass * binned.steady) ** 2).sum()))
    return value, min(max(value - half, 0.0), value), max(min(value + half, 0.25), value)


def _t(n: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(n, 2) - 1.0, 0.975))
