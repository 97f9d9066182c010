"""Where a worker stands: a state machine over events, each by a named person, with a reason.

    applied ──▶ onboarding ──▶ active ◀──▶ watch
       │            │            └────┬──────┘
       │            │                 ▼
       │            │             suspended ──ruling──▶ onboarding, active, watch
       ▼            ▼                 │
     offboarded ◀────────────── (from all) ──ruling──▶ applied, onboarding, active, watch
     blacklisted ◀─ruling─ (applied, onboarding, suspended, offboarded) ──ruling──▶ all but applied

Work is stopped at once (`suspended`); what is final, or undoes what was decided, takes a ruling: somebody heard the
person first. Nobody is blacklisted from the midst of their work. Nothing is taken back: a move back is a further event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import reduce
from types import MappingProxyType
from typing import Any, get_args

from hitl.errors import WorkforceError
from hitl.history import EventRow
from hitl.types import Annotation, Described, Move, Status, Worker, WorkerEvent
from hitl.types.times import utc

MOVED, DESCRIBED = "worker moved", "worker described"

KINDS = (MOVED, DESCRIBED)
"""The events that workers are read from: `Ledger.events(*KINDS)`."""

STATUSES: tuple[Status, ...] = get_args(Status)[1:]
"""Every status of somebody on the roster, from the first day to the last."""

AT_ONCE: Mapping[Status, tuple[Status, ...]] = MappingProxyType(
    {
        "": tuple(name for name in STATUSES if name != "blacklisted"),
        "applied": ("onboarding", "offboarded"),
        "onboarding": ("active", "offboarded"),
        "active": ("watch", "suspended", "offboarded"),
        "watch": ("active", "suspended", "offboarded"),
        "suspended": ("offboarded",),
        "offboarded": (),
        "blacklisted": (),
    }
)
"""Where a named person may move somebody, giving a reason; who is not on the roster yet enters it anywhere."""

BY_RULING: Mapping[Status, tuple[Status, ...]] = MappingProxyType(
    {
        "": ("blacklisted",),
        "applied": ("blacklisted",),
        "onboarding": ("blacklisted",),
        "active": (),
        "watch": (),
        "suspended": ("onboarding", "active", "watch", "blacklisted"),
        "offboarded": ("applied", "onboarding", "active", "watch", "blacklisted"),
        "blacklisted": ("onboarding", "active", "watch", "suspended", "offboarded"),
    }
)
"""Where a ruling may move somebody besides."""

STOPPED: tuple[Status, ...] = ("suspended", "offboarded", "blacklisted")
"""Who stands here must not work, and what they answer meanwhile does not count."""


def advance(worker: Worker, event: WorkerEvent) -> Worker:
    """The worker after the event; raises `WorkforceError` for a move that is not allowed, saying which are.

    >>> ana = advance(Worker("w-1"), Move("w-1", "", "active", actor="lea", reason="passed the exam"))
    >>> advance(ana, Move("w-1", "active", "blacklisted", actor="lea", reason="too slow"))
    Traceback (most recent call last):
    hitl.errors.WorkforceError: w-1 is active and cannot become blacklisted; from there: watch, suspended, offboarded
    """
    if event.worker != worker.id:
        raise WorkforceError(f"an event of {event.worker} does not change {worker.id}; look whom it is about")
    if not event.actor.strip() or not event.reason.strip():
        missing = "who decides it" if not event.actor.strip() else "why"
        raise WorkforceError(f"{worker.id}: {missing} is not said; every decision about a person needs both")
    if isinstance(event, Move):
        _check(worker, event)
        return replace(worker, status=event.after, moves=(*worker.moves, event))
    about = {name: getattr(event, name) for name in ("languages", "skills", "vendor", "team")}
    return replace(worker, **about)


def _check(worker: Worker, move: Move) -> None:
    if move.before != worker.status:
        raise WorkforceError(
            f"{worker.id} is {_told(worker.status)}, not {_told(move.before)}: somebody else decided meanwhile; look "
            "again, and decide anew"
        )
    at_once, by_ruling = AT_ONCE[worker.status], BY_RULING[worker.status]
    if move.after in at_once or (move.after in by_ruling and move.ruling.strip()):
        return
    if move.after in by_ruling:
        raise WorkforceError(
            f"{worker.id} is {_told(worker.status)} and becomes {move.after} by a ruling only; name the ruling"
        )
    ways = [", ".join(at_once), f"by a ruling {', '.join(by_ruling)}" if by_ruling else ""]
    raise WorkforceError(
        f"{worker.id} is {_told(worker.status)} and cannot become {move.after or 'nothing'}; from there: "
        f"{'; '.join(way for way in ways if way)}"
    )


def _told(status: Status) -> str:
    return status or "not on the roster"


def fold(events: Iterable[EventRow]) -> dict[str, Worker]:
    """Pseudonym → the worker after all events of `KINDS`, in the order in which they happened. O(events).

    Raises `WorkforceError` where an event is not allowed after those before it.

    >>> told = {"worker": "w-1", "before": "", "after": "watch", "actor": "lea", "reason": "three misses of ten"}
    >>> fold([EventRow(number=1, at="2026-03-01T12:00:00Z", kind=MOVED, detail=told)])["w-1"].status
    'watch'
    """

    def after(known: dict[str, Worker], row: EventRow) -> dict[str, Worker]:
        event = read_event(row)
        known[event.worker] = advance(known.get(event.worker, Worker(event.worker)), event)
        return known

    return reduce(after, events, dict[str, Worker]())


def read_event(row: EventRow) -> WorkerEvent:
    """The event that a row of the record tells of."""
    told = {**row["detail"], "at": row["at"]}
    if row["kind"] == MOVED:
        return Move(**told)
    lists = {name: tuple(told[name]) for name in ("languages", "skills")}
    return Described(**{**told, **lists})


def event_row(event: WorkerEvent) -> tuple[str, dict[str, Any]]:
    """Kind and detail with which the event goes on record; its time is the record's own."""
    detail = asdict(event)
    del detail["at"]
    return MOVED if isinstance(event, Move) else DESCRIBED, detail


def status_at(worker: Worker, time: str) -> Status:
    """Where the worker stood at a time, ISO 8601 (UTC where it says nothing else); empty before the first move.

    Of moves at the same time the last counts. O(moves).
    """
    when = utc(time)
    stood: Status = ""
    for move in worker.moves:
        if utc(move.at) <= when:
            stood = move.after
    return stood


def counted(annotation: Annotation, states: Mapping[str, Worker]) -> bool:
    """Whether an answer may count: it was not given while its author was suspended, offboarded or blacklisted.

    `states` are the workers by pseudonym; who is not among them was never stopped. The time is that of the answer, and
    a later move back does not make it count: to give back what was taken wrongly is a ruling's own work. An answer
    without a readable time counts. O(moves of the worker).

    >>> stopped = Move("w-1", "", "suspended", "lea", "one answer to everything", at="2026-03-01T12:00:00Z")
    >>> states = {"w-1": advance(Worker("w-1"), stopped)}
    >>> [counted(Annotation("7", "t", "w-1", None, f"2026-03-01T{hour}:00:00Z", 4.0), states) for hour in (11, 12)]
    [True, False]
    """
    worker = states.get(annotation.worker)
    if worker is None or not any(move.after in STOPPED for move in worker.moves):
        return True
    try:
        return status_at(worker, annotation.submitted) not in STOPPED
    except ValueError:
        return True
