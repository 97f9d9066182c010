"""Where a worker stands: random histories, what is refused and how, and what counts of the answers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import WorkforceError
from hitl.types import Annotation, Described, Move, Worker
from hitl.workforce.lifecycle import (
    AT_ONCE,
    BY_RULING,
    STATUSES,
    STOPPED,
    advance,
    counted,
    event_row,
    fold,
    read_event,
    status_at,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
wanted = st.lists(st.tuples(st.sampled_from(STATUSES), st.booleans()), max_size=12)


def at(hour):
    return (START + timedelta(hours=hour)).isoformat()


def walked(wishes):
    """The worker after the wishes that were allowed, one an hour, and the events of these."""
    worker, events = Worker("w-1"), []
    for hour, (after, ruled) in enumerate(wishes):
        event = Move("w-1", worker.status, after, "lea", "why", ruling="heard" if ruled else "", at=at(hour))
        try:
            worker = advance(worker, event)
        except WorkforceError:
            continue
        events.append(event)
    return worker, events


def rows(events):
    told = [event_row(event) for event in events]
    return [
        {"number": n, "at": event.at, "kind": kind, "detail": detail}
        for n, (event, (kind, detail)) in enumerate(zip(events, told, strict=True))
    ]


@given(wanted)
def test_every_history_that_was_allowed_is_a_path_through_the_table(wishes):
    worker, events = walked(wishes)
    stood = ""
    for event in events:
        assert event.before == stood
        assert event.after in AT_ONCE[stood] or (event.after in BY_RULING[stood] and event.ruling)
        stood = event.after
    assert (worker.status, worker.moves) == (stood, tuple(events))


@given(wanted)
def test_what_is_on_record_reads_as_the_worker_that_was(wishes):
    worker, events = walked(wishes)
    assert [read_event(row) for row in rows(events)] == events
    assert fold(rows(events)) == ({"w-1": worker} if events else {})


@given(wanted)
def test_nobody_leaves_what_is_final_or_is_blacklisted_without_a_ruling(wishes):
    for event in walked(wishes)[1]:
        if event.before in ("offboarded", "blacklisted") or event.after == "blacklisted":
            assert event.ruling
        if event.before in ("active", "watch"):
            assert event.after != "blacklisted"


@given(wanted, st.sampled_from(STATUSES))
def test_a_refusal_names_every_way_there_is_and_changes_nothing(wishes, after):
    worker, _ = walked(wishes)
    ways = {*AT_ONCE[worker.status], *BY_RULING[worker.status]}
    try:
        advance(worker, Move("w-1", worker.status, after, "lea", "why"))
    except WorkforceError as refused:
        told = str(refused)
        assert all(way in told for way in ways) or (after in BY_RULING[worker.status] and "by a ruling" in told)
        assert after not in AT_ONCE[worker.status]
    else:
        assert after in AT_ONCE[worker.status]


def test_from_everywhere_a_way_leads_back_to_work():
    reached = {"active"}
    for _ in STATUSES:
        reached |= {name for name in STATUSES if reached & {*AT_ONCE[name], *BY_RULING[name]}}
    assert reached == set(STATUSES)
    assert all(name not in {*AT_ONCE[name], *BY_RULING[name]} for name in STATUSES)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Move("w-1", "", "active", " ", "why"), "who decides it is not said"),
        (Move("w-1", "", "active", "lea", ""), "why is not said"),
        (Described("w-1", "", "why"), "who decides it"),
        (Move("w-2", "", "active", "lea", "why"), "does not change w-1"),
        (Move("w-1", "watch", "active", "lea", "why"), "somebody else decided meanwhile"),
    ],
)
def test_a_decision_needs_a_name_a_reason_and_the_present_state(event, told):
    with pytest.raises(WorkforceError, match=told):
        advance(Worker("w-1"), event)


def test_describing_leaves_the_status_and_its_history():
    worker, _ = walked([("active", False)])
    described = advance(worker, Described("w-1", "lea", "interview", ("id",), ("review",), "Acme", "night"))
    assert (described.status, described.moves) == (worker.status, worker.moves)
    assert (described.languages, described.skills, described.vendor, described.team) == (
        ("id",), ("review",), "Acme", "night",
    )  # fmt: skip


def answer(time, worker="w-1"):
    return Annotation("7", "t", worker, None, time, 4.0)


@given(wanted, st.integers(-1, 14))
def test_an_answer_counts_by_where_its_author_stood_when_it_was_given(wishes, hour):
    worker, events = walked(wishes)
    stood = ""
    for event in events:
        stood = event.after if event.at <= at(hour) else stood
    assert status_at(worker, at(hour)) == stood
    assert counted(answer(at(hour)), {"w-1": worker}) == (stood not in STOPPED)


def test_who_was_never_stopped_and_answers_without_a_time_count():
    worker, _ = walked([("active", False), ("suspended", False), ("active", True)])
    assert counted(answer(at(1), worker="w-2"), {"w-1": worker})
    assert counted(answer(""), {"w-1": worker})
    assert not counted(answer("2026-03-01T03:30:00+02:00"), {"w-1": worker})
    assert counted(answer("2026-03-01T02:30:00"), {"w-1": worker})
