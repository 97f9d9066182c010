"""The record: what is written together is there together, and every change of an annotation is kept."""

import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_rows import said, task

from hitl.errors import LedgerError
from hitl.ledger import Ledger
from hitl.types import Answer, Estimate, Pick, Pull, Resolution, Span


@pytest.fixture
def ledger(place, opened):
    made = opened(place, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    with made.transaction() as writer:
        writer.add_tasks([task("a"), task("b"), task("c", 1, overlap=2)])
    return made


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


def test_intents_stand_until_done_and_raise_the_people_asked(ledger):
    with ledger.transaction() as writer:
        writer.intend("overlap", {"a": 2, "c": 3})
    assert ledger.intents("overlap") == {"a": 2, "c": 3}
    assert {found.key: found.overlap for found in ledger.tasks()} == {"a": 2, "b": 1, "c": 3}
    with ledger.transaction() as writer:
        writer.done("overlap")
    assert ledger.intents("overlap") == {}
    assert {found.key: found.overlap for found in ledger.tasks()} == {"a": 2, "b": 1, "c": 3}


def test_campaigns_of_one_database_do_not_meet(place, opened):
    one, two = (opened(place, name) for name in ("one", "two"))
    with one.transaction() as writer:
        writer.add_tasks([task("a")])
        writer.mirror(Pull((said("1", "a"),), "here"))
    assert (one.cursor, two.cursor) == ("here", "")
    assert two.tasks() == two.annotations() == []


def test_others_read_while_one_writes(place, opened, ledger):
    reader = opened(place)
    with ledger.transaction() as writer:
        writer.add_tasks([task("d")])
        assert len(reader.tasks()) == 3
    assert len(reader.tasks()) == 4


def _write_for_ever(where):
    ledger = Ledger(where, "trial")
    for number in range(10_000):
        with ledger.transaction() as writer:
            writer.add_tasks([task(f"k{number}-{part}") for part in range(3)])
            writer.complete(number, "ask", {"tasks": 3}, 0.0)


def test_a_killed_writer_leaves_whole_transactions(place, opened):
    opened(place).close()
    process = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(place,))
    process.start()
    ledger = opened(place)
    while (before := ledger.counts()["tasks"]) < 9:
        assert process.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    tasks = len(ledger.tasks())
    assert tasks == 3 * len(ledger.completed("ask")) == ledger.counts()["tasks"]
    assert tasks >= before
    with ledger.transaction() as writer:
        writer.add_tasks([task("after")])


def test_an_answer_keeps_its_spans_and_ratings(ledger):
    answer = Answer(("spam",), "", "", (Span("spam", 1.5, 2.0),), (("clarity", 4),))
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("1", "a", answer=answer, changed_by="w-1"),), "c"))
        writer.add_tasks([task("d", queue="review")])
    assert ledger.annotations(0)[0].answer == answer
    assert ledger.annotations()[0].changed_by == "w-1"
    assert ledger.tasks(items=["item-d"])[0].queue == "review"


def test_nothing_and_no_label_are_not_the_same(ledger):
    resolutions = [Resolution(name, 0, labels, 1.0, "m", "1") for name, labels in (("a", None), ("b", ()))]
    with ledger.transaction() as writer:
        writer.add_resolutions(0, resolutions)
        writer.expect_settings({"a": None, "b": 0, "c": "", "d": [None]})
        writer.mirror(Pull((said("1", "a", answer=None), said("2", "b", ())), ""))
    assert ledger.resolutions(0) == resolutions
    assert ledger.resolutions(0, items=["b"]) == resolutions[1:]
    assert ledger.settings == {"a": None, "b": 0, "c": "", "d": [None]}
    assert [a.answer for a in ledger.annotations()] == [None, Answer((), "", "note")]


def test_whole_numbers_of_64_bits_survive(ledger):
    big = 2**63 - 1
    with ledger.transaction() as writer:
        writer.begin_round(0, seed=big, config={"seed": big}, policy_version="1")
        writer.add_picks(0, [Pick(big, "i", "audit", 0.5, {}, stands_for=big)])
    assert (ledger.rounds()[0]["seed"], ledger.rounds()[0]["config"]) == (big, {"seed": big})
    assert (ledger.picks(0)[0].position, ledger.picks(0)[0].stands_for) == (big, big)


@pytest.mark.parametrize(
    ("pick", "why"),
    [
        (Pick(2**63, "i", "audit", 0.5), "64 bits"),
        (Pick(0, "i", "audit", float("nan")), "is nan"),
        (Pick(0, "i", "audit", 0.5, inclusion=float("inf")), "is inf"),
        (Pick(0, "\ud800", "audit", 0.5), "no Unicode"),
    ],
)
def test_what_cannot_be_kept_is_refused_whole(ledger, pick, why):
    good = Pick(0, "good", "audit", 0.5)
    with pytest.raises(LedgerError, match=why), ledger.transaction() as writer:
        writer.add_picks(0, [good, pick])
    assert ledger.picks(0) == []


def test_numbers_that_json_does_not_know_become_null(ledger):
    parts = {"margin": float("nan"), "far": float("-inf"), "plain": 0.25}
    with ledger.transaction() as writer:
        writer.add_picks(0, [Pick(0, "i", "audit", 0.5, parts)])
    assert ledger.picks(0)[0].parts == {"margin": None, "far": None, "plain": 0.25}


def test_unknown_seconds_are_none_and_no_change(ledger):
    for _ in range(2):
        with ledger.transaction() as writer:
            writer.mirror(Pull((said("1", "a", seconds=float("nan")),), ""))
    assert [(a.seconds, a.revision) for a in ledger.revisions()] == [(0.0, 1)]


def test_order_is_by_code_points_in_every_database(ledger):
    names = sorted(["b", "B", "a-c", "ab", "é", "_", "Z", "ß"])
    with ledger.transaction() as writer:
        writer.add_resolutions(0, [Resolution(name, 0, None, 1.0, "m", "1") for name in reversed(names)])
    assert [r.item_id for r in ledger.resolutions(0)] == names


def test_priority_and_prediction_of_a_task_may_change(ledger):
    before = ledger.tasks()
    later = replace(before[1], priority=0.9, predicted={"spam": 0.8}, model_id="m-2")
    with ledger.transaction() as writer:
        writer.reprioritise([later])
    assert ledger.tasks() == [before[0], later, before[2]]


def test_what_is_counted_is_what_is_there(ledger):
    with ledger.transaction() as writer:
        writer.begin_round(0, seed=1, config={}, policy_version="1")
        writer.mirror(Pull((said("1", "a"), said("2", "b", answer=None, skipped=True)), ""))
        writer.mirror(Pull((said("1", "a", ("ok",)),), "", missing_tasks=("c",)))
    assert ledger.counts() == {"rounds": 1, "tasks": 3, "annotations": 2}
    assert repr(ledger) == "Ledger('trial', 1 round, 3 tasks, 2 annotations)"
    told = {n: (c.tasks, c.waiting, c.answers, c.skips, c.lost) for n, c in ledger.overview().items()}
    assert told == {0: (2, 1, 1, 1, 0), 1: (1, 0, 0, 0, 1)}


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=50), st.text(max_size=200))
def test_any_text_survives(identity, note):
    _keep(":memory:", identity, note)


def _keep(where, identity, note):
    try:
        identity.encode(), note.encode()
    except UnicodeEncodeError:
        return
    ledger = Ledger(where, identity)
    mine = replace(task(f"k{identity}"), data={"text": note}, item_id=note, region=identity)
    with ledger.transaction() as writer:
        writer.add_tasks([mine])
        writer.mirror(Pull((said(identity, mine.key, answer=Answer((), "unsure", note)),), identity))
    assert ledger.tasks() == ledger.tasks(items=[note]) == [mine]
    assert ledger.annotations()[0].answer.note == note
    assert ledger.annotations()[0].id == ledger.cursor == identity
    ledger.close()


def test_text_with_nul_and_escapes_survives(place):
    for text in (
        "\x00",
        "a\x000\x10",
        "\x10",
        "\x10\x10",
        "\x100",
        "\x10\x00\x10",
        "'; --",
        "%s %(x)s :y",
        "\U0001f600",
    ):
        _keep(place, text, text)
