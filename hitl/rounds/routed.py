"""Where items went, how long they waited there, and who reads what they are in, from the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from hitl.history import EstimateRow, EventRow, estimate_row
from hitl.history.routing import OverdueRow, RouteRow, RoutingRow, SpokenRow, TurnaroundRow
from hitl.labels.voices import is_answer, voices, wants_people
from hitl.metrics.counts import proportion
from hitl.metrics.intervals import unless_few
from hitl.metrics.ops import waiting
from hitl.rounds.exposed import exposed
from hitl.rounds.people import pushed_at
from hitl.rounds.review import Heard
from hitl.rounds.routing import ROUTED
from hitl.rounds.walk import Walk
from hitl.types import Task
from hitl.types.times import seconds_since_1970
from hitl.workforce.routing import QUEUES, seconds_of

Skills = Mapping[str, Collection[str]]
"""Worker → the languages that they read; an empty collection: all."""

NOT_KNOWN: Skills = MappingProxyType({})

MOST_OVERDUE = 100
"""Overdue cases that are told one by one."""


@dataclass(frozen=True)
class _Wait:
    """One case and how long it waited: seconds since 1970, NaN for what is not known or has not happened."""

    task: Task
    queue: str
    asked: float
    ended: float
    let_go: bool
    due: float = float("nan")
    told: Mapping[str, Any] = field(default_factory=dict)  # how the record tells of the case
    since: str = ""


def routing(walk: Walk, now: str, skills: Skills = NOT_KNOWN) -> RoutingRow:
    """Routing and exposure over the whole campaign, as it stands `now` (ISO 8601). O(tasks + annotations)."""
    tasks, annotations = walk.ledger.tasks(), walk.ledger.annotations()
    heard, lost = voices(annotations), walk.ledger.lost_tasks()
    events = walk.ledger.events(ROUTED)
    moment = seconds_since_1970(now)
    waits = [*_in_stream(walk, tasks, heard, lost), *_sent_on(events, tasks, heard, lost)]
    late = [wait for wait in waits if _overdue(wait, moment) or (wait.let_go and wait.told)]
    late.sort(key=lambda wait: (wait.let_go, np.nan_to_num(wait.due, nan=np.inf), wait.task.key))
    return RoutingRow(
        routes=_routes(walk, events),
        own=bool(walk.rules),
        turnaround=_turnaround(waits, moment),
        overdue=[_late(wait, moment) for wait in late[:MOST_OVERDUE]],
        overdue_in_all=len(late),
        languages=_languages(tasks, heard, lost, waits, moment, skills),
        exposure=exposed(walk, tasks, annotations, now),
    )


def _in_stream(walk: Walk, tasks: Sequence[Task], heard: Heard, lost: Collection[str]) -> Iterable[_Wait]:
    """The campaign's own queue, from push to the first answer."""
    pushed = pushed_at(walk)
    for task in tasks:
        if not task.queue:
            since = pushed.get(task.round, "")
            yield _wait(task, "", 1, since, heard, lost)


def _sent_on(events: Sequence[EventRow], tasks: Sequence[Task], heard: Heard, lost: Collection[str]) -> Iterable[_Wait]:
    """What rules sent on, from then to the answer that was asked for."""
    by_key = {task.key: task for task in tasks}
    for event in events:
        for case in event["detail"]["cases"]:
            task = by_key.get(case["task"])
            if task is not None:
                queue = QUEUES.get(case["to"], case["to"])
                yield _wait(task, queue, int(case["people"]), event["at"], heard, lost, case)


def _wait(
    task: Task,
    queue: str,
    people: int,
    since: str,
    heard: Heard,
    lost: Collection[str],
    told: Mapping[str, Any] = MappingProxyType({}),
) -> _Wait:
    said = heard.get(task.key, ())
    given = sorted(seconds_since_1970(one.submitted) for one in said if is_answer(one))
    asked, ended = seconds_since_1970(since), given[people - 1] if len(given) >= people else float("nan")
    if ended < asked:  # the clocks contradict each other, and nothing can be said of the time
        asked = float("nan")
    within = seconds_of(told["within"]) if told.get("within") else float("nan")
    gone = np.isnan(ended) and (task.key in lost or not wants_people(task, said))
    return _Wait(task, queue, asked, ended, bool(gone), asked + within, told, since)


def _overdue(wait: _Wait, now: float) -> bool:
    return bool(np.isnan(wait.ended)) and not wait.let_go and wait.due < now


def _turnaround(waits: Sequence[_Wait], now: float) -> list[TurnaroundRow]:
    """A row a queue and class, the campaign's own queue first."""
    order = {queue: at for at, queue in enumerate(("", "another", *QUEUES.values()))}
    ranks = {"": 0, "urgent": 1, "high": 2, "normal": 3, "low": 4}
    groups: dict[tuple[str, str], list[_Wait]] = {}
    for wait in waits:
        groups.setdefault((wait.queue, str(wait.told.get("priority", ""))), []).append(wait)
    return [
        TurnaroundRow(
            queue=queue,
            priority=priority,
            cases=len(mine),
            open=sum(bool(np.isnan(wait.ended)) and not wait.let_go for wait in mine),
            overdue=sum(_overdue(wait, now) for wait in mine),
            let_go=sum(wait.let_go for wait in mine),
            median=_median(mine, now),
            in_time=_in_time(mine, now),
        )
        for (queue, priority), mine in sorted(groups.items(), key=lambda one: (order[one[0][0]], ranks[one[0][1]]))
    ]


def _median(waits: Sequence[_Wait], now: float) -> EstimateRow:
    """What still waits has waited so long by now; leaving it out would make waiting look shorter than it is."""
    known = [wait for wait in waits if not np.isnan(wait.asked) and not wait.let_go]
    ended = np.array([wait.ended for wait in known], dtype=np.float64)
    over = ~np.isnan(ended)
    waited = np.where(over, ended, now) - np.array([wait.asked for wait in known], dtype=np.float64)
    found = waiting(np.maximum(waited, 0.0), over, 0.5, "turnaround_median")
    return estimate_row(unless_few(found, int(over.sum()), "cases are answered"))


def _in_time(waits: Sequence[_Wait], now: float) -> EstimateRow:
    """Of the cases whose deadline is past, answered or not: of those not yet due only quick ones could count."""
    due = [wait for wait in waits if wait.due <= now]
    met = sum(wait.ended <= wait.due for wait in due)
    return estimate_row(unless_few(proportion(met, len(due), name="in_time"), len(due), "cases are due"))


def _late(wait: _Wait, now: float) -> OverdueRow:
    late = None if np.isnan(wait.due) else max(now - wait.due, 0.0)
    told = wait.told
    return OverdueRow(
        item_id=wait.task.item_id,
        task=wait.task.key,
        queue=wait.queue,
        priority=str(told.get("priority", "")),
        rule=str(told.get("rule", "")),
        why=str(told.get("why", "")),
        language=str(wait.task.data.get("language", "")),
        since=wait.since,
        late=late,
        let_go=wait.let_go,
    )


def _languages(
    tasks: Sequence[Task], heard: Heard, lost: Collection[str], waits: Sequence[_Wait], now: float, skills: Skills
) -> list[SpokenRow]:
    """A row a language, in alphabetical order; empty where the pool knows none."""
    rows: dict[str, list[Task]] = {}
    for task in tasks:
        if task.queue != "exam":
            rows.setdefault(str(task.data.get("language", "")), []).append(task)
    told = []
    for language in sorted(rows if rows.keys() != {""} else ()):
        mine = rows[language]
        people = Counter(one.worker for task in mine for one in heard.get(task.key, ()) if is_answer(one))
        readers = {worker for worker, reads in skills.items() if not language or not reads or language in reads}
        others = skills.keys() - readers
        stream = [wait for wait in waits if not wait.told and str(wait.task.data.get("language", "")) == language]
        told.append(
            SpokenRow(
                language=language,
                open=sum(wants_people(task, heard.get(task.key, ())) and task.key not in lost for task in mine),
                answers=people.total(),
                people=len(people),
                readers=len(readers) if skills else None,
                foreign=sum(people[worker] for worker in others) if skills else None,
                median=_median(stream, now),
            )
        )
    return told


def _routes(walk: Walk, events: Sequence[EventRow]) -> list[RouteRow]:
    """The rules in their order, then those of earlier runs that sent something on."""
    cases = [case for event in events for case in event["detail"]["cases"]]
    fired, to = Counter(case["rule"] for case in cases), {case["rule"]: case["to"] for case in cases}
    now = [
        RouteRow(
            name=rule.called,
            to=rule.to,
            after=rule.after,
            conditions=rule.told,
            priority="" if rule.to == "accept" else rule.priority,
            within=rule.within or "",
            fired=fired.pop(rule.called, 0),
        )
        for rule in walk.routes
    ]
    gone = "not among the rules any more"
    return now + [
        RouteRow(name=name, to=to[name], after="", conditions=gone, priority="", within="", fired=count)
        for name, count in sorted(fired.items())
    ]
