"""Latent semantic analysis: a few dimensions that the unlabelled pool teaches, linear in the sparse rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.models.linear.sparse import SparseTable
from hitl.sampling.diversity.crowd import on_grid
from hitl.types import Embeddings, Ints

VERSION = 1
"""Raised whenever the same rows would teach other components."""

MOST_ITEMS, MOST_COLUMNS = 20_000, 1 << 15
"""What the components are learned from at most: this many items, and the n-grams that most items hold."""

_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Lsa:
    """Directions `components` (c, d) of sparse rows, in float16, on the `columns` (c,) of all `width`, ascending.

    Source: Deerwester et al. (1990); learned by randomised SVD (Halko, Martinsson & Tropp 2011).
    """

    columns: NDArray[np.int32]
    components: NDArray[np.float16]
    width: int

    @cached_property
    def _table(self) -> SparseTable:
        return SparseTable(self.columns, self.components.astype(np.float32), self.width)

    def project(self, x: Any) -> NDArray[np.float32]:
        """Where sparse rows x (n, width) lie: (n, d), linear in x, each row computed by itself."""
        return self._table.times(x)

    def embed(self, x: Any) -> Embeddings:
        """The projections brought to length 1 on the grid 1/2048, (n, d); a row without n-grams is zero."""
        return on_grid(self.project(x))

    def __repr__(self) -> str:
        return f"Lsa({self.components.shape[1]} dimensions from {len(self.columns):,} columns)"


def frequent(found_in: Ints) -> NDArray[np.int32]:
    """The columns that LSA looks at, ascending: those found in most items, and in two at least."""
    order = np.argsort(-found_in, kind="stable")[:MOST_COLUMNS]
    return np.sort(order[found_in[order] >= 2]).astype(np.int32)


def subsample(items: int) -> Ints:
    """The positions, ascending, of the items from which components are learned; the same for the same number."""
    if items <= MOST_ITEMS:
        return np.arange(items, dtype=np.int64)
    return np.sort(np.random.default_rng(items).choice(items, MOST_ITEMS, replace=False))


def learn(x: Any, columns: NDArray[np.int32], dimensions: int) -> Lsa:
    """The strongest `dimensions` directions of sparse rows x (m, width) on some columns of theirs.

    Where the rows span fewer, the last ones are zero. The seed is fixed, and in each direction the largest entry is
    positive. O(nonzeros × dimensions) time, O((m + columns) × dimensions) memory.
    """
    from sklearn.utils.extmath import randomized_svd

    components = np.zeros((len(columns), dimensions), dtype=np.float16)
    rank = min(dimensions, x.shape[0], len(columns))
    if rank:
        narrow = x[:, columns].astype(np.float64)
        _, strengths, found = randomized_svd(narrow, rank, n_iter=_ROUNDS, flip_sign=False, random_state=0)
        found = found[strengths > 1e-6 * max(strengths[0], 1e-12)]
        signs = np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])
        components[:, : len(found)] = (found * signs[:, None]).T
    return Lsa(columns, components, x.shape[1])
