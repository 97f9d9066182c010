"""Signals of a campaign: which answers they read, in which order, and what is told of them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import hitl
from hitl.rounds.signals import signalled, stream_of
from hitl.types import Annotation, Answer, Task
from hitl.workforce.signals import LEVEL, SIGNALS

POLICY = hitl.Policy.parse("{name: p, version: 2, labels: [{name: ok, violating: false}, {name: rude}, {name: spam}]}")
SEVERAL = hitl.Policy.parse("{name: p, version: 2, multi_label: true, labels: [{name: rude}, {name: spam}]}")


def task(at, version="2", queue="", **more):
    data = {"text": "x" * (at + 1), "language": ("en", "de")[at % 2]}
    return Task(f"t{at:03}", 0, f"i{at:03}", at, "classify", version, "", data, queue=queue, **more)


def said(at, who, labels, minute=0, **more):
    when = f"2026-03-02T{10 + minute // 60:02}:{minute % 60:02}:00Z"
    return Annotation(f"{at}.{who}", f"t{at:03}", who, Answer(labels, **more), when, seconds=4.0 + at)


@pytest.fixture
def walking():
    """A walk of which only policy, gold and the record are there."""

    def make(tasks, annotations, policy=POLICY, gold=(), hidden=None):
        asked = {} if hidden is None else {0: {"hidden": hidden}}
        ledger = SimpleNamespace(
            tasks=lambda: tasks, annotations=lambda number: annotations, events=lambda *kinds: [],
            outputs=lambda step: asked,
        )  # fmt: skip
        plan = hitl.Plan(show_predictions=hidden is not None)
        return SimpleNamespace(policy=policy, ledger=ledger, plan=plan, gold=SimpleNamespace(known=dict(gold)))

    return make


def test_answers_stand_in_order_of_time_with_what_their_authors_saw(walking):
    sure = {"predicted": {"ok": 0.2, "rude": 0.7, "spam": 0.1}, "model_id": "m"}
    tasks = [task(0, **sure), task(1, **sure), task(2), task(3, "1"), task(4, queue="exam"), task(5, queue="review")]
    given = [
        said(0, "bo", ("rude",), 9), said(0, "ana", ("ok",), 7), said(1, "bo", ("spam",), 8),
        said(2, "ana", ("ok",), 3), said(3, "bo", ("ok",)), said(4, "bo", ("ok",)),
        said(5, "ana", ("ok",)), said(2, "bo", (), out="unsure"),
    ]  # fmt: skip
    stream = stream_of(walking(tasks, given, gold=[("i001", ("spam",))], hidden=["t001"]))
    assert [stream.workers[code] for code in stream.worker] == ["ana", "ana", "bo", "bo"]
    assert [stream.labels[code] for code in stream.label] == ["ok", "ok", "spam", "rude"]
    assert [stream.labels[code] if code >= 0 else "" for code in stream.predicted] == ["", "rude", "rude", "rude"]
    assert stream.shown[1:].tolist() == [True, False, True]
    assert stream.seconds.tolist() == [6.0, 4.0, 5.0, 4.0]
    assert [stream.labels[code] if code >= 0 else "" for code in stream.reference] == ["", "rude", "spam", "ok"]
    assert stream.size.tolist() == [1.0, 2.0, 3.0]
    assert stream.group[0] == stream.group[2] != stream.group[1]


def test_sets_of_labels_are_labels_and_so_are_suggestions(walking):
    tasks = [task(0, predicted={"rude": 0.9, "spam": 0.8}, model_id="m"), task(1, predicted={"rude": 0.1, "spam": 0.2})]
    given = [said(0, "ana", ("spam", "rude")), said(1, "ana", ())]
    stream = stream_of(walking(tasks, given, SEVERAL, hidden=[]))
    assert [stream.labels[code] for code in stream.label] == ["rude, spam", "(none)"]
    assert stream.predicted.tolist() == stream.label.tolist()


def test_whoever_is_named_is_told_of_with_evidence_advice_and_other_explanations(walking):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 240)
    names = POLICY.names
    given = [
        said(at, who, (names[(truth[at] + (who == "zoe" or rng.random() < 0.1)) % 3],), at)
        for at in range(240)
        for who in ("ana", "bo", "cy", "zoe")
    ]
    told = signalled(SimpleNamespace(walk=walking([task(at) for at in range(240)], given)))
    assert json.loads(json.dumps(told)) == told
    assert (told["people"], told["answers"], told["shown"]) == (4, 960, 0)
    assert told["compared"] > 900
    assert [one["signal"] for one in told["signals"]] == list(SIGNALS)
    assert {one["worker"] for one in told["proposals"]} == {"zoe"}
    [odds] = [one for one in told["proposals"] if one["signal"] == "at_odds"]
    assert odds["told"].startswith("Differs from gold or from most others on 2")
    assert odds["look"]
    assert odds["innocent"]
    assert odds["partner"] == ""
    assert odds["p"] <= odds["adjusted"] <= LEVEL == told["level"]
    copying = next(one for one in told["signals"] if one["signal"] == "copying")
    assert (copying["few"], copying["named"]) == (4, 0)  # nobody saw a prediction


def test_nobody_has_answered_and_nobody_else_did(walking):
    assert signalled(SimpleNamespace(walk=walking([task(0)], []))) is None
    alone = signalled(SimpleNamespace(walk=walking([task(0)], [said(0, "ana", ("ok",))])))
    assert (alone["compared"], alone["proposals"]) == (0, [])
    assert {one["few"] for one in alone["signals"]} == {1}


def test_a_round_keeps_its_signals_on_record(finished):
    campaign, done = finished
    last = len(done) - 1
    kept = campaign.ledger.step(last, "examine")["signals"]
    assert kept == json.loads(json.dumps(signalled(SimpleNamespace(walk=campaign.walk))))
    assert kept["people"] == len({one.worker for one in campaign.ledger.annotations() if one.answer})
