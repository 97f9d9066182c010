"""People of a whole campaign: proposals from planted answers, decisions on record, and one person's data."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.demo.stream import generate
from hitl.errors import WorkforceError
from hitl.rounds import personal
from hitl.rounds.confusions import confusions, mixed_up
from hitl.rounds.learn import settle_now
from hitl.rounds.next_steps import about_people
from hitl.rounds.workforce import Asked, decisions, known_answers, move, standings, states
from hitl.types import Pull
from hitl.workforce.grounds import Grounds
from hitl.workforce.simulated import Reviewer

BY = Grounds("lea", "five misses of ten", "gold of 3 March")
STEADY = {"skip_rate": 0.0, "unsure_rate": 0.0}
TEAM = [Reviewer("w-good", accuracy=1.0, **STEADY), Reviewer("w-poor", accuracy=0.05, **STEADY)]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory, new_stand):
    """Two people, one of whom is nearly always wrong about what violates, and gold that both of them judge."""
    table = generate(400, seed=3)
    truth = table["truth"].to_pylist()
    known = pa.array([label if at % 3 == 0 else "" for at, label in enumerate(truth)])
    pool = hitl.Pool.open(
        table.append_column("known", known), text="text", id="id", reach="reach", language="language", region="region",
        facets=("truth", "known"),
    )  # fmt: skip
    stand = new_stand(tmp_path_factory.mktemp("workforce"), pool)
    plan = hitl.Plan(rounds=0, budget=30, benchmark=20, gold=1.0, gold_people=2, exam=30, gold_column="known", seed=5)
    made = stand.campaign(plan=plan, reviewers=TEAM)
    made.run()
    return made


def by_worker(campaign, **asked):
    return {row["worker"]: row for row in standings(campaign.walk, Asked(**asked))}


def test_confusion_matrices_find_the_error_that_was_planted(campaign):
    found = confusions(campaign.walk)
    good, poor = found["w-good"][0], found["w-poor"][0]
    assert good.labels == campaign.walk.policy.names
    assert (good.low <= good.value).all()
    assert (good.value <= good.high).all()
    assert good.value.sum(axis=1) == pytest.approx(np.ones(len(good.labels)))
    assert np.diagonal(good.value).mean() > np.diagonal(poor.value).mean()
    errors = mixed_up(campaign.walk)
    assert "w-good" not in errors
    assert all(row["truth"] != row["answer"] and row["share"]["low"] >= 0.02 for row in errors["w-poor"])


def test_the_record_proposes_and_a_named_person_decides(campaign):
    rows = by_worker(campaign, at_least=0.9)
    assert list(rows) == ["w-good", "w-poor"]
    good, poor = rows.values()
    said = known_answers(campaign.walk, campaign.ledger.annotations())
    assert all(one.right for one in said["w-good"])
    assert (poor["proposal"], good["proposal"], good["gold"]["flagged"]) == ("watch", "", None)
    assert poor["gold"]["misses"] == sum(not one.right for one in said["w-poor"] if one.queue != "exam") > 0
    assert (good["gate"], poor["gate"]) == ("active", "refuse")
    assert good["audit_rate"] < poor["audit_rate"]
    told = {**campaign.history()["workforce"], "people": list(rows.values())}
    assert "proposes a decision: 1." in about_people(told, campaign.history()["rulings"])[0]
    assert states(campaign.ledger) == {}
    assert move(campaign.ledger, "w-poor", "suspended", BY).status == "suspended"
    with pytest.raises(WorkforceError, match="suspended and becomes active by a ruling only"):
        move(campaign.ledger, "w-poor", "active", BY)
    with pytest.raises(WorkforceError, match="nobody called 'w-por'"):
        move(campaign.ledger, "w-por", "suspended", BY)
    assert by_worker(campaign)["w-poor"]["proposal"] == ""
    moved = move(campaign.ledger, "w-poor", "offboarded", BY)
    assert [(row["before"], row["after"], row["actor"]) for row in decisions(moved)] == [
        ("", "suspended", "lea"), ("suspended", "offboarded", "lea"),
    ]  # fmt: skip


def test_one_persons_data_is_handed_out_and_made_nobodys(campaign):
    if "w-poor" not in states(campaign.ledger):
        move(campaign.ledger, "w-poor", "offboarded", BY)
    walk, before = campaign.walk, campaign.ledger.annotations()
    told = json.loads(json.dumps(personal.data(walk, "w-poor")))
    assert {row["id"] for row in told["annotations"]} == {one.id for one in before if one.worker == "w-poor"}
    assert (told["status"], told["figures_over_all"]["worker"]) == ("offboarded", "w-poor")
    assert "truth" not in told["annotations"][0]
    move(campaign.ledger, "w-good", "active", BY)
    with pytest.raises(WorkforceError, match="call `hitl people move w-good offboarded` first"):
        personal.erase(walk, "w-good", "lea")
    assert personal.erase(walk, "w-poor", "lea")
    fresh = next(name for name in states(campaign.ledger) if name != "w-good")
    assert fresh.startswith("erased-")
    after = {one.id: one for one in campaign.ledger.annotations()}
    assert all(one.worker in ("w-good", fresh) for one in after.values())
    assert all(after[one.id].answer.labels == one.answer.labels for one in before if one.answer)
    assert {row["reason"] for row in decisions(states(campaign.ledger)[fresh])} == {"(erased)"}
    assert [event["detail"]["actor"] for event in campaign.ledger.events(personal.GONE)] == ["lea"]
    campaign.pull()
    assert not [one for one in campaign.ledger.annotations() if one.worker == "w-poor"]
    assert "w-poor" not in campaign.report().read_text()
    with pytest.raises(WorkforceError, match="nothing on record names 'w-poor'"):
        personal.data(walk, "w-poor")


def test_who_is_stopped_and_goes_on_leaves_their_tasks_open(campaign):
    [task] = [one for one in campaign.ledger.tasks() if not one.queue][:1]
    mine = next(one for one in campaign.ledger.annotations() if one.worker == "w-good" and one.task_key == task.key)
    assert task.key not in campaign.ledger.unanswered()
    move(campaign.ledger, "w-good", "suspended", BY)
    late = replace(mine, submitted="2999-01-01T00:00:00+00:00", revision=mine.revision + 1)
    with campaign.ledger.transaction() as writer:
        writer.mirror(Pull((late,), "later"))
    assert task.key in campaign.ledger.unanswered()
    assert mine.id not in {at for one in settle_now(campaign.walk) for at in one.annotations}
