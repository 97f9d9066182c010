"""The shortlist as a diversity method sees it, and what all the methods share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import DataError
from hitl.types import Embeddings, Floats, Ints, Proba

GRID = 2048
"""One on the grid of embeddings: dot products of unit rows in these steps are exact in float32 (at most 2²² < 2²⁴)."""

Singles = NDArray[np.float32]
Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class Crowd:
    """n items among which a batch is chosen: where they lie, what is believed of them, and how much each is wanted.

    Raises `DataError` when the columns do not fit together, and for a weight that is negative or not finite or a
    probability outside [0, 1].
    """

    embeddings: Embeddings  # (n, d) unit rows on the grid 1/2048; a row of zeros is nowhere
    proba: Proba  # (n, k)
    weights: Floats  # (n,) priority >= 0, higher asks sooner
    draws: Floats  # (n,) in [0, 1), the smaller first among equals
    multi_label: bool

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in ("embeddings", "proba", "weights", "draws")}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise DataError(f"the columns of a crowd differ in length ({told}); give one row for each item")
        if self.embeddings.dtype != np.int16 or self.embeddings.ndim != 2:
            raise DataError(
                f"embeddings are {self.embeddings.dtype} of {self.embeddings.ndim} dimensions; "
                f"give int16 (n, d), the unit rows times {GRID}, as `on_grid` does"
            )
        checks = {
            "weights are negative or not finite": (self.weights >= 0) & np.isfinite(self.weights),
            "rows of probabilities are not in [0, 1]": ((self.proba >= -1e-6) & (self.proba <= 1 + 1e-6)).all(axis=1),
        }
        for told, right in checks.items():
            wrong = np.flatnonzero(~right)
            if len(wrong):
                raise DataError(f"{len(wrong)} of {len(self)} {told}, the first in row {wrong[0]}; mend or drop them")

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        return f"Crowd({len(self):,} items, {self.embeddings.shape[1]} dimensions, {self.proba.shape[1]} labels)"

    def take(self, rows: Ints) -> Crowd:
        """The given rows, in their order."""
        return Crowd(
            self.embeddings[rows], self.proba[rows], self.weights[rows], self.draws[rows], multi_label=self.multi_label
        )

    def wanted(self) -> tuple[Crowd, Ints]:
        """The items that have weight in the order of their draws, and the rows in which they stand.

        Where nobody has weight it is all of them, with weight 1. A method that works in this order takes the same items
        wherever they stand in the crowd. O(n log n).
        """
        order = np.lexsort((-self.weights, self.draws))
        if not self.weights.any():
            return replace(self.take(order), weights=np.ones(len(self))), order
        order = order[self.weights[order] > 0]
        return self.take(order), order

    def ranked(self) -> Ints:
        """All rows, (n,), the heaviest first, the smaller draw first among equals. O(n log n)."""
        return np.asarray(np.lexsort((self.draws, -self.weights)))

    def filled(self, chosen: Ints, count: int) -> Ints:
        """`chosen` and, where that is fewer than `count`, the heaviest of the other rows. O(n log n)."""
        if len(chosen) >= min(count, len(self)):
            return chosen[: max(count, 0)]
        ranked = self.ranked()
        rest = ranked[~np.isin(ranked, chosen)]
        return np.concatenate([chosen, rest[: count - len(chosen)]])


def on_grid(x: NDArray[np.floating]) -> Embeddings:
    """Rows (n, d) scaled to length 1 and rounded to steps of 1/2048, as int16; a row of zeros stays one. O(n d).

    >>> on_grid(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[1229, 1638], [0, 0]]
    """
    lengths = np.sqrt((x * x).sum(axis=1, keepdims=True))
    return np.rint(x * (GRID / np.where(lengths > 0, lengths, 1.0))).astype(np.int16)


def singles(embeddings: Embeddings) -> Singles:
    """Embeddings (n, d) as float32, ready for exact products."""
    return embeddings.astype(np.float32)


def squares(x: NDArray[Real]) -> NDArray[Real]:
    """The squared length of each row, (n,)."""
    return np.asarray(np.einsum("ij,ij->i", x, x))
