"""Texts as ragged token ids, and batches of them with next to no padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitl.types import Floats, Ints

Ids = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token ids of n texts, one after another: text i has `ids[indptr[i]:indptr[i + 1]]`.

    >>> tokens = Tokens.of([[5, 6], [], [7]])
    >>> tokens.lengths.tolist(), tokens.take(np.array([2, 0])).ids.tolist()
    ([2, 0, 1], [7, 5, 6])
    """

    indptr: Ints  # (n + 1,)
    ids: Ids  # (t,)

    @staticmethod
    def of(rows: Sequence[Sequence[int]]) -> Tokens:
        """The ids of each text, given as n lists."""
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=indptr[1:])
        flat = (token for row in rows for token in row)
        return Tokens(indptr, np.fromiter(flat, dtype=np.int32, count=int(indptr[-1])))

    @staticmethod
    def joined(parts: Sequence[Tokens]) -> Tokens:
        """The texts of all parts, in their order."""
        lengths = np.concatenate([np.zeros(1, dtype=np.int64), *(part.lengths for part in parts)])
        return Tokens(np.cumsum(lengths), np.concatenate([np.zeros(0, dtype=np.int32), *(part.ids for part in parts)]))

    @property
    def lengths(self) -> Ints:
        """How many tokens each text has (n,)."""
        return np.diff(self.indptr)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __repr__(self) -> str:
        return f"Tokens({len(self):,} texts, {len(self.ids):,} tokens)"

    def take(self, rows: Ints) -> Tokens:
        """The texts at these rows, in this order."""
        lengths = self.lengths[rows]
        indptr = np.append(0, np.cumsum(lengths))
        at = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        return Tokens(indptr, self.ids[at])

    def padded(self, pad: int) -> tuple[Ints, Ints | None]:
        """Ids (n, longest) with `pad` on the right, and the mask of them, 1 for a token; None without padding."""
        lengths = self.lengths
        width = int(lengths.max(initial=0))
        if (lengths == width).all():
            return self.ids.reshape(len(self), width).astype(np.int64), None
        real = np.arange(width) < lengths[:, None]
        ids = np.full(real.shape, pad, dtype=np.int64)
        ids[real] = self.ids
        return ids, real.astype(np.int64)


def by_length(lengths: Ints, most: int, overhead: int) -> list[Ints]:
    """Cut n texts into batches of like length that are the cheapest to compute: rows of each batch, longest first.

    A batch holds at most `most` tokens with its padding (or one text), and costs those tokens and `overhead` more. The
    cheapest cut of the sorted lengths by dynamic programming: many texts end in batches of one length each, without any
    padding; few texts share a batch. O(n log n + l²) time for l different lengths.

    >>> [rows.tolist() for rows in by_length(np.array([3, 9, 3, 8]), most=64, overhead=2)]
    [[3, 1], [0, 2]]
    """
    order = np.argsort(lengths, kind="stable")
    widths, counts = np.unique(lengths, return_counts=True)
    ends = np.append(0, np.cumsum(counts))
    batches = []
    for first, last in _cheapest(widths, ends, most, overhead):
        rows = order[ends[first] : ends[last]]
        room = max(1, most // max(1, int(widths[last - 1])))
        batches += np.array_split(rows, -(-len(rows) // room))
    return batches[::-1]


def _cheapest(widths: Ints, ends: Ints, most: int, overhead: int) -> list[tuple[int, int]]:
    """The groups (first, last) of different lengths, shortest first, whose batches cost least together."""
    room = np.maximum(1, most // np.maximum(1, widths))
    best: Floats = np.zeros(len(widths) + 1)
    came = np.zeros(len(widths) + 1, dtype=np.int64)
    for last in range(1, len(widths) + 1):
        rows = ends[last] - ends[:last]
        cost = best[:last] + rows * widths[last - 1] + overhead * -(-rows // room[last - 1])
        came[last] = np.argmin(cost)
        best[last] = cost[came[last]]
    groups, last = [], len(widths)
    while last:
        groups.append((int(came[last]), last))
        last = int(came[last])
    return groups[::-1]
