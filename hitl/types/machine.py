"""Values of models: arrays, what a model believes, what a scorer may look at, what is learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Keys = NDArray[np.uint64]
Proba = NDArray[np.float32]

Embeddings = NDArray[np.int16]
"""Unit rows on the grid 1/2048 (`rint(2048 x)`), so that a dot product of two in float32 is exact; zero is "none"."""

Progress = Callable[[str, int, int | None], None]
"""Told as `progress("reading the pool", done, total)`; total is None when unknown."""


def silent(label: str, done: int, total: int | None) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True, eq=False)
class Unreadable:
    """Items of a pool that a model could not read: where they stand (u,), ascending, and why."""

    positions: Ints
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        first = f", first at {self.positions[0]}: {self.reasons[0]}" if len(self) else ""
        return f"Unreadable({len(self):,} items{first})"


READABLE = Unreadable(np.zeros(0, dtype=np.int64), ())
"""No item was unreadable."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model believes of n items: probabilities (n, k) in the order of `labels`, from the model `model_id`.

    `proba` is calibrated. `raw` (n, k) is the opinion before that, in which labels may count alike however rare they
    are, and `committee` the same by h heads; None where there is none. `thresholds` say how to decide on `proba` by
    `hitl.deciding.decide`: None for the usual way, 0.5 for each label or the most probable one.
    """

    proba: Proba
    labels: tuple[str, ...]
    model_id: str
    committee: Proba | None = None  # (h, n, k)
    thresholds: Floats | None = None  # (k,)
    raw: Proba | None = None  # (n, k)

    def __len__(self) -> int:
        return len(self.proba)

    @property
    def opinion(self) -> Proba:
        """What arms pick by (n, k): `raw`, in which the uncertain of a rare label is not drowned by its rarity."""
        return self.proba if self.raw is None else self.raw

    def __repr__(self) -> str:
        return f"Predictions({len(self):,} items × {len(self.labels)} labels, model {self.model_id!r})"


@dataclass(frozen=True, eq=False)
class Known:
    """What the campaign knows of the space that embeddings span, bounded however long it runs.

    `labelled` are representatives of the items that have labels; `anchors` holds for each label of the policy its
    known positives (p, d), none for a label without any and for one that violates nothing. `centre` is the mean
    direction of the pool, None where nobody asked for it.
    """

    labelled: Embeddings  # (r, d)
    anchors: tuple[Embeddings, ...]  # k times (p, d)
    centre: Embeddings | None = None  # (d,)

    def __repr__(self) -> str:
        return f"Known({len(self.labelled):,} labelled, {sum(map(len, self.anchors)):,} anchors)"


@dataclass(frozen=True, eq=False)
class PoolView:
    """What a scorer may look at: n items with the model's probabilities and the policy's costs, aligned by row.

    The costs are those of each item's region. `benign_cost` is the cost of acting on an item that does not deserve
    it; `severity` the cost of leaving it up, per view; `act_at` the lowest probability at which the policy acts
    (limits or removes), infinite where it never does. For a label that violates nothing (`violating` False), severity
    is 0 and `act_at` infinite. `draw` is one uniform number an item, in [0, 1), that depends on the item's key and
    the round's seed alone: scorers that need chance, and ties, use it.

    What not every round has is None without it; a scorer that needs it says so. Only views of items that have been
    labelled tell how: `settled` is 1 where the label was resolved to apply, 0 where not to, NaN where unresolved.
    """

    keys: Keys  # (n,) hash of the item id
    proba: Proba  # (n, k)
    labels: tuple[str, ...]
    multi_label: bool
    violating: Bools  # (k,)
    reach: Floats  # (n,) views, >= 0
    severity: Floats  # (n, k)
    benign_cost: Floats  # (n, k)
    act_at: Floats  # (n, k)
    draw: Floats  # (n,)
    cuts: Floats | None = None  # (n, k, a) thresholds to review, limit, remove; infinite where there is none
    embeddings: Embeddings | None = None  # (n, d)
    committee: Proba | None = None  # (h, n, k) the same probabilities by h bootstrap heads
    known: Known | None = None
    settled: Floats | None = None  # (n, k)
    confidence: Floats | None = None  # (n,) of the resolution, in [0, 1]

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"PoolView({len(self):,} items × {len(self.labels)} labels)"


@dataclass(frozen=True, eq=False)
class Scores:
    """A named priority for n items: higher always means ask sooner."""

    name: str
    values: Floats  # (n,)
    parts: Mapping[str, Floats] = field(default_factory=dict)  # what it was combined from, each (n,)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        parts = f" from {', '.join(self.parts)}" if self.parts else ""
        return f"Scores({self.name!r}, {len(self):,} items{parts})"


@dataclass(frozen=True, eq=False)
class Spans:
    """What timelines say of videos: the label in column `labels` holds for item `rows` from `start` to `stop` (s,)."""

    rows: Ints  # (s,) of the targets
    labels: Ints  # (s,)
    start: Floats  # (s,) seconds
    stop: Floats  # (s,) seconds

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Targets:
    """What a model learns from: pool positions (m,), labels (m, k) of 0, 1 or NaN (unknown, masked), weights (m,).

    `stands_for` (m,) says how many items of the pool each stands for, 0 where it was not drawn by chance; with it the
    model is calibrated to the pool. `spans` are timelines of videos.
    """

    positions: Ints
    y: Floats
    labels: tuple[str, ...]
    weights: Floats
    stands_for: Floats | None = None
    spans: Spans | None = None

    def take(self, rows: Ints) -> Targets:
        """Some of the items, ascending, with the spans that are theirs."""
        draws = None if self.stands_for is None else self.stands_for[rows]
        spans = self.spans
        if spans is not None and len(spans):
            at = np.minimum(np.searchsorted(rows, spans.rows), max(len(rows) - 1, 0))
            kept = np.flatnonzero(rows[at] == spans.rows) if len(rows) else np.zeros(0, dtype=np.int64)
            spans = Spans(at[kept], spans.labels[kept], spans.start[kept], spans.stop[kept])
        return Targets(self.positions[rows], self.y[rows], self.labels, self.weights[rows], draws, spans)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Targets({len(self):,} items × {len(self.labels)} labels)"
