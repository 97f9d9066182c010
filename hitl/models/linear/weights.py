"""Linear weights on sparse rows, and the logits they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.models.calibration import probable
from hitl.models.linear.sparse import SparseTable
from hitl.types import Floats, Proba

Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Heads:
    """Weights of h heads like those of a `Linear`: `coef` (h, k, c), `intercept` (h, k), `constant` (h, k)."""

    coef: Singles
    intercept: Singles
    constant: Singles

    def __len__(self) -> int:
        return len(self.coef)

    def proba(self, products: Floats, *, softmax: bool) -> Proba | None:
        """Probabilities (h, n, k) from each head's products (n, h, k) with x; None without heads."""
        if not len(self):
            return None
        logits = np.moveaxis(products + self.intercept, 1, 0)
        return np.stack(
            [probable(one, fixed, softmax=softmax) for one, fixed in zip(logits, self.constant, strict=True)]
        )


@dataclass(frozen=True, eq=False)
class Linear:
    """Learned weights: `coef` (k, c) on the `columns` (c,) of x, `intercept` (k,), and `constant` (k,).

    A label whose constant is not NaN has that probability for every item: there was nothing to learn it from. With
    `softmax` the learned labels share what the constants leave, without it each has a sigmoid of its own.
    """

    columns: NDArray[np.int32]
    coef: Singles
    intercept: Singles
    constant: Singles
    heads: Heads
    width: int
    softmax: bool

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights by name, as they are saved."""
        arrays = {"columns": self.columns, "coef": self.coef, "intercept": self.intercept, "constant": self.constant}
        if not len(self.heads):
            return arrays
        heads = {"coef": self.heads.coef, "intercept": self.heads.intercept, "constant": self.heads.constant}
        return {**arrays, **{f"heads_{name}": array for name, array in heads.items()}}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], width: int, softmax: bool) -> Linear:
        """The weights from `arrays()`."""
        names = ("coef", "intercept", "constant")
        own: list[Any] = [arrays[name] for name in names]
        heads = Heads(*(arrays.get(f"heads_{name}", array[None][:0]) for name, array in zip(names, own, strict=True)))
        return cls(arrays["columns"], own[0], own[1], own[2], heads, width, softmax)

    @cached_property
    def _table(self) -> SparseTable:
        every = np.concatenate([self.coef[None], self.heads.coef]).reshape(-1, len(self.columns))
        return SparseTable(self.columns, np.ascontiguousarray(every.T), self.width)

    def scores(self, x: Any) -> tuple[Floats, Proba | None]:
        """Logits (n, k) of sparse rows x (n, width), and the heads' probabilities (h, n, k) if there are any.

        One sparse product; each row is computed by itself.
        """
        several = (x.shape[0], 1 + len(self.heads), len(self.constant))
        products = self._table.times(x).astype(np.float64).reshape(several)
        return products[:, 0] + self.intercept, self.heads.proba(products[:, 1:], softmax=self.softmax)
