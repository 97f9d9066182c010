"""The people of a campaign: decisions about them go on record, and what their record proposes is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.errors import WorkforceError
from hitl.history import estimate_row
from hitl.history.workforce import GoldRow, MoveRow, StandingRow
from hitl.labels.voices import is_answer, out_of, voices
from hitl.ledger import Ledger
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Move, Queue, Status, Worker, WorkerEvent
from hitl.workforce.audits import audit_rate
from hitl.workforce.gate import AT_LEAST, CONFIDENCE, FALSE_ALARMS, Gate, Monitored, gate, monitor
from hitl.workforce.grounds import Grounds
from hitl.workforce.lifecycle import KINDS, STOPPED, advance, event_row, fold
from hitl.workforce.roster import Listed, changes

Home = Literal["vendor", "team"]
"""Whom somebody works for, and with."""


@dataclass(frozen=True)
class Asked:
    """What is asked of everybody: so much accuracy, shown with this confidence; and how often a flag may be false."""

    at_least: float = AT_LEAST
    confidence: float = CONFIDENCE
    false_alarms: float = FALSE_ALARMS


def states(ledger: Ledger) -> dict[str, Worker]:
    """Pseudonym → the worker, of everybody about whom something was decided. O(decisions)."""
    return fold(ledger.events(*KINDS))


def homes_of(roster: Mapping[str, Worker]) -> dict[Home, dict[str, str]]:
    """For vendor and team, worker → which, of those of whom it is known."""
    return {
        "vendor": {name: one.vendor for name, one in roster.items() if one.vendor},
        "team": {name: one.team for name, one in roster.items() if one.team},
    }


def workers(ledger: Ledger, annotations: Iterable[Annotation] | None = None) -> dict[str, Worker]:
    """Pseudonym → the worker, of everybody who is on the roster or has answered; in their order. O(annotations).

    `annotations` are all there are, read anew when left out.
    """
    known = states(ledger)
    names = sorted(
        known.keys() | {one.worker for one in (ledger.annotations() if annotations is None else annotations)}
    )
    return {name: known.get(name, Worker(name)) for name in names}


def move(ledger: Ledger, worker: str, after: Status, grounds: Grounds, ruling: str = "") -> Worker:
    """Put a decision about where somebody stands on record; the worker after it.

    Raises `WorkforceError` for a move that is not allowed, or where nobody of that name is on the roster or has
    answered.
    """
    if worker not in states(ledger) and not ledger.annotations(workers=[worker]):
        raise WorkforceError(
            f"nobody called {worker!r} is on the roster or has answered; `hitl people list` tells who there is, and "
            "`hitl people import` brings in others"
        )
    with ledger.transaction() as writer:
        held = fold(writer.events(*KINDS)).get(worker, Worker(worker))
        event = Move(worker, held.status, after, **grounds.told, ruling=ruling)
        moved = advance(held, event)
        writer.event(*event_row(event))
        if not {event.before, event.after}.isdisjoint(STOPPED):
            writer.recount(worker)
    return states(ledger).get(worker, moved)


def bring_in(
    ledger: Ledger, listed: Sequence[Listed], grounds: Grounds, place: str, ruling: str = ""
) -> list[WorkerEvent]:
    """Put on record what a roster changes, all of it or nothing; the events, none where it says what is known.

    Raises `DataError` with place, line and column for a move that is not allowed.
    """
    with ledger.transaction() as writer:
        events = changes(listed, fold(writer.events(*KINDS)), grounds, place, ruling)
        for event in events:
            writer.event(*event_row(event))
    return events


def decisions(worker: Worker) -> list[MoveRow]:
    """Every move of somebody, the first one first."""
    return [
        MoveRow(
            at=one.at,
            before=one.before,
            after=one.after,
            actor=one.actor,
            reason=one.reason,
            evidence=one.evidence,
            ruling=one.ruling,
        )
        for one in worker.moves
    ]


@dataclass(frozen=True)
class Known:
    """One answer to an item whose label is known."""

    at: str  # ISO 8601
    queue: Queue
    right: bool


def known_answers(walk: Walk, annotations: Iterable[Annotation]) -> dict[str, list[Known]]:
    """Worker → what they answered to known items under the present policy, in order of time. O(annotations + tasks).

    As in `hitl.rounds.people`: in the exam an out is a miss, elsewhere it says nothing.
    """
    gold, heard = walk.gold.known, voices(annotations)
    found: dict[str, list[Known]] = {}
    for task in walk.ledger.tasks(items=gold) if gold else ():
        if task.policy_version != walk.policy.version:
            continue
        for one in heard.get(task.key, ()):
            out = out_of(one)
            if not is_answer(one) or (out and task.queue != "exam"):
                continue
            right = not out and one.answer is not None and set(one.answer.labels) == set(gold[task.item_id])
            found.setdefault(one.worker, []).append(Known(one.submitted, task.queue, right))
    return {worker: sorted(said, key=lambda one: one.at) for worker, said in found.items()}


def standings(
    walk: Walk, asked: Asked | None = None, annotations: Sequence[Annotation] | None = None
) -> list[StandingRow]:
    """A row a person, in the order of their pseudonyms: where they stand, and what their record proposes.

    `annotations` are all there are, read anew when left out.
    """
    asked = asked or Asked()
    annotations = walk.ledger.annotations() if annotations is None else annotations
    answered: dict[str, int] = {}
    exam = {task.key for task in walk.ledger.tasks() if task.queue == "exam"}
    for key, said in voices(annotations).items():
        for one in said if key not in exam else ():
            answered[one.worker] = answered.get(one.worker, 0) + is_answer(one)
    known = known_answers(walk, annotations)
    return [
        _standing(worker, answered.get(name, 0), known.get(name, ()), asked)
        for name, worker in workers(walk.ledger, annotations).items()
    ]


def audit_rates(walk: Walk) -> dict[str, float]:
    """Worker → the share of their answers to look at again, of everybody who is known. O(annotations + tasks)."""
    annotations = walk.ledger.annotations()
    known = known_answers(walk, annotations)
    return {
        name: audit_rate(worker.status, sum(one.right for one in known.get(name, ())), len(known.get(name, ())))
        for name, worker in workers(walk.ledger, annotations).items()
    }


def _standing(worker: Worker, answers: int, known: Sequence[Known], asked: Asked) -> StandingRow:
    right = sum(one.right for one in known)
    shown = gate(right, len(known), asked.at_least, asked.confidence)
    daily = np.array([one.right for one in known if one.queue != "exam"], dtype=bool)
    seen = monitor(daily, asked.at_least, asked.false_alarms)
    proposal, why = _proposal(worker, shown, seen, asked)
    return StandingRow(
        worker=worker.id,
        status=worker.status,
        since=worker.moves[-1].at if worker.moves else "",
        languages=list(worker.languages),
        skills=list(worker.skills),
        vendor=worker.vendor,
        team=worker.team,
        answers=answers,
        accuracy=estimate_row(shown.accuracy),
        gate=shown.proposal,
        needed=shown.needed,
        gold=GoldRow(n=seen.n, misses=seen.misses, evidence=seen.evidence, flagged=seen.flagged, since=seen.since),
        audit_rate=audit_rate(worker.status, right, len(known), at_least=asked.at_least),
        proposal=proposal,
        why=why,
        moves=decisions(worker),
    )


def _proposal(worker: Worker, shown: Gate, seen: Monitored, asked: Asked) -> tuple[Status, str]:
    """What the record speaks for, and why: newcomers by the gate, those at work by the monitor."""
    figures = f"{shown.accuracy.figures}, n={shown.accuracy.n}"
    if worker.status == "onboarding" and shown.proposal == "active":
        return "active", f"right on known items {figures}: at least {asked.at_least:.0%} is shown"
    if worker.status == "onboarding" and shown.proposal == "refuse":
        return "offboarded", f"right on known items {figures}: {asked.at_least:.0%} is out of reach"
    if worker.status in ("", "active") and seen.flagged is not None:
        since = f"from answer {seen.since} on" if seen.since != 1 else "from the first on"
        return "watch", (
            f"answer {seen.flagged} to gold showed it: right less often than {asked.at_least:.0%} {since}; one in "
            f"{1 / asked.false_alarms:,.0f} of those who are good enough is ever flagged, at most"
        )
    return "", ""
