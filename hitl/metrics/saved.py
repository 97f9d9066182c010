"""What chosen labels bought over labels drawn by chance: a gain at equal numbers, and labels saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.errors import DataError
from hitl.metrics.compare import figure_of
from hitl.metrics.resample import replicate
from hitl.metrics.sample import LabelledSample
from hitl.types import Estimate, Floats

LEAST_REPEATS = 3
"""Models that must have learned from as many labels each before anything is said of the chance in that."""


@dataclass(frozen=True, eq=False)
class Trained:
    """Models that learned from `labels` labels each, on one benchmark: r of them, each from a draw of its own."""

    labels: float
    on_benchmark: tuple[LabelledSample, ...]


@dataclass(frozen=True)
class Saved:
    """Chance against choice: the figure of either at as many labels, the `gain`, and the labels `saved`.

    `saved` says how many labels fewer chosen ones need for the figure that the chance-drawn ones reach. It lies within
    what was tried: at its `edge` it is "at least" or "at most" so many. `curve` are the chosen ones' figures by number
    of labels.
    """

    by_chance: Estimate
    by_choice: Estimate
    gain: Estimate
    saved: Estimate
    edge: Literal["", "at least", "at most"]
    curve: tuple[tuple[float, Estimate], ...]


def labels_saved(
    by_chance: Trained,
    halves: Sequence[LabelledSample],
    by_choice: Sequence[Trained],
    rng: np.random.Generator,
    *,
    figure: str = "macro_f1",
    replicates: int = 1000,
) -> Saved:
    """How a model from labels drawn by chance compares with models from as many, and from fewer or more, chosen ones.

    `by_chance` holds the one model of all labels drawn by chance, `halves` models of random halves of them, `by_choice`
    models of random parts of the chosen ones at ascending numbers, one of them that of `by_chance`, the last of all of
    them. All stand on the same judged items.

    Intervals hold two kinds of chance. That of the benchmark is the design's bootstrap, the same weights for all
    models. That of which labels were drawn is seen from the models themselves: the variance between random halves is
    the delete-half jackknife's of the whole (Shao and Wu 1989, Annals of Statistics 17:1176); that between parts of s
    of S labels is 1 - s/S of that of fresh draws, and falls as 1 / labels, by which all numbers are pooled. Of the two
    the larger holds for the model of chance; errors are drawn as t at the pooled degrees of freedom. The curve by
    choice is made to rise (least squares) and read linearly in the logarithm of labels, never beyond what was tried.
    Raises `DataError` where numbers do not fit, or the figure is not known. O(models × replicates × n) time.
    """
    curve = _Curve.of(by_chance, halves, by_choice)
    sets = [by_chance, *by_choice]

    models = [[figure_of(one, figure, "", rng).at for one in some.on_benchmark] for some in sets]

    def values(weights: Floats) -> Floats:
        return np.stack([np.mean([at(weights) for at in some], axis=0) for some in models], axis=1)

    first = by_chance.on_benchmark[0]
    parts = [one.on_benchmark for one in by_choice]
    apart = [np.array([figure_of(one, figure, "", rng).estimate.value for one in some]) for some in (halves, *parts)]
    if np.isnan(np.concatenate(apart)).any():
        raise DataError(f"{figure} is not known: {figure_of(first, figure, '', rng).estimate.method}")
    errors = curve.errors(apart[0], apart[1:])
    told = values(first.weights[None])[0]
    drawn = replicate(values, first.weights, first.uncertain, replicates, rng)
    drawn = drawn + errors * rng.standard_t(curve.freedom, size=drawn.shape)
    same = 1 + curve.same
    point, cloud = curve.saved(told[None])[0], curve.saved(drawn)
    n, where = len(first), f"{replicates} replicates of benchmark and training"
    estimates = [_estimate(figure, told[at], drawn[:, at], n, where) for at in range(len(sets))]
    gain = _estimate(figure, told[same] - told[0], drawn[:, same] - drawn[:, 0], n, where, least=-1.0)
    low, high = np.quantile(cloud, [0.025, 0.975])
    saved = Estimate("labels_saved", float(point), float(min(low, point)), float(max(high, point)), n, method=where)
    return Saved(
        by_chance=estimates[0],
        by_choice=estimates[same],
        gain=gain,
        saved=saved,
        edge=curve.edge(float(point)),
        curve=tuple(zip(curve.labels.tolist(), estimates[1:], strict=True)),
    )


@dataclass(frozen=True, eq=False)
class _Curve:
    """The numbers of labels (s,) tried by choice, which of them is that of chance, and how many models each has."""

    labels: Floats
    same: int
    repeats: Floats

    @classmethod
    def of(cls, by_chance: Trained, halves: Sequence[LabelledSample], by_choice: Sequence[Trained]) -> _Curve:
        labels = np.array([one.labels for one in by_choice])
        repeats = np.array([float(len(one.on_benchmark)) for one in by_choice])
        same = np.flatnonzero(labels == by_chance.labels)
        ascending = len(labels) > 1 and bool((np.diff(labels) > 0).all())
        enough = len(by_chance.on_benchmark) == 1 and min(len(halves), *repeats[:-1]) >= LEAST_REPEATS
        if not (ascending and len(same) and enough and repeats[-1] and same[0] < len(labels) - 1):
            raise DataError(
                f"chance with {by_chance.labels:g} labels cannot be compared with choice at {labels.tolist()} labels: "
                f"give one model of it, {LEAST_REPEATS} halves and {LEAST_REPEATS} models by choice at each number, "
                "that of chance among them and all labels last"
            )
        return cls(labels, int(same[0]), repeats)

    @property
    def freedom(self) -> float:
        """Of the variance that is pooled over all numbers but the last."""
        return float((self.repeats[:-1] - 1).sum())

    def errors(self, halves: Floats, alone: Sequence[Floats]) -> Floats:
        """(1 + s,) standard deviations that the draw of labels gives to chance, and to the mean of each number."""
        part = self.labels / self.labels[-1]
        fresh = [
            float(np.var(values, ddof=1)) / (1 - share) for values, share in zip(alone[:-1], part[:-1], strict=True)
        ]
        # The variance of a training set falls as one over its size: the sizes tell the same constant.
        constant = float(np.mean(np.array(fresh) * self.labels[:-1]))
        variance = constant / self.labels
        mean = variance * ((1 - part) / self.repeats + part)
        errors: Floats = np.sqrt(np.append(max(float(np.var(halves, ddof=1)), variance[self.same]), mean))
        return errors

    def saved(self, figures: Floats) -> Floats:
        """(b,) labels saved, from the figures (b, 1 + s) of chance and of each number by choice."""
        at = self.labels[self.same]
        return np.array([at - self._needed(row[0], _rising(row[1:], self.repeats)) for row in figures])

    def _needed(self, figure: float, rising: Floats) -> float:
        # Where the curve is flat at the figure, the fewest labels: they do as well.
        if figure <= rising[0]:
            return float(self.labels[0])
        above = int(np.searchsorted(rising, figure))
        if above == len(rising):
            return float(self.labels[-1])
        share = (figure - rising[above - 1]) / (rising[above] - rising[above - 1])
        return float(np.exp(np.interp(share, [0, 1], np.log(self.labels[above - 1 : above + 1]))))

    def edge(self, saved: float) -> Literal["", "at least", "at most"]:
        needed = self.labels[self.same] - saved
        return "at least" if needed <= self.labels[0] else "at most" if needed >= self.labels[-1] else ""


def _rising(values: Floats, weights: Floats) -> Floats:
    """The rising sequence nearest by weighted least squares (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, v, m), (b, w, n) = blocks[-2:]
            blocks[-2:] = [[(a * v + b * w) / (v + w), v + w, m + n]]
    return np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])


def _estimate(figure: str, value: float, drawn: Floats, n: int, method: str, least: float = 0.0) -> Estimate:
    low, high = np.clip(np.quantile(drawn, [0.025, 0.975]), least, 1.0).tolist()
    return Estimate(figure, float(value), min(low, float(value)), max(high, float(value)), n, method=method)
