"""Quarantine: from a time on a person's answers are set aside, by a named person, until that is lifted.

What is set aside stays on record and counts for nothing. All that rests on answers is made from those that count,
so that lifting a quarantine, one more event, gives back the exact former state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from hitl.errors import WorkforceError
from hitl.history import EventRow
from hitl.types import Annotation
from hitl.types.times import utc

QUARANTINED, LIFTED = "quarantined", "quarantine lifted"

KINDS = (QUARANTINED, LIFTED)
"""The events that quarantines are read from: `Ledger.events(*KINDS)`."""

EDITED = ("annotation edited", "annotation restored")
"""The events that tell of an answer that was given anew: `last_edits` reads when."""


@dataclass(frozen=True)
class Lift:
    """A quarantine ended: who said so, why, on what, and when."""

    actor: str
    reason: str
    evidence: str = ""
    at: str = ""  # ISO 8601


@dataclass(frozen=True)
class Quarantine:
    """A person's answers from `since` on are set aside, up to but without `until`; `number` is that of its event."""

    number: int
    worker: str  # a pseudonym
    since: str  # ISO 8601
    until: str = ""  # ISO 8601; empty for no end
    actor: str = ""
    reason: str = ""
    evidence: str = ""
    at: str = ""  # ISO 8601
    lifted: Lift | None = None

    def covers(self, time: str) -> bool:
        """Whether a time lies in it. An unreadable one does: nobody can say that it was before."""
        try:
            when = utc(time)
        except ValueError:
            return True
        return utc(self.since) <= when and (not self.until or when < utc(self.until))

    @property
    def span(self) -> str:
        """Its time in words."""
        return f"from {self.since}{f' until {self.until}' if self.until else ' on'}"


def advance(known: Mapping[int, Quarantine], event: EventRow) -> Quarantine:
    """What a new event begins or ends, given all before it by number; raises `WorkforceError` where it may not.

    >>> detail = {"worker": "w-1", "since": "2026-03-02", "actor": "lea", "reason": "one answer to everything"}
    >>> begun = advance({}, EventRow(number=7, at="2026-03-09", kind=QUARANTINED, detail=detail))
    >>> lift = {"quarantine": 7, "actor": "lea", "reason": "it was the form's fault"}
    >>> lifted = advance({7: begun}, EventRow(number=9, at="2026-03-10", kind=LIFTED, detail=lift))
    >>> begun.lifted, lifted.lifted.reason
    (None, "it was the form's fault")
    """
    if event["kind"] == QUARANTINED:
        begun = _begun(event)
        _check(begun, known)
        return begun
    held = known.get(event["detail"]["quarantine"])
    if held is None:
        number = event["detail"]["quarantine"]
        raise WorkforceError(f"there is no quarantine {number}; `hitl quarantine list` tells all")
    if held.lifted is not None:
        raise WorkforceError(f"quarantine {held.number} of {held.worker} was lifted on {held.lifted.at} already")
    return _ended(held, event)


def fold(events: Iterable[EventRow]) -> tuple[Quarantine, ...]:
    """All quarantines, lifted ones included, in the order in which they began. O(events).

    What is on record was allowed when it was written, and is not judged again.
    """

    def after(known: dict[int, Quarantine], event: EventRow) -> dict[int, Quarantine]:
        one = _begun(event) if event["kind"] == QUARANTINED else _ended(known[event["detail"]["quarantine"]], event)
        known[one.number] = one
        return known

    return tuple(reduce(after, events, dict[int, Quarantine]()).values())


def _begun(event: EventRow) -> Quarantine:
    detail = event["detail"]
    return Quarantine(
        number=event["number"],
        worker=detail["worker"],
        since=detail["since"],
        until=detail.get("until", ""),
        actor=detail["actor"],
        reason=detail["reason"],
        evidence=detail.get("evidence", ""),
        at=event["at"],
    )


def _ended(held: Quarantine, event: EventRow) -> Quarantine:
    detail = event["detail"]
    return replace(held, lifted=Lift(detail["actor"], detail["reason"], detail.get("evidence", ""), event["at"]))


def _check(begun: Quarantine, known: Mapping[int, Quarantine]) -> None:
    try:
        start, ends = utc(begun.since), utc(begun.until) if begun.until else None
    except ValueError:
        raise WorkforceError(f"{begun.span} is no time; write 2026-03-02, or 2026-03-02T09:30:00Z") from None
    if ends is not None and ends <= start:
        raise WorkforceError(f"{begun.span}: it would end before it begins; write the earlier time first")
    for held in in_force(known.values()):
        open_end = not held.until or (ends is not None and ends <= utc(held.until))
        if held.worker == begun.worker and held.covers(begun.since) and open_end:
            raise WorkforceError(
                f"{begun.worker} is set aside {held.span} already, by {held.actor} (quarantine {held.number}); nothing "
                "would change"
            )


def in_force(quarantines: Iterable[Quarantine]) -> tuple[Quarantine, ...]:
    """Those that nobody lifted."""
    return tuple(one for one in quarantines if one.lifted is None)


def last_edits(events: Iterable[EventRow]) -> dict[str, str]:
    """Annotation id → when its last change was seen, from events of `EDITED` in their order."""
    return {event["detail"]["annotation"]: event["at"] for event in events}


def set_aside(
    annotations: Iterable[Annotation], quarantines: Sequence[Quarantine], edited: Mapping[str, str]
) -> frozenset[str]:
    """Ids of the annotations that the quarantines, lifted or not, cover: give those in force. O(annotations).

    An answer belongs to the time when it was given, and to that of its last edit (`edited`, by id): an old answer that
    its author changes in quarantine is set aside, too.

    >>> one = Quarantine(7, "w-1", "2026-03-02")
    >>> said = [Annotation(day, "t", "w-1", None, f"2026-03-{day}T10:00:00Z", 4.0) for day in ("01", "02", "03")]
    >>> sorted(set_aside(said, [one], {})), sorted(set_aside(said, [one], {"01": "2026-03-05T08:00:00Z"}))
    (['02', '03'], ['01', '02', '03'])
    """
    by_worker: dict[str, list[Quarantine]] = {}
    for quarantine in quarantines:
        by_worker.setdefault(quarantine.worker, []).append(quarantine)
    return frozenset(
        one.id
        for one in annotations
        for quarantine in by_worker.get(one.worker, ())
        if quarantine.covers(one.submitted) or (one.id in edited and quarantine.covers(edited[one.id]))
    )
