"""What a round looks for: places that add up, and starved labels served by what they lack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.sampling.aims import Standing, aims
from hitl.sampling.plan import ArmPlan, Plan

FOR_ALL = {
    "uncertain": ArmPlan(scores={"margin": 1, "impact": 1}, weight=2, diversity="badge", among=3),
    "costly": ArmPlan(scores={"impact": 1}),
}
FOR_EACH = {
    "contested": ArmPlan(scores={"margin": 1, "impact": 0.5}, each_label=True),
    "likely": ArmPlan(scores={"likely_positive": 1}, each_label=True, weight=3),
}
LABELS = st.dictionaries(st.sampled_from(["hate", "spam", "threat", "rude"]), st.integers(0, 100), max_size=4)


def told(found):
    return {aim.name: aim.count for aim in found}


@given(
    budget=st.integers(1, 200),
    arms=st.sampled_from([FOR_ALL, FOR_ALL | FOR_EACH, FOR_EACH | FOR_ALL]),
    positives=LABELS,
    labelled=st.integers(0, 150),
    below=st.floats(0, 1),
    adapted=st.none() | st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
)
def test_places_add_up_to_what_audit_random_and_relabel_leave(budget, arms, positives, labelled, below, adapted):
    plan = Plan(budget=budget, audit=0.3, random=0.1, relabel=0.1, arms=arms, starved_below=below)
    shares = None if adapted is None else dict(zip(arms, adapted, strict=False))
    standing = Standing(positives, labelled)
    found = aims(plan, standing, shares)
    counts = plan.counts()
    assert sum(aim.count for aim in found) == budget - counts["audit"] - counts["random"] - counts["relabel"]
    assert all(aim.count > 0 for aim in found)
    names = [aim.name for aim in found]
    assert len(set(names)) == len(names)
    assert [bool(aim.label) for aim in found] == sorted((bool(aim.label) for aim in found), reverse=True)
    assert {aim.label for aim in found if aim.label} <= set(standing.starved(below))
    for aim in found:
        assert bool(aim.label) == plan.arms[aim.arm].each_label
        assert (aim.diversity, aim.among) == (plan.arms[aim.arm].diversity, plan.arms[aim.arm].among)
        assert aim.scores == plan.arms[aim.arm].scores


def test_starved_labels_get_places_by_what_they_lack():
    plan = Plan(budget=80, audit=0, random=0, arms=FOR_EACH, starved_below=0.5)
    standing = Standing({"hate": 10, "spam": 40, "rude": 60, "threat": 0}, labelled=100)
    assert standing.starved(0.5) == {"hate": 0.4, "spam": 0.1, "threat": 0.5}
    assert told(aims(plan, standing)) == {
        "contested hate": 8,
        "contested spam": 2,
        "contested threat": 10,
        "likely hate": 24,
        "likely spam": 6,
        "likely threat": 30,
    }


def test_before_anything_is_labelled_every_label_is_starved_alike():
    plan = Plan(budget=30, audit=0, random=0, arms={"likely": FOR_EACH["likely"]}, starved_below=0.25)
    assert told(aims(plan, Standing({"hate": 0, "spam": 0}))) == {"likely hate": 15, "likely spam": 15}


@pytest.mark.parametrize("arms", [FOR_ALL | FOR_EACH, FOR_EACH | FOR_ALL])
def test_when_none_is_starved_its_places_fall_to_the_others(arms):
    plan = Plan(budget=30, audit=0, random=0, arms=arms, starved_below=0.2)
    full = Standing({"hate": 20, "spam": 50}, labelled=100)
    assert told(aims(plan, full)) == {"uncertain": 20, "costly": 10}
    adapted = {"uncertain": 0.1, "costly": 0.2, "contested": 0.3, "likely": 0.4}
    assert told(aims(plan, full, adapted)) == {"uncertain": 10, "costly": 20}


def test_when_none_is_starved_and_there_are_no_others_labels_share_evenly():
    plan = Plan(budget=16, audit=0, random=0, arms=FOR_EACH, starved_below=0.1)
    found = told(aims(plan, Standing({"hate": 20, "spam": 50}, labelled=100)))
    assert found == {"contested hate": 2, "contested spam": 2, "likely hate": 6, "likely spam": 6}
    off = {**FOR_EACH, "uncertain": ArmPlan(scores={"margin": 1}, weight=0)}
    assert told(aims(plan.model_copy(update={"arms": off}), Standing({"hate": 20}, labelled=100))) == {
        "contested hate": 4,
        "likely hate": 12,
    }


def test_without_a_violating_label_there_is_nothing_to_serve_one_by_one():
    plan = Plan(budget=16, audit=0, random=0, arms=FOR_ALL | FOR_EACH)
    assert told(aims(plan, Standing())) == {"uncertain": 11, "costly": 5}
    assert aims(plan.model_copy(update={"arms": FOR_EACH}), Standing()) == ()


def test_without_views_impact_is_left_out_unless_alone():
    plan = Plan(budget=30, audit=0, random=0, arms=FOR_ALL | FOR_EACH, starved_below=0.5)
    scores = {aim.arm: aim.scores for aim in aims(plan, Standing({"hate": 1}, labelled=10, views=False))}
    assert scores == {
        "contested": {"margin": 1},
        "likely": {"likely_positive": 1},
        "uncertain": {"margin": 1},
        "costly": {"impact": 1},
    }


def test_scores_of_no_weight_are_not_computed():
    arms = {"uncertain": ArmPlan(scores={"margin": 1, "committee": 0})}
    (aim,) = aims(Plan(budget=10, arms=arms), Standing())
    assert aim.scores == {"margin": 1}
