"""Sparse rows as arrays, and their product with a table that is empty but for some columns of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.types import Ints


def as_csr(data: Any, indices: Any, ends: Ints, width: int) -> Any:
    """A CSR matrix of these arrays; row ends take the narrow type of the indices, or scipy would copy those."""
    from scipy.sparse import csr_matrix

    narrow = ends.astype(np.int32) if ends[-1] < 2**31 else ends
    return csr_matrix((data, indices, narrow), shape=(len(ends) - 1, width), copy=False)


Csr = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Row ends (n + 1,), columns and values (nonzeros,), in memory or memory-mapped."""


def slice_rows(csr: Csr, start: int, stop: int, width: int) -> Any:
    """Consecutive rows as a CSR matrix over the same arrays; nothing but the row ends is copied."""
    indptr, indices, data = csr
    start, stop, _ = slice(start, stop).indices(len(indptr) - 1)
    ends = np.asarray(indptr[start : max(start, stop) + 1])
    place = slice(int(ends[0]), int(ends[-1]))
    return as_csr(np.asarray(data[place]), np.asarray(indices[place]), ends - ends[0], width)


def take_rows(csr: Csr, positions: Ints, width: int) -> Any:
    """The rows at these positions, in this order, as a CSR matrix; time and memory of those rows alone."""
    indptr, indices, data = csr
    rows = np.asarray(positions, dtype=np.int64)
    starts = np.asarray(indptr[rows])
    lengths = np.asarray(indptr[rows + 1]) - starts
    ends = np.concatenate([[0], np.cumsum(lengths)])
    at = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths)
    return as_csr(np.asarray(data[at]), np.asarray(indices[at]), ends, width)


@dataclass(frozen=True, eq=False)
class SparseTable:
    """A table (width, p) that is zero outside the rows `columns` (c,), ascending, which hold `values` (c, p).

    >>> table = SparseTable(np.array([1], dtype=np.int32), np.array([[2.0, 3.0]], dtype=np.float32), 4)
    >>> table.times(as_csr(np.ones(2, np.float32), np.array([1, 3], np.int32), np.array([0, 1, 2]), 4)).tolist()
    [[2.0, 3.0], [0.0, 0.0]]
    """

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    width: int

    @cached_property
    def _place(self) -> NDArray[np.int32]:
        place = np.full(self.width, len(self.columns), dtype=np.int32)
        place[self.columns] = np.arange(len(self.columns), dtype=np.int32)
        return place

    @cached_property
    def _padded(self) -> NDArray[np.float32]:
        last = np.zeros((1, self.values.shape[1]), dtype=np.float32)
        return np.concatenate([self.values.astype(np.float32, copy=False), last])

    def times(self, x: Any) -> NDArray[np.float32]:
        """x @ table for sparse rows x (n, width): (n, p), each row computed by itself; O(nonzeros × p)."""
        from scipy.sparse import csr_matrix

        inner = (x.data, self._place[x.indices], x.indptr)
        narrow = csr_matrix(inner, shape=(x.shape[0], len(self._padded)), copy=False)
        return np.asarray(narrow @ self._padded, dtype=np.float32)
