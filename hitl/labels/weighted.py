"""Weighted majority: voices count by how often the person was right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.labels.table import AnswerTable, Settled, conclude, counted, evenly, hold
from hitl.types import Floats, Ints

ROWS = 1_000_000
"""Answers that are compared with others' at a time."""


@dataclass(frozen=True)
class WeightedMajority:
    """The label with the most weight behind it, its share of the weight as confidence; one pass, no iteration. O(m k).

    A worker's weight is log(a (k - 1) / (1 - a)), the best one for independent people with accuracies a who err evenly
    (Nitzan and Paroush 1982, International Economic Review 23:289). The accuracy is measured on tasks of known label,
    and on the others against what most of the other people said, ties in part; the prior counts everybody as having
    been right `right` times and wrong `wrong` times. No weight is below `least`: nobody's word is turned around. A tie
    is unresolved; a label that is known beforehand stays.

    >>> said = [(f"t{i}", who, "xy"[i % 2]) for i in range(20) for who in ("ana", "bo", "cy")]
    >>> said += [(f"t{i}", who, "x") for i in range(20) for who in ("con", "dan")]
    >>> settled = WeightedMajority()(AnswerTable.of([*said, ("u", "ana", "y"), ("u", "con", "x")]))
    >>> settled.labels[-1], settled.confidence[-1].round(2)
    (np.int64(1), np.float64(0.87))
    """

    right: float = 4.0
    wrong: float = 1.0
    least: float = 0.01

    def __call__(self, table: AnswerTable) -> Settled:
        """Settle every task of `table`."""
        t, k = len(table.tasks), len(table.labels)
        votes = counted(table)
        if len(table) and k > 1:
            weights = self.weights(table, votes)
            each = np.repeat(weights, k)[:, None] * np.tile(np.eye(k), (len(weights), 1))
            votes = table.counts @ each
        return conclude(table, hold(table, evenly(votes.reshape(t, k))))

    def weights(self, table: AnswerTable, votes: Floats) -> Floats:
        """(w,) each worker's weight, from a table whose votes (t, k) are those of `counted`."""
        k, w = len(table.labels), len(table.workers)
        agreed, compared = _agreement(table, votes.astype(np.int64), w, k)
        accuracy = (agreed + self.right) / (compared + self.right + self.wrong)
        return np.asarray(np.maximum(np.log(accuracy * (k - 1) / (1.0 - accuracy)), self.least))


def _agreement(table: AnswerTable, votes: Ints, w: int, k: int) -> tuple[Floats, Floats]:
    """(w,) answers that known labels or most of the others confirm, ties in part; and answers that were compared."""
    cells = table.counts
    task = np.repeat(np.arange(votes.shape[0]), np.diff(cells.indptr))
    worker, label, times = cells.indices // k, cells.indices % k, cells.data.astype(np.int64)
    person = np.concatenate([[0], np.cumsum((np.diff(task) != 0) | (np.diff(worker) != 0))])
    agreed, compared = np.zeros(w), np.zeros(w)
    truth = np.full(votes.shape[0], -1) if table.truth is None else table.truth
    edges = np.searchsorted(person, np.unique(person[::ROWS]))
    for first, stop in zip(edges, [*edges[1:], len(task)], strict=True):
        at = slice(int(first), int(stop))
        # What one person said of a task, taken from what all said of it.
        own = np.zeros((person[at][-1] - person[at][0] + 1, k), dtype=np.int64)
        own[person[at] - person[at][0], label[at]] = times[at]
        others = votes[task[at]] - own[person[at] - person[at][0]]
        most = others == others.max(axis=1, keepdims=True)
        right = most[np.arange(len(most)), label[at]] / most.sum(axis=1)
        known, heard = truth[task[at]] >= 0, others.any(axis=1)
        right = np.where(known, truth[task[at]] == label[at], np.where(heard, right, 0.0))
        agreed += np.bincount(worker[at], weights=right * times[at], minlength=w)
        compared += np.bincount(worker[at], weights=(known | heard) * times[at], minlength=w)
    return np.round(agreed, 9), compared
