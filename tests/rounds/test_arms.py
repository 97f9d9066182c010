"""Arms on the walk: the mix that learns, second opinions, caps, exemplars, committees and thresholds from audits."""

from collections import Counter

import numpy as np
import pytest

import hitl
from hitl.errors import ConfigError
from hitl.rounds.learn import training_set
from hitl.sampling.plan import ArmPlan


@pytest.fixture
def plan(stand):
    return stand.plan


def played(stand, folder="run", **changes):
    campaign = stand.campaign(folder, plan=stand.plan.model_copy(update=changes))
    return campaign, list(campaign)


def test_shares_follow_what_the_arms_found_and_are_on_the_record(stand):
    campaign, _ = played(stand, rounds=2, starved_below=1.0)
    outputs = [campaign.ledger.step(number, "select")["pool"] for number in (1, 2)]
    assert outputs[0]["shares"] == stand.plan.shares()
    assert all(sum(output["shares"].values()) == pytest.approx(1) for output in outputs)
    assert outputs[1]["shares"] != outputs[0]["shares"]
    fixed, _ = played(stand, "fixed", rounds=2, adapt=False)
    assert fixed.ledger.step(2, "select")["pool"]["shares"] == stand.plan.shares()


def test_contested_picks_name_the_label_that_they_serve_and_reports_say_so(stand):
    campaign, rounds = played(stand)
    picks = [pick for done in rounds[1:] for pick in done.selection.picks if pick.arm == "contested"]
    violating = {label.name for label in stand.policy.labels if label.violating}
    assert picks
    assert {pick.label for pick in picks} <= violating
    assert all(f"for the label {pick.label}" in stand.plan.explain(pick) for pick in picks)
    row = campaign.history()["rounds"][1]
    assert row["yields"]["contested"]["picks"] == sum(pick.arm == "contested" for pick in rounds[1].selection.picks)


def test_second_opinions_ask_somebody_else_about_the_same_task(stand):
    campaign, rounds = played(stand, relabel=0.2)
    again = [pick for pick in rounds[1].selection.picks if pick.arm == "relabel"]
    assert len(again) == 6
    tasks = campaign.ledger.tasks()
    assert len({task.item_id for task in tasks}) == len(tasks)  # nobody gets another task for the same item
    benchmark = {pick.item_id for pick in rounds[0].selection.picks if pick.arm == "benchmark"}
    assert not benchmark & {pick.item_id for pick in again}
    people = {pick.item_id: set() for pick in again}
    key_of = {task.key: task.item_id for task in tasks}
    for annotation in campaign.ledger.annotations():
        if key_of[annotation.task_key] in people and annotation.answer is not None:
            people[key_of[annotation.task_key]].add(annotation.worker)
    asked_for = {task.item_id: task.overlap for task in tasks if task.item_id in people}
    assert all(overlap >= 2 for overlap in asked_for.values())
    assert np.mean([len(workers) >= 2 for workers in people.values()]) > 0.8


def test_a_cap_holds_over_the_arms_of_a_round(stand):
    arms = {"uncertain": ArmPlan(scores={"margin": 1})}
    _, rounds = played(stand, arms=arms, caps={"truth": 4}, audit=0.0, random=0.0)
    codes, names = stand.pool.codes("truth")
    for done in rounds[1:]:
        held = Counter(names[codes[pick.position]] for pick in done.selection.picks if pick.arm == "uncertain")
        assert max(held.values()) <= 4


def test_a_cap_on_a_column_that_the_pool_lacks_is_told(stand):
    with pytest.raises(ConfigError, match="author"):
        played(stand, caps={"author": 2})


def test_examples_of_the_policy_bring_items_like_them(stand):
    codes, names = stand.pool.codes("truth")
    shown = stand.pool.texts(np.flatnonzero(codes == names.index("threat"))[:3])
    labels = tuple(
        label.model_copy(update={"examples": tuple(shown)}) if label.name == "threat" else label
        for label in stand.policy.labels
    )
    policy = stand.policy.model_copy(update={"labels": labels})
    plan = stand.plan.model_copy(update={"keyword": 0.0, "exemplar": 0.5, "diverse": 0.0, "rounds": 0, "replay": None})
    [seed] = list(stand.campaign(policy=policy, plan=plan))
    found = [names[codes[pick.position]] for pick in seed.selection.picks if pick.arm == "exemplar"]
    assert len(found) == 15
    by_chance = (codes == names.index("threat")).mean()
    assert found.count("threat") / len(found) > 4 * by_chance


def test_every_scorer_of_the_pool_can_steer_an_arm(stand):
    names = ["novelty", "neighbours", "committee", "threshold_distance", "entropy", "density", "likely_positive"]
    arms = {name: ArmPlan(scores={name: 1}, diversity="badge") for name in names}
    plan = stand.plan.model_copy(update={"arms": arms, "rounds": 1})
    rounds = list(stand.campaign(plan=plan, model=hitl.TextLinear(heads=3)))
    assert set(names) <= set(rounds[1].selection.by_arm())


def test_a_committee_without_heads_is_told(stand):
    arms = {"committee": ArmPlan(scores={"committee": 1})}
    with pytest.raises(ConfigError, match="heads"):
        played(stand, arms=arms)


def test_thresholds_come_from_draws_and_owe_nothing_to_the_benchmark(stand):
    campaign, _ = played(stand, audit=0.5)
    fitted = campaign.walk.fitted(2)
    assert fitted.thresholds is not None
    targets = training_set(campaign.walk, 2)
    bare = campaign.walk.model.fit(
        campaign.walk.features, targets, campaign.walk.rng(2, "fit"), multi_label=stand.policy.multi_label
    )
    x = campaign.walk.features.slice(0, 50)
    assert np.array_equal(fitted.predict(x).proba, bare.predict(x).proba)
    benchmark = campaign.walk.benchmark_items()
    drawn = {pick.item_id for n in (0, 1, 2) for pick in campaign.ledger.picks(n) if pick.arm in ("audit", "random")}
    assert drawn
    assert not drawn & set(benchmark)
