"""The work of a campaign as of now: times, pace, turnaround, occupancy, backlog, targets and cost, from the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np

from hitl.errors import DataError
from hitl.history import BacklogRow, GainRow, OpsGroup, OpsRow, TargetRow, estimate_row, read_estimate
from hitl.history.ops import GroupedBy
from hitl.metrics.ops import (
    NO_TABLE,
    Flow,
    Present,
    Shifts,
    TaskLog,
    WorkLog,
    a_day,
    active,
    clears_in,
    daily,
    daily_target,
    hours_a_label,
    hours_a_point,
    over,
    present,
    priced,
    ratio_estimate,
    rows_by,
)
from hitl.metrics.ops.backlog import DAY
from hitl.rounds.walk import Walk
from hitl.rounds.workforce import Home, homes_of, states
from hitl.rounds.worklog import Record, record
from hitl.types import Annotation, Bools, Estimate, Ints
from hitl.types.times import seconds_since_1970

OF_PEOPLE: tuple[GroupedBy, ...] = ("worker", "team", "vendor")
OF_TASKS: tuple[GroupedBy, ...] = ("language", "queue")
"""Groups that work is of through who did it, and those that a task is of whoever does it.

A task waits for nobody in particular: turnaround and backlog are told of the latter.
"""


@dataclass(frozen=True, kw_only=True)
class Planning:
    """What is to be told beyond the record: a target, a date, and how far back pace is looked at.

    `sla_hours` is the plan's when left out; `due` is ISO 8601, UTC where it names no zone. Without `shifts` there is
    no occupancy.
    """

    sla_hours: float | None = None
    due: str = ""
    days: int = 14
    shifts: Shifts | None = None


def ops(walk: Walk, annotations: Sequence[Annotation], at: str, plan: Planning | None = None) -> OpsRow | None:
    """The work as of `at` (ISO 8601), from all annotations at their last revisions; None before anybody was asked.

    Raises `DataError` for a date that is past, and for a table of shifts that contradicts itself.
    O(annotations + tasks).
    """
    plan = plan or Planning()
    if plan.due and np.isnan(seconds_since_1970(plan.due)):
        raise DataError(f"due {plan.due!r}: that is no date; write it as 2026-12-31, or with a time behind it")
    homes = homes_of(states(walk.ledger))
    found = record(walk, annotations, at, homes)
    if not len(found.tasks) and not len(found.work):
        return None
    return _Telling(walk, found, seconds_since_1970(at), plan, homes).row(at)


@dataclass(frozen=True, eq=False)
class _Telling:
    walk: Walk
    record: Record
    now: float
    plan: Planning
    homes: Mapping[Home, Mapping[str, str]]

    def row(self, at: str) -> OpsRow:
        days = np.flatnonzero(self.record.waited(self.now, self.plan.days))
        recent = self.record.work.at > self.now - self.plan.days * DAY
        at_work = len(np.unique(self.record.work.by["worker"][0][recent]))
        rate, label = self.walk.plan.cost_per_hour, hours_a_label(self.record.item_seconds, self.record.labelled)
        there = self._present()
        return OpsRow(
            at=at,
            sla_hours=self._target,
            days=self.plan.days,
            whole_days=len(days),
            at_work=at_work,
            groups=list(self._groups(there)),
            backlog=list(self._backlog(days, at_work)),
            hours_a_label=estimate_row(label),
            cost_a_label=estimate_row(priced(label, rate, "cost_a_label")),
            gains=list(self._gains(rate)),
            no_occupancy=NO_TABLE if there is None else "",
            outside_shifts=int(there.outside.sum()) if there else 0,
        )

    @property
    def _target(self) -> float | None:
        return self.plan.sla_hours or self.walk.plan.sla_hours

    def _present(self) -> Present | None:
        """Shifts and work together; the worker codes of the shifts become those of the record, -1 of nobody in it."""
        if self.plan.shifts is None:
            return None
        work = self.record.work
        codes, names = work.by["worker"]
        known = {name: code for code, name in enumerate(names)}
        shifts = self.plan.shifts.until(self.now)
        as_known = np.array([known.get(name, -1) for name in shifts.workers] or [-1], dtype=np.int64)
        mine = as_known[shifts.worker] >= 0
        shifts = Shifts(names, as_known[shifts.worker[mine]], shifts.start[mine], shifts.end[mine])
        return present(shifts, codes, work.seconds, work.at)

    def _groups(self, there: Present | None) -> Iterator[OpsGroup]:
        """All, then each group of each kind, in the order of their names: no ranking."""
        work, tasks = self.record.work, self.record.tasks
        everybody = there.occupancy(np.ones(len(there.worker), dtype=np.bool_)) if there else None
        yield self._group("all", "", work, tasks, everybody)
        for by in get_args(GroupedBy)[1:]:
            if by not in work.by:
                continue
            mine = rows_by(work.by[by])
            open_to = rows_by(tasks.by[by]) if by in OF_TASKS else {}
            for name in sorted(mine.keys() | open_to.keys()):
                rows = work.take(mine.get(name, _NONE))
                occupied = there.occupancy(self._shifts_of(there, by, name)) if there and by in OF_PEOPLE else None
                yield self._group(by, name, rows, tasks.take(open_to[name]) if name in open_to else None, occupied)

    def _shifts_of(self, there: Present, by: GroupedBy, name: str) -> Bools:
        """Which shifts are of somebody in a group."""
        workers = self.record.work.by["worker"][1]
        of = self.homes[by] if by in ("vendor", "team") else {one: one for one in workers}
        return np.array([of.get(one) == name for one in workers], dtype=np.bool_)[there.worker]

    def _group(
        self, by: GroupedBy, name: str, work: WorkLog, tasks: TaskLog | None, occupied: Estimate | None
    ) -> OpsGroup:
        return OpsGroup(
            by=by,
            name=name,
            people=len(np.unique(work.by["worker"][0])),
            answers=int(work.answered.sum()),
            skips=int((~work.answered).sum()),
            hours=work.hours,
            away=work.away,
            figures=[estimate_row(one) for one in work.figures()],
            turnaround=[estimate_row(one) for one in tasks.figures(self._target)] if tasks else [],
            occupancy=None if occupied is None else estimate_row(occupied),
        )

    def _backlog(self, days: Ints, at_work: int) -> Iterator[BacklogRow]:
        """What waits in all, and by language and queue where several have any."""
        work, tasks = self.record.work, self.record.tasks
        every = np.arange(len(work)), np.arange(len(tasks)), np.arange(len(self.record.further))
        yield self._waiting("all", "", every, days, at_work)
        for by in OF_TASKS:
            parts = [rows_by(one) for one in (work.by[by], tasks.by[by], self.record.further_by[by])]
            names = sorted(name for name, rows in parts[1].items() if tasks.wanting[rows].sum())
            for name in names if len(parts[1]) > 1 else ():
                yield self._waiting(by, name, tuple(part.get(name, _NONE) for part in parts), days, at_work)

    def _waiting(self, by: GroupedBy, name: str, rows: Sequence[Ints], days: Ints, at_work: int) -> BacklogRow:
        """One backlog, by the rows of its work, its tasks, and what was asked for on the way."""
        work, tasks = self.record.work.take(rows[0]), self.record.tasks.take(rows[1])
        given = daily(work.at[work.answered], self.now, self.plan.days)[days]
        flow = Flow(given, daily(self.record.further[rows[2]], self.now, self.plan.days)[days])
        clear = clears_in(tasks.backlog, flow)
        known = not np.isnan(clear.value)
        return BacklogRow(
            by=by,
            name=name,
            tasks=int((tasks.wanting > 0).sum()),
            answers=tasks.backlog,
            done_a_day=estimate_row(a_day(flow.done, "done_a_day")),
            asked_a_day=estimate_row(a_day(flow.asked, "asked_a_day")),
            days_to_clear=estimate_row(clear),
            clears=bool(np.isfinite(clear.value)) if known else None,
            target=self._due(tasks.backlog, flow, work, at_work) if self.plan.due else None,
        )

    def _due(self, backlog: int, flow: Flow, work: WorkLog, at_work: int) -> TargetRow:
        left = (seconds_since_1970(self.plan.due) - self.now) / DAY
        answers = daily_target(backlog, flow, left)
        pace = ratio_estimate(work.answered.astype(np.float64), active(work.seconds) / 3600, "answers_an_hour")
        hours = over(answers, pace, "hours_a_day")
        people = Estimate("people", at_work or float("nan"), at_work, at_work, at_work, method="nobody worked lately")
        return TargetRow(
            due=datetime.fromtimestamp(seconds_since_1970(self.plan.due), UTC).isoformat(),
            days=left,
            answers_a_day=estimate_row(answers),
            hours_a_day=estimate_row(hours),
            hours_a_person=estimate_row(over(hours, people, "hours_a_person")),
        )

    def _gains(self, rate: float | None) -> Iterator[GainRow]:
        """What each completed round's work bought on the benchmark, and all rounds since the seed."""
        measured, hours = self.walk.ledger.outputs("measure"), self.record.round_hours
        last = max(measured, default=0)
        since = sum(spent for number, spent in hours.items() if 0 < number <= last)
        parts: list[tuple[int | None, Any, float]] = [
            *((number, output.get("comparison"), hours.get(number, 0.0)) for number, output in measured.items()),
            (None, (measured.get(last) or {}).get("since_seed"), since),
        ]
        for number, compared, spent in parts:
            if not compared:
                continue
            gain = read_estimate(compared["difference"])
            point = hours_a_point(spent, gain)
            yield GainRow(
                round=number,
                hours=spent,
                gain=estimate_row(gain),
                hours_a_point=estimate_row(point),
                cost_a_point=estimate_row(priced(point, rate, "cost_a_point")),
            )


_NONE = np.zeros(0, dtype=np.int64)
