"""Logistic regression on sparse rows: one softmax, or one sigmoid a label, with priors for what cannot be learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.types import Bools, Floats, Ints, Proba, Targets


@dataclass(frozen=True)
class Penalty:
    """How small weights are held (smaller C, smaller weights), whether classes weigh the same, and when to stop."""

    C: float
    balanced: bool
    max_iter: int


@dataclass(frozen=True, eq=False)
class Linear:
    """Learned weights: `coef` (k, c) on the `columns` (c,) of x, `intercept` (k,), and `constant` (k,).

    A label whose constant is not NaN has that probability for every item: there was nothing to learn it from. With
    `softmax` the learned labels share what the constants leave, without it each has a sigmoid of its own.
    """

    columns: NDArray[np.int32]
    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    constant: NDArray[np.float32]
    width: int
    softmax: bool

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights by name, as they are saved."""
        return {"columns": self.columns, "coef": self.coef, "intercept": self.intercept, "constant": self.constant}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], width: int, softmax: bool) -> Linear:
        """The weights from `arrays()`."""
        return cls(arrays["columns"], arrays["coef"], arrays["intercept"], arrays["constant"], width, softmax)

    @cached_property
    def _dense(self) -> NDArray[np.float32]:
        dense = np.zeros((self.width, len(self.constant)), dtype=np.float32)
        dense[self.columns] = self.coef.T
        return dense

    def proba(self, x: Any) -> Proba:
        """Probabilities (n, k) of sparse rows x (n, width): one sparse product; each row is computed by itself."""
        logits = np.asarray(x @ self._dense, dtype=np.float64) + self.intercept
        fixed = ~np.isnan(self.constant)
        proba = np.empty(logits.shape, dtype=np.float64)
        if self.softmax and not fixed.all():
            learned = logits[:, ~fixed]
            raised = np.exp(learned - learned.max(axis=1, keepdims=True))
            left = 1.0 - self.constant[fixed].sum(dtype=np.float64)
            proba[:, ~fixed] = left * raised / raised.sum(axis=1, keepdims=True)
        elif not self.softmax:
            proba = 0.5 * (1.0 + np.tanh(0.5 * logits))
        proba[:, fixed] = self.constant[fixed]
        return proba.astype(np.float32)


def check_targets(targets: Targets, items: int) -> None:
    """Raise `ModelError` when the targets are empty, misshapen, or of items that the features do not have."""
    m, k = len(targets.positions), len(targets.labels)
    y, weights = targets.y, targets.weights
    remedy = "resolve some answers first (run the seed round), then fit"
    if not m:
        raise ModelError(f"there is no training item; {remedy}")
    if y.shape != (m, k) or weights.shape != (m,):
        raise ModelError(f"targets of {m} items × {k} labels hold y {y.shape} and weights {weights.shape}; align them")
    if targets.positions.min() < 0 or targets.positions.max() >= items:
        raise ModelError(f"a target is outside the pool's {items:,} items; use the pool that the answers are of")
    if not (np.isnan(y) | (y == 0) | (y == 1)).all():
        raise ModelError("targets hold a label value other than 0, 1 and NaN (unknown); settle them first")
    if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.sum() > 0:
        raise ModelError("weights of training items must be finite, not negative, and not all 0; mend them")


def fit_linear(x: Any, targets: Targets, multi_label: bool, penalty: Penalty) -> tuple[Linear, dict[str, Any]]:
    """Learn from sparse rows x (m, D); the weights, and what is to be told of the fitting.

    Single-label: multinomial logistic regression over the labels that occur; rows without a label are left out.
    Multi-label: a binary one for each label, over the rows where it is known. A label that always or never occurs
    gets the constant (count + 1) / (rows + classes), Laplace's rule of succession. Columns that no training item
    uses have weight 0 under an L2 penalty, and are left out from the start. O(iterations × nonzeros of x).
    """
    columns = np.unique(x.indices).astype(np.int32)
    narrow = x[:, columns].astype(np.float64)
    fit = _fit_labels if multi_label else _fit_classes
    coef, intercept, constant, told = fit(narrow, targets, penalty)
    weights = (coef.astype(np.float32), intercept.astype(np.float32), constant.astype(np.float32))
    return Linear(columns, *weights, width=x.shape[1], softmax=not multi_label), told


_Learned = tuple[Floats, Floats, Floats, dict[str, Any]]


def _fit_classes(x: Any, targets: Targets, penalty: Penalty) -> _Learned:
    known = targets.y == 1
    if (known.sum(axis=1) > 1).any():
        raise ModelError("a training item has two labels in a single-label policy; fit with multi_label=True")
    rows = np.flatnonzero(known.any(axis=1) & (targets.weights > 0))
    if not len(rows):
        raise ModelError("no training item has a label; resolve some answers first")
    classes = known[rows].argmax(axis=1)
    k = known.shape[1]
    counts = np.bincount(classes, minlength=k)
    seen = np.flatnonzero(counts)
    coef, intercept = np.zeros((k, x.shape[1])), np.zeros(k)
    constant = np.where(counts > 0, np.nan, 1 / (len(rows) + k))
    if len(seen) == 1:
        constant = (counts + 1) / (len(rows) + k)
        return coef, intercept, constant, {"items": len(rows), "iterations": 0, "converged": True}
    found, bias, told = _logistic(x[rows], classes, targets.weights[rows], penalty)
    if len(seen) == 2:  # one sigmoid, told as two halves of a softmax
        found, bias = np.vstack([-found / 2, found / 2]), np.concatenate([-bias / 2, bias / 2])
    coef[seen], intercept[seen] = found, bias
    return coef, intercept, constant, {"items": len(rows), **told}


def _fit_labels(x: Any, targets: Targets, penalty: Penalty) -> _Learned:
    k = len(targets.labels)
    coef, intercept, constant = np.zeros((k, x.shape[1])), np.zeros(k), np.full(k, np.nan)
    steps, converged = 0, True
    for label in range(k):
        y = targets.y[:, label]
        rows = np.flatnonzero(~np.isnan(y) & (targets.weights > 0))
        positive: Bools = y[rows] == 1
        if positive.all() or not positive.any():
            constant[label] = (positive.sum() + 1) / (len(rows) + 2)
            continue
        found, bias, told = _logistic(x[rows], positive.astype(np.int64), targets.weights[rows], penalty)
        coef[label], intercept[label] = found[0], bias[0]
        steps, converged = max(steps, told["iterations"]), converged and told["converged"]
    return coef, intercept, constant, {"items": x.shape[0], "iterations": steps, "converged": converged}


def _logistic(x: Any, classes: Ints, weights: Floats, penalty: Penalty) -> tuple[Floats, Floats, dict[str, Any]]:
    """L2-penalised logistic regression by L-BFGS, which takes no chances: coef, intercept and how it went."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weights = weights / weights.mean()
    if penalty.balanced:
        mass = np.bincount(classes, weights=weights)
        share = np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0)
        weights = weights * (share * mass.sum() / np.count_nonzero(mass))[classes]
    solver = LogisticRegression(C=penalty.C, max_iter=penalty.max_iter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # told in the card
        solver.fit(x, classes, sample_weight=weights)
    steps = int(np.max(solver.n_iter_))
    return solver.coef_, solver.intercept_, {"iterations": steps, "converged": steps < penalty.max_iter}
