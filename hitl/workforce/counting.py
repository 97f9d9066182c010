"""Which answers count: none that a quarantine covers, and none of somebody whose work was stopped when they gave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hitl.history import EventRow
from hitl.types import Annotation, Worker
from hitl.workforce import lifecycle, quarantine


class Events(Protocol):
    """What happened of some kinds, in order: `Ledger.events`."""

    def __call__(self, *kinds: str) -> Sequence[EventRow]:
        """The events of these kinds."""
        ...


def uncounted(annotations: Sequence[Annotation], events: Events) -> frozenset[str]:
    """Ids of those of the annotations that count for nothing now, by what was decided. O(annotations + events).

    A quarantine covers an answer by when it was given or edited, a suspension by when it was given alone: who edits
    an earlier answer has a known mistake to mend, and what their edits are worth a quarantine decides.

    >>> told = {"worker": "w-1", "before": "", "after": "suspended", "actor": "lea", "reason": "one answer to all"}
    >>> event = EventRow(number=1, at="2026-03-01T12:00:00Z", kind=lifecycle.MOVED, detail=told)
    >>> said = [Annotation(hour, "t", "w-1", None, f"2026-03-01T{hour}:00:00Z", 4.0) for hour in ("11", "12")]
    >>> sorted(uncounted(said, lambda *kinds: [event] if event["kind"] in kinds else []))
    ['12']
    """
    held, stopped = _held(events), _stopped(events)
    gone = quarantine.set_aside(annotations, held, quarantine.last_edits(events(*quarantine.EDITED))) if held else ()
    late = (one.id for one in annotations if not lifecycle.counted(one, stopped)) if stopped else ()
    return frozenset(gone).union(late)


def concerned(events: Events) -> frozenset[str]:
    """Pseudonyms of those who may have answers that count for nothing."""
    return frozenset(one.worker for one in _held(events)).union(_stopped(events))


def _held(events: Events) -> tuple[quarantine.Quarantine, ...]:
    return quarantine.in_force(quarantine.fold(events(*quarantine.KINDS)))


def _stopped(events: Events) -> dict[str, Worker]:
    """Those whose work was ever stopped."""
    people = lifecycle.fold(events(*lifecycle.KINDS))
    ever = (one for one in people.values() if any(move.after in lifecycle.STOPPED for move in one.moves))
    return {one.id: one for one in ever}
