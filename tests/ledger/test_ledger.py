"""The record: what is written together is there together, and every change of an annotation is kept."""

import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import LedgerError
from hitl.ledger import Ledger
from hitl.types import Annotation, Answer, Estimate, Pick, Pull, Resolution, Task


def task(key, number=0, overlap=1):
    return Task(key, number, f"item-{key}", 3, "classify", "1", "DE", {"hitl_key": key}, 0.4, overlap)


def said(identity, key, labels=("spam",), **changes):
    made = Annotation(identity, key, "w-1", Answer(labels, "", "note"), "2026-01-01T00:00:00Z", 4.5)
    return replace(made, **changes)


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path / "ledger.db", "trial", clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    with opened.transaction() as writer:
        writer.add_tasks([task("a"), task("b"), task("c", 1, overlap=2)])
    yield opened
    opened.close()


def test_what_is_written_comes_back(ledger):
    pick = Pick(5, "item-5", "audit", 0.7, {"margin": 0.9}, inclusion=0.01, stratum="de", stands_for=4)
    served = Pick(6, "item-6", "contested", 0.7, {"margin": 0.9}, label="spam")
    resolution = Resolution("item-5", 5, ("spam",), 0.9, "majority", "1", ("1", "2"), {"unsure": 1})
    open_one = replace(resolution, item_id="item-6", labels=None)
    none = replace(resolution, item_id="item-7", labels=())
    figure = Estimate("recall", 0.5, 0.25, 0.75, 40, label="spam", method="bootstrap")
    unknown = Estimate("recall", float("nan"), 0.0, 1.0, 0, label="threat")
    with ledger.transaction() as writer:
        writer.add_picks(0, [pick, served])
        writer.add_resolutions(0, [resolution, open_one, none])
        writer.add_model(0, "m-1", "models/m-1", {"items": 3})
        writer.add_metrics(0, "benchmark", "m-1", [figure, unknown])
    assert ledger.picks(0) == [pick, served]
    assert ledger.resolutions(0) == [resolution, open_one, none]
    assert ledger.model(0)["card"] == {"items": 3}
    back = ledger.metrics(0, "benchmark")
    assert back[0] == figure
    assert str(back[1].value) == "nan"
    assert [found.key for found in ledger.tasks(1)] == ["c"]


def test_a_failure_in_the_middle_leaves_nothing(ledger):
    with pytest.raises(RuntimeError), ledger.transaction() as writer:  # noqa: PT012
        writer.add_tasks([task("d")])
        writer.complete(0, "ask", {"tasks": 1}, 0.1)
        raise RuntimeError
    assert ledger.step(0, "ask") is None
    assert [found.key for found in ledger.tasks()] == ["a", "b", "c"]


def test_revisions_count_changes_and_nothing_else(ledger):
    for pulled in (said("1", "a"), said("1", "a"), said("1", "a", ("ok",)), said("1", "a", ("ok",))):
        with ledger.transaction() as writer:
            writer.mirror(Pull((pulled,), "c"))
    assert [(a.revision, a.answer.labels) for a in ledger.revisions()] == [(1, ("spam",)), (2, ("ok",))]
    assert [a.revision for a in ledger.annotations()] == [2]
    assert [event["kind"] for event in ledger.events()] == ["annotation edited"]


def test_what_vanished_from_a_task_that_was_read_is_deleted(ledger):
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("1", "a"), said("2", "b")), "c1", seen={"a": ("1",), "b": ("2",)}))
    with ledger.transaction() as writer:
        assert writer.mirror(Pull((), "c2", seen={"a": ()})) == 1
    assert {a.id: a.deleted for a in ledger.annotations()} == {"1": True, "2": False}
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("1", "a"),), "c3", seen={"a": ("1",)}))
    assert {a.id: (a.deleted, a.revision) for a in ledger.annotations()} == {"1": (False, 3), "2": (False, 1)}


def test_a_deleted_task_takes_its_annotations_along(ledger):
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("1", "a"),), "c1"))
    for _ in range(2):
        with ledger.transaction() as writer:
            writer.mirror(Pull((), "c2", missing_tasks=("a",)))
    assert ledger.lost_tasks() == {"a"}
    assert [a.deleted for a in ledger.annotations()] == [True]
    assert [event["kind"] for event in ledger.events()] == ["annotation deleted", "task deleted on the server"]


def test_an_annotation_on_a_strange_task_is_an_event_and_no_row(ledger):
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("9", "zzz"),), "c"))
    assert ledger.annotations() == []
    assert [event["kind"] for event in ledger.events()] == ["foreign annotation"]


def test_intents_stand_until_done_and_raise_the_people_asked(ledger):
    with ledger.transaction() as writer:
        writer.intend("overlap", {"a": 2, "c": 3})
    assert ledger.intents("overlap") == {"a": 2, "c": 3}
    assert {found.key: found.overlap for found in ledger.tasks()} == {"a": 2, "b": 1, "c": 3}
    with ledger.transaction() as writer:
        writer.done("overlap")
    assert ledger.intents("overlap") == {}
    assert {found.key: found.overlap for found in ledger.tasks()} == {"a": 2, "b": 1, "c": 3}


def test_campaigns_of_one_database_do_not_meet(tmp_path):
    one, two = (Ledger(tmp_path / "l.db", name) for name in ("one", "two"))
    with one.transaction() as writer:
        writer.add_tasks([task("a")])
        writer.mirror(Pull((said("1", "a"),), "here"))
    assert (one.cursor, two.cursor) == ("here", "")
    assert two.tasks() == two.annotations() == []


def test_others_read_while_one_writes(tmp_path, ledger):
    reader = Ledger(tmp_path / "ledger.db", "trial")
    with ledger.transaction() as writer:
        writer.add_tasks([task("d")])
        assert len(reader.tasks()) == 3
    assert len(reader.tasks()) == 4


def _write_for_ever(path):
    ledger = Ledger(path, "trial")
    for number in range(10_000):
        with ledger.transaction() as writer:
            writer.add_tasks([task(f"k{number}-{part}") for part in range(3)])
            writer.complete(number, "ask", {"tasks": 3}, 0.0)


@pytest.mark.parametrize("after", [0.05, 0.11])
def test_a_killed_writer_leaves_whole_transactions(tmp_path, after):
    path = tmp_path / "killed.db"
    Ledger(path, "trial").close()
    process = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(path,))
    process.start()
    process.join(after + 0.4)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    ledger = Ledger(path, "trial")
    steps = sum(ledger.step(number, "ask") is not None for number in range(len(ledger.tasks())))
    assert len(ledger.tasks()) == 3 * steps


def test_a_newer_schema_is_refused(tmp_path):
    import sqlite3

    Ledger(tmp_path / "l.db", "trial").close()
    with sqlite3.connect(tmp_path / "l.db") as raw:
        raw.execute("UPDATE schema SET version = 99")
    with pytest.raises(LedgerError, match="schema 99"):
        Ledger(tmp_path / "l.db", "trial")


@pytest.mark.parametrize(
    "where", ["nonsense://", "postgresql+nodriver://me:s3cret@host/db", "sqlite:////proc/none/l.db"]
)
def test_an_unusable_url_is_told_without_its_password(where):
    with pytest.raises(LedgerError) as caught:
        Ledger(where, "trial")
    assert "s3cret" not in str(caught.value)


@given(st.text(min_size=1, max_size=50), st.text(max_size=200))
def test_any_text_survives(identity, note):
    ledger = Ledger(":memory:", "trial")
    mine = replace(task("k"), data={"text": note})
    try:
        identity.encode(), note.encode()
    except UnicodeEncodeError:
        return
    with ledger.transaction() as writer:
        writer.add_tasks([mine])
        writer.mirror(Pull((replace(said(identity, "k"), answer=Answer((), "unsure", note)),), ""))
    assert ledger.tasks()[0].data == {"text": note}
    assert ledger.annotations()[0].answer.note == note
