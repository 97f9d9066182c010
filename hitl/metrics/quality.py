"""How good a model is: accuracy, F1, precision, recall and average precision, with design-based intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitl.history import Confusion
from hitl.metrics.figures import Ratio, by_label, ratios
from hitl.metrics.intervals import FEWEST, Shares, correlations, kish, mean_interval, share_interval, shares, unless_few
from hitl.metrics.ranking import average_precision, ranking_influence
from hitl.metrics.resample import replicate
from hitl.metrics.sample import LabelledSample
from hitl.types import Estimate, Floats, Ints

RATIO = "Hájek ratio, Wilson interval at the effective size"
"""How figures that are shares are estimated; see `hitl.metrics.intervals.shares`."""


def measure(sample: LabelledSample, rng: np.random.Generator, *, replicates: int = 500) -> tuple[Estimate, ...]:
    """Every figure of a model on a probability sample, each with a 95 % interval.

    In this order: `accuracy`, `brier`, `prevalence`, `prevalence_by_views`, `prevalence` by label; `f1`, `precision`
    and `recall` by label; `precision@A` and `recall@A` for A in remove, limit, review and act, for all labels and by
    label; `macro_f1`; `average_precision` by label and, without a label, their mean. A figure that nothing bears on
    is NaN in [0, 1], one that too few items bear on NaN in its interval, and `method` says why. Only average precision
    uses `rng`. O(replicates n k) time.

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> judged = [Resolution(f"item {i}", i, ("spam" if i % 3 == 0 else "ok",), 1.0, "m", "1") for i in range(90)]
    >>> spam = np.where(np.arange(90) % 3 == 0, 0.7, 0.2)
    >>> spam[:10] = 0.9
    >>> sample = LabelledSample.of(policy, judged, np.stack([1 - spam, spam], axis=1))
    >>> print(measure(sample, np.random.default_rng(0))[0])
    accuracy 0.933 [0.860, 0.970] (n=90)
    """
    wanted = ratios(sample)
    told = [*ratio_estimates(wanted, sample), macro_f1(sample)]
    return (*told, *average_precisions(sample, rng, replicates))


def ratio_estimates(wanted: Sequence[Ratio], sample: LabelledSample) -> list[Estimate]:
    """The estimates of ratios, in their order; of too few items the interval alone (`unless_few`). O(n m)."""
    found = _shares(wanted, sample)
    told = []
    for ratio, value, low, high, n in zip(wanted, found.value, found.low, found.high, found.n.tolist(), strict=True):
        method = RATIO if value == value else ratio.empty
        estimate = Estimate(ratio.name, float(value), float(low), float(high), n, label=ratio.label, method=method)
        told.append(unless_few(estimate, n if ratio.rests is None else ratio.rests))
    return told


def macro_f1(sample: LabelledSample) -> Estimate:
    """The mean F1 of the labels that enough items have, with an interval from theirs (`mean_interval`)."""
    common = sample.common
    found = _shares([ratio for ratio in by_label(sample) if ratio.name == "f1"], sample)
    value, low, high = mean_interval(
        found.value[common], found.low[common], found.high[common], correlations(found.influence[:, common])
    )
    return _mean("macro_f1", (value, low, high), sample, f"{RATIO}; MOVER")


def average_precisions(sample: LabelledSample, rng: np.random.Generator, replicates: int = 500) -> list[Estimate]:
    """Average precision of each label, and their mean over those that enough items have, named without a label.

    The variance is the bootstrap's; the interval is Wilson's at the effective size that it implies, pulled towards the
    number of items with the label where few have it, or few have not (`share_interval`): it stays in [0, 1] and skewed
    near the ends, where percentiles do not cover (Boyd, Eng and Page 2013, ECML-PKDD). Its t has the degrees of freedom
    of the items' influences, for a few of them, with large weights, make most of the variance.
    """
    occurs = np.flatnonzero(sample.truth.any(axis=0))
    told = {
        label: Estimate("average_precision", np.nan, 0.0, 1.0, 0, label, method="no judged item has the label")
        for label in sample.labels
    }
    way = f"{replicates} replicates of the design's bootstrap, Wilson interval at the effective size"
    mean = (float("nan"), 0.0, 1.0)
    if len(occurs):

        def figure(weights: Floats) -> Floats:
            return np.stack([_one_label(sample, column, weights) for column in occurs], axis=1)

        value = figure(sample.weights[None])[0]
        shaken = replicate(figure, sample.weights, sample.uncertain, replicates, rng)
        lows, highs = _ranking_interval(sample, occurs, value, shaken.var(axis=0, ddof=1))
        rows = zip(occurs.tolist(), value.tolist(), lows.tolist(), highs.tolist(), strict=True)
        for column, at, low, high in rows:
            label, n = sample.labels[column], int(sample.truth[:, column].sum())
            one = Estimate("average_precision", at, low, high, n, label, method=way)
            told[label] = unless_few(one, n, "items with the label")
        common = sample.common[occurs]
        together = correlations((shaken - shaken.mean(axis=0))[:, common])
        mean = mean_interval(value[common], lows[common], highs[common], together)
    return [*told.values(), _mean("average_precision", mean, sample, way)]


def _mean(name: str, found: tuple[float, float, float], sample: LabelledSample, way: str) -> Estimate:
    """A mean over the sample's common labels; of a single one of several it would tell nothing, and is not told."""
    common, k = int(sample.common.sum()), len(sample.labels)
    value, low, high = found
    method = f"mean over the {common} labels of {k} that at least {FEWEST} items have; {way}"
    if common < min(2, k):
        value, low, high = float("nan"), 0.0, 1.0
        method = f"too few: {common} of {k} labels have the {FEWEST} items that are needed"
    return Estimate(name, value, low, high, int(sample.whole.sum()), method=method)


def confusion(sample: LabelledSample) -> Confusion | None:
    """What people resolved (rows) against what the model says (columns), weights summed; None for several labels."""
    if sample.multi_label:
        return None
    weights = sample.weights * sample.whole
    matrix = (sample.truth * weights[:, None]).T @ sample.predicted
    return Confusion(labels=list(sample.labels), matrix=matrix.tolist(), n=int(sample.whole.sum()))


def _shares(wanted: Sequence[Ratio], sample: LabelledSample) -> Shares:
    empty = np.zeros((len(sample), 0))
    top, bottom = (
        np.stack([getattr(ratio, side) for ratio in wanted], axis=1) if wanted else empty for side in ("top", "bottom")
    )
    return shares(top, bottom, sample.weights, sample.uncertain)


def _one_label(sample: LabelledSample, column: int, weights: Floats) -> Floats:
    known = sample.known[:, column]
    return average_precision(sample.truth[known, column], sample.proba[known, column], weights[:, known])


def _ranking_interval(sample: LabelledSample, columns: Ints, value: Floats, variance: Floats) -> tuple[Floats, Floats]:
    truth, known = sample.truth[:, columns], sample.known[:, columns]
    positive, negative = (sample.weights[:, None] * side for side in (truth, known & ~truth))
    by_weights = (sample.uncertain @ positive**2) / positive.sum(axis=0) ** 2
    events = np.minimum(kish(positive), kish(negative))
    return share_interval(value, variance, by_weights, events, _freedom(sample, columns) + 1)


def _freedom(sample: LabelledSample, columns: Ints) -> Floats:
    """Degrees of freedom of each label's average precision: Satterthwaite's, Kish's size of the squared influences."""
    found = []
    for column in columns:
        rows = sample.known[:, column]
        truth, proba = sample.truth[rows, column], sample.proba[rows, column]
        influence = ranking_influence(truth, proba, sample.weights[rows])
        found.append(kish((influence**2 * sample.uncertain[rows])[:, None])[0] - 1)
    return np.maximum(found, 1.0)
