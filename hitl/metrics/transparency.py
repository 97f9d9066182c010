"""Automated decisions: how many a model would take, how right they are, and what became of appeals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.metrics.counts import proportion
from hitl.metrics.figures import Ratio
from hitl.metrics.quality import ratio_estimates
from hitl.metrics.sample import LabelledSample
from hitl.policy.parts import ACTIONS
from hitl.types import Bools, Estimate, Floats, Ints, Proba

_KEEP, _REVIEW, _LIMIT, _REMOVE = range(len(ACTIONS))


def decisions_at(proba: Proba | Floats, review_at: Floats, limit_at: Floats, remove_at: Floats) -> Ints:
    """The action that each label calls for (n, k), as codes of `ACTIONS`: the strictest whose threshold is reached.

    All arguments are (n, k); thresholds that a policy does not have are infinite. O(n k).

    >>> decisions_at(np.array([[0.2, 0.9]]), *(np.array([[at, at]]) for at in (0.2, 0.5, np.inf))).tolist()
    [[1, 2]]
    """
    decided = np.zeros(proba.shape, dtype=np.int64)
    for code, at in enumerate((review_at, limit_at, remove_at), start=1):
        decided[np.asarray(proba, dtype=np.float64) >= at] = code
    return decided


@dataclass(eq=False)
class DecisionCounts:
    """Items and their views (g, 1 + k, 4) by group, by label after the strictest of all labels, and by action.

    Both add up without a rest while views are whole numbers below 2^53 in sum.
    """

    items: Ints
    views: Floats

    @classmethod
    def of(cls, decided: Ints, groups: Ints, count: int, reach: Floats, violating: Bools) -> DecisionCounts:
        """Counts of n items from their actions by label (n, k), group codes (n,) below `count`, and views (n,). O(n k).

        Only what violating labels call for counts in the first column.

        >>> decided, groups, violating = np.array([[0, 3], [1, 0]]), np.array([0, 0]), np.array([True, True])
        >>> seen = DecisionCounts.of(decided, groups, 1, np.ones(2), violating)
        >>> seen.items.tolist()
        [[[0, 1, 0, 1], [1, 1, 0, 0], [1, 0, 0, 1]]]
        """
        strictest = np.where(violating, decided, _KEEP).max(axis=1, initial=_KEEP)
        columns = np.concatenate([strictest[:, None], decided], axis=1)
        width = columns.shape[1]
        cells = (groups[:, None] * width + np.arange(width)) * len(ACTIONS) + columns
        shape, size = (count, width, len(ACTIONS)), count * width * len(ACTIONS)
        items = np.bincount(cells.ravel(), minlength=size)
        views = np.bincount(cells.ravel(), weights=np.repeat(reach, width), minlength=size)
        return cls(items.reshape(shape).astype(np.int64), views.reshape(shape).astype(np.float64))

    @classmethod
    def none(cls, count: int, labels: int) -> DecisionCounts:
        """Counts of no items."""
        shape = (count, 1 + labels, len(ACTIONS))
        return cls(np.zeros(shape, dtype=np.int64), np.zeros(shape))

    def merge(self, other: DecisionCounts) -> None:
        """Add the counts of other items with the same groups and labels."""
        self.items += other.items
        self.views += other.views


def decision_figures(sample: LabelledSample, inside: Bools | None = None) -> list[tuple[str, Estimate]]:
    """How right a model decides by itself, for all violating labels ("") and for each: (label, figure).

    Acting is to limit or remove. `audited` counts the settled items; the shares are `accuracy` and `error_rate`,
    `precision` and `wrong_actions` of those acted on, `recall`, `missed` and `unseen` (neither acted on nor sent to a
    person) of those that violate, and `false_positive_rate` of those that do not. With `inside` (n,) they are of that
    part of the pool: a domain of the sample (Särndal, Swensson and Wretman 1992, ch. 10). A share that rests on too
    few items is NaN in its interval (`hitl.metrics.intervals.unless_few`). O(n k).

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> text = "{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam, actions: {remove: 0.8}}]}"
    >>> judged = [Resolution(f"item {i}", i, ("spam" if i % 3 == 0 else "ok",), 1.0, "m", "1") for i in range(90)]
    >>> spam = np.where(np.arange(90) % 3 == 0, 0.9, 0.2)
    >>> spam[:9] = 0.2
    >>> sample = LabelledSample.of(Policy.parse(text), judged, np.stack([1 - spam, spam], axis=1))
    >>> [figure for label, figure in decision_figures(sample) if not label and figure.name == "recall"]
    [recall 0.900 [0.732, 0.967] (n=30)]
    """
    within = np.ones(len(sample), dtype=np.bool_) if inside is None else inside
    acts, asks = (sample.reaches(at) for at in (sample.act_at, sample.review_at))
    usable = np.isfinite(sample.act_at).any(axis=0) & sample.violating
    told = []
    settled, bad = ~np.isnan(sample.violates), np.nan_to_num(sample.violates) > 0
    some: list[Bools] = [np.asarray(part.any(axis=1)) for part in (acts, asks)]
    told += _told("", _Decided(some[0], some[1], settled & within, bad), bool(usable.any()), sample)
    for column in np.flatnonzero(sample.violating):
        decided = _Decided(acts[:, column], asks[:, column], sample.known[:, column] & within, sample.truth[:, column])
        told += _told(sample.labels[column], decided, bool(usable[column]), sample)
    return told


@dataclass(frozen=True, eq=False)
class _Decided:
    """Of each item (n,): acted on, sent to a person, settled, and deserving it."""

    acts: Bools
    asks: Bools
    settled: Bools
    bad: Bools

    def ratios(self, label: str) -> Iterator[Ratio]:
        """The shares, in the order in which they are told."""
        settled, acts = self.settled, self.acts & self.settled
        bad, fine = self.bad & settled, settled & ~self.bad
        none, idle = "no item was audited", "no audited item was acted on"
        for name, top, bottom, empty in (
            ("accuracy", settled & (acts == bad), settled, none),
            ("error_rate", settled & (acts != bad), settled, none),
            ("precision", acts & bad, acts, idle),
            ("wrong_actions", acts & fine, acts, idle),
            ("recall", acts & bad, bad, "no audited item violates"),
            ("missed", bad & ~acts, bad, "no audited item violates"),
            ("unseen", bad & ~acts & ~self.asks, bad, "no audited item violates"),
            ("false_positive_rate", acts & fine, fine, "every audited item violates"),
        ):
            yield Ratio(name, label, top.astype(float), bottom.astype(float), empty)


def _told(label: str, decided: _Decided, acted: bool, sample: LabelledSample) -> list[tuple[str, Estimate]]:
    n = int(decided.settled.sum())
    audited = Estimate("audited", n, n, n, n, label, method="count")
    figures = ratio_estimates(list(decided.ratios(label)), sample)
    return [(label, audited), *((label, _whole(figure) if acted else _idle(figure)) for figure in figures)]


def _whole(figure: Estimate) -> Estimate:
    # Weights are summed in two orders, so that a share of everything may come out a hair above 1.
    return replace(figure, value=float(np.clip(figure.value, 0.0, 1.0)))


def _idle(figure: Estimate) -> Estimate:
    return replace(figure, value=np.nan, low=0.0, high=1.0, n=0, method="the policy never acts by itself here")


@dataclass(frozen=True, eq=False)
class Appeals:
    """Appeals of one cell by their outcome, and the hours (m,) from each appeal to its decision."""

    made: int
    upheld: int
    partially_reversed: int
    reversed: int
    omitted: int
    hours: Floats

    def figures(self) -> list[Estimate]:
        """Counts, the share reversed of those decided on (in part too), and the median time.

        Appeals are counted in full; the interval of the share is for those to come under the same practice.
        """
        from hitl.metrics.ops import median_estimate

        decided = self.upheld + self.partially_reversed + self.reversed
        counts = {
            "appeals": self.made, "appeals_decided": decided + self.omitted, "appeals_upheld": self.upheld,
            "appeals_partially_reversed": self.partially_reversed, "appeals_reversed": self.reversed,
            "appeals_omitted": self.omitted,
        }  # fmt: skip
        told = [Estimate(name, n, n, n, n, method="count") for name, n in counts.items()]
        median = median_estimate(self.hours.tolist(), "appeal_hours")
        return [*told, reversal_rate(self.partially_reversed + self.reversed, decided), _undecided(median)]


def reversal_rate(turned: int, decided: int) -> Estimate:
    """The share of decided appeals that were reversed, in part too, with Clopper and Pearson's interval (1934).

    >>> print(reversal_rate(0, 20), reversal_rate(0, 0), sep="; ")
    reversal_rate 0.000 [0.000, 0.168] (n=20); reversal_rate unknown: no appeal was decided on
    """
    told = proportion(turned, decided, name="reversal_rate", method="Clopper-Pearson")
    return told if decided else replace(told, method="no appeal was decided on")


def _undecided(median: Estimate) -> Estimate:
    return median if median.n else replace(median, method="no appeal was decided on")


def cells(codes: Sequence[Ints], sizes: Sequence[int]) -> Ints:
    """How many of n rows have each combination of codes (n,) below the sizes; a code of -1 counts nowhere. O(n).

    >>> cells([np.array([0, 1, 1]), np.array([2, 0, -1])], [2, 3]).tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    told = np.stack(codes) if codes else np.zeros((0, 0), dtype=np.int64)
    kept = told[:, (told >= 0).all(axis=0)]
    flat = np.ravel_multi_index(tuple(kept), tuple(sizes)) if kept.size else np.zeros(0, dtype=np.int64)
    return np.bincount(flat, minlength=int(np.prod(sizes))).reshape(sizes).astype(np.int64)
