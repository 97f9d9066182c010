"""How good a model is: accuracy, F1, precision, recall and average precision, with design-based intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitl.history import Confusion
from hitl.metrics.figures import Ratio, by_label, ratios
from hitl.metrics.intervals import Shares, correlations, mean_interval, share_interval, shares
from hitl.metrics.ranking import average_precision
from hitl.metrics.resample import replicate
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Estimate, Floats, Ints

RATIO = "Hájek ratio, Wilson interval at the effective size"
"""How figures that are shares are estimated; see `hitl.metrics.intervals.shares`."""


def measure(sample: LabelledSample, rng: np.random.Generator, *, replicates: int = 500) -> tuple[Estimate, ...]:
    """Every figure of a model on a probability sample, each with a 95 % interval.

    In this order: `accuracy`, `brier`, `prevalence`, `prevalence_by_views`, `prevalence` by label; `f1`, `precision`
    and `recall` by label; `precision@A` and `recall@A` for A in remove, limit, review and act, for all labels and by
    label; `macro_f1`; `average_precision` by label and, without a label, their mean. A figure that nothing bears on
    is NaN in [0, 1], and `method` says why. Only average precision uses `rng`. O(replicates n k) time.

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
    """The estimates of ratios, in their order. O(n m)."""
    found = _shares(wanted, sample)
    return [
        Estimate(
            ratio.name,
            float(value),
            float(low),
            float(high),
            int(n),
            label=ratio.label,
            method=RATIO if value == value else ratio.empty,
        )
        for ratio, value, low, high, n in zip(wanted, found.value, found.low, found.high, found.n, strict=True)
    ]


def macro_f1(sample: LabelledSample) -> Estimate:
    """The mean F1 of the labels that occur in the sample, with an interval from theirs (`mean_interval`)."""
    occurs: Bools = np.asarray(sample.truth.any(axis=0))
    found = _shares([ratio for ratio in by_label(sample) if ratio.name == "f1"], sample)
    value, low, high = mean_interval(
        found.value[occurs], found.low[occurs], found.high[occurs], correlations(found.influence[:, occurs])
    )
    method = (
        f"mean over the {int(occurs.sum())} labels of {len(sample.labels)} that occur in the sample; {RATIO}; MOVER"
    )
    if not occurs.any():
        method = "no label occurs in the sample"
    return Estimate("macro_f1", value, low, high, int(sample.whole.sum()), method=method)


def average_precisions(sample: LabelledSample, rng: np.random.Generator, replicates: int = 500) -> list[Estimate]:
    """Average precision of each label, and their mean over the labels that occur, named without a label.

    The variance is the bootstrap's; the interval is Wilson's at the effective size that it implies, pulled towards the
    number of items with the label where few have it, or few have not (`share_interval`): it stays in [0, 1] and skewed
    near the ends, where percentiles do not cover (Boyd, Eng and Page 2013, ECML-PKDD).
    """
    occurs = np.flatnonzero(sample.truth.any(axis=0))

    def figure(weights: Floats) -> Floats:
        return np.stack([_one_label(sample, column, weights) for column in occurs], axis=1)

    told = {
        label: Estimate("average_precision", np.nan, 0.0, 1.0, 0, label, method="no judged item has the label")
        for label in sample.labels
    }
    method = "no label occurs in the sample"
    mean, low, high = float("nan"), 0.0, 1.0
    if len(occurs):
        value = figure(sample.weights[None])[0]
        shaken = replicate(figure, sample.weights, sample.uncertain, replicates, rng)
        lows, highs = _ranking_interval(sample, occurs, value, shaken.var(axis=0, ddof=1))
        way = f"{replicates} replicates of the design's bootstrap, Wilson interval at the effective size"
        for place, column in enumerate(occurs):
            label, n = sample.labels[column], int(sample.truth[:, column].sum())
            told[label] = Estimate(
                "average_precision", float(value[place]), float(lows[place]), float(highs[place]), n, label, method=way
            )
        mean, low, high = mean_interval(value, lows, highs, correlations(shaken - shaken.mean(axis=0)))
        method = f"mean over the {len(occurs)} labels of {len(sample.labels)} that occur in the sample; {way}"
    n = int(sample.whole.sum())
    return [*told.values(), Estimate("average_precision", mean, low, high, n, method=method)]


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
    positive = truth.sum(axis=0)
    rarer = np.minimum(positive, known.sum(axis=0) - positive)
    weighted = sample.weights[:, None] * truth
    by_weights = (sample.uncertain @ weighted**2) / weighted.sum(axis=0) ** 2
    return share_interval(value, variance, by_weights, rarer, np.maximum(rarer, 1))
