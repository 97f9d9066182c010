"""Corrective actions: what is done about a cause of errors, by whom, by when, and whether it helped.

    open ──▶ done ──▶ verified
     │ ▲      │          │
     │ └──────┴──────────┘   back to open: it was not done, or did not last
     ▼
    dropped ──▶ open

Whoever does it does not verify it. Figures propose, a named person decides; nothing is taken back but by another event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from types import MappingProxyType
from typing import Any, Literal, get_args

from hitl.errors import WorkforceError
from hitl.history import EventRow

KIND = "qa action"
"""The event that actions are read from: `Ledger.events(KIND)`."""

State = Literal["open", "done", "verified", "dropped"]
STATES: tuple[State, ...] = get_args(State)

ALLOWED: Mapping[str, tuple[State, ...]] = MappingProxyType(
    {
        "": ("open",),
        "open": ("done", "dropped"),
        "done": ("verified", "open"),
        "verified": ("open",),
        "dropped": ("open",),
    }
)
"""Where an action may go from where it stands."""


@dataclass(frozen=True)
class Step:
    """One thing that happened to an action."""

    to: State
    at: str  # ISO 8601
    actor: str
    reason: str
    evidence: str = ""
    effect: Mapping[str, Any] | None = None  # before, after and their difference, as they stood when it was verified


@dataclass(frozen=True)
class Action:
    """A corrective action: what is to be done, its owner (a pseudonym or role), and what it is to bring about.

    `metric` is a rate of a scorecard, `where` the part of all decisions that it is about (dimension → value; all when
    empty). `baseline` is the figure as it stood when the action was opened, `target` what it should come down to.
    """

    id: str
    title: str
    owner: str
    metric: str
    target: float
    due: str  # ISO 8601 date
    where: Mapping[str, str] = field(default_factory=dict)
    cause: str = ""
    baseline: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.steps[-1].to

    @property
    def opened(self) -> str:
        """When it was first opened."""
        return self.steps[0].at

    @property
    def done(self) -> str:
        """When it was last said to be done; empty while it is not."""
        found = [step.at for step in self.steps if step.to == "done"]
        return found[-1] if found and self.state in ("done", "verified") else ""

    def overdue(self, now: str) -> bool:
        """Whether it is open past its day; `now` is ISO 8601.

        >>> begun = (Step("open", "2026-02-01", "lea", "too many errors"),)
        >>> action = Action("a1", "Teach", "lead", "error_rate", 0.05, "2026-03-01", steps=begun)
        >>> action.overdue("2026-03-01T10:00:00Z"), action.overdue("2026-03-02T00:00:00Z")
        (False, True)
        """
        return self.state == "open" and now[:10] > self.due


def advance(known: Mapping[str, Action], event: EventRow) -> dict[str, Action]:
    """All actions by id, after an event; raises `WorkforceError` for one that is not allowed, saying why.

    >>> told = {"action": "a1", "to": "open", "actor": "lea", "reason": "12 of 40 errors", "title": "Teach quotations",
    ...     "owner": "trainer", "metric": "error_rate", "target": 0.05, "due": "2026-04-01"}
    >>> known = advance({}, EventRow(number=1, at="2026-03-01", kind=KIND, detail=told))
    >>> later = {"action": "a1", "to": "verified", "actor": "lea", "reason": "seems fine"}
    >>> advance(known, EventRow(number=2, at="2026-03-02", kind=KIND, detail=later))
    Traceback (most recent call last):
    hitl.errors.WorkforceError: action a1 is open and cannot become verified; from there: done, dropped
    """
    detail = event["detail"]
    number, to = str(detail.get("action", "")), detail.get("to", "")
    for name, asked in (("actor", "who speaks"), ("reason", "why")):
        if not str(detail.get(name, "")).strip():
            raise WorkforceError(f"action {number}: every step has an {name}; say {asked}")
    held = known.get(number)
    state = held.state if held else ""
    if to not in ALLOWED[state]:
        there = f"is {state} and cannot become {to}" if held else "is not there"
        told = ", ".join(ALLOWED[state]) if held else "open it first, `hitl qa actions` tells all"
        raise WorkforceError(f"action {number} {there}; {'from there: ' if held else ''}{told}")
    step = Step(to, event["at"], detail["actor"], detail["reason"], detail.get("evidence", ""), detail.get("effect"))
    if held is None:
        return {**known, number: _opened(number, detail, step)}
    if to == "verified" and detail["actor"] == held.steps[-1].actor:
        raise WorkforceError(f"action {number} was done by {detail['actor']}; somebody else must verify it")
    return {**known, number: replace(held, steps=(*held.steps, step))}


def _opened(number: str, detail: Mapping[str, Any], step: Step) -> Action:
    missing = [name for name in ("title", "owner", "metric", "due") if not str(detail.get(name, "")).strip()]
    if missing:
        raise WorkforceError(f"action {number} has no {missing[0]}; say all of title, owner, metric, target and due")
    try:
        date.fromisoformat(detail["due"])
    except ValueError:
        raise WorkforceError(f"action {number}: due {detail['due']!r} is no day; write it as 2026-04-30") from None
    target = float(detail.get("target", -1.0))
    if not 0 <= target <= 1:
        raise WorkforceError(f"action {number}: the target {target:g} is no share; give one from 0 to 1")
    about = {name: detail[name] for name in ("title", "owner", "metric", "due")}
    return Action(
        number,
        target=target,
        where=dict(detail.get("where") or {}),
        cause=detail.get("cause", ""),
        baseline=dict(detail.get("baseline") or {}),
        steps=(step,),
        **about,
    )


def fold(events: Iterable[EventRow]) -> dict[str, Action]:
    """All actions by id, in the order in which they were opened. O(events)."""
    start: dict[str, Action] = {}
    return reduce(advance, events, start)
