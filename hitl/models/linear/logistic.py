"""Logistic regression on rows that are partly sparse, partly dense: the loss, and its minimum by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.types import Floats, Ints


@dataclass(frozen=True, eq=False)
class Rows:
    """m items as they are learned from: sparse x (m, c), CSR of float64, beside dense z (m, d)."""

    x: Any
    z: Floats

    def __len__(self) -> int:
        return len(self.z)

    def take(self, rows: Ints) -> Rows:
        """Some of the items."""
        return self if len(rows) == len(self) else Rows(self.x[rows], self.z[rows])


@dataclass(frozen=True)
class Penalty:
    """How small weights are held (smaller C, smaller weights), whether classes weigh the same, and when to stop."""

    C: float
    balanced: bool
    max_iter: int
    tolerance: float = 1e-4  # of the gradient's largest entry


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights of p outputs: `sparse` (p, c) and `dense` (p, d), `bias` (p,), and how the search went.

    `flat` is where it ended, from which a search for a like problem may start.
    """

    sparse: Floats
    dense: Floats
    bias: Floats
    iterations: int
    converged: bool
    flat: Floats


def minimise(
    rows: Rows, classes: Ints, weights: Floats, factors: Floats, penalty: Penalty, start: Floats | None = None
) -> Solution:
    """L2-penalised logistic regression of `classes` (m,), from 0 to p - 1, with item `weights` (m,).

    Of two classes it has one sigmoid, of more a softmax. Output p reads the sparse columns times `factors` (p, c),
    which are in the weights that it gives back. The penalty is that of scikit-learn: |w|² / 2 + C × the weighted
    losses, with weights brought to a mean of 1. L-BFGS takes no chances. O(iterations × nonzeros × p).
    """
    from scipy.optimize import minimize

    weights = weights / weights.mean()
    if penalty.balanced:
        mass = np.bincount(classes, weights=weights)
        share = np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0)
        weights = weights * (share * mass.sum() / np.count_nonzero(mass))[classes]
    p, c, d = len(factors), rows.x.shape[1], rows.z.shape[1]
    loss = _Loss(rows, classes, weights / weights.sum(), factors, 1.0 / (penalty.C * weights.sum()))
    begin: Any = start if start is not None and len(start) == p * (c + d + 1) else np.zeros(p * (c + d + 1))
    options: Any = {
        "maxiter": penalty.max_iter,
        "gtol": penalty.tolerance,
        "ftol": 64 * np.finfo(float).eps,
        "maxls": 50,
    }
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options=options)
    sparse, dense, bias = loss.parts(found.x)
    steps = int(found.nit)
    return Solution((sparse * factors.T).T, dense.T, bias, steps, steps < penalty.max_iter, found.x)


@dataclass(frozen=True, eq=False)
class _Loss:
    rows: Rows
    classes: Ints
    weights: Floats
    factors: Floats
    ridge: float

    def parts(self, flat: Floats) -> tuple[Floats, Floats, Floats]:
        """The weights (c, p), (d, p) and (p,) in a vector."""
        p = len(self.factors)
        table = flat.reshape(-1, p)
        c = self.rows.x.shape[1]
        return table[:c], table[c:-1], table[-1]

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        sparse, dense, bias = self.parts(flat)
        logits = self.rows.x @ (sparse * self.factors.T) + self.rows.z @ dense + bias
        losses, slopes = (_sigmoid if len(self.factors) == 1 else _softmax)(logits, self.classes)
        slopes *= self.weights[:, None]
        gradient = np.empty_like(flat)
        to_sparse, to_dense, to_bias = self.parts(gradient)
        to_sparse[:] = (self.rows.x.T @ slopes) * self.factors.T
        to_dense[:] = self.rows.z.T @ slopes
        penalised = slice(0, len(flat) - len(self.factors))
        gradient[penalised] += self.ridge * flat[penalised]
        to_bias[:] = slopes.sum(axis=0)
        held = 0.5 * self.ridge * float(flat[penalised] @ flat[penalised])
        return float(self.weights @ losses) + held, gradient


def _sigmoid(logits: Floats, classes: Ints) -> tuple[Floats, Floats]:
    """Losses (m,) and their slopes (m, 1) of one logit an item."""
    signed = np.where(classes == 1, -logits[:, 0], logits[:, 0])
    losses = np.logaddexp(0.0, signed)
    wrong = 0.5 * (1.0 + np.tanh(0.5 * signed))
    return losses, np.where(classes == 1, -wrong, wrong)[:, None]


def _softmax(logits: Floats, classes: Ints) -> tuple[Floats, Floats]:
    """Losses (m,) and their slopes (m, p) of p logits an item."""
    at = np.arange(len(classes))
    shifted = logits - logits.max(axis=1, keepdims=True)
    raised = np.exp(shifted)
    total = raised.sum(axis=1)
    losses = np.log(total) - shifted[at, classes]
    slopes = raised / total[:, None]
    slopes[at, classes] -= 1.0
    return losses, slopes
