"""New model against old on the same items: did the round help?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.counts import rule_of_three
from hitl.metrics.figures import Ratio, by_label, ratios
from hitl.metrics.intervals import kish
from hitl.metrics.mcnemar import LEVEL, POWER
from hitl.metrics.quality import average_precisions, macro_f1, ratio_estimates
from hitl.metrics.ranking import average_precision, ranking_influence
from hitl.metrics.resample import replicate
from hitl.metrics.sample import LabelledSample
from hitl.types import Comparison, Estimate, Floats, Verdict


@dataclass(frozen=True)
class Contrast:
    """One comparison, with what its interval stands on: the difference's standard error and its degrees of freedom.

    The error is 0 where the models agree on every item, and there are no degrees of freedom (NaN); it is NaN where the
    difference is.
    """

    comparison: Comparison
    error: float
    freedom: float

    @property
    def p(self) -> float:
        """Of no difference, two-sided: below 0.05 where the 95 % interval leaves 0 out. NaN where nothing is known."""
        from scipy.special import stdtr

        if not self.error:
            return float(self.comparison.difference.value == 0)
        return float(2 * stdtr(self.freedom, -abs(self.comparison.difference.value) / self.error))

    def detectable(self, level: float = LEVEL) -> float:
        """The true difference that a comparison like this one finds with a power of 80 %, two-sided at `level`.

        Bloom's minimum detectable effect (1995, Evaluation Review 19:547): error × (t at 1 - level / 2 + t at 0.8). It
        stands on the error alone, and not on the difference that was seen. NaN where no item bears on it, and where
        even a difference of 1 would be missed.
        """
        from scipy.special import stdtrit

        found = float(self.error * (stdtrit(self.freedom, 1 - level / 2) + stdtrit(self.freedom, POWER)))
        return found if found <= 1 else float("nan")


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure as a function of weights (b, n) → (b,), and at the sample's own what each item brings to it.

    `parts` (n, m) is all that the figure reads of an item; `influence` (n,) is w d figure / d w.
    """

    at: Callable[[Floats], Floats]
    parts: Floats
    influence: Floats
    estimate: Estimate


def compare(
    new: LabelledSample,
    old: LabelledSample,
    rng: np.random.Generator,
    *,
    figure: str = "macro_f1",
    label: str = "",
    replicates: int = 1000,
) -> Comparison:
    """Difference new - old of one figure on the same judged items, by paired bootstrap, and what may be said of it.

    `figure` and `label` name any estimate of `measure`. *helped* (or *hurt*; the other way round for `brier`) says that
    the 95 % interval of the difference is above 0; else there is *no evidence*. The interval is ± t sd, with the
    bootstrap's standard deviation and t at the number of items that carry the difference: few of them make a bold
    bootstrap (its percentiles call 2 wins to 0 a proof; McNemar's exact test needs 6). Where the models
    do not differ on any item it is the rule of three. Raises `DataError` when the samples are not of the same items, or
    do not know the figure. O(replicates n k) time.
    """
    return contrast(new, old, rng, figure=figure, label=label, replicates=replicates).comparison


def contrast(
    new: LabelledSample,
    old: LabelledSample,
    rng: np.random.Generator,
    *,
    figure: str = "macro_f1",
    label: str = "",
    replicates: int = 1000,
) -> Contrast:
    """The same comparison as `compare`, with p-value and detectable difference."""
    from scipy.special import stdtrit

    _same_items(new, old)
    after, before = figure_of(new, figure, label, rng), figure_of(old, figure, label, rng)
    value = after.estimate.value - before.estimate.value
    error, freedom = 0.0, float("nan")
    if not np.isfinite(value):
        error, half = float("nan"), 1.0
        how = after.estimate.method if np.isnan(after.estimate.value) else before.estimate.method
    elif not (after.parts != before.parts).any():
        whole = new.weights[new.whole]
        half, how = rule_of_three(float(kish(whole))), "the models agree on every item"
    else:
        error, freedom = _error(after, before, new, rng, replicates)
        half = float(stdtrit(freedom, 1 - LEVEL / 2) * error)
        differ = int((after.parts != before.parts).any(axis=1).sum())
        how = f"paired bootstrap, {replicates} replicates, t interval; the models differ on {differ} items"
    low, high = (-1.0, 1.0) if np.isnan(value) else (max(value - half, -1.0), min(value + half, 1.0))
    difference = Estimate(figure, value, low, high, after.estimate.n, label=label, method=how)
    compared = Comparison(_verdict(difference, figure), difference, before.estimate, after.estimate)
    return Contrast(compared, error, freedom)


def _error(
    after: Figure, before: Figure, sample: LabelledSample, rng: np.random.Generator, replicates: int
) -> tuple[float, float]:
    """The bootstrap's standard deviation of the difference, and the degrees of freedom that it rests on.

    These are Satterthwaite's, (Σ u²)² / Σ u⁴ - 1 over each item's influence u on the difference.
    """

    def difference(weights: Floats) -> Floats:
        return (after.at(weights) - before.at(weights))[:, None]

    drawn = replicate(difference, sample.weights, sample.uncertain, replicates, rng)
    square = (after.influence - before.influence) ** 2 * sample.uncertain
    freedom = float(square.sum() ** 2 / max((square**2).sum(), 1e-300)) - 1
    return float(drawn.std(ddof=1)), max(freedom, 1.0)


def _verdict(difference: Estimate, figure: str) -> Verdict:
    if not (difference.low > 0 or difference.high < 0):
        return "no evidence"
    return "helped" if (difference.low > 0) == (figure != "brier") else "hurt"


def _same_items(new: LabelledSample, old: LabelledSample) -> None:
    same = new.labels == old.labels and len(new) == len(old) and new.multi_label == old.multi_label
    if not (same and np.array_equal(new.y, old.y, equal_nan=True) and np.array_equal(new.weights, old.weights)):
        raise DataError(
            f"cannot compare {old!r} with {new!r}: labels, answers and weights differ; give both models the same items"
        )


def figure_of(sample: LabelledSample, name: str, label: str, rng: np.random.Generator) -> Figure:
    """A figure of `measure` by its name and label; raises `DataError` for one that is not known."""
    if name == "macro_f1":
        common = {sample.labels[column] for column in np.flatnonzero(sample.common)}
        chosen = [ratio for ratio in by_label(sample) if ratio.name == "f1" and ratio.label in common]
        return _mean_of(chosen, sample, macro_f1(sample))
    if name == "average_precision":
        told = {estimate.label: estimate for estimate in average_precisions(sample, rng)}
        if label in told:
            return _ranking(sample, label, told[label])
    found = [ratio for ratio in ratios(sample) if (ratio.name, ratio.label) == (name, label)]
    if not found:
        known = sorted({ratio.name for ratio in ratios(sample)} | {"macro_f1", "average_precision"})
        about = f" of label {label!r}" if label else ""
        raise DataError(f"no figure {name!r}{about} to compare; there are {', '.join(known)}")
    if name == "f1" and sample.common[sample.labels.index(label)]:
        # What few items were predicted is a finding of a comparison, and no want of items.
        found = [replace(found[0], rests=None)]
    return _mean_of(found, sample, ratio_estimates(found, sample)[0])


def _mean_of(chosen: list[Ratio], sample: LabelledSample, estimate: Estimate) -> Figure:
    top, bottom = (
        np.array([getattr(ratio, side) for ratio in chosen]).reshape(len(chosen), len(sample)).T
        for side in ("top", "bottom")
    )

    def at(weights: Floats) -> Floats:
        return np.asarray(((weights @ top) / (weights @ bottom)).mean(axis=1))

    total = np.maximum(sample.weights @ bottom, 1e-300)
    pull = (top - (sample.weights @ top) / total * bottom) / total
    return Figure(
        at=at,
        parts=np.concatenate([top, bottom], axis=1),
        influence=sample.weights * pull.sum(axis=1) / max(len(chosen), 1),
        estimate=estimate,
    )


def _ranking(sample: LabelledSample, label: str, estimate: Estimate) -> Figure:
    columns = np.flatnonzero(np.array(sample.labels) == label if label else sample.common)
    known = sample.known

    def at(weights: Floats) -> Floats:
        each = [
            average_precision(sample.truth[known[:, c], c], sample.proba[known[:, c], c], weights[:, known[:, c]])
            for c in columns
        ]
        return np.asarray(np.mean(each, axis=0))

    influence = np.zeros(len(sample))
    for c in columns:
        rows = known[:, c]
        influence[rows] += ranking_influence(sample.truth[rows, c], sample.proba[rows, c], sample.weights[rows])
    return Figure(at, sample.proba[:, columns], influence / max(len(columns), 1), estimate)
