"""What signals read: everybody's answers in the order in which they were given, and what each is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hitl.errors import AnswerError
from hitl.types import Bools, Floats, Ints

CELLS = 4_000_000
"""Numbers of one block of counts in memory."""

SOURCES = 2
"""Where a reference is from: gold (0), or others (1).

How many these are is no kind: where a third person is asked because two disagree, it hangs on the answers themselves.
"""

DOUBT = 0.4
"""People who differ from their references so often make none that two others' errors could be told by."""

PULL = 10.0
"""A rate counts beside so many answers at everybody's rate: of few answers it would be 0 or 1."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Answers as columns (m,), the earliest first; a person stands once on a task.

    `task`, `worker` and `label` are codes; `seconds` is NaN where it is not known. `predicted` is the label that a
    model gave the task before, -1 without one, and `shown` whether the person saw it. Of each task (t,): `truth` is the
    label known beforehand (gold) or -1, `size` how long it is (NaN: not known), and `group` tells tasks that are of a
    kind, as by language. In a policy of several labels each set of them is a label here.
    Raises `AnswerError` when columns differ in length or a code is outside its vocabulary.

    >>> two = np.array([0, 1])
    >>> stream = Stream.of(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([1, 0, 1]), workers=("ana", "bo"),
    ...     labels=("ok", "spam"))
    >>> stream, stream.reference
    (Stream(3 answers: 2 tasks × 2 workers × 2 labels), array([ 0,  1, -1]))
    """

    task: Ints
    worker: Ints
    label: Ints
    seconds: Floats
    predicted: Ints
    shown: Bools
    truth: Ints
    size: Floats
    group: Ints
    workers: tuple[str, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        rows = (self.task, self.worker, self.label, self.seconds, self.predicted, self.shown)
        tasks = (self.truth, self.size, self.group)
        for columns in (rows, tasks):
            if len({len(column) for column in columns}) > 1:
                raise AnswerError(f"columns have {[len(column) for column in columns]} rows; give them the same length")
        for name, codes, limit in (
            ("task", self.task, len(self.truth)),
            ("worker", self.worker, len(self.workers)),
            ("label", self.label, len(self.labels)),
        ):
            if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < limit:
                raise AnswerError(f"{name} codes must be from 0 to {limit - 1}; they count from 0")

    @classmethod
    def of(
        cls,
        task: Ints,
        worker: Ints,
        label: Ints,
        *,
        workers: Sequence[str],
        labels: Sequence[str],
        truth: Ints | None = None,
        **columns: Floats | Ints | Bools,
    ) -> Stream:
        """The stream of three columns of codes; what else is left out is not known."""
        m = len(task)
        tasks = int(task.max(initial=-1)) + 1 if truth is None else len(truth)
        rest = {
            "seconds": np.full(m, np.nan),
            "predicted": np.full(m, -1),
            "shown": np.zeros(m, dtype=np.bool_),
            "size": np.full(tasks, np.nan),
            "group": np.zeros(tasks, dtype=np.int64),
        }
        known = np.full(tasks, -1) if truth is None else truth
        return cls(
            task=task,
            worker=worker,
            label=label,
            truth=known,
            workers=tuple(workers),
            labels=tuple(labels),
            **(rest | columns),  # type: ignore[arg-type]
        )

    def __len__(self) -> int:
        return len(self.task)

    def __repr__(self) -> str:
        sizes = f"{len(self.truth):,} tasks × {len(self.workers):,} workers × {len(self.labels)} labels"
        return f"Stream({len(self):,} answers: {sizes})"

    def first(self, rows: Bools) -> Stream:
        """The same tasks and people with some of the answers (m,) alone, as the record was at an earlier time."""
        kept = {
            name: getattr(self, name)[rows] for name in ("task", "worker", "label", "seconds", "predicted", "shown")
        }
        fixed = {name: getattr(self, name) for name in ("truth", "size", "group", "workers", "labels")}
        return Stream(**kept, **fixed)

    @cached_property
    def reference(self) -> Ints:
        """(m,) what each answer is held against: gold, else what most of the *others* say of the task, -1 on a tie."""
        return self._most(self.task, (self.label,))

    @cached_property
    def source(self) -> Ints:
        """(m,) where each reference is from, below `SOURCES`."""
        return np.where(self.truth[self.task] >= 0, 0, 1)

    def earlier(self, rows: Bools) -> Ints:
        """(m,) how many of some rows (m,) each answer's author had given before it. O(m log m)."""
        order = np.argsort(self.worker, kind="stable")
        sizes = np.bincount(self.worker, minlength=len(self.workers))
        total: Ints = np.cumsum(rows[order]) - rows[order]
        first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        found = np.empty(len(self), dtype=np.int64)
        found[order] = total - total[first]
        return found

    @cached_property
    def alone(self) -> Bools:
        """(m,) whether nobody else answered the task, and it is no gold."""
        people = np.bincount(self.task, minlength=len(self.truth))
        return np.asarray((people[self.task] == 1) & (self.truth[self.task] < 0))

    def without(self, *answers: Ints) -> tuple[Ints, Ints]:
        """What tasks are by gold, or by those who are left without some answers: rows (r,) each, r tasks in all.

        The reference (r,), -1 on a tie, where nobody is left, or where those who are differ from theirs too often
        (`DOUBT`); and its source (r,). O(r k) time.
        """
        task = self.task[answers[0]]
        labels, workers = ([column[rows] for rows in answers] for column in (self.label, self.worker))
        gold = self.truth[task] >= 0
        trusted = gold | (self._doubt(task, workers) < DOUBT)
        return np.where(trusted, self._most(task, labels), -1), np.where(gold, 0, 1)

    @cached_property
    def _errors(self) -> Floats:
        """(w,) how often each person differs from their references, drawn to everybody's rate while they are few."""
        judged = self.reference >= 0
        n, wrong = (
            np.bincount(self.worker[rows], minlength=len(self.workers))
            for rows in (judged, judged & (self.label != self.reference))
        )
        return np.asarray((wrong + PULL * (wrong.sum() + 1) / (n.sum() + 2)) / (n + PULL))

    def _doubt(self, task: Ints, without: Sequence[Ints]) -> Floats:
        """How often those who answered some tasks (r,) differ from their references, some people left out."""
        tasks = len(self.truth)
        doubt: Floats = np.bincount(self.task, self._errors[self.worker], minlength=tasks)[task].astype(np.float64)
        for worker in without:
            doubt = doubt - self._errors[worker]
        left = np.bincount(self.task, minlength=tasks)[task] - len(without)
        return np.asarray(doubt / np.maximum(left, 1))

    @cached_property
    def _votes(self) -> Ints:
        k = len(self.labels)
        counts = np.bincount(self.task * k + self.label, minlength=len(self.truth) * k)
        return counts.reshape(len(self.truth), k).astype(np.int32)

    def _most(self, task: Ints, labels: Sequence[Ints]) -> Ints:
        found = np.full(len(task), -1)
        step = max(1, CELLS // max(len(self.labels), 1))
        for start in range(0, len(task), step):
            part = slice(start, start + step)
            votes = self._votes[task[part]]
            for one in labels:
                votes[np.arange(len(votes)), one[part]] -= 1
            top = votes.argmax(axis=1)
            most = votes[np.arange(len(votes)), top]
            votes[np.arange(len(votes)), top] = -1
            found[part] = np.where(most > np.maximum(votes.max(axis=1, initial=0), 0), top, -1)
        truth = self.truth[task]
        return np.where(truth >= 0, truth, found)
