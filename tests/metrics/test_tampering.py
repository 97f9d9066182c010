"""Who changed or deleted whose work: told from events alone, gravest first, people's edits of their own work never."""

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.history import EventRow
from hitl.metrics.tampering import KINDS, tamper_counts, tampering

numbers = count(1)


def event(kind, at="2026-01-01T10:00:00+00:00", **detail):
    return EventRow(number=next(numbers), at=at, kind=kind, detail=detail)


def edit(worker="ana", by="bo", **more):
    return event(
        "annotation edited", worker=worker, changed_by=by, task="t1", annotation="7", changed=["labels"], **more
    )


def test_an_edit_by_another_is_told_and_one_s_own_is_not():
    rows = tampering([edit(), edit(by="ana"), edit(by="")])
    assert [(row["by"], row["whose"], row["severity"], row["task"], row["annotation"]) for row in rows] == [
        ("bo", "ana", 3, "t1", "7")
    ]


def test_a_restored_answer_counts_as_touched_by_whoever_restored_it():
    again = {"worker": "ana", "changed_by": "bo", "changed": ["deleted"]}
    assert [row["by"] for row in tampering([event("annotation restored", **again)])] == ["bo"]


def test_an_answer_made_in_another_s_name():
    [row] = tampering([event("annotation in another's name", worker="ana", changed_by="bo", task="t", annotation="1")])
    assert (row["kind"], row["told"]) == ("answer in another's name", "bo made an answer in the name of ana")


@pytest.mark.parametrize(("counted", "words"), [(True, "after it was counted"), (False, "deleted; the server")])
def test_a_deletion_says_that_nobody_knows_by_whom(counted, words):
    [row] = tampering([event("annotation deleted", worker="ana", changed_by="", counted=counted, with_task=False)])
    assert (row["by"], row["whose"], row["counted"]) == ("", "ana", counted)
    assert words in row["told"]
    assert "does not tell by whom" in row["told"]


def test_answers_that_went_with_their_task_are_told_once():
    task = {"task": "t1", "round": 0, "after": None, "counted": True}
    rows = tampering(
        [
            event("annotation deleted", worker="ana", with_task=True, counted=True),
            event("annotation deleted", worker="bo", with_task=True, counted=True),
            event("task deleted on the server", before={"annotations": 2, "answers": 2, "skips": 0}, **task),
            event("task deleted on the server", before={"annotations": 0, "answers": 0, "skips": 0}, **task),
        ]
    )
    assert [(row["kind"], row["answers"], row["counted"]) for row in rows] == [("task deleted with answers", 2, True)]


def test_the_gravest_come_first_and_what_was_counted_before_the_rest():
    late, early = "2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00"
    rows = tampering(
        [
            event("setting changed", early, setting="main/sampling", before="a", after="b"),
            event("annotation deleted", early, worker="ana", counted=False),
            event("annotation deleted", late, worker="bo", counted=True),
            edit(at=late, counted=False),
            edit(at=late, worker="cy", counted=True),
            edit(at=early, worker="di", counted=False),
        ]
    )
    assert [(row["severity"], row["whose"]) for row in rows] == [
        (3, "cy"), (3, "di"), (3, "ana"), (2, "bo"), (2, "ana"), (1, ""),
    ]  # fmt: skip


def test_counts_are_by_person_and_day():
    first, second = "2026-01-01T23:59:59+00:00", "2026-01-02T00:00:00+00:00"
    rows = tampering([edit(at=first), edit(at=first, counted=True), edit(at=second), edit(at=first, by="cy")])
    told = [(one["day"], one["by"], one["whose"], one["n"], one["counted"]) for one in tamper_counts(rows)]
    assert told == [
        ("2026-01-02", "bo", "ana", 1, 0),
        ("2026-01-01", "bo", "ana", 2, 1),
        ("2026-01-01", "cy", "ana", 1, 0),
    ]


people = st.sampled_from(["", "ana", "bo"])
events = st.builds(
    lambda kind, day, worker, by, counted, annotations: event(
        kind,
        f"2026-01-0{day}T00:00:00+00:00",
        worker=worker,
        changed_by=by,
        counted=counted,
        before={"annotations": annotations},
        setting="main/title",
        changed=["out"],
    ),
    st.sampled_from([*KINDS, "rescored", "draft begun"]),
    st.integers(1, 3),
    people,
    people,
    st.booleans(),
    st.integers(0, 2),
)


@given(st.lists(events, max_size=12), st.randoms())
def test_rows_do_not_depend_on_the_order_of_events_and_are_plain(happened, rng):
    rows = tampering(happened)
    shuffled = list(happened)
    rng.shuffle(shuffled)
    assert tampering(shuffled) == rows
    assert json.loads(json.dumps(rows)) == rows
    assert [row["severity"] for row in rows] == sorted((row["severity"] for row in rows), reverse=True)
    assert sum(one["n"] for one in tamper_counts(rows)) == len(rows)
    assert all(row["by"] not in ("", row["whose"]) for row in rows if row["severity"] == 3 and "changed" in row["kind"])
