from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError
from hitl.labels import RESOLVERS
from hitl.labels.settle import Settlement, answer_table, settle
from hitl.labels.voices import latest, needs_third, voices, wants_people
from hitl.policy import Policy
from hitl.sampling.plan import Plan
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


@pytest.mark.parametrize("resolver", ["majority", "with_model"])
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
@pytest.mark.parametrize("resolver", list(RESOLVERS))
def test_nothing_at_all(policy: Policy, resolver: str) -> None:
    assert settle([], [], policy, resolver=resolver) == Settlement((), ())
    [resolution] = settle([], [task("t1")], policy, resolver=resolver).resolutions
    assert (resolution.labels, resolution.confidence) == (None, 0.0)
    assert settle([said("t5", "ana", "spam")], [], policy, resolver=resolver).resolutions == ()


def test_an_unknown_resolver_is_named() -> None:
    with pytest.raises(
        ConfigError, match=r"'oracle' is not known; choose one of majority, weighted_majority, dawid_skene"
    ):
        settle([], [], ONE, resolver="oracle")


def test_a_plan_can_name_every_resolver() -> None:
    assert get_args(Plan.model_fields["resolver"].annotation) == tuple(RESOLVERS)


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


def test_when_a_task_still_needs_people() -> None:
    skip = said("t1", "bo", answer=None, skipped=True)
    touched = said("t1", "bo", "ok", changed_by="cem")
    assert wants_people(task("t1", 2), [])
    assert wants_people(task("t1", 2), [said("t1", "ana", "ok"), skip])
    assert wants_people(task("t1", 2), [said("t1", "ana", "ok"), touched])
    assert not wants_people(task("t1", 2), [said("t1", "ana", "ok"), said("t1", "bo", "ok")])
    assert not wants_people(task("t1"), [replace(skip, worker=who) for who in "abc"])
    assert wants_people(task("t1"), [replace(touched, worker=who) for who in "abc"])


def test_an_answer_that_another_touched_counts_for_nobody_until_its_author_saves_it() -> None:
    touched = said("t1", "ana", "spam", changed_by="bo")
    [resolution] = by_vote([touched, said("t1", "cem", "ok")], "t1").resolutions
    assert (resolution.labels, resolution.outs) == (("ok",), {"unconfirmed": 1})
    confirmed = replace(touched, changed_by="ana", revision=2)
    assert by_vote([touched, confirmed], "t1").resolutions[0].labels == ("spam",)
    assert needs_third([touched, said("t1", "cem", "ok")], [task("t1", 1)]) == {}


def test_what_is_written_in_a_person_s_name_does_not_silence_them() -> None:
    own = said("t1", "ana", "ok", id="1")
    forged = said("t1", "ana", "spam", id="2", submitted="2025-05-01T11:00:00Z", changed_by="bo")
    assert by_vote([own, forged], "t1").resolutions[0].labels == ("ok",)
    skip = replace(own, answer=None, skipped=True)
    assert by_vote([skip, forged], "t1").resolutions[0].outs == {"skip": 1}


@pytest.mark.parametrize("resolver", ["majority", "dawid_skene"])
@pytest.mark.parametrize(("policy", "known"), [(ONE, ("spam",)), (MANY, ("threat", "gore")), (MANY, ())])
def test_gold_resolves_to_what_is_known(resolver: str, policy: Policy, known: tuple[str, ...]) -> None:
    annotations = [said("t1", who, "spam" if policy is MANY else "ok") for who in ("ana", "bo", "cem")]
    annotations.append(said("t2", "ana", "spam"))
    gold, free = settle(
        annotations, [task("t1"), task("t2")], policy, resolver=resolver, gold={"item-t1": known}
    ).resolutions
    assert (gold.labels, gold.confidence, gold.method) == (known, 1.0, "gold")
    assert free.method == resolver


def test_gold_tells_who_is_right_where_everybody_agrees_on_what_is_wrong() -> None:
    """Three say the same wrong thing everywhere: votes take their side, known labels do not."""
    keys = [f"t{i}" for i in range(1, 61)]
    truth = {key: "spam" if int(key[1:]) % 2 else "ok" for key in keys}
    annotations = [said(key, who, "ok") for key in keys for who in ("ana", "bo", "cem")]
    annotations += [said(key, who, truth[key]) for key in keys for who in ("dee", "eve")]
    tasks = [task(key) for key in keys]
    gold = {f"item-{key}": (truth[key],) for key in keys[:20]}
    blind, seeing = settle(annotations, tasks, ONE), settle(annotations, tasks, ONE, gold=gold)
    right = [r.labels == (truth[t.key],) for t, r in zip(tasks, seeing.resolutions, strict=True)]
    assert all(right)
    accuracy = {w.worker: w.accuracy.value for w in seeing.workers}
    assert accuracy["dee"] > 0.95 > 0.6 > accuracy["ana"]
    assert [w.accuracy.n for w in blind.workers] == [60] * 5


def test_a_known_label_judges_one_who_answered_alone() -> None:
    known = {"item-t1": ("spam",)}
    [ana] = settle([said("t1", "ana", "ok")], [task("t1")], ONE, gold=known).workers
    assert (ana.accuracy.value, ana.accuracy.n) == (0.0, 1)


def review(key: str, item: str) -> Task:
    return replace(task(key), item_id=item, queue="review")


def test_a_senior_s_word_settles_the_item() -> None:
    tied = [said("t1", "ana", "ok"), said("t1", "bo", "spam")]
    ruling = said("t9", "sam", "threat")
    tasks = [task("t1"), review("t9", "item-t1")]
    [resolution] = settle([*tied, ruling], tasks, ONE).resolutions
    assert (resolution.labels, resolution.confidence, resolution.method) == (("threat",), 1.0, "review")
    assert resolution.annotations == ("t1-ana", "t1-bo", "t9-sam")
    [still] = settle([*tied, replace(ruling, answer=None, skipped=True)], tasks, ONE).resolutions
    assert (still.labels, still.method) == (None, "dawid_skene")
    [gap] = settle([*tied, replace(ruling, answer=Answer(out="no_policy"))], tasks, ONE).resolutions
    assert (gap.labels, gap.method, gap.outs) == (None, "review", {"no_policy": 1})
    workers = [w.worker for w in settle([*tied, ruling], tasks, ONE).workers]
    assert workers == ["ana", "bo"]


def test_the_exam_is_no_label() -> None:
    exam = replace(task("t2"), item_id="item-t1", queue="exam")
    [resolution] = settle([said("t1", "ana", "ok"), said("t2", "bo", "spam")], [task("t1"), exam], ONE).resolutions
    assert (resolution.labels, resolution.annotations) == (("ok",), ("t1-ana",))


def predicted(key: str, policy: Policy, **proba: float) -> Task:
    return replace(task(key), predicted={name: proba.get(name, 0.02) for name in policy.names})


def aided_by_a_model(policy: Policy, aided: set[str]) -> Settlement:
    """Two people who agree on 40 items, and the model with them, and who differ on t41 and t42."""
    keys = [f"t{i}" for i in range(1, 41)]
    annotations = [said(key, who, "spam" if int(key[1:]) % 2 else "threat") for key in keys for who in ("ana", "bo")]
    annotations += [said(key, *word) for key in ("t41", "t42") for word in (("ana", "spam"), ("bo", "threat"))]
    tasks = [predicted(k, policy, **{"spam" if int(k[1:]) % 2 else "threat": 0.96}) for k in [*keys, "t41", "t42"]]
    return settle(annotations, tasks, policy, resolver="with_model", aided=aided)


@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
def test_the_model_has_a_voice_where_it_is_aid_and_no_record_of_people(policy: Policy) -> None:
    keys = {f"item-t{i}" for i in range(1, 42)}
    settled, without = aided_by_a_model(policy, keys), aided_by_a_model(policy, set())
    assert [one.labels for one in settled.resolutions[-2:]] == [("spam",), None]
    assert [one.labels for one in without.resolutions[-2:]] == [None, None]
    assert settled.machine is not None
    assert settled.machine.accuracy.value > 0.9
    assert [one.labels for one in settled.machine.confusions] == [one.labels for one in settled.workers[0].confusions]
    assert without.machine is None
    assert [str(one.accuracy) for one in settled.workers] == [str(one.accuracy) for one in without.workers]


@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
def test_every_matrix_has_its_bounds(policy: Policy) -> None:
    annotations = [said(f"t{i}", who, "spam") for i in range(30) for who in ("ana", "bo")]
    [ana, _] = settle(annotations, [task(f"t{i}") for i in range(30)], policy).workers
    assert [one.about for one in ana.confusions] == ([""] if policy is ONE else list(policy.names))
    for one in ana.confusions:
        assert one.value.shape == (len(one.labels), len(one.labels))
        assert (one.low <= one.value).all()
        assert (one.value <= one.high).all()
    spam = ana.confusions[0]
    at, elsewhere = (1, 2) if policy is ONE else (1, 0)
    # Thirty were spam and none was the other: of the latter little more is known than the prior says.
    width = spam.high - spam.low
    assert width[at, at] < 0.2 < width[elsewhere, elsewhere]


@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
def test_it_begins_from_an_earlier_settlement(policy: Policy) -> None:
    """People who are mostly right: wherever it begins, it ends at the same labels."""
    chance = random.Random(7)
    annotations = [
        said(f"t{i}", who, policy.names[i % 3] if chance.random() < 0.85 else chance.choice(policy.names))
        for i in range(30)
        for who in ("ana", "bo", "cem")
    ]
    tasks = [task(f"t{i}") for i in range(30)]
    before = settle(annotations, tasks, policy)
    after = settle(annotations, tasks, policy, before=before)
    assert [one.labels for one in after.resolutions] == [one.labels for one in before.resolutions]


def test_a_scale_is_settled_in_its_middle() -> None:
    bands = Policy.parse(
        "{name: age, version: 1, labels: [{name: adult, violating: false}, {name: teen}, {name: child}]}"
    )
    annotations = [said("t1", who, band) for who, band in (("ana", "adult"), ("bo", "teen"), ("cem", "child"))]
    [middle] = settle(annotations, [task("t1")], bands, resolver="median").resolutions
    [vote] = settle(annotations, [task("t1")], bands, resolver="majority").resolutions
    assert (middle.labels, vote.labels) == (("teen",), None)
