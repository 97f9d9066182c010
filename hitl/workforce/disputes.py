"""Disputes and appeals: a verdict is contested with a claim, and a named person rules whether it stands.

A worker contests what was held against them: a gold label (`gold`), or a senior's word in review (`review`). The author
of an item appeals what was decided about it (`decision`). A ruling that overturns a verdict says what is right, and is
what everything rests on from then on. Nobody rules on their own claim, nor on their own verdict, and nothing is ruled
twice: who disagrees with a ruling opens a new dispute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

from hitl.errors import WorkforceError
from hitl.history import EventRow

OPENED, RULED = "dispute opened", "dispute ruled"

KINDS = (OPENED, RULED)
"""The events that disputes are read from: `Ledger.events(*KINDS)`."""

Kind = Literal["gold", "review", "decision"]
Outcome = Literal["upheld", "overturned"]
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Ruling:
    """What became of a contested verdict: `labels` are what is right where it was overturned, None where it stands."""

    outcome: Outcome
    labels: Labels | None
    policy_version: str
    actor: str
    reason: str
    evidence: str = ""
    at: str = ""  # ISO 8601


@dataclass(frozen=True)
class Dispute:
    """A contested verdict; `number` is that of its event.

    `decided` are the labels that held, and `by` those whose word that was, a senior or who ruled before; `claimed` are
    the labels that should hold by the claim, None where it names none.
    """

    number: int
    kind: Kind
    item: str
    claimant: str
    claim: str
    claimed: Labels | None
    decided: Labels
    by: tuple[str, ...] = ()
    language: str = ""
    actor: str = ""  # who put it on record
    evidence: str = ""
    at: str = ""  # ISO 8601
    ruling: Ruling | None = None


def advance(known: Mapping[int, Dispute], event: EventRow) -> Dispute:
    """What a new event opens or rules on, given all before it by number; raises `WorkforceError` where it may not.

    >>> opened = {"kind": "gold", "item": "i-1", "claimant": "w-1", "reason": "quoted, not meant", "actor": "w-1",
    ...     "claimed": ["fine"], "decided": ["rude"]}
    >>> one = advance({}, EventRow(number=3, at="2026-03-02", kind=OPENED, detail=opened))
    >>> ruled = {"dispute": 3, "outcome": "overturned", "labels": ["fine"], "policy_version": "1", "actor": "lea",
    ...     "reason": "it is a quotation"}
    >>> advance({3: one}, EventRow(number=4, at="2026-03-03", kind=RULED, detail=ruled)).ruling.labels
    ('fine',)
    >>> advance({3: one}, EventRow(number=4, at="2026-03-03", kind=RULED, detail={**ruled, "actor": "w-1"}))
    Traceback (most recent call last):
    hitl.errors.WorkforceError: dispute 3 is w-1's own claim; somebody else must rule
    """
    if event["kind"] == OPENED:
        opened = _opened(event)
        _check(opened, known)
        return opened
    number = event["detail"]["dispute"]
    held = known.get(number)
    if held is None:
        raise WorkforceError(f"there is no dispute {number}; `hitl dispute list` tells all")
    _check_ruling(held, _ruling(event))
    return replace(held, ruling=_ruling(event))


def fold(events: Iterable[EventRow]) -> tuple[Dispute, ...]:
    """All disputes, ruled ones included, in the order in which they were opened. O(events).

    What is on record was allowed when it was written, and is not judged again.
    """

    def after(known: dict[int, Dispute], event: EventRow) -> dict[int, Dispute]:
        if event["kind"] == OPENED:
            known[event["number"]] = _opened(event)
        else:
            number = event["detail"]["dispute"]
            known[number] = replace(known[number], ruling=_ruling(event))
        return known

    return tuple(reduce(after, events, dict[int, Dispute]()).values())


def _opened(event: EventRow) -> Dispute:
    detail = event["detail"]
    return Dispute(
        number=event["number"],
        kind=detail["kind"],
        item=detail["item"],
        claimant=detail["claimant"],
        claim=detail["reason"],
        claimed=_labels(detail.get("claimed")),
        decided=_labels(detail.get("decided")) or (),
        by=tuple(detail.get("by", ())),
        language=detail.get("language", ""),
        actor=detail["actor"],
        evidence=detail.get("evidence", ""),
        at=event["at"],
    )


def _ruling(event: EventRow) -> Ruling:
    detail = event["detail"]
    return Ruling(
        outcome=detail["outcome"],
        labels=_labels(detail.get("labels")),
        policy_version=detail.get("policy_version", ""),
        actor=detail["actor"],
        reason=detail["reason"],
        evidence=detail.get("evidence", ""),
        at=event["at"],
    )


def _check(opened: Dispute, known: Mapping[int, Dispute]) -> None:
    if not opened.claimant.strip():
        raise WorkforceError("every dispute has a claimant; say whose claim it is")
    if opened.claimed == opened.decided:
        raise WorkforceError(f"item {opened.item}: the claim is what was decided, so there is nothing to contest")
    same = opened.kind, opened.item, opened.claimant
    for held in unruled(known.values()):
        if (held.kind, held.item, held.claimant) == same:
            raise WorkforceError(f"item {opened.item}: this is contested already, in dispute {held.number}; rule on it")


def _check_ruling(held: Dispute, ruling: Ruling) -> None:
    number = held.number
    if held.ruling is not None:
        raise WorkforceError(
            f"dispute {number} was ruled on {held.ruling.at} by {held.ruling.actor} ({held.ruling.outcome}); who "
            "disagrees opens a new one"
        )
    if ruling.actor == held.claimant:
        raise WorkforceError(f"dispute {number} is {held.claimant}'s own claim; somebody else must rule")
    if ruling.actor in held.by:
        raise WorkforceError(f"dispute {number} contests {ruling.actor}'s own verdict; somebody else must rule")
    if ruling.outcome == "upheld" and ruling.labels is not None:
        raise WorkforceError(f"dispute {number}: a verdict that is upheld keeps its labels; name none")
    if ruling.outcome == "overturned" and (ruling.labels is None or ruling.labels == held.decided):
        what = "says what is right instead" if ruling.labels is None else "names other labels than those contested"
        raise WorkforceError(f"dispute {number}: a ruling that overturns a verdict {what}; name them")


def _labels(told: Iterable[str] | None) -> Labels | None:
    return None if told is None else tuple(told)


def unruled(disputes: Iterable[Dispute]) -> tuple[Dispute, ...]:
    """Those that nobody has ruled on."""
    return tuple(one for one in disputes if one.ruling is None)


def overturned(disputes: Iterable[Dispute]) -> dict[str, Ruling]:
    """Item id → the last ruling that overturned a verdict on it: what is right, whatever was said before.

    Times are compared as they are on record, which the ledger writes all in one form; of equal ones the dispute that
    was opened later counts.
    """
    ruled = [(one.ruling.at, one.number, one.item, one.ruling) for one in disputes if one.ruling is not None]
    return {item: ruling for _, _, item, ruling in sorted(ruled, key=lambda row: row[:2]) if ruling.labels is not None}
