"""Who gave what to how many: the counts that every coefficient of agreement is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Floats, Ints


class Answers(Protocol):
    """Answers in long form, (m,) codes of task, worker and label with their words: `labels.AnswerTable` is one."""

    @property
    def task(self) -> Ints: ...
    @property
    def worker(self) -> Ints: ...
    @property
    def label(self) -> Ints: ...
    @property
    def tasks(self) -> Sequence[str]: ...
    @property
    def workers(self) -> Sequence[str]: ...
    @property
    def labels(self) -> Sequence[str]: ...
    def latest(self) -> Self: ...


@dataclass(frozen=True, eq=False)
class Ratings:
    """How many different people gave each of k labels to each of t tasks (t, k), and what each task weighs (t,).

    Weights average 1, so that a weighted count of tasks is still about their number.
    """

    counts: Floats
    weights: Floats

    @classmethod
    def of(cls, answers: Answers, weights: Floats | None = None, among: Bools | None = None) -> Ratings:
        """The counts of a table; of several answers of a person to a task the last one counts.

        `weights` (t,) say how many items each task stands for, evenly one when left out; `among` (w,) says whose
        answers count, all when left out. Raises `DataError` for weights that are not one above 0 a task. O(m log m + t
        k).
        """
        last = answers.latest()
        t, k = len(last.tasks), len(last.labels)
        if weights is not None and (weights.shape != (t,) or not (np.isfinite(weights) & (weights > 0)).all()):
            raise DataError(f"weights must be one number above 0 for each of the {t} tasks; leave out tasks without")
        rows = np.ones(len(last.task), dtype=np.bool_) if among is None else among[last.worker]
        cells = np.bincount(last.task[rows] * k + last.label[rows], minlength=t * k)
        even = np.ones(t) if weights is None or not t else weights / weights.mean()
        return cls(cells.reshape(t, k).astype(np.float64), even)

    @property
    def people(self) -> Floats:
        """(t,) how many people judged each task."""
        return np.asarray(self.counts.sum(axis=1))

    def take(self, rows: Ints | Bools) -> Ratings:
        """The same of some tasks."""
        weights = self.weights[rows]
        return Ratings(self.counts[rows], weights / weights.mean() if len(weights) else weights)

    def merge(self, groups: Ints, size: int) -> Ratings:
        """The same with labels taken together: `groups` (k,) says which of `size` new ones each becomes."""
        return Ratings(self.counts @ np.eye(size)[groups], self.weights)
