"""Small summaries of a large pool that merge: what is left of N items after one pass does not grow with N."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.errors import ConfigError, DataError
from hitl.sampling.candidates import Candidates, first, join, nothing
from hitl.types import Floats

_ROOM = 8192
"""Rows that may wait before a sketch is cut back, so that small batches do not each pay for the whole sketch."""


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
        self._kept: tuple[Candidates, Floats, Floats] = (nothing(), np.empty(0), np.empty(0))
        self._waiting: list[tuple[Candidates, Floats, Floats]] = []
        self._limit = np.inf if size else -np.inf

    def feed(self, items: Candidates, weights: Floats, uniforms: Floats) -> None:
        """Look at n items with weights (n,) >= 0 and uniforms (n,); O(n). Raises `DataError` for a bad weight."""
        if weights.size and not (weights.min() >= 0 and weights.max() < np.inf):
            raise DataError("a sampling weight is NaN, infinite or below 0; look at reach and at the model")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            priorities = np.where(weights > 0, uniforms / weights, np.inf)
        promising = (priorities <= self._limit) & (priorities < np.inf)
        if promising.any():
            self._waiting.append((items.take(promising), weights[promising], priorities[promising]))
        if sum(len(rows) for rows, _, _ in self._waiting) > max(_ROOM, self.size):
            self._cut()

    def merge(self, other: ProbabilityDraw) -> None:
        """Take over what another shard kept; raises `ConfigError` when it was made for another size."""
        if self.size != other.size:
            raise ConfigError(f"a draw of {other.size} does not merge into a draw of {self.size}")
        other._cut()
        self._waiting.append(other._kept)
        self._cut()

    def result(self) -> Draw:
        """The sample in the order of its priorities, with inclusion probabilities."""
        self._cut()
        items, weights, priorities = self._kept
        order = np.lexsort((items.keys, priorities))
        if len(order) <= self.size:
            return Draw(items.take(order), np.ones(len(order)))
        threshold = priorities[order[self.size]]
        order = order[: self.size]
        return Draw(items.take(order), np.minimum(1.0, weights[order] * threshold))

    def _cut(self) -> None:
        if not self._waiting:
            return
        tables = [self._kept, *self._waiting]
        self._waiting = []
        items = join(rows for rows, _, _ in tables)
        weights = np.concatenate([weights for _, weights, _ in tables])
        priorities = np.concatenate([priorities for _, _, priorities in tables])
        if len(items) > self.size:
            best = first(self.size + 1, priorities, items.keys)
            items, weights, priorities = items.take(best), weights[best], priorities[best]
            self._limit = priorities.max()
        self._kept = (items, weights, priorities)
