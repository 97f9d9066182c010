"""Small summaries of a large pool that merge: what is left of N items after one pass does not grow with N."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.errors import ConfigError, DataError
from hitl.sampling.candidates import Candidates, first, join, nothing
from hitl.types import Floats, Ints

_ROOM = 8192
"""Rows that may wait before a sketch is cut back, so that small batches do not each pay for the whole sketch."""

_UNIT = 1 << 30


class TopM:
    """The `m` items of highest score in each stratum; ties by draw, then by key.

    Feeding N items takes O(N) time in all; memory is O(m × strata), plus the batch that is being fed. What is kept
    does not depend on the cut or order of the batches. `strata` is the number of stratum codes.

    >>> top = TopM(1, strata=1)
    >>> at, score = np.arange(3), np.array([0.2, 0.9, 0.5])
    >>> top.feed(Candidates(at, at.astype(np.uint64), np.zeros(3), np.zeros(3, dtype=np.int64), score))
    >>> top.result().positions
    array([1])
    """

    def __init__(self, m: int, strata: int) -> None:
        self.m, self.strata = m, strata
        self._kept = nothing()
        self._waiting: list[Candidates] = []
        self._floor = np.full(strata, -np.inf if m else np.inf)

    def feed(self, items: Candidates) -> None:
        """Look at a batch of items; O(batch) time."""
        promising = items.scores >= self._floor[items.strata]
        if promising.any():
            self._waiting.append(items.take(promising))
        if sum(map(len, self._waiting)) > max(_ROOM, len(self._kept)):
            self._cut()

    def merge(self, other: TopM) -> None:
        """Take over what another shard kept; raises `ConfigError` when it was made for another m or other strata."""
        if (self.m, self.strata) != (other.m, other.strata):
            raise ConfigError(
                f"a top {other.m} of {other.strata} strata does not merge into a top {self.m} of {self.strata}"
            )
        self.feed(other.result())

    def result(self) -> Candidates:
        """What is kept, by stratum and from the highest score down."""
        self._cut()
        rows = self._kept
        return rows.take(np.lexsort((rows.keys, rows.draws, -rows.scores, rows.strata)))

    def _cut(self) -> None:
        rows = join([self._kept, *self._waiting])
        self._waiting = []
        counts = np.bincount(rows.strata, minlength=self.strata)
        if (counts > self.m).any():
            by_stratum = np.split(np.argsort(rows.strata, kind="stable"), np.cumsum(counts)[:-1])
            kept = [at[first(self.m, -rows.scores[at], rows.draws[at], rows.keys[at])] for at in by_stratum]
            rows = rows.take(np.concatenate(kept))
        full = np.flatnonzero(counts >= self.m) if self.m else np.empty(0, dtype=np.int64)
        lowest = np.full(self.strata, np.inf)
        np.minimum.at(lowest, rows.strata, rows.scores)
        self._floor[full] = lowest[full]
        self._kept = rows


@dataclass(frozen=True, eq=False)
class Draw:
    """A probability sample: its items, and the probability (n,) with which each was included."""

    items: Candidates
    inclusion: Floats

    def __len__(self) -> int:
        return len(self.items)


class ProbabilityDraw:
    """A probability sample of exactly `size` items, with probability proportional to weight where that is below 1.

    Each item has the priority q = u / w from its uniform number u and its weight w. The `size` smallest are the
    sample, the next is the threshold τ, and an item's inclusion probability is π = min(1, w τ), with which Σ y / π is
    unbiased for the pool's total of any y. With `size` items or fewer to draw from all are taken with π = 1.
    Items of weight 0 are never drawn, so totals are those of the others.

    Priority sampling: Duffield, Lund & Thorup (J. ACM 54(6), 2007); in survey statistics sequential Poisson
    sampling, Ohlsson (J. Official Statistics 14, 1998). Feeding N items takes O(N) time, memory is O(size); shards
    merge, and neither cut nor order of the batches matters.

    >>> from hitl.sampling.uniforms import draws
    >>> keys = np.arange(1000, dtype=np.uint64)
    >>> items = Candidates(np.arange(1000), keys, np.zeros(1000), np.zeros(1000, dtype=np.int64), np.zeros(1000))
    >>> draw = ProbabilityDraw(100)
    >>> draw.feed(items, weights=np.ones(1000), uniforms=draws(keys, 1))
    >>> len(draw.result()), round(sum(1 / draw.result().inclusion))
    (100, 1000)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._lowest = _Lowest(size + 1)

    def feed(self, items: Candidates, weights: Floats, uniforms: Floats) -> None:
        """Look at n items with weights (n,) >= 0 and uniforms (n,); O(n). Raises `DataError` for a bad weight."""
        _check_weights(weights)
        self._lowest.feed(items, weights, uniforms, _priorities(uniforms, weights))

    def merge(self, other: ProbabilityDraw) -> None:
        """Take over what another shard kept; raises `ConfigError` when it was made for another size."""
        if self.size != other.size:
            raise ConfigError(f"a draw of {other.size} does not merge into a draw of {self.size}")
        self._lowest.merge(other._lowest)

    def result(self) -> Draw:
        """The sample in the order of its priorities, with inclusion probabilities."""
        rows = self._lowest.rows()
        return _drawn(rows.items, rows.columns[0], rows.columns[2], self.size)


class FlooredDraw:
    """A probability sample of `size` items, like `ProbabilityDraw`, with weights that are raised to a floor.

    The floor is `floor` times the mean weight of all items, which is known only when all have been seen: so much of
    the sample is even, whatever the weights (a defensive mixture; Hesterberg 1995, Technometrics 37:185), and no
    item's inclusion probability falls below floor / (1 + floor) of that of an even draw. Two sketches make it one
    pass, one by weight and one even, with the same uniforms (Cohen 2015, "Multi-objective weighted sampling"): since
    u / max(a, b) = min(u / a, u / b), whatever is among the `size` + 1 first by the raised weight is among as many
    first of one of them. Weights that are all 0 make the draw even. Time, memory, merging and order as there; the mean
    is of sums in whole units, so that it does not depend on their order.

    >>> from hitl.sampling.uniforms import draws
    >>> keys = np.arange(1000, dtype=np.uint64)
    >>> items = Candidates(np.arange(1000), keys, np.zeros(1000), np.zeros(1000, dtype=np.int64), np.zeros(1000))
    >>> draw = FlooredDraw(100, floor=0.5)
    >>> draw.feed(items, weights=np.where(keys < 100, 1.0, 0.0), uniforms=draws(keys, 1))
    >>> weighty = (draw.result().items.positions < 100).sum()  # 100 times 1 against 900 times 0.05
    >>> len(draw.result()), bool(60 < weighty < 80)
    (100, True)
    """

    def __init__(self, size: int, floor: float) -> None:
        self.size, self.floor = size, floor
        self._by_weight, self._even = _Lowest(size + 1), _Lowest(size + 1)
        self._seen = self._units = 0

    def feed(self, items: Candidates, weights: Floats, uniforms: Floats) -> None:
        """Look at n items with weights (n,) >= 0 and uniforms (n,); O(n). Raises `DataError` for a bad weight."""
        _check_weights(weights)
        self._seen += len(items)
        self._units += in_units(weights)
        self._by_weight.feed(items, weights, uniforms, _priorities(uniforms, weights))
        self._even.feed(items, weights, uniforms, uniforms)

    def merge(self, other: FlooredDraw) -> None:
        """Take over what another shard kept; raises `ConfigError` when it was made for another size or floor."""
        if (self.size, self.floor) != (other.size, other.floor):
            raise ConfigError(
                f"a draw of {other.size} with floor {other.floor:g} does not merge into one of {self.size} with floor "
                f"{self.floor:g}"
            )
        self._seen += other._seen
        self._units += other._units
        self._by_weight.merge(other._by_weight)
        self._even.merge(other._even)

    def result(self) -> Draw:
        """The sample in the order of its priorities, with inclusion probabilities."""
        one, other = self._by_weight.rows(), self._even.rows()
        new = ~np.isin(other.items.keys, one.items.keys)
        items = join([one.items, other.items.take(new)])
        weights, uniforms, _ = np.concatenate([one.columns, other.columns[:, new]], axis=1)
        lowest = self.floor * from_units(self._units) / max(self._seen, 1)
        raised = np.maximum(weights, lowest or 1.0)
        return _drawn(items, raised, uniforms / raised, self.size)


def in_units(values: Floats) -> int:
    """The sum of values >= 0 in whole units of 2⁻³⁰: sums of floats depend on the order in which they are added.

    >>> from_units(in_units(np.array([0.25, 0.5])))
    0.75
    """
    return int(np.rint(values * _UNIT).astype(np.int64).sum())


def from_units(units: int) -> float:
    """What a sum in whole units comes to."""
    return units / _UNIT


def _check_weights(weights: Floats) -> None:
    if weights.size and not (weights.min() >= 0 and weights.max() < np.inf):
        raise DataError("a sampling weight is NaN, infinite or below 0; look at reach and at the model")


def _priorities(uniforms: Floats, weights: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found: Floats = np.where(weights > 0, uniforms / weights, np.inf)
    return found


def _drawn(items: Candidates, weights: Floats, priorities: Floats, size: int) -> Draw:
    """The `size` items of lowest priority, with π = min(1, w τ) of the next one's priority τ."""
    order = np.lexsort((items.keys, priorities))
    if len(order) <= size:
        return Draw(items.take(order), np.ones(len(order)))
    threshold, order = priorities[order[size]], order[:size]
    return Draw(items.take(order), np.minimum(1.0, weights[order] * threshold))


class _Lowest:
    """The `count` items of lowest priority, with their weights and uniforms; ties by key."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._kept = _Rows(nothing(), np.empty((3, 0)))
        self._waiting: list[_Rows] = []
        self._limit = np.inf

    def feed(self, items: Candidates, weights: Floats, uniforms: Floats, priorities: Floats) -> None:
        promising = (priorities <= self._limit) & (priorities < np.inf)
        if promising.any():
            columns = np.stack([weights[promising], uniforms[promising], priorities[promising]])
            self._waiting.append(_Rows(items.take(promising), columns))
        if sum(len(rows.items) for rows in self._waiting) > max(_ROOM, self.count):
            self.rows()

    def merge(self, other: _Lowest) -> None:
        self._waiting.append(other.rows())
        self.rows()

    def rows(self) -> _Rows:
        """What is kept, in no order."""
        if self._waiting:
            tables = [self._kept, *self._waiting]
            self._waiting = []
            rows = _Rows(join(one.items for one in tables), np.concatenate([one.columns for one in tables], axis=1))
            if len(rows.items) > self.count:
                rows = rows.take(first(self.count, rows.columns[2], rows.items.keys))
                self._limit = rows.columns[2].max(initial=-np.inf)
            self._kept = rows
        return self._kept


@dataclass(frozen=True, eq=False)
class _Rows:
    items: Candidates
    columns: Floats  # (3, n): weights, uniforms, priorities

    def take(self, rows: Ints) -> _Rows:
        return _Rows(self.items.take(rows), self.columns[:, rows])
