"""Work and tasks as columns, and what is told of any part of them: times, pace, outs, turnaround, target met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.counts import proportion
from hitl.metrics.intervals import unless_few
from hitl.metrics.ops.times import AWAY, active, mean_estimate, quantile_estimate, ratio_estimate, waiting
from hitl.types import Bools, Estimate, Floats, Ints

OUTS = ("", "skip", "unsure", "escalate", "no_policy", "unreadable")
"""What work may end in, "" being a label; a skip is the one that is no answer."""

HOUR = 3600.0

Grouping = tuple[Ints, tuple[str, ...]]
"""Which group each row is of, as codes (n,) of names; -1 of none."""


@dataclass(frozen=True, eq=False)
class WorkLog:
    """n pieces of work, one a person and task, as columns (n,): nobody else's hand, the exam left out.

    `seconds` as the tool counts them, `out` codes of `OUTS`, `at` when it was sent, in seconds since 1970 (NaN where
    unknown), `by` groupings by name. Raises `DataError` where columns are not as long.
    """

    seconds: Floats
    out: Ints
    at: Floats
    by: Mapping[str, Grouping]

    def __post_init__(self) -> None:
        _check(len(self.seconds), {"out": self.out, "at": self.at}, self.by)

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def answered(self) -> Bools:
        """(n,) whether it is an answer, with or without a label."""
        return np.asarray(self.out != OUTS.index("skip"))

    @property
    def hours(self) -> float:
        """Productive hours: active time, skips included."""
        return float(active(self.seconds).sum()) / HOUR

    @property
    def away(self) -> int:
        """How many pieces were cut at `AWAY`, because nobody works at one so long."""
        return int((self.seconds > AWAY).sum())

    def take(self, rows: Ints | Bools) -> WorkLog:
        """Some of the pieces."""
        by = {name: (codes[rows], names) for name, (codes, names) in self.by.items()}
        return WorkLog(self.seconds[rows], self.out[rows], self.at[rows], by)

    def figures(self) -> list[Estimate]:
        """Seconds an answer (mean, median, ninth tenth), answers a productive hour, and the shares of each out.

        Skips are a share of all pieces, other outs of answers; intervals of shares are Wilson's. O(n log n).

        >>> log = WorkLog(np.full(6, 12.0), np.array([0, 0, 0, 0, 2, 1]), np.zeros(6), {})
        >>> [(one.name, one.value) for one in log.figures() if one.name in ("answers_an_hour", "skipped", "unsure")]
        [('answers_an_hour', 250.0), ('skipped', 0.16666666666666666), ('unsure', 0.2)]
        """
        spent, answered = active(self.seconds), self.answered
        mine, n = spent[answered], int(answered.sum())
        return [
            mean_estimate(mine, "seconds_mean"),
            unless_few(quantile_estimate(mine, 0.5, "seconds_median"), n, "answers"),
            unless_few(quantile_estimate(mine, 0.9, "seconds_p90"), n, "answers"),
            ratio_estimate(answered.astype(np.float64), spent / HOUR, "answers_an_hour"),
            self._share("skip", "skipped", len(self)),
            self._share("unsure", "unsure", n),
            self._share("escalate", "escalated", n),
        ]

    def _share(self, out: str, name: str, of: int) -> Estimate:
        return unless_few(proportion(int((self.out == OUTS.index(out)).sum()), of, name=name), of, "pieces of work")


@dataclass(frozen=True, eq=False)
class TaskLog:
    """m tasks as columns (m,): when each was asked, and when it had all its answers, in seconds since 1970.

    `asked` is NaN where that is not on record, `ended` while a task is open; `until` is the last moment at which it was
    looked at, `wanting` the answers it still lacks. Tasks that were let go (deleted, or skipped by too many) are not
    among them. Raises `DataError` for lengths.
    """

    asked: Floats
    ended: Floats
    until: Floats
    wanting: Ints
    by: Mapping[str, Grouping]

    def __post_init__(self) -> None:
        _check(len(self.asked), {"ended": self.ended, "until": self.until, "wanting": self.wanting}, self.by)

    def __len__(self) -> int:
        return len(self.asked)

    @property
    def backlog(self) -> int:
        """Answers that are still wanted."""
        return int(self.wanting.sum())

    def take(self, rows: Ints | Bools) -> TaskLog:
        """Some of the tasks."""
        by = {name: (codes[rows], names) for name, (codes, names) in self.by.items()}
        return TaskLog(self.asked[rows], self.ended[rows], self.until[rows], self.wanting[rows], by)

    def figures(self, target: float | None = None) -> list[Estimate]:
        """Turnaround from asking to the last answer, in seconds (median, ninth tenth), and the share done in time.

        What is still open counts in both: with the time that it has waited, and, once its `target` (hours) is past, as
        missed. What is not due yet tells nothing of the share, even where it is done: of those asked last only the
        quick ones are. O(m log m).

        >>> done = np.array([1, 2, 3, 4, 5, 6, np.nan, np.nan]) * 3600
        >>> log = TaskLog(np.zeros(8), done, np.full(8, 10 * 3600.0), np.zeros(8, int), {})
        >>> [round(one.value, 3) for one in log.figures(target=4)]
        [14400.0, nan, 0.5]
        """
        # Clocks that contradict each other tell nothing of how long it took.
        known = ~np.isnan(self.asked) & ~(self.ended < self.asked)
        asked, ended, until = self.asked[known], self.ended[known], self.until[known]
        over = ~np.isnan(ended)
        waited = np.maximum(np.where(over, ended, until) - asked, 0.0)
        told = [
            unless_few(waiting(waited, over, q, name), int(over.sum()), "tasks are done")
            for q, name in ((0.5, "turnaround_median"), (0.9, "turnaround_p90"))
        ]
        return [*told, _in_time(waited, over, until - asked, target)]


def _in_time(waited: Floats, over: Bools, seen: Floats, target: float | None) -> Estimate:
    """`seen` (m,) is for how long each was looked at: what was not as long as the target is not due."""
    if target is None:
        why = "no target: give `sla_hours` in the plan, or --hours"
        return Estimate("in_time", float("nan"), 0.0, 1.0, 0, method=why)
    due = seen >= target * HOUR
    met, of = int((due & over & (waited <= target * HOUR)).sum()), int(due.sum())
    found = unless_few(proportion(met, of, name="in_time"), of, "tasks are due")
    return found if of else replace(found, method="no task is due yet")


def rows_by(grouping: Grouping) -> dict[str, Ints]:
    """The rows of each group that has any, in the order of the names. O(n log n).

    >>> {name: rows.tolist() for name, rows in rows_by((np.array([1, -1, 0, 1]), ("en", "id", "ja"))).items()}
    {'en': [2], 'id': [0, 3]}
    """
    codes, names = grouping
    order = np.argsort(codes, kind="stable").astype(np.int64)
    starts = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return {name: order[starts[at] : starts[at + 1]] for at, name in enumerate(names) if starts[at] < starts[at + 1]}


def _check(rows: int, columns: Mapping[str, Floats | Ints], by: Mapping[str, Grouping]) -> None:
    long = {name: len(column) for name, column in columns.items()} | {
        name: len(codes) for name, (codes, _) in by.items()
    }
    wrong = [f"{name} has {count}" for name, count in long.items() if count != rows]
    if wrong:
        raise DataError(f"{', '.join(wrong)} rows where {rows} are needed; give one for each")
