from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError
from hitl.labels.settle import Settlement, answer_table, settle
from hitl.labels.voices import latest, needs_third, voices
from hitl.policy import Policy
from hitl.types import Annotation, Answer, Task

ONE = Policy.parse(
    "{name: one, version: 3, labels: [{name: ok, violating: false}, {name: spam}, {name: threat, severity: 9}]}"
)
MANY = Policy.parse("{name: many, version: 1, multi_label: true, labels: [{name: spam}, {name: threat}, {name: gore}]}")


def task(key: str, overlap: int = 1) -> Task:
    return Task(key, 1, f"item-{key}", int(key[1:]), "classify", "3", "", {}, overlap=overlap)


def said(key: str, worker: str, *labels: str, out: Any = "", **changes: Any) -> Annotation:
    plain = Annotation(f"{key}-{worker}", key, worker, Answer(labels, out), "2025-05-01T10:00:00Z", 5.0)
    return replace(plain, **changes)


def by_vote(annotations: list[Annotation], *keys: str, policy: Policy = ONE) -> Settlement:
    return settle(annotations, [task(key) for key in keys], policy, resolver="majority")


def test_one_resolution_a_task_in_the_tasks_order() -> None:
    resolutions = by_vote([said("t1", "ana", "ok"), said("t9", "bo", "spam")], "t9", "t2", "t1").resolutions
    assert [(r.item_id, r.position, r.labels) for r in resolutions] == [
        ("item-t9", 9, ("spam",)),
        ("item-t2", 2, None),
        ("item-t1", 1, ("ok",)),
    ]
    assert {r.policy_version for r in resolutions} == {"3"}
    assert resolutions[1].confidence == 0
    assert resolutions[0].annotations == ("t9-bo",)


def test_a_tie_stays_open() -> None:
    [resolution] = by_vote([said("t1", "ana", "ok"), said("t1", "bo", "spam")], "t1").resolutions
    assert (resolution.labels, resolution.confidence) == (None, 0.5)


def test_outs_are_counted_and_never_guessed() -> None:
    annotations = [
        said("t1", "ana", out="unsure"),
        said("t1", "bo", out="escalate"),
        said("t1", "cem", out="no_policy"),
        said("t1", "dee", answer=None, skipped=True),
        said("t1", "eve", answer=None, problem="two choices of one"),
        said("t1", "fay", "nobody knows this label"),
        said("t1", "gil", "ok", "spam"),
        said("t1", "hal"),
        said("t2", "ana", "spam"),
        said("t2", "bo", out="unsure"),
    ]
    nothing, one = by_vote(annotations, "t1", "t2").resolutions
    assert nothing.labels is None
    assert nothing.outs == {"unsure": 1, "escalate": 1, "no_policy": 1, "skip": 1, "unreadable": 4}
    assert len(nothing.annotations) == 8
    assert (one.labels, one.confidence, one.outs) == (("spam",), 1.0, {"unsure": 1})


def test_the_last_revision_counts() -> None:
    before = said("t1", "ana", "ok")
    after = replace(before, answer=Answer(("spam",)), revision=2)
    assert by_vote([after, before], "t1").resolutions[0].labels == ("spam",)
    assert by_vote([before, replace(after, deleted=True)], "t1").resolutions[0].labels is None
    assert by_vote([before, after, replace(before, revision=3)], "t1").resolutions[0].labels == ("ok",)


def test_a_person_has_one_voice_a_task() -> None:
    annotations = [
        said("t1", "ana", "ok", id="1"),
        said("t1", "ana", "spam", id="2", submitted="2025-05-01T11:00:00Z"),
        said("t1", "ana", id="3", answer=None, skipped=True, submitted="2025-05-01T12:00:00Z"),
    ]
    [resolution] = by_vote(annotations, "t1").resolutions
    assert (resolution.labels, resolution.confidence, resolution.outs) == (("spam",), 1.0, {})
    assert [one.id for one in voices(annotations)["t1"]] == ["2"]
    assert [one.id for one in latest(annotations)] == ["1", "2", "3"]


def test_low_confidence_stays_open_and_is_told() -> None:
    annotations = [said("t1", "ana", "ok"), said("t1", "bo", "ok"), said("t1", "cem", "spam")]
    [resolution] = settle(annotations, [task("t1")], ONE, resolver="majority", min_confidence=0.7).resolutions
    assert resolution.labels is None
    assert resolution.confidence == pytest.approx(2 / 3)


def test_several_labels_are_settled_one_by_one() -> None:
    annotations = [
        said("t1", "ana", "threat", "spam"),
        said("t1", "bo", "spam", "gore"),
        said("t1", "cem", "threat", "spam"),
        said("t2", "ana"),
        said("t2", "bo"),
        said("t3", "ana", "spam", "gore"),
        said("t3", "bo", "spam"),
        said("t4", "ana", out="unsure"),
    ]
    both, none, tied, unsure = by_vote(annotations, "t1", "t2", "t3", "t4", policy=MANY).resolutions
    assert both.labels == ("spam", "threat")
    assert both.confidence == pytest.approx(2 / 3)
    assert (none.labels, none.confidence) == ((), 1.0)
    assert (tied.labels, tied.confidence) == (None, 0.5)
    assert (unsure.labels, unsure.outs) == (None, {"unsure": 1})


def test_a_label_that_nobody_gave_is_no_resolution() -> None:
    """A careless person's lone claim of a rare label is doubted; the doubt opens the item, it does not relabel it."""
    annotations = [said(f"t{i}", who, "ok") for i in range(1, 300) for who in ("ana", "bo")]
    annotations += [said(f"t{i}", "cem", "spam" if i % 2 else "ok") for i in range(1, 300)]
    annotations += [said("t300", "cem", "spam")]
    [*_, lone] = settle(annotations, [task(f"t{i}") for i in range(1, 301)], ONE).resolutions
    assert lone.labels is None
    assert lone.confidence > 0.5


@pytest.mark.parametrize("resolver", ["majority", "dawid_skene"])
@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_annotations_does_not_matter(resolver: str, policy: Policy, seed: int) -> None:
    chance = random.Random(seed)
    annotations = [
        said(f"t{chance.randrange(12)}", who, chance.choice(policy.names), id=f"{i}{who}", revision=1 + i % 2)
        for i in range(8)
        for who in ("ana", "bo", "cem")
    ]
    tasks = [task(f"t{i}") for i in range(12)]
    mixed, tasks_mixed = chance.sample(annotations, len(annotations)), chance.sample(tasks, len(tasks))
    one = settle(annotations, tasks, policy, resolver=resolver)
    two = settle(mixed, tasks_mixed, policy, resolver=resolver)
    first = {t.key: r for t, r in zip(tasks, one.resolutions, strict=True)}
    second = {t.key: r for t, r in zip(tasks_mixed, two.resolutions, strict=True)}
    assert first == second
    assert [(w.worker, w.answers, str(w.accuracy)) for w in one.workers] == [
        (w.worker, w.answers, str(w.accuracy)) for w in two.workers
    ]


def test_people_are_judged_only_beside_others() -> None:
    annotations = [said(f"t{i}", who, "ok") for i in range(20) for who in ("ana", "bo", "cem")]
    annotations += [said(f"t{i}", "dee", "ok") for i in range(20, 40)]
    found = {w.worker: w for w in settle(annotations, [task(f"t{i}") for i in range(40)], ONE).workers}
    assert list(found) == ["ana", "bo", "cem", "dee"]
    assert (found["ana"].answers, found["ana"].accuracy.n) == (20, 20)
    assert found["ana"].accuracy.low > 0.8
    assert found["ana"].accuracy.value > 0.99
    assert found["dee"].accuracy.value != found["dee"].accuracy.value  # NaN
    assert (found["dee"].accuracy.low, found["dee"].accuracy.high) == (0, 1)
    assert found["ana"].confusion is not None
    assert found["ana"].confusion.shape == (3, 3)


@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
@pytest.mark.parametrize("resolver", ["majority", "dawid_skene"])
def test_nothing_at_all(policy: Policy, resolver: str) -> None:
    assert settle([], [], policy, resolver=resolver) == Settlement((), ())
    [resolution] = settle([], [task("t1")], policy, resolver=resolver).resolutions
    assert (resolution.labels, resolution.confidence) == (None, 0.0)
    assert settle([said("t5", "ana", "spam")], [], policy, resolver=resolver).resolutions == ()


def test_an_unknown_resolver_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'oracle' is not known; choose one of majority, dawid_skene"):
        settle([], [], ONE, resolver="oracle")


def test_whole_answers_as_a_table() -> None:
    annotations = [said("t1", "bo", "gore", "spam"), said("t1", "ana"), said("t2", "ana", out="unsure")]
    table = answer_table(annotations, [task("t2"), task("t1")], MANY)
    assert (table.tasks, table.workers, table.labels) == (("t1", "t2"), ("ana", "bo"), ("(none)", "spam, gore"))
    assert table.task.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("stances", "overlap", "wanted"),
    [
        ([("ok",), ("spam",)], 2, 3),
        ([("ok",), ("ok",)], 2, None),
        ([("ok",), "unsure"], 2, 3),
        (["unsure"], 1, 2),
        (["unsure", "escalate"], 2, 3),
        (["unsure"], 2, None),
        ([("ok",)], 1, None),
        (["skip"], 1, None),
        ([("ok",), "skip"], 2, None),
        ([("ok",), ("spam",), ("threat",)], 2, None),
        (["unsure", "unsure", "unsure"], 1, None),
        (["unreadable"], 1, 2),
        ([], 1, None),
    ],
)
def test_who_needs_another_opinion(stances: list[Any], overlap: int, wanted: int | None) -> None:
    annotations = []
    for stance, who in zip(stances, ("ana", "bo", "cem"), strict=False):
        if stance == "skip":
            annotations.append(said("t1", who, answer=None, skipped=True))
        elif stance == "unreadable":
            annotations.append(said("t1", who, answer=None, problem="no choice in it"))
        else:
            annotations.append(said("t1", who, *stance) if isinstance(stance, tuple) else said("t1", who, out=stance))
    assert needs_third(annotations, [task("t1", overlap), task("t2")]) == ({} if wanted is None else {"t1": wanted})


def test_the_order_of_labels_is_no_disagreement() -> None:
    annotations = [said("t1", "ana", "spam", "gore"), said("t1", "bo", "gore", "spam")]
    assert needs_third(annotations, [task("t1", 2)]) == {}
