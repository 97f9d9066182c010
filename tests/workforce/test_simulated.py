"""Simulated reviewers: deterministic, as good as they claim, and assigned without regard to order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError
from hitl.policy import Criterion, Policy
from hitl.workforce.simulated import TEAM, Reviewer, assign, respond

SINGLE = Policy.parse(
    """
    name: single
    version: 1
    labels:
      - {name: fine, violating: false}
      - {name: rude}
      - {name: cruel}
      - {name: danger, note_required: true}
    """
)
SEVERAL = Policy.parse("{name: several, version: 1, multi_label: true, labels: [{name: a}, {name: b}, {name: c}]}")
STEADY = Reviewer("steady", accuracy=0.8, seconds=10.0, languages=("en",), skip_rate=0.0, unsure_rate=0.0)

keys = st.text(min_size=1, max_size=20)
languages = st.sampled_from(["", "en", "id", "de", "ar", "ja", "hi", "xx"])
DRAWS = 3000


def answers(reviewer: Reviewer, truth: tuple[str, ...], policy: Policy = SINGLE, language: str = "en"):
    return [respond(reviewer, f"task-{i}", truth, policy, 7, language) for i in range(DRAWS)]


def share_of(responses, labels: tuple[str, ...]) -> float:
    return np.mean([response.answer is not None and response.answer.labels == labels for response in responses])


@given(keys, languages, st.integers(0, 7), st.integers(0, 7))
def test_asking_for_more_people_extends_the_same_list(key, language, few, many):
    few, many = sorted((few, many))
    asked = assign(key, language, TEAM, many)
    assert assign(key, language, TEAM, few) == asked[:few]
    assert len({reviewer.name for reviewer in asked}) == len(asked) == min(many, len(TEAM))


@given(keys, languages, st.permutations(TEAM))
def test_assignment_knows_no_order(key, language, shuffled):
    assert assign(key, language, shuffled, 3) == assign(key, language, TEAM, 3)


@given(keys, languages)
def test_those_who_read_the_language_come_first(key, language):
    reads = [reviewer.reads(language) for reviewer in assign(key, language, TEAM, len(TEAM))]
    assert reads == sorted(reads, reverse=True)


def test_one_person_less_moves_only_that_persons_tasks():
    without = [reviewer for reviewer in TEAM if reviewer.name != "budi"]
    for key in (f"task-{i}" for i in range(300)):
        before = assign(key, "en", TEAM, 1)
        if before[0].name != "budi":
            assert assign(key, "en", without, 1) == before


def test_work_is_shared_evenly():
    first = [assign(f"task-{i}", "", TEAM, 1)[0].name for i in range(DRAWS)]
    shares = [first.count(reviewer.name) / DRAWS for reviewer in TEAM]
    assert max(abs(share - 1 / len(TEAM)) for share in shares) < 0.04


@given(keys, st.sampled_from(TEAM), st.integers(0, 2**32), st.sampled_from(SINGLE.names))
def test_the_same_person_answers_the_same_task_the_same_way(key, reviewer, seed, truth):
    first = respond(reviewer, key, (truth,), SINGLE, seed, "en")
    assert first == respond(reviewer, key, (truth,), SINGLE, seed, "en")
    assert first.seconds > 0
    if first.answer is not None:
        assert bool(first.answer.labels) != bool(first.answer.out)
        assert set(first.answer.labels) <= set(SINGLE.names)
        assert len(first.answer.labels) <= 1
        assert bool(first.answer.note) == ("danger" in first.answer.labels)


@given(keys, st.sampled_from(TEAM), st.sets(st.sampled_from(SEVERAL.names)))
def test_several_labels_stand_in_the_policys_order(key, reviewer, truth):
    response = respond(reviewer, key, tuple(truth), SEVERAL, 0)
    if response.answer is not None:
        assert response.answer.labels == tuple(name for name in SEVERAL.names if name in response.answer.labels)


def test_accuracy_is_what_the_profile_says():
    assert share_of(answers(STEADY, ("cruel",)), ("cruel",)) == pytest.approx(0.8, abs=0.03)


def test_violations_are_overlooked_more_often_than_invented():
    missed = share_of(answers(STEADY, ("cruel",)), ("fine",))
    invented = 1 - share_of(answers(STEADY, ("fine",)), ("fine",))
    assert missed == pytest.approx(0.12, abs=0.02)
    assert 0.05 < invented < missed


def test_confusion_lies_near():
    given = answers(STEADY, ("rude",))
    assert share_of(given, ("cruel",)) > share_of(given, ("danger",)) > 0


def test_a_foreign_language_costs_accuracy():
    assert share_of(answers(STEADY, ("cruel",), language="ja"), ("cruel",)) < 0.6


def test_in_a_two_label_policy_every_error_shows():
    policy = Policy.parse("{name: two, version: 1, labels: [{name: fine, violating: false}, {name: rude}]}")
    assert share_of(answers(STEADY, ("rude",), policy), ("fine",)) == pytest.approx(0.2, abs=0.03)


def test_a_perfect_person_makes_no_error():
    perfect = replace(STEADY, accuracy=1.0)
    assert share_of(answers(perfect, ("danger",)), ("danger",)) == 1
    assert share_of(answers(perfect, ("a", "c"), SEVERAL), ("a", "c")) == 1
    assert share_of(answers(perfect, (), SEVERAL), ()) == 1


def test_a_careless_person_says_the_usual_thing_quickly():
    careless = replace(STEADY, careless=True, seconds=2.0)
    given = answers(careless, ("cruel",))
    assert share_of(given, ("fine",)) > 0.8
    assert np.median([response.seconds for response in given]) == pytest.approx(2.0, rel=0.1)


def test_skips_and_doubts_come_at_their_rates():
    shy = replace(STEADY, skip_rate=0.2, unsure_rate=0.3)
    given = [response.answer for response in answers(shy, ("rude",))]
    outs = [answer.out for answer in given if answer is not None and answer.out]
    assert given.count(None) / DRAWS == pytest.approx(0.2, abs=0.03)
    assert len(outs) / DRAWS == pytest.approx(0.3, abs=0.03)
    assert set(outs) == {"unsure", "escalate", "no_policy"}


def test_what_the_policy_does_not_know_is_no_policy_and_nothing_known_is_unsure():
    assert {response.answer.out for response in answers(STEADY, ("elsewhere",))} == {"no_policy"}
    assert {response.answer.out for response in answers(STEADY, ())} == {"unsure"}


def test_a_note_is_written_where_any_region_wants_one():
    policy = Policy.parse(
        """
        name: regional
        version: 1
        labels: [{name: fine, violating: false}, {name: rude}]
        regions: {DE: {labels: {rude: {note_required: true}}}}
        """
    )
    answer = respond(replace(STEADY, accuracy=1.0), "task-1", ("rude",), policy, 0).answer
    assert answer is not None
    assert "rude" in answer.note


def test_every_language_of_the_demo_is_read_by_two_careful_people():
    for language in ("en", "id", "de", "ar", "ja", "hi"):
        assert sum(reviewer.reads(language) and not reviewer.careless for reviewer in TEAM) >= 2


@pytest.mark.parametrize(
    "wrong", [{"accuracy": 1.2}, {"skip_rate": -0.1}, {"skip_rate": 0.6, "unsure_rate": 0.6}, {"seconds": 0.0}]
)
def test_impossible_people_are_refused(wrong):
    with pytest.raises(ConfigError, match="mira"):
        Reviewer("mira", **wrong)


def test_stars_are_as_right_as_the_reviewer_and_within_the_scale():
    rubric = (Criterion(name="clear", question="Is it clear?"), Criterion(name="kind", question="Is it kind?", scale=2))
    policy = SINGLE.model_copy(update={"rubric": rubric})
    sure = answers(replace(STEADY, name="sure", accuracy=1.0), ("rude",), policy)
    steady = answers(STEADY, ("rude",), policy)
    for at, criterion in enumerate(rubric):
        due = np.array([response.answer.ratings[at][1] for response in sure])
        given_ = np.array([response.answer.ratings[at][1] for response in steady])
        assert set(due) == set(given_) == set(range(1, criterion.scale + 1))
        assert np.mean(due == given_) == pytest.approx(STEADY.accuracy, abs=0.03)
        assert np.abs(due - given_).max() == 1
    assert not respond(STEADY, "task-1", (), policy, 0).answer.ratings


def labels_of(responses) -> list[str]:
    return [name for one in responses if one.answer is not None for name in one.answer.labels]


def test_those_who_guess_give_every_label_alike_and_adversaries_never_the_right_one():
    guesses = labels_of(answers(replace(STEADY, habit="random"), ("rude",)))
    assert [guesses.count(name) / len(guesses) for name in SINGLE.names] == pytest.approx([0.25] * 4, abs=0.03)
    wrong = labels_of(answers(replace(STEADY, habit="adversarial"), ("rude",)))
    assert set(wrong) == set(SINGLE.names) - {"rude"}


def test_who_drifts_judges_well_until_the_first_active_round():
    drifting = replace(STEADY, habit="drifting", accuracy=1.0)
    asked = [f"task-{i}" for i in range(400)]
    early, late = (
        [respond(drifting, key, ("rude",), SINGLE, 7, when=when).answer.labels for key in asked] for when in (0, 2)
    )
    assert set(early) == {("rude",)}
    assert late.count(("rude",)) / len(late) == pytest.approx(0.25, abs=0.07)


def test_who_follows_says_what_the_other_says_and_signs_with_their_own_name():
    follower = replace(STEADY, name="shadow", follow="steady")
    assert [one.answer for one in answers(follower, ("cruel",))] == [one.answer for one in answers(STEADY, ("cruel",))]
    assert answers(replace(STEADY, name="shadow"), ("cruel",)) != answers(STEADY, ("cruel",))
