"""Items that may be picked, as columns: what every sketch keeps, and the order in which it keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.types import Bools, Floats, Ints, Keys


@dataclass(frozen=True, eq=False)
class Candidates:
    """n items with their score, the draw that breaks ties (the smaller first), and the scores' raw parts."""

    positions: Ints  # (n,) rows in the pool
    keys: Keys  # (n,)
    draws: Floats  # (n,) in [0, 1)
    strata: Ints  # (n,) codes
    scores: Floats  # (n,) in [0, 1]
    parts: Mapping[str, Floats] = field(default_factory=dict)  # each (n,)

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: Ints | Bools) -> Candidates:
        """The given rows (indices, or a mask), in their order."""
        return replace(
            self,
            positions=self.positions[rows],
            keys=self.keys[rows],
            draws=self.draws[rows],
            strata=self.strata[rows],
            scores=self.scores[rows],
            parts={name: values[rows] for name, values in self.parts.items()},
        )

    def ranked(self) -> Candidates:
        """The same items, the highest score first; ties by draw, then by key."""
        return self.take(np.lexsort((self.keys, self.draws, -self.scores)))

    def __repr__(self) -> str:
        return f"Candidates({len(self):,} items)"


def nothing(parts: Iterable[str] = ()) -> Candidates:
    """No candidates."""
    ints, floats = np.empty(0, dtype=np.int64), np.empty(0)
    return Candidates(ints, np.empty(0, dtype=np.uint64), floats, ints, floats, dict.fromkeys(parts, floats))


def join(tables: Iterable[Candidates]) -> Candidates:
    """Several tables of candidates as one; tables without rows are passed over."""
    full = [table for table in tables if len(table)]
    if not full:
        return nothing()
    return Candidates(
        np.concatenate([table.positions for table in full]),
        np.concatenate([table.keys for table in full]),
        np.concatenate([table.draws for table in full]),
        np.concatenate([table.strata for table in full]),
        np.concatenate([table.scores for table in full]),
        {name: np.concatenate([table.parts[name] for table in full]) for name in full[0].parts},
    )


def first(count: int, *columns: NDArray[Any]) -> Ints:
    """Indices of the `count` rows that come first by the columns, the second breaking ties of the first and so on.

    Selection and not sorting: O(n) time for each column; the indices come in no particular order.

    >>> first(2, np.array([3, 1, 1, 1]), np.array([0, 9, 7, 8])).tolist()
    [2, 3]
    """
    rows = np.arange(len(columns[0]))
    chosen: list[Ints] = []
    for column in columns:
        if count <= 0 or len(rows) <= count:
            break
        values = column[rows]
        cut = np.partition(values, count - 1)[count - 1]
        below = rows[values < cut]
        chosen.append(below)
        count -= len(below)
        rows = rows[values == cut]
    return np.concatenate([*chosen, rows[: max(count, 0)]])


def rank_within(groups: Ints) -> Ints:
    """For each row, how many earlier rows belong to its group; groups (n,) → (n,). O(n log n).

    >>> rank_within(np.array([5, 3, 5, 5, 3])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(groups) else np.empty(0, dtype=np.int64)
    sizes = np.diff(np.r_[starts, len(groups)])
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return ranks
