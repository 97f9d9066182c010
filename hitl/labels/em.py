"""Expectation-maximisation over answers: what the models of people's errors have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hitl.labels.table import AnswerTable, Settled, conclude, hold, shares
from hitl.types import Bools, Floats

BLOCK = 32_768
"""Tasks at a time: what is in hand stays in the processor's cache."""


class ErrorModel(Protocol):
    """How people err: what their expected counts (w, k, k), the truth in rows, say of each person."""

    @property
    def seen(self) -> float:
        """How many tasks of each truth are taken as seen before any: no truth is ruled out, however rare."""
        ...

    def confusions(self, counts: Floats) -> Floats:
        """P(answer | truth) (w, k, k), every cell above 0; a person without answers is taken as the prior says."""
        ...

    def support(self, confusions: Floats, worth: Floats, sure: Floats) -> Floats:
        """(w, k, k) how many answers each cell rests on, the prior's own included.

        `worth` (w, k, k) says how many answers each cell's own row is worth, `sure` (w,) all answers together.
        """
        ...


@dataclass(frozen=True, eq=False)
class _Answers:
    """A table as EM reads it: counts by block of tasks, which tasks are open, and the beliefs to begin with."""

    blocks: tuple[tuple[slice, Any], ...]
    answered: Bools  # (t,)
    open: Floats  # (t,) 1 where answered, and not known
    known: Bools  # (t,)

    @classmethod
    def of(cls, table: AnswerTable) -> _Answers:
        counts = table.counts
        answered = np.diff(counts.indptr) > 0
        return cls(tuple(_sliced(counts)), answered, (answered & ~table.known).astype(np.float64), table.known)

    def count(self, beliefs: Floats) -> Floats:
        """Expected counts (w, truth, answer), as the sum over tasks of beliefs (t, k); O(m k)."""
        return _by_person(sum(part.T @ beliefs[rows] for rows, part in self.blocks))

    def weigh(self, confusions: Floats, classes: Floats, beliefs: Floats) -> tuple[Floats, Floats, float]:
        """Write what the answers make of the tasks into `beliefs` (t, k), known tasks left alone.

        Gives the expected counts under them, how many open tasks are of each truth (k,), and the log-likelihood of the
        answers. O(m k + t k).
        """
        w, k, _ = confusions.shape
        told = np.log(confusions).transpose(0, 2, 1).reshape(w * k, k)
        log_classes, likelihood = np.log(classes)[:, None], 0.0
        counts, found = np.zeros((w * k, k)), np.zeros(k)
        for rows, part in self.blocks:
            # Labels in rows: numpy takes sums and maxima of few long rows twenty times as fast as of many short ones.
            joint = np.ascontiguousarray((part @ told).T)
            joint += log_classes
            top = joint.max(axis=0)
            joint -= top
            np.exp(joint, out=joint)
            total = joint.sum(axis=0)
            joint /= total
            likelihood += float((top + np.log(total))[self.answered[rows]].sum())
            if self.known[rows].any():
                np.copyto(beliefs[rows], joint.T, where=~self.known[rows, None])
            else:
                beliefs[rows] = joint.T
            counts += part.T @ beliefs[rows]
            found += joint @ self.open[rows]
        return _by_person(counts), found, likelihood


def settle_by(
    model: ErrorModel, table: AnswerTable, *, start: Mapping[str, Floats], tolerance: float, steps: int
) -> Settled:
    """Settle a table by the errors that people make; `start` are confusions (k, k) known of some of them, by worker.

    The beliefs of tasks that are known are held, and people are measured on them. The result hangs on the order of the
    rows in no bit; on that of tasks, workers and labels by rounding alone. A step costs O(m k + t k + w k²) time, and
    memory is O(m + t k + w k²).
    """
    t, w, k = len(table.tasks), len(table.workers), len(table.labels)
    if not (t and w and k and len(table)):
        prior = model.confusions(np.zeros((w, k, k)))
        support = model.support(prior, np.zeros((w, k, k)), np.zeros(w))
        return conclude(table, hold(table, shares(table)), prior, support)
    answers = _Answers.of(table)
    beliefs, confusions = _learn(model, table, answers, start, tolerance, steps)
    worth, sure = _worth(answers, beliefs, confusions)
    beliefs[~(answers.answered | answers.known)] = 1.0 / k
    return conclude(table, beliefs, confusions, model.support(confusions, worth, sure))


def _learn(
    model: ErrorModel,
    table: AnswerTable,
    answers: _Answers,
    start: Mapping[str, Floats],
    tolerance: float,
    steps: int,
) -> tuple[Floats, Floats]:
    """Beliefs (t, k) and confusions (w, k, k), when the likelihood has come to rest."""
    k = len(table.labels)
    beliefs, last = hold(table, shares(table)), -np.inf
    if any(worker in start for worker in table.workers):
        answers.weigh(_started(model, table, start), np.full(k, 1.0 / k), beliefs)
    confusions, classes = model.confusions(answers.count(beliefs)), _frequency(answers.open @ beliefs, model.seen)
    for _ in range(steps):
        counts, found, likelihood = answers.weigh(confusions, classes, beliefs)
        confusions, classes = model.confusions(counts), _frequency(found, model.seen)
        if abs(likelihood - last) <= tolerance * len(table):
            break
        last = likelihood
    return beliefs, confusions


def _frequency(found: Floats, seen: float) -> Floats:
    """How frequent truths are, by the open tasks of each and those `seen` before; gold is no sample of them."""
    counted = np.round(found, 10) + seen
    return np.asarray(counted / counted.sum())


def _started(model: ErrorModel, table: AnswerTable, start: Mapping[str, Floats]) -> Floats:
    """Confusions to begin with: those known of a person, else the prior's."""
    w, k = len(table.workers), len(table.labels)
    confusions = model.confusions(np.zeros((w, k, k)))
    for row, worker in enumerate(table.workers):
        if worker in start and start[worker].shape == (k, k):
            confusions[row] = start[worker]
    # A cell of 0 would rule a truth out for good.
    confusions = np.maximum(confusions, 1e-6)
    return np.asarray(confusions / confusions.sum(axis=2, keepdims=True))


def _worth(answers: _Answers, beliefs: Floats, confusions: Floats) -> tuple[Floats, Floats]:
    """How many answers on tasks of known truth would tell as much: of each cell (w, k, k), and of being right (w,).

    Louis' (1982, JRSS B 44:226) observed information of each probability by itself: n - Σ b (1 - b) (y - θ)² /
    (θ (1 - θ)) of n expected answers, b being the belief in the row's truth and y whether the cell's answer was given.
    """
    counts, doubts = answers.count(beliefs), answers.count(beliefs * (1.0 - beliefs))
    n = counts.sum(axis=2, keepdims=True)
    theta = np.clip(confusions, 1e-9, 1.0 - 1e-9)
    others = doubts.sum(axis=2, keepdims=True) - doubts
    cells = np.clip(n - doubts * (1.0 - theta) / theta - others * theta / (1.0 - theta), 0.0, n)
    total = n.sum(axis=(1, 2))
    right = (np.einsum("wkk->w", counts) + 0.5) / (total + 1.0)
    sure = np.clip(total - np.einsum("wkk->w", doubts) / (right * (1.0 - right)), 0.0, total)
    return cells, sure


def _sliced(counts: Any) -> Iterator[tuple[slice, Any]]:
    """Blocks of rows of a CSR array, sharing its memory."""
    from scipy.sparse import csr_array

    for first in range(0, counts.shape[0], BLOCK):
        rows = slice(first, min(first + BLOCK, counts.shape[0]))
        at = counts.indptr[rows.start : rows.stop + 1]
        part = slice(int(at[0]), int(at[-1]))
        shape = (rows.stop - rows.start, counts.shape[1])
        yield rows, csr_array((counts.data[part], counts.indices[part], at - at[0]), shape=shape)


def _by_person(counts: Any) -> Floats:
    """(w k answers, k truths) as (w, truth, answer), rounded: in which order a sum was taken must not break a tie."""
    k = counts.shape[1]
    return np.asarray(np.round(counts, 10).reshape(-1, k, k).transpose(0, 2, 1))
