"""Dawid-Skene: each person's answers weighed by the errors that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hitl.labels.em import settle_by
from hitl.labels.table import AnswerTable, Settled
from hitl.types import Floats


@dataclass(frozen=True)
class DawidSkene:
    """Truth, and every worker's confusion matrix, by expectation-maximisation (Dawid and Skene 1979, Applied Statistics
    28:20-28), with a Dirichlet prior on the rows of the matrices.

    The prior counts every worker as having been seen `right` + `error` times right and `error` times wrong in each
    other way, in each row: with few answers a person is taken for decent and not for a genius or an adversary, and a
    rare class does not melt into a frequent one. Every class counts as having been `seen` that often. The start is the
    vote shares, or the confusions (k, k) of `start` by worker, from an earlier table: it then ends sooner, mostly in
    the same place. It ends when the log-likelihood moves by less than `tolerance` an answer. Where a task's label is
    known (gold), belief is held there and the matrices learn from it; how frequent the classes are is learned from the
    other tasks, since gold is no sample of them. A step costs O(m k) time; memory is O(m + t k + w k²).

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
    seen: float = 1.0
    tolerance: float = 1e-6
    steps: int = 200
    start: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, table: AnswerTable) -> Settled:
        """Settle every task of `table`; `confusion` (w, k, k) of a worker without answers is the prior's."""
        return settle_by(self, table, start=self.start, tolerance=self.tolerance, steps=self.steps)

    def confusions(self, counts: Floats) -> Floats:
        """P(answer | truth) (w, k, k) from expected counts (w, truth, answer) and the prior."""
        counted = counts + self.error + self.right * np.eye(counts.shape[1])
        rows: Floats = counted / counted.sum(axis=2, keepdims=True)
        return rows

    def support(self, confusions: Floats, worth: Floats, sure: Floats) -> Floats:
        """Every cell rests on what its row is worth, and the prior's answers."""
        return worth + self.right + self.error * confusions.shape[1]
