"""Who answered what: the long table that resolvers read, and the value they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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
    `truth` (t,) is the label that is known of a task beforehand, -1 where it is not; None where none is.
    Raises `AnswerError` when the columns differ in length or a code is outside its vocabulary.

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

    @property
    def people(self) -> Ints:
        """(t,) how many different workers answered each task."""
        pairs = np.unique(self.task * max(len(self.workers), 1) + self.worker)
        return np.bincount(pairs // max(len(self.workers), 1), minlength=len(self.tasks))

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
class Settled:
    """What the answers of a table amount to, for t tasks, w workers and k labels.

    `labels` (t,) are codes, `UNRESOLVED` where nobody answered or the two strongest beliefs tie; `confidence` (t,) is
    the belief in the strongest label, 0 without answers; `posterior` (t, k) has rows that sum to 1.
    `confusion` (w, k, k) is P(answer | truth) with the truth in rows, or None where the method has none. `correct` and
    `judged` (w,) are the expected number of right answers and of answers on tasks that two or more people judged, or
    whose label is known: a person alone on a task would be compared with themselves.
    """

    labels: Ints
    confidence: Floats
    posterior: Floats
    correct: Floats
    judged: Ints
    confusion: Floats | None = None

    @property
    def accuracy(self) -> Floats:
        """(w,) expected share of right answers where others judged, too; NaN where nobody else did."""
        share = np.full(len(self.judged), np.nan)
        np.divide(self.correct, self.judged, out=share, where=self.judged > 0)
        return share

    def __repr__(self) -> str:
        unresolved = int((self.labels == UNRESOLVED).sum())
        return f"Settled({len(self.labels):,} tasks, {unresolved:,} unresolved, {len(self.judged):,} workers)"


Resolver = Callable[[AnswerTable], Settled]
"""Turns answers into labels; pure, and indifferent to the order of rows, tasks and workers."""


def shares(table: AnswerTable) -> Floats:
    """(t, k) share of each label among a task's answers; even where nobody answered. O(m + t k).

    What is known of a task is not heeded: see `hold`.
    """
    t, k = len(table.tasks), len(table.labels)
    counts = np.bincount(table.task * k + table.label, minlength=t * k).reshape(t, k).astype(np.float64)
    counts[counts.sum(axis=1) == 0] = 1.0
    rows: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return rows


def hold(table: AnswerTable, posterior: Floats) -> Floats:
    """Beliefs (t, k) with those about tasks of a known label held at that label; O(t k)."""
    if table.truth is None:
        return posterior
    return np.where(table.known[:, None], table.truth[:, None] == np.arange(len(table.labels)), posterior)


def conclude(table: AnswerTable, posterior: Floats, confusion: Floats | None = None) -> Settled:
    """Labels, confidence and the workers' record from beliefs (t, k): ties and tasks without answers are unresolved."""
    t, w, k = len(table.tasks), len(table.workers), len(table.labels)
    answered = (np.bincount(table.task, minlength=t) > 0) | table.known
    if k:
        ordered = np.sort(posterior, axis=1)
        clear = answered & (ordered[:, -1] - ordered[:, -2] > SAME) if k > 1 else answered
        labels = np.where(clear, posterior.argmax(axis=1), UNRESOLVED)
        confidence = np.where(answered, ordered[:, -1], 0.0)
    else:
        labels, confidence = np.full(t, UNRESOLVED), np.zeros(t)
    shared = ((table.people > 1) | table.known)[table.task]
    worker = table.worker[shared]
    belief = posterior[table.task[shared], table.label[shared]]
    return Settled(
        labels=labels.astype(np.int64),
        confidence=confidence,
        posterior=posterior,
        correct=np.bincount(worker, weights=belief, minlength=w).astype(np.float64),
        judged=np.bincount(worker, minlength=w),
        confusion=confusion,
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
