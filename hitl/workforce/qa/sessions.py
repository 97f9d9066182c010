"""Calibration sessions: the same items to everybody, a key, and answers before and after they are talked over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal, get_args

from hitl.errors import WorkforceError
from hitl.history import EventRow

OPENED, ANSWERED, CLOSED = "qa session opened", "qa session answered", "qa session closed"

KINDS = (OPENED, ANSWERED, CLOSED)
"""The events that sessions are read from: `Ledger.events(*KINDS)`."""

Phase = Literal["before", "after"]
PHASES: tuple[Phase, ...] = get_args(Phase)

Labels = frozenset[str]


@dataclass(frozen=True)
class Session:
    """One session: its key (item → labels) and what people said in each phase, (item, person) → labels.

    A person's later answer to an item in the same phase replaces the earlier one.
    """

    id: str
    title: str
    opened: str  # ISO 8601
    actor: str
    key: Mapping[str, Labels]
    said: Mapping[Phase, Mapping[tuple[str, str], Labels]] = field(default_factory=dict)
    closed: str = ""


def advance(known: Mapping[str, Session], event: EventRow) -> dict[str, Session]:
    """All sessions by id, after an event; raises `WorkforceError` for one that is not allowed, saying why.

    >>> opened = {"session": "s1", "title": "March", "actor": "lea", "reason": "drift", "key": {"i1": ["hate"]}}
    >>> known = advance({}, EventRow(number=1, at="2026-03-01", kind=OPENED, detail=opened))
    >>> told = {"session": "s1", "phase": "before", "actor": "lea", "reason": "answers of the morning",
    ...     "answers": [["i1", "w-1", []]]}
    >>> advance(known, EventRow(number=2, at="2026-03-02", kind=ANSWERED, detail=told))["s1"].said["before"]
    {('i1', 'w-1'): frozenset()}
    """
    detail = event["detail"]
    number = str(detail.get("session", ""))
    for name, asked in (("actor", "who speaks"), ("reason", "why")):
        if not str(detail.get(name, "")).strip():
            raise WorkforceError(f"session {number}: everything that happens has an {name}; say {asked}")
    held = known.get(number)
    if event["kind"] == OPENED:
        return {**known, number: _opened(held, event)}
    if held is None:
        raise WorkforceError(f"there is no session {number}; `hitl qa sessions` tells all")
    if held.closed:
        raise WorkforceError(f"session {number} was closed on {held.closed[:10]}; open another one")
    if event["kind"] == CLOSED:
        return {**known, number: replace(held, closed=event["at"])}
    phase = detail["phase"]
    if phase not in PHASES:
        raise WorkforceError(f"session {number}: {phase!r} is no phase; answers are given before or after")
    fresh = {(item, person): frozenset(labels) for item, person, labels in detail["answers"]}
    strange = sorted({item for item, _ in fresh} - held.key.keys())
    if strange:
        raise WorkforceError(f"session {number} has no item {strange[0]!r} ({len(strange)} such); mend the answers")
    return {**known, number: replace(held, said={**held.said, phase: {**held.said.get(phase, {}), **fresh}})}


def _opened(held: Session | None, event: EventRow) -> Session:
    detail = event["detail"]
    if held is not None:
        raise WorkforceError(f"session {held.id} is there already; give the new one another name")
    key = {item: frozenset(labels) for item, labels in detail["key"].items()}
    if not key:
        raise WorkforceError("a session needs items with a key; give some")
    return Session(detail["session"], detail.get("title", ""), event["at"], detail["actor"], key)


def fold(events: Iterable[EventRow]) -> dict[str, Session]:
    """All sessions by id, in the order in which they were opened. O(events)."""
    start: dict[str, Session] = {}
    return reduce(advance, events, start)
