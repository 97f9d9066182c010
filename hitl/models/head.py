"""The head on frozen rows: logistic regression, its logits exact, so that no batch, thread or machine changes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.calibration import probable
from hitl.models.linear.fitting import Fitting, learn_dense
from hitl.sampling.diversity.crowd import GRID
from hitl.types import Floats, Proba, Targets

_BITS, _LONGEST = 53, 8192.0
"""Whole numbers up to 2⁵³ are exact in float64; a row on the grid is shorter than 8,192 (16 parts of length 2,048)."""

_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Head:
    """Weights on whole-numbered rows x (n, d): `coef` (1 + h, k, d), `intercept` and `constant` (1 + h, k).

    The first is the head itself, the others its committee. Weights are rounded to whole multiples of a power of two
    that make each product, and each sum of them, a whole number below 2⁵³: exact in float64, in any order.
    """

    coef: Floats
    intercept: Floats
    constants: NDArray[np.float32]
    softmax: bool

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""
        return np.asarray(self.constants[0])

    @cached_property
    def _whole(self) -> tuple[Floats, float]:
        flat = self.coef.reshape(-1, self.coef.shape[-1])
        longest = float(np.linalg.norm(flat, axis=1).max(initial=0.0))
        step = 2.0 ** math.floor(_BITS - 1 - math.log2(_LONGEST) - math.log2(longest)) if longest > 0 else 1.0
        return np.ascontiguousarray(np.rint(flat * step).T), 1.0 / step

    def scores(self, x: NDArray[np.int16]) -> tuple[Floats, Proba | None]:
        """Logits (n, k) of whole-numbered rows x (n, d), and the committee's probabilities (h, n, k) if there is one.

        Bit by bit the same in any batch. O(n d k (1 + h)) time, memory for a block of rows.
        """
        heads, k, width = self.coef.shape
        if x.ndim != 2 or x.shape[1] != width:
            raise ModelError(f"features have the shape {x.shape} and the model {width:,} columns; use its own features")
        table, step = self._whole
        logits = np.empty((len(x), heads, k))
        for start in range(0, len(x), _BLOCK):
            block = x[start : start + _BLOCK].astype(np.float64)
            logits[start : start + _BLOCK] = (block @ table * step).reshape(-1, heads, k) + self.intercept
        if heads == 1:
            return logits[:, 0], None
        rest = zip(np.moveaxis(logits[:, 1:], 1, 0), self.constants[1:], strict=True)
        return logits[:, 0].copy(), np.stack([probable(one, fixed, softmax=self.softmax) for one, fixed in rest])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights by name, as they are saved."""
        return {"coef": self.coef, "intercept": self.intercept, "constant": self.constants}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], *, softmax: bool) -> Head:
        """The weights from `arrays()`."""
        return cls(arrays["coef"], arrays["intercept"], arrays["constant"], softmax)


def fit_head(
    x: NDArray[np.int16], targets: Targets, fitting: Fitting, rng: np.random.Generator, *, multi_label: bool
) -> tuple[Head, dict[str, Any]]:
    """Learn from whole-numbered rows x (m, d); the head, and what is to be told of the fitting.

    Labels and unknowns as in `fit_linear`; bootstrap heads draw from `rng`. O((1 + heads) × iterations × m d k).
    """
    several, told = learn_dense(x.astype(np.float64) * (1 / GRID), targets, fitting, rng, multi_label=multi_label)
    coef = np.stack([one.dense for one in several]) * (1 / GRID)
    intercept = np.stack([one.intercept for one in several])
    constants = np.stack([one.constant for one in several]).astype(np.float32)
    return Head(coef, intercept, constants, softmax=not multi_label), told
