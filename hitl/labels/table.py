"""Who answered what: the long table that resolvers read, and the value they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hitl.errors import AnswerError
from hitl.types import Bools, Floats, Ints

UNRESOLVED = -1
"""The code in `Settled.labels` of a task that has no label: nobody answered, or the answers tie."""

SAME = 1e-9
"""Beliefs closer than this are a tie."""


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """Answers in long form: (m,) codes of task, worker and label into three vocabularies, in the order they were given.

    A worker may stand twice on a task: every row is an answer to a resolver. `latest` keeps a person's last word.
    `truth` (t,) is the label that is known of a task beforehand, -1 where it is not; None where none is. `opinion`
    (t, k) is what a model believed of each task before people answered, a row of NaN where it said nothing; only the
    resolver that asks a model reads it.
    Raises `AnswerError` when the columns differ in length, a code is outside its vocabulary, or an opinion is no
    distribution.

    >>> table = AnswerTable.of([("t1", "ana", "ok"), ("t1", "bo", "spam"), ("t2", "bo", "ok")])
    >>> table
    AnswerTable(3 answers: 2 tasks × 2 workers × 2 labels)
    >>> table.task, table.labels
    (array([0, 0, 1]), ('ok', 'spam'))
    """

    task: Ints
    worker: Ints
    label: Ints
    tasks: tuple[str, ...]
    workers: tuple[str, ...]
    labels: tuple[str, ...]
    truth: Ints | None = None
    opinion: Floats | None = None

    def __post_init__(self) -> None:
        sizes = [len(self.task), len(self.worker), len(self.label)]
        if len(set(sizes)) > 1:
            raise AnswerError(f"the columns task, worker and label have {sizes} rows; give them the same length")
        for name, codes, words in (
            ("task", self.task, self.tasks),
            ("worker", self.worker, self.workers),
            ("label", self.label, self.labels),
        ):
            wrong = np.flatnonzero((codes < 0) | (codes >= len(words)))
            if len(wrong):
                row = int(wrong[0])
                raise AnswerError(
                    f"row {row}: {name} code {int(codes[row])} is outside the vocabulary of {len(words)} ({len(wrong)} "
                    "such rows); codes count from 0"
                )
        if self.truth is not None and (len(self.truth) != len(self.tasks) or (self.truth >= len(self.labels)).any()):
            raise AnswerError(f"truth has {len(self.truth)} codes for {len(self.tasks)} tasks, or codes of no label")
        if self.opinion is not None:
            _check_opinion(self.opinion, len(self.tasks), len(self.labels))

    @classmethod
    def of(
        cls,
        triples: Iterable[tuple[str, str, str]],
        *,
        tasks: Sequence[str] | None = None,
        workers: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
    ) -> AnswerTable:
        """The table of (task, worker, label) triples; see `from_columns`."""
        rows = list(triples)
        columns = [[row[column] for row in rows] for column in range(3)]
        return cls.from_columns(*columns, tasks=tasks, workers=workers, labels=labels)

    @classmethod
    def from_columns(
        cls,
        task: ArrayLike,
        worker: ArrayLike,
        label: ArrayLike,
        *,
        tasks: Sequence[str] | None = None,
        workers: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
    ) -> AnswerTable:
        """The table of three columns of words (m,); a vocabulary left out is the column's sorted distinct words.

        Raises `AnswerError` for a word outside a vocabulary that was given. O(m log m) time.
        """
        coded = [
            _encode(name, column, words)
            for name, column, words in (("task", task, tasks), ("worker", worker, workers), ("label", label, labels))
        ]
        (t, tasks_), (w, workers_), (k, labels_) = coded
        return cls(t, w, k, tasks_, workers_, labels_)

    def __len__(self) -> int:
        return len(self.task)

    @cached_property
    def counts(self) -> Any:
        """Sparse (t, w k): how often a task got each label from each worker; no order of the rows shows. O(m)."""
        from scipy.sparse import csr_array

        k = len(self.labels)
        at = self.task.astype(np.int32), (self.worker * k + self.label).astype(np.int32)
        return csr_array((np.ones(len(self)), at), shape=(len(self.tasks), len(self.workers) * k))

    @property
    def people(self) -> Ints:
        """(t,) how many different workers answered each task."""
        cells = self.counts
        fresh = np.diff(cells.indices // max(len(self.labels), 1), prepend=-1) != 0
        fresh[cells.indptr[:-1][np.diff(cells.indptr) > 0]] = True
        until = np.concatenate([[0], np.cumsum(fresh)])
        return np.diff(until[cells.indptr])

    @property
    def known(self) -> Bools:
        """(t,) whether a task's label is known beforehand."""
        return np.zeros(len(self.tasks), dtype=np.bool_) if self.truth is None else self.truth >= 0

    def latest(self) -> AnswerTable:
        """The table with the last row of each worker on each task, in the order of the rows that stay."""
        pairs = self.task * max(len(self.workers), 1) + self.worker
        _, from_end = np.unique(pairs[::-1], return_index=True)
        keep = np.sort(len(pairs) - 1 - from_end)
        return replace(self, task=self.task[keep], worker=self.worker[keep], label=self.label[keep])

    def __repr__(self) -> str:
        sizes = f"{len(self.tasks):,} tasks × {len(self.workers):,} workers × {len(self.labels)} labels"
        return f"AnswerTable({len(self):,} answers: {sizes})"


@dataclass(frozen=True, eq=False)
class Machine:
    """The record of a model that had a voice beside people, measured on tasks that people answered or that are known.

    `weight` is what its log-odds were multiplied by: 1 where it errs as often as it says, less where it is too sure of
    itself, 0 where it knows nothing. `confusion` (k, k) is P(its likeliest label | truth), the truth in rows and seen
    by people's answers alone; `support`, `correct`, `judged` and `doubt` are those of `Settled` for one worker.
    """

    weight: float
    confusion: Floats
    support: Floats
    correct: float
    judged: int
    doubt: float


@dataclass(frozen=True, eq=False)
class Settled:
    """What the answers of a table amount to, for t tasks, w workers and k labels.

    `labels` (t,) are codes, `UNRESOLVED` where nobody answered or the two strongest beliefs tie; `confidence` (t,) is
    the belief in the strongest label, 0 without answers; `posterior` (t, k) has rows that sum to 1.
    `correct` and `judged` (w,) are the expected number of right answers and of answers on tasks that two or more people
    judged, or whose label is known: a person alone on a task would be compared with themselves. `doubt` (w,) is the
    variance of the former, for the truth is not known but believed.
    `confusion` (w, k, k) is P(answer | truth) with the truth in rows, and `support` (w, k, k) how many answers on known
    truths each cell is worth, the prior's included; both are None where the method has none. `machine` is the record of
    the model that had a voice, if any did.
    """

    labels: Ints
    confidence: Floats
    posterior: Floats
    correct: Floats
    judged: Ints
    doubt: Floats
    confusion: Floats | None = None
    support: Floats | None = None
    machine: Machine | None = None

    @property
    def accuracy(self) -> Floats:
        """(w,) expected share of right answers where others judged, too; NaN where nobody else did."""
        share = np.full(len(self.judged), np.nan)
        np.divide(self.correct, self.judged, out=share, where=self.judged > 0)
        return share

    @property
    def tied(self) -> Bools:
        """(t, k) the labels between which a task is tied: those of the strongest belief where no one label has it."""
        strongest = self.posterior >= self.posterior.max(axis=1, keepdims=True, initial=0.0) - SAME
        return np.asarray(strongest & ((self.labels == UNRESOLVED) & (self.confidence > 0))[:, None])

    def __repr__(self) -> str:
        unresolved = int((self.labels == UNRESOLVED).sum())
        return f"Settled({len(self.labels):,} tasks, {unresolved:,} unresolved, {len(self.judged):,} workers)"


Resolver = Callable[[AnswerTable], Settled]
"""Turns answers into labels; pure, and indifferent to the order of rows, tasks and workers.

To the order of labels, too, but for the resolvers in `hitl.labels.ORDINAL`, to which it is the scale.
"""


def counted(table: AnswerTable) -> Floats:
    """(t, k) how often each label was given to a task; O(m + t k)."""
    t, k = len(table.tasks), len(table.labels)
    return np.bincount(table.task * k + table.label, minlength=t * k).reshape(t, k).astype(np.float64)


def shares(table: AnswerTable) -> Floats:
    """(t, k) share of each label among a task's answers; even where nobody answered. O(m + t k).

    What is known of a task is not heeded: see `hold`.
    """
    return evenly(counted(table))


def evenly(votes: Floats) -> Floats:
    """Votes (t, k) as shares; even where there are none."""
    total = votes.sum(axis=1, keepdims=True)
    even = np.full(votes.shape, 1.0 / max(votes.shape[1], 1))
    return np.asarray(np.divide(votes, total, out=even, where=total > 0))


def hold(table: AnswerTable, posterior: Floats) -> Floats:
    """Beliefs (t, k) with those about tasks of a known label held at that label; O(t k)."""
    if table.truth is None:
        return posterior
    return np.where(table.known[:, None], table.truth[:, None] == np.arange(len(table.labels)), posterior)


def conclude(
    table: AnswerTable, posterior: Floats, confusion: Floats | None = None, support: Floats | None = None
) -> Settled:
    """Labels, confidence and the workers' record from beliefs (t, k): ties and tasks without answers are unresolved."""
    t, w, k = len(table.tasks), len(table.workers), len(table.labels)
    people = table.people
    answered = (people > 0) | table.known
    if k:
        ordered = np.sort(posterior, axis=1)
        clear = answered & (ordered[:, -1] - ordered[:, -2] > SAME) if k > 1 else answered
        labels = np.where(clear, posterior.argmax(axis=1), UNRESOLVED)
        confidence = np.where(answered, ordered[:, -1], 0.0)
    else:
        labels, confidence = np.full(t, UNRESOLVED), np.zeros(t)
    shared = (people > 1) | table.known
    known = np.where(shared[:, None], posterior, 0.0)
    return Settled(
        labels=labels.astype(np.int64),
        confidence=confidence,
        posterior=posterior,
        correct=_as_said(table, known),
        judged=np.bincount(table.worker[shared[table.task]], minlength=w),
        doubt=_as_said(table, known * (1.0 - known)),
        confusion=confusion,
        support=support,
    )


def _as_said(table: AnswerTable, of_truths: Floats) -> Floats:
    """(w,) the sum over each worker's answers of what a task (t, k) has for the label that they gave."""
    w, k = len(table.workers), len(table.labels)
    return np.asarray(np.einsum("wkk->w", (table.counts.T @ of_truths).reshape(w, k, k)))


def _check_opinion(opinion: Floats, t: int, k: int) -> None:
    if opinion.shape != (t, k):
        raise AnswerError(
            f"opinion has the shape {opinion.shape}; give a row to each of {t} tasks and a column to each of {k} labels"
        )
    silent = np.isnan(opinion).all(axis=1)
    wrong = np.flatnonzero(~silent & ~((opinion >= 0).all(axis=1) & (abs(opinion.sum(axis=1) - 1.0) < 1e-3)))
    if len(wrong):
        raise AnswerError(
            f"row {wrong[0]} of opinion is no distribution ({len(wrong)} such rows); give NaN where the model is silent"
        )


def _encode(name: str, column: ArrayLike, words: Sequence[str] | None) -> tuple[Ints, tuple[str, ...]]:
    values: NDArray[Any] = np.asarray(column)
    if not len(values):
        return np.zeros(0, dtype=np.int64), tuple(words or ())
    found, codes = np.unique(values, return_inverse=True)
    if words is None:
        return codes.astype(np.int64), tuple(str(word) for word in found)
    place = {word: code for code, word in enumerate(words)}
    unknown = [str(word) for word in found if word not in place]
    if unknown:
        raise AnswerError(
            f"{name} {unknown[0]!r} is not in the vocabulary ({len(unknown)} such); add it, or set its rows aside"
        )
    return np.array([place[word] for word in found], dtype=np.int64)[codes], tuple(words)
