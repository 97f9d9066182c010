"""Which answers count: by quarantines and by where their author stood when they gave them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hitl.history import EventRow
from hitl.types import Annotation
from hitl.workforce.counting import concerned, uncounted

HOURS = st.integers(0, 23)


def at(hour: int) -> str:
    return f"2026-03-01T{hour:02d}:30:00Z"


def said(worker: str, hours: list[int]) -> list[Annotation]:
    return [
        Annotation(f"{worker}-{hour}-{place}", "t", worker, None, at(hour), 4.0) for place, hour in enumerate(hours)
    ]


def moves(*moved: tuple[int, str, str]) -> list[EventRow]:
    before, rows = "", []
    for number, (hour, after, ruling) in enumerate(moved):
        told = {"worker": "w-1", "before": before, "after": after, "actor": "lea", "reason": "why", "ruling": ruling}
        rows.append(EventRow(number=number, at=f"2026-03-01T{hour:02d}:00:00Z", kind="worker moved", detail=told))
        before = after
    return rows


def quarantine(number: int, since: int, until: int | None = None) -> EventRow:
    ends = "" if until is None else f"2026-03-01T{until:02d}:00:00Z"
    told = {"worker": "w-1", "since": f"2026-03-01T{since:02d}:00:00Z", "until": ends, "actor": "lea", "reason": "why"}
    return EventRow(number=number, at=at(23), kind="quarantined", detail=told)


def record(*rows: EventRow):
    return lambda *kinds: [row for row in rows if row["kind"] in kinds]


@given(st.lists(HOURS, max_size=12), st.lists(HOURS, max_size=6), st.integers(1, 11), st.integers(12, 22))
def test_what_was_answered_while_work_was_stopped_does_not_count(mine, others, stopped, back):
    answers = [*said("w-1", mine), *said("w-2", others)]
    events = record(*moves((0, "active", ""), (stopped, "suspended", ""), (back, "active", "heard on 2 March")))
    given_then = [one.id for one in answers if stopped <= int(one.submitted[11:13]) < back]
    assert uncounted(answers, events) == {one for one in given_then if one.startswith("w-1")}
    assert concerned(events) == {"w-1"}


@given(st.lists(HOURS, max_size=12), st.integers(0, 23), st.integers(1, 22))
def test_quarantine_and_stop_add_up(mine, since, stopped):
    answers = said("w-1", mine)
    both = record(*moves((0, "active", ""), (stopped, "suspended", "")), quarantine(9, since))
    alone = record(quarantine(9, since)), record(*moves((0, "active", ""), (stopped, "suspended", "")))
    assert uncounted(answers, both) == uncounted(answers, alone[0]) | uncounted(answers, alone[1])


def test_an_edit_in_quarantine_is_set_aside_and_one_while_stopped_is_not():
    [early] = said("w-1", [3])
    edit = EventRow(number=20, at=at(15), kind="annotation edited", detail={"annotation": early.id})
    assert uncounted([early], record(quarantine(9, 12), edit)) == {early.id}
    assert uncounted([early], record(*moves((0, "active", ""), (12, "suspended", "")), edit)) == frozenset()


def test_who_was_never_stopped_or_set_aside_counts():
    answers = said("w-1", [1, 2, 3])
    assert uncounted(answers, record(*moves((0, "active", ""), (2, "watch", "")))) == frozenset()
    assert uncounted([], record(quarantine(9, 1))) == frozenset()
    assert concerned(record()) == frozenset()
