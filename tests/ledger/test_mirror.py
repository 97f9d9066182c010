"""What a pull changes: revisions, counters and events, each once, whatever the record holds besides."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_rows import said, task
from sqlalchemy import event

from hitl.labels.voices import voices, wants_people
from hitl.ledger import Ledger, mirroring
from hitl.metrics.tampering import KINDS, tampering
from hitl.types import Answer, Pull

PEOPLE = ("ana", "bo", "cy")


class Clock:
    """A second later at every look."""

    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def ledger(place, opened):
    made = opened(place, clock=Clock())
    with made.transaction() as writer:
        writer.add_tasks([task("a"), task("b"), task("c", 1, overlap=2)])
    return made


def mirror(ledger, *annotations, cursor="", **more):
    with ledger.transaction() as writer:
        return writer.mirror(Pull(annotations, cursor, **more))


def told(ledger, *kinds):
    return [(event["kind"], event["detail"]) for event in ledger.events(*kinds)]


def kinds(ledger):
    return [event["kind"] for event in ledger.events()]


def test_revisions_count_changes_and_nothing_else(ledger):
    for pulled in (said("1", "a"), said("1", "a"), said("1", "a", ("ok",)), said("1", "a", ("ok",))):
        mirror(ledger, pulled)
    assert [(a.revision, a.answer.labels) for a in ledger.revisions()] == [(1, ("spam",)), (2, ("ok",))]
    assert [a.revision for a in ledger.annotations()] == [2]
    [(kind, detail)] = told(ledger)
    assert (kind, detail["changed"], detail["worker"]) == ("annotation edited", ["labels"], "w-1")
    assert (detail["before"]["labels"], detail["after"]["labels"]) == (["spam"], ["ok"])


def test_what_vanished_from_a_task_that_was_read_is_deleted(ledger):
    mirror(ledger, said("1", "a"), said("2", "b"), seen={"a": ("1",), "b": ("2",)})
    assert mirror(ledger, seen={"a": ()}) == 1
    assert {a.id: a.deleted for a in ledger.annotations()} == {"1": True, "2": False}
    assert ledger.unanswered() == ["a", "c"]
    mirror(ledger, said("1", "a"), seen={"a": ("1",)})
    assert {a.id: (a.deleted, a.revision) for a in ledger.annotations()} == {"1": (False, 3), "2": (False, 1)}
    assert kinds(ledger) == ["annotation deleted", "annotation restored"]
    assert ledger.unanswered() == ["c"]


def test_a_deleted_task_takes_its_annotations_along_and_may_come_back(ledger):
    mirror(ledger, said("1", "a"))
    for _ in range(2):
        mirror(ledger, missing_tasks=("a",))
    assert ledger.lost_tasks() == {"a"}
    assert [a.deleted for a in ledger.annotations()] == [True]
    [deleted, lost] = told(ledger)
    assert (deleted[0], deleted[1]["with_task"]) == ("annotation deleted", True)
    about = {"task": "a", "round": 0, "before": {"annotations": 1, "answers": 1, "skips": 0}, "after": None}
    assert lost == ("task deleted on the server", about | {"counted": False})
    assert ledger.unanswered() == ["b", "c"]
    assert [mirror(ledger, seen={"a": ()}) for _ in range(2)] == [1, 0]
    assert ledger.unanswered() == ["a", "b", "c"]
    assert kinds(ledger)[2:] == ["task came back"]


def test_a_second_annotation_by_the_same_person_is_told_with_the_first(ledger):
    mirror(ledger, said("1", "a"))
    mirror(ledger, said("2", "a", ("ok",), submitted="2026-01-02T00:00:00Z"))
    [(kind, detail)] = told(ledger)
    assert kind == "annotated again"
    assert (detail["before"]["id"], detail["before"]["labels"]) == ("1", ["spam"])
    assert (detail["after"]["id"], detail["after"]["labels"]) == ("2", ["ok"])
    assert ledger.unanswered() == ["b", "c"]


def test_deleting_and_answering_anew_in_one_pull_is_no_second_annotation(ledger):
    mirror(ledger, said("1", "a"), seen={"a": ("1",)})
    mirror(ledger, said("2", "a"), seen={"a": ("2",)})
    assert kinds(ledger) == ["annotation deleted"]


def test_skips_are_told_and_three_of_them_let_a_task_go(ledger):
    for number, who in enumerate(PEOPLE):
        assert "a" in ledger.unanswered()
        mirror(ledger, said(str(number), "a", answer=None, skipped=True, worker=who))
    assert "a" not in ledger.unanswered()
    assert kinds(ledger) == ["task skipped"] * 3
    mirror(ledger, said("0", "a", worker="ana"))
    assert kinds(ledger)[3:] == ["annotation edited"]


def test_who_touched_it_last_is_first_learned_and_then_watched(ledger):
    mirror(ledger, said("1", "a"), said("2", "b"))
    mirror(ledger, said("1", "a", changed_by="w-1"))
    assert (kinds(ledger), ledger.annotations()[0].changed_by, len(ledger.revisions())) == ([], "w-1", 2)
    mirror(ledger, said("1", "a", ("ok",), changed_by="bo"), said("2", "b", changed_by="bo"))
    assert [(kind, detail["changed_by"]) for kind, detail in told(ledger)] == [("annotation edited", "bo")] * 2
    assert ledger.unanswered() == ["a", "b", "c"]


def test_an_answer_in_another_s_name_is_told_from_the_start(ledger):
    mirror(ledger, said("1", "a", changed_by="bo"))
    [(kind, detail)] = told(ledger)
    assert (kind, detail["worker"], detail["changed_by"]) == ("annotation in another's name", "w-1", "bo")


def test_drafts_begin_and_end(ledger):
    for _ in range(2):
        mirror(ledger, seen={"a": (), "b": ()}, drafts={"a": ("ana", "bo"), "strange": ("ana",)})
    mirror(ledger, seen={"b": ()})
    for _ in range(2):
        mirror(ledger, said("1", "a", worker="ana"), seen={"a": ("1",)}, drafts={"a": ("bo",)})
    assert told(ledger) == [
        ("draft begun", {"task": "a", "worker": "ana"}),
        ("draft begun", {"task": "a", "worker": "bo"}),
        ("draft ended", {"task": "a", "worker": "ana", "answered": True}),
    ]
    assert ledger.unanswered() == ["b", "c"]


def test_settings_are_watched_from_the_first_sight_and_ours_are_expected(ledger):
    with ledger.transaction() as writer:
        writer.expect_settings({"main/sampling": "uncertainty"})
    mirror(ledger, settings={"main/sampling": "uncertainty", "main/title": "trial", "exam/limits": (1, 2)})
    for _ in range(2):
        mirror(ledger, settings={"main/sampling": "sequential"})
    with ledger.transaction() as writer:
        writer.expect_settings({"main/title": "other"})
    mirror(ledger, settings={"main/title": "other", "exam/limits": [1, 2]})
    assert told(ledger) == [
        ("setting changed", {"setting": "main/sampling", "before": "uncertainty", "after": "sequential"})
    ]
    assert ledger.settings == {"exam/limits": [1, 2], "main/sampling": "sequential", "main/title": "other"}


def test_an_annotation_on_a_strange_task_is_kept_aside_once(ledger):
    for _ in range(2):
        mirror(ledger, said("9", "zzz"))
    assert ledger.annotations() == []
    assert kinds(ledger) == ["foreign annotation"]


def test_an_annotation_that_moves_to_another_task_is_counted_there(ledger):
    mirror(ledger, said("1", "a"))
    mirror(ledger, said("1", "b"))
    assert [(a.task_key, a.revision) for a in ledger.annotations()] == [("b", 2)]
    assert ledger.unanswered() == ["a", "c"]


def test_no_event_holds_a_note_or_the_text_of_a_task(place, opened):
    ledger = opened(place)
    secret = "words of the item"
    with ledger.transaction() as writer:
        writer.add_tasks([task("a", data={"text": secret})])
    first = said("1", "a", answer=Answer(("spam",), "", secret))
    for one in (first, replace(first, answer=Answer(("ok",), "", secret)), replace(first, problem=secret, answer=None)):
        mirror(ledger, one, seen={"a": ("1",)}, drafts={"a": ("bo",)})
    mirror(ledger, missing_tasks=("a",))
    assert len(ledger.events()) > 3
    assert secret not in json.dumps(ledger.events())


def test_the_same_pull_again_writes_nothing(ledger):
    pull = {
        "seen": {"a": ("1", "2"), "b": ()},
        "missing_tasks": ("c",),
        "drafts": {"b": ("ana",)},
        "settings": {"main/title": "x"},
    }
    ours = [said("1", "a", changed_by="bo"), said("2", "a", submitted="2026-01-03T00:00:00Z"), said("9", "strange")]
    mirror(ledger, *ours, cursor="here", **pull)
    before = ledger.events(), ledger.revisions(), ledger.settings, ledger.cursor, ledger.counts()
    assert mirror(ledger, *ours, cursor="here", **pull) == 0
    assert (ledger.events(), ledger.revisions(), ledger.settings, ledger.cursor, ledger.counts()) == before


def test_what_is_read_depends_on_the_pull_and_not_on_the_record(ledger, monkeypatch):
    with ledger.transaction() as writer:
        writer.add_tasks([task(f"k{number}") for number in range(300)])
    mirror(ledger, *(said(f"k{number}", f"k{number}") for number in range(300)))
    read, asked, plain = [], [], mirroring.read_annotation
    monkeypatch.setattr(mirroring, "read_annotation", lambda row: read.append(row["id"]) or plain(row))
    event.listen(ledger._engine, "after_cursor_execute", lambda *call: asked.append(call[2]))
    mirror(ledger, said("k1", "k1", ("ok",)), said("new", "k2"), seen={"k1": ("k1",)}, cursor="x")
    assert sorted(read) == ["k1", "k2"]
    assert len(asked) < 20


def test_what_was_changed_after_it_was_resolved_is_told_first(ledger):
    mirror(ledger, said("1", "a"), said("2", "b"))
    with ledger.transaction() as writer:
        writer.complete(0, "resolve", {}, 0.1)
    mirror(ledger, said("3", "c"))
    mirror(ledger, seen={"c": ()})
    mirror(ledger, seen={"b": ()}, settings={"main/title": "x"})
    mirror(ledger, said("1", "a", ("ok",), changed_by="bo"), settings={"main/title": "y"})
    mirror(ledger, missing_tasks=("a",))
    rows = tampering(ledger.events(*KINDS))
    assert [(row["kind"], row["counted"], row["by"]) for row in rows] == [
        ("answer changed by another", True, "bo"),
        ("answer deleted", True, ""),
        ("task deleted with answers", True, ""),
        ("answer deleted", False, ""),
        ("setting changed", False, ""),
    ]


annotation = st.builds(
    said,
    st.sampled_from("123456"),
    st.sampled_from("abcd"),
    st.sampled_from([("spam",), ("ok",), ()]),
    worker=st.sampled_from(PEOPLE),
    skipped=st.booleans(),
    submitted=st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
    problem=st.sampled_from(["", "", "unreadable"]),
    changed_by=st.sampled_from(["", "ana", "bo"]),
)
pull = st.builds(
    Pull,
    st.lists(annotation, max_size=6).map(tuple),
    st.just("c"),
    missing_tasks=st.lists(st.sampled_from("abc"), max_size=1).map(tuple),
    seen=st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("123456"), max_size=4).map(tuple)),
)
step = pull | st.dictionaries(st.sampled_from("abc"), st.integers(1, 4))


@settings(max_examples=50)
@given(st.lists(step, max_size=8))
def test_counters_are_what_the_answers_say(history):
    ledger = Ledger(":memory:", "trial")
    with ledger.transaction() as writer:
        writer.add_tasks([task("a"), task("b", overlap=2), task("c", 1, overlap=3)])
    asked = {"a": 1, "b": 2, "c": 3}
    intended = set()
    for one in history:
        with ledger.transaction() as writer:
            if isinstance(one, Pull):
                writer.mirror(one)
            else:
                new = {key: people for key, people in one.items() if (key, people) not in intended}
                intended |= set(new.items())
                writer.intend("overlap", new)
                asked |= {key: max(people, asked[key]) for key, people in new.items()}
        heard = voices(ledger.revisions())
        assert {t.key: t.overlap for t in ledger.tasks()} == asked
        for number in (0, 1, None):
            lost, tasks = ledger.lost_tasks(), ledger.tasks(number)
            expected = [t.key for t in tasks if t.key not in lost and wants_people(t, heard.get(t.key, ()))]
            assert ledger.unanswered(number) == expected
    ids = {a.id for a in ledger.revisions()}
    assert ledger.counts()["annotations"] == len(ids) == len(ledger.annotations())
    assert voices(ledger.annotations()) == voices(ledger.revisions())
    ledger.close()
