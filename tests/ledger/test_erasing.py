"""One person in the record: what is held of them, and that nothing is afterwards, in every kind of database."""

from datetime import UTC, datetime

import pytest
from ledger_rows import said, task

from hitl.ledger.erasing import Erasure
from hitl.types import Answer, Estimate, Pull

FRESH = "erased-00ff"
NOTE = "I know  this author"


def forget(kind, detail):
    return {**detail, "reason": "(erased)"}


@pytest.fixture
def ledger(place, opened):
    """Two people on three tasks; w-1 writes a note that a senior is shown, and stands in events, steps and figures."""
    made = opened(place, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    shown = {"opinions": "1 × Spam; notes: “I know this author”, “mine”"}
    with made.transaction() as writer:
        writer.add_tasks([task("a"), task("b"), task("r", item_id="item-a", queue="review", data=shown)])
        mine = said("1", "a", answer=Answer(("spam",), note=NOTE), changed_by="w-1")
        others = said("2", "b", worker="w-2", changed_by="w-1")
        strange = said("9", "no task of ours", answer=Answer(("spam",), note=NOTE))
        writer.mirror(Pull((mine, others, strange), "here", drafts={"b": ("w-1",)}, seen={"a": ("1",), "b": ("2",)}))
        writer.mirror(Pull((said("1", "a", labels=("ok",), changed_by="w-1"),), "here"))
        moved = {"before": "", "after": "watch", "actor": "lea"}
        writer.event("worker moved", {**moved, "worker": "w-1", "reason": "w-1 is too fast"})
        writer.event("worker moved", {**moved, "worker": "w-12", "reason": "calm"})
        told = {"workers": [{"worker": "w-1", "n": 4}, {"worker": "w-2", "n": 9}], "pairs": {"w-1 × w-2": 0.5}}
        writer.complete(0, "resolve", told, 0.1)
        writer.add_metrics(0, "agreement", "m", [Estimate("kappa", 0.5, 0.1, 0.9, 4, label="w-1 × w-2")])
    return made


def erase(ledger, worker="w-1"):
    with ledger.transaction() as writer:
        return writer.erase(Erasure(worker, FRESH, forget, lambda note: " ".join(note.split())))


def test_everything_that_names_somebody_is_found(ledger):
    held = ledger.held("w-1")
    assert [(row["id"], row["revision"]) for row in held.annotations] == [("1", 1), ("1", 2)]
    assert [row["id"] for row in held.touched] == ["2"]
    assert [row["id"] for row in held.foreign_annotations] == ["9"]
    assert [row["task_key"] for row in held.drafts] == ["b"]
    assert all("w-1" in str(row["detail"]) and "w-12" not in str(row["detail"]) for row in held.events)
    assert {row["kind"] for row in held.events} >= {"worker moved", "annotation edited", "draft begun"}
    assert [row["label"] for row in held.figures] == ["w-1 × w-2"]
    assert held.steps[0]["about"] == [{"worker": "w-1", "n": 4}, {"w-1 × w-2": 0.5}]
    assert not ledger.held("w-3")


def test_afterwards_nothing_names_them_and_the_answers_are_there(ledger):
    before = [(one.id, one.revision, one.answer.labels, one.submitted) for one in ledger.revisions()]
    assert erase(ledger)
    assert not ledger.held("w-1")
    assert [(one.id, one.revision, one.answer.labels, one.submitted) for one in ledger.revisions()] == before
    assert {one.worker: one.answer.note for one in ledger.annotations()} == {FRESH: "", "w-2": "note"}
    held = ledger.held(FRESH)
    assert len(held.annotations) == 2
    assert held.steps[0]["about"] == [{"worker": FRESH, "n": 4}, {f"{FRESH} × w-2": 0.5}]
    assert ledger.tasks(items=["item-a"])[1].data["opinions"] == "1 × Spam; notes: “erased”, “mine”"
    reasons = [event["detail"].get("reason") for event in ledger.events("worker moved")]
    assert reasons == ["(erased)", "calm"]
    assert not erase(ledger)
    assert not erase(ledger, "w-3")


@pytest.mark.parametrize("author", ["w-1", "w-annotation"], ids=["known to the server", "whose account is gone"])
def test_a_later_look_at_the_server_brings_nothing_back(ledger, author):
    erase(ledger)
    by = author if author == "w-1" else ""
    again = said("1", "a", labels=("ok",), worker=author, changed_by=by)
    touched = said("2", "b", worker="w-2", changed_by=by)
    with ledger.transaction() as writer:
        assert writer.mirror(Pull((again, touched), "there")) == 0
    assert not ledger.held(author)
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("1", "a", labels=("spam",), worker=author, changed_by="w-9"),), "there"))
    last = next(one for one in ledger.annotations() if one.id == "1")
    assert (last.worker, last.changed_by, last.answer) == (FRESH, "w-9", Answer(("spam",)))


def test_the_file_keeps_no_trace(tmp_path, opened):
    path = tmp_path / "ledger.db"
    ledger = opened(path)
    worker = "w-5ec4e7fe"
    with ledger.transaction() as writer:
        writer.add_tasks([task("a")])
        writer.mirror(Pull((said("1", "a", worker=worker, answer=Answer(("spam",), note="a note of theirs")),), ""))
    assert worker.encode() in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert erase(ledger, worker)
    assert ledger.vacuum()
    left = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert worker.encode() not in left
    assert b"a note of theirs" not in left
