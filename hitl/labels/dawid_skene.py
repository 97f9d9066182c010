"""Dawid-Skene: each person's answers weighed by the errors that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.labels.table import AnswerTable, Settled, conclude, hold, shares
from hitl.types import Bools, Floats


@dataclass(frozen=True)
class DawidSkene:
    """Truth, and every worker's confusion matrix, by expectation-maximisation (Dawid and Skene 1979, Applied Statistics
    28:20-28), with a Dirichlet prior on the rows of the matrices.

    The prior counts every worker as having been seen `right` + `error` times right and `error` times wrong in each
    other way, in each row: with few answers a person is taken for decent and not for a genius or an adversary, and a
    rare class does not melt into a frequent one. The start is the vote shares, so that the result is deterministic;
    beliefs are rounded to 12 digits a step, so that it does not hang on the order of the rows. It ends when the
    log-likelihood moves by less than `tolerance` an answer. Where a task's label is known (gold), belief is held there
    and the matrices learn from it; how frequent the classes are is learned from the other tasks, since gold is no
    sample of them. A step costs O(m k) time; memory is O(m + t k + w k²).

    >>> table = AnswerTable.of([(f"t{i}", who, label) for i, truth in enumerate("xyxyxyxy")
    ...     for who, label in (("ana", truth), ("bo", truth), ("con", "x"))])
    >>> settled = DawidSkene()(table)
    >>> [table.labels[code] for code in settled.labels]
    ['x', 'y', 'x', 'y', 'x', 'y', 'x', 'y']
    >>> settled.accuracy.round(2)
    array([1. , 1. , 0.5])
    """

    right: float = 4.0
    error: float = 0.3
    tolerance: float = 1e-6
    steps: int = 200

    def __call__(self, table: AnswerTable) -> Settled:
        """Settle every task of `table`; `confusion` (w, k, k) of a worker without answers is the prior's."""
        t, w, k = len(table.tasks), len(table.workers), len(table.labels)
        if not (t and w and k and len(table)):
            return conclude(table, hold(table, shares(table)), self._confusions(np.zeros((w, k, k))))
        answers = _one_hot(table)
        by_worker = answers.T.tocsr()
        answered = np.bincount(table.task, minlength=t) > 0
        open_ = answered & ~table.known
        posterior, last = hold(table, shares(table)), -np.inf
        confusion = self._confusions(np.zeros((w, k, k)))
        for _ in range(self.steps):
            confusion = self._confusions((by_worker @ posterior).reshape(w, k, k).transpose(0, 2, 1))
            classes = posterior[open_].sum(axis=0) + 1.0
            evidence = answers @ np.log(confusion).transpose(0, 2, 1).reshape(w * k, k)
            posterior, likelihood = _normalise(evidence + np.log(classes / classes.sum()), answered)
            posterior = hold(table, posterior)
            if abs(likelihood - last) <= self.tolerance * len(table):
                break
            last = likelihood
        posterior[~answered] = 1.0 / k
        return conclude(table, hold(table, posterior), confusion)

    def _confusions(self, counts: Floats) -> Floats:
        """P(answer | truth) (w, k, k) from expected counts (w, truth, answer) and the prior."""
        counted = counts + self.error + self.right * np.eye(counts.shape[1])
        rows: Floats = counted / counted.sum(axis=2, keepdims=True)
        return rows


def _one_hot(table: AnswerTable) -> Any:
    """Sparse (t, w k): how often a task got this label from this worker."""
    from scipy.sparse import csr_array

    t, w, k = len(table.tasks), len(table.workers), len(table.labels)
    return csr_array((np.ones(len(table)), (table.task, table.worker * k + table.label)), shape=(t, w * k))


def _normalise(log_joint: Floats, answered: Bools) -> tuple[Floats, float]:
    """Posterior rows, and the log-likelihood of the tasks that have answers."""
    top = log_joint.max(axis=1, keepdims=True)
    scaled = np.exp(log_joint - top)
    total = scaled.sum(axis=1, keepdims=True)
    return np.round(scaled / total, 12), float((top + np.log(total))[answered].sum())
