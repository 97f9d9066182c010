"""Learning the weights of a `Linear`: naive-Bayes weighting, LSA, bootstrap heads; all folded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hitl.models.linear.logistic import Penalty, Rows, minimise
from hitl.models.linear.lsa import Lsa
from hitl.models.linear.weights import Heads, Linear
from hitl.types import Bools, Floats, Ints, Targets

FLOOR = 0.3
"""What the square of a naive-Bayes factor has at least, so that a column is never closed to the regression."""


@dataclass(frozen=True)
class Fitting:
    """How to learn: the penalty, `naive_bayes` (smoothing of the counts, 0 for none), LSA times `lsa_scale`, heads."""

    penalty: Penalty
    naive_bayes: float = 0.0
    lsa_scale: float = 1.0
    heads: int = 0


def fit_linear(
    x: Any, targets: Targets, fitting: Fitting, lsa: Lsa | None, rng: np.random.Generator, *, multi_label: bool
) -> tuple[Linear, dict[str, Any]]:
    """Learn from sparse rows x (m, width); the weights, and what is to be told of the fitting.

    Single-label: multinomial logistic regression over the labels that occur; rows without a label are left out.
    Multi-label: a binary one for each label, over the rows where it is known. A label that always or never occurs
    gets the constant (count + 1) / (rows + classes), Laplace's rule of succession. Columns that no training item
    uses have weight 0 under an L2 penalty, and are left out from the start.

    Inputs are the columns weighted by their naive-Bayes ratio (Wang & Manning 2012), and the LSA projection. Both are
    linear in x, and so are folded into one weight a column. Each head learns from a bootstrap resample of the items
    (Breiman 1996) for a committee (Seung et al. 1992). O((1 + heads) × iterations × nonzeros of x).
    """
    columns = np.unique(x.indices).astype(np.int32)
    z = fitting.lsa_scale * lsa.project(x).astype(np.float64) if lsa else np.zeros((x.shape[0], 0))
    rows = Rows(x[:, columns].astype(np.float64), z)
    several = _several(_Learner(rows, targets, fitting, multi_label), rng)
    folding = _Folding(columns, lsa if lsa and z.shape[1] else None, fitting.lsa_scale)
    return folding.fold(several, x.shape[1], softmax=not multi_label), several[0].told


def learn_dense(
    z: Floats, targets: Targets, fitting: Fitting, rng: np.random.Generator, *, multi_label: bool
) -> tuple[list[Weights], dict[str, Any]]:
    """Learn from dense rows z (m, d) as `fit_linear` does from sparse ones: the whole first, then the heads."""
    from scipy.sparse import csr_matrix

    rows = Rows(csr_matrix((len(z), 0)), z)
    several = _several(_Learner(rows, targets, replace(fitting, naive_bayes=0.0), multi_label), rng)
    return several, several[0].told


def _several(learner: _Learner, rng: np.random.Generator) -> list[Weights]:
    """The weights from all items, and those of the heads."""
    weights = learner.targets.weights
    several = [learner.learn(weights, {})]
    for _ in range(learner.fitting.heads):
        draws = rng.multinomial(len(weights), np.full(len(weights), 1 / len(weights)))
        several.append(learner.resampled(weights * draws, several[0]))
    return several


@dataclass(frozen=True, eq=False)
class Weights:
    """What was learned for k labels: weights on c sparse and d dense columns, and what is constant."""

    sparse: Floats  # (k, c)
    dense: Floats  # (k, d)
    intercept: Floats  # (k,)
    constant: Floats  # (k,)
    told: dict[str, Any]
    starts: dict[int, Floats]  # where the search of a label, or of all together (-1), ended

    @classmethod
    def nothing(cls, labels: int, rows: Rows) -> Weights:
        sparse, dense = np.zeros((labels, rows.x.shape[1])), np.zeros((labels, rows.z.shape[1]))
        return cls(sparse, dense, np.zeros(labels), np.full(labels, np.nan), {}, {})


@dataclass(frozen=True, eq=False)
class _Learner:
    rows: Rows
    targets: Targets
    fitting: Fitting
    multi_label: bool

    def learn(self, weights: Floats, starts: dict[int, Floats]) -> Weights:
        """The weights of all labels from the items with these weights."""
        return (self._labels if self.multi_label else self._classes)(weights, starts)

    def resampled(self, weights: Floats, main: Weights) -> Weights:
        """The same from a resample, begun where the whole ended; without any weight in it, that whole."""
        known = ~np.isnan(self.targets.y).all(axis=1) if self.multi_label else (self.targets.y == 1).any(axis=1)
        return self.learn(weights, main.starts) if weights[known].sum() > 0 else main

    def _classes(self, weights: Floats, starts: dict[int, Floats]) -> Weights:
        known = self.targets.y == 1
        at = np.flatnonzero(known.any(axis=1) & (weights > 0))
        classes, k = known[at].argmax(axis=1), known.shape[1]
        counts = np.bincount(classes, minlength=k)
        seen = np.flatnonzero(counts)
        learned = Weights.nothing(k, self.rows)
        learned.told.update(items=len(at), iterations=0, converged=True)
        if len(seen) == 1:
            learned.constant[:] = (counts + 1) / (len(at) + k)
            return learned
        learned.constant[counts == 0] = 1 / (len(at) + k)
        rows, among = self.rows.take(at), np.searchsorted(seen, classes)
        factors = self._factors(rows, among, weights[at], len(seen))
        found = minimise(rows, among, weights[at], factors, self.fitting.penalty, starts.get(-1))
        parts = [found.sparse, found.dense, found.bias[:, None]]
        if len(seen) == 2:  # one sigmoid, told as two halves of a softmax
            parts = [np.vstack([-part / 2, part / 2]) for part in parts]
        learned.sparse[seen], learned.dense[seen], learned.intercept[seen] = parts[0], parts[1], parts[2][:, 0]
        learned.told.update(iterations=found.iterations, converged=found.converged)
        learned.starts[-1] = found.flat
        return learned

    def _labels(self, weights: Floats, starts: dict[int, Floats]) -> Weights:
        learned = Weights.nothing(len(self.targets.labels), self.rows)
        learned.told.update(items=len(self.rows), iterations=0, converged=True)
        for label, y in enumerate(self.targets.y.T):
            at = np.flatnonzero(~np.isnan(y) & (weights > 0))
            positive: Bools = y[at] == 1
            if positive.all() or not positive.any():
                learned.constant[label] = (positive.sum() + 1) / (len(at) + 2)
                continue
            rows, classes = self.rows.take(at), positive.astype(np.int64)
            factors = self._factors(rows, classes, weights[at], 2)
            found = minimise(rows, classes, weights[at], factors, self.fitting.penalty, starts.get(label))
            learned.sparse[label], learned.dense[label] = found.sparse[0], found.dense[0]
            learned.intercept[label] = found.bias[0]
            learned.told["iterations"] = max(learned.told["iterations"], found.iterations)
            learned.told["converged"] &= found.converged
            learned.starts[label] = found.flat
        return learned

    def _factors(self, rows: Rows, classes: Ints, weights: Floats, count: int) -> Floats:
        """The factor of each column (p, c) for each output: how much its naive-Bayes ratio says."""
        outputs = 1 if count == 2 else count
        if not self.fitting.naive_bayes:
            return np.ones((outputs, rows.x.shape[1]))
        wanted = np.array([1]) if count == 2 else np.arange(count)
        return np.stack([_ratio(rows.x, classes == one, weights, self.fitting.naive_bayes) for one in wanted])


def _ratio(x: Any, positive: Bools, weights: Floats, smoothing: float) -> Floats:
    """sqrt(FLOOR + r²) for the log-count ratio r = log((p + s π) / π) - log((q + s (1 - π)) / (1 - π)) of each column.

    p and q are the columns' weighted sums over positive and over other rows, π = |p| / (|p| + |q|), and s smooths: a
    column that tells nothing has r = 0, however rare the label. Its sign is left to the weights. Brought to a mean
    square of 1 over the nonzeros of x, so that the penalty keeps its meaning.
    """
    inside, outside = x.T @ (weights * positive), x.T @ (weights * ~positive)
    total = inside.sum() + outside.sum()
    if not (0 < inside.sum() < total):
        return np.ones(x.shape[1])
    share = inside.sum() / total
    odds = (inside + smoothing * share) * (1 - share) / ((outside + smoothing * (1 - share)) * share)
    square = FLOOR + np.log(odds) ** 2
    uses = np.bincount(x.indices, np.repeat(weights, np.diff(x.indptr)), x.shape[1])
    return np.asarray(np.sqrt(square / np.average(square, weights=uses)))


@dataclass(frozen=True, eq=False)
class _Folding:
    """Brings the weights of columns and of LSA dimensions to one weight a column, over the union of their columns."""

    columns: Ints
    lsa: Lsa | None
    scale: float

    def fold(self, several: list[Weights], width: int, *, softmax: bool) -> Linear:
        union = np.union1d(self.columns, self.lsa.columns) if self.lsa else self.columns
        coefs = np.stack([self._folded(learned, union) for learned in several]).astype(np.float32)
        intercepts = np.stack([learned.intercept for learned in several]).astype(np.float32)
        constants = np.stack([learned.constant for learned in several]).astype(np.float32)
        heads = Heads(coefs[1:], intercepts[1:], constants[1:])
        return Linear(union.astype(np.int32), coefs[0], intercepts[0], constants[0], heads, width, softmax)

    def _folded(self, learned: Weights, union: Ints) -> Floats:
        folded = np.zeros((len(learned.intercept), len(union)))
        folded[:, np.searchsorted(union, self.columns)] = learned.sparse
        if self.lsa:
            dense = self.scale * learned.dense @ self.lsa.components.T.astype(np.float64)
            folded[:, np.searchsorted(union, self.lsa.columns)] += dense
        return folded
