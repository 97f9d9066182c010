"""What is set aside is what a quarantine in force covers, and lifting it gives everything back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import WorkforceError
from hitl.labels.settle import settle
from hitl.policy import Policy
from hitl.types import Annotation, Answer, Task
from hitl.workforce.quarantine import LIFTED, QUARANTINED, advance, fold, in_force, last_edits, set_aside

POLICY = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}, {name: hate}]}")
START = datetime(2026, 3, 2, tzinfo=UTC)
PEOPLE = ("ana", "bo", "cy", "dee")
TASKS = [Task(f"t{n}", 1, f"item-{n}", n, "classify", "1", "", {}, overlap=2) for n in range(6)]


def day(number):
    return (START + timedelta(days=number)).isoformat()


def said(task, worker, label, number):
    return Annotation(f"{task}.{worker}", task, worker, Answer((label,)), day(number), 4.0)


def begun(number, worker, since, until="", **more):
    detail = {"worker": worker, "since": since, "until": until, "actor": "lea", "reason": "random answers", **more}
    return {"number": number, "at": day(40), "kind": QUARANTINED, "detail": detail}


def lifted(number, which, **more):
    detail = {"quarantine": which, "actor": "lea", "reason": "wrongly suspected", **more}
    return {"number": number, "at": day(50), "kind": LIFTED, "detail": detail}


answers = st.builds(
    said,
    st.sampled_from([task.key for task in TASKS]),
    st.sampled_from(PEOPLE),
    st.sampled_from(POLICY.names),
    st.integers(0, 9),
)
bodies = st.lists(answers, max_size=30, unique_by=lambda one: one.id)


def resolved(annotations, events):
    gone = set_aside(annotations, in_force(fold(events)), {})
    kept = [one for one in annotations if one.id not in gone]
    return [settle(kept, TASKS, POLICY, resolver=resolver).resolutions for resolver in ("majority", "dawid_skene")]


@settings(max_examples=40)
@given(bodies, st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(0, 9)), min_size=1, max_size=3, unique=True))
def test_lifting_gives_back_the_former_resolutions_bit_for_bit(annotations, spans):
    before = resolved(annotations, [])
    # Of one person the later time first: what is covered already is refused.
    order = sorted(spans, key=lambda span: -span[1])
    events = [begun(number, worker, day(since)) for number, (worker, since) in enumerate(order, 1)]
    aside = resolved(annotations, events)
    numbers = [event["number"] for event in events]
    ids = set_aside(annotations, in_force(fold(events)), {})
    assert all(ids.isdisjoint(one.annotations) for found in aside for one in found)
    for place, number in enumerate(reversed(numbers), len(numbers) + 1):
        events.append(lifted(place, number))
    assert resolved(annotations, events) == before
    assert [one.lifted is None for one in fold(events)] == [False] * len(numbers)


@given(bodies, st.sampled_from(PEOPLE), st.integers(0, 9), st.integers(1, 5))
def test_exactly_what_was_given_in_its_time_is_set_aside(annotations, worker, since, length):
    [quarantine] = fold([begun(1, worker, day(since), day(since + length))])
    wanted = {
        one.id
        for one in annotations
        if one.worker == worker and day(since) <= one.submitted < day(since + length)
    }  # fmt: skip
    assert set_aside(annotations, [quarantine], {}) == wanted


def test_an_old_answer_that_is_changed_in_quarantine_is_set_aside_too():
    early = said("t0", "dee", "ok", 0)
    [quarantine] = fold([begun(1, "dee", day(5))])
    seen = [
        {"number": 9, "at": day(at), "kind": "annotation edited", "detail": {"annotation": early.id}} for at in (2, 6)
    ]
    assert not set_aside([early], [quarantine], last_edits(seen[:1]))
    assert set_aside([early], [quarantine], last_edits(seen)) == {early.id}


def test_a_time_that_cannot_be_read_is_set_aside():
    [quarantine] = fold([begun(1, "dee", day(5))])
    assert quarantine.covers("")
    assert not quarantine.covers("2026-03-02T12:00:00")  # no zone: UTC
    assert quarantine.covers("2026-03-07T02:00:00+02:00")
    assert not quarantine.covers("2026-03-07T01:59:00+02:00")


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([begun(1, "dee", "soon")], "no time"),
        ([begun(1, "dee", day(3), day(3))], "end before it begins"),
        ([begun(1, "dee", day(3)), begun(2, "dee", day(4))], "set aside from .* already"),
        ([begun(1, "dee", day(3), day(9)), begun(2, "dee", day(4), day(9))], "quarantine 1"),
        ([lifted(2, 1)], "no quarantine 1"),
        ([begun(1, "dee", day(3)), lifted(2, 1), lifted(3, 1)], "lifted on .* already"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_says_why(events, told):
    before = {one.number: one for one in fold(events[:-1])}
    with pytest.raises(WorkforceError, match=told):
        advance(before, events[-1])


def test_what_reaches_further_than_what_is_set_aside_is_allowed():
    spans = [("dee", day(3), day(6)), ("dee", day(4)), ("dee", day(1)), ("ana", day(5))]
    known = {}
    for number, span in enumerate(spans):
        known[number] = advance(known, begun(number, *span))
    assert len(in_force(known.values())) == len(spans)
