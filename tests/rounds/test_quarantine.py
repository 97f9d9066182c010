"""Setting somebody's answers aside in a campaign: who is asked anew, what is learned, and what lifting gives back."""

from __future__ import annotations

import pytest

import hitl
from hitl.errors import WorkforceError
from hitl.report import render_html
from hitl.rounds import findings, quarantine
from hitl.rounds.collect import in_hand
from hitl.rounds.learn import settle_now
from hitl.rounds.quarantine import lift, set_aside_now
from hitl.rounds.quarantine import quarantine as put_aside
from hitl.workforce.grounds import Grounds
from hitl.workforce.simulated import Reviewer

GOOD = [Reviewer(name, accuracy=0.97, skip_rate=0, unsure_rate=0) for name in ("ana", "bo", "cem")]
PEOPLE = [*GOOD, Reviewer("dee", accuracy=0.1, skip_rate=0, unsure_rate=0)]
WHY = Grounds("lea", "answers at random", "gold: 1 of 12")
EVER = "2026-01-01"


def finish(campaign):
    for _ in range(20):
        if campaign.run().state == "done":
            return campaign
        campaign.walk.connector.work()
    raise AssertionError(campaign.status)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory, stream, new_stand):
    """A campaign whose seed round is done, and whose next waits with some of its answers."""
    stand = new_stand(tmp_path_factory.mktemp("aside"), stream)
    plan = hitl.Plan(
        **{**stand.plan.model_dump(), "rounds": 1, "seed_budget": 60, "benchmark": 120, "resolver": "majority"}
    )
    campaign = stand.campaign(plan=plan, reviewers=PEOPLE, auto=False, model=hitl.TextLinear(heads=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "FINDINGS", {"quarantine": quarantine.learned_without})
        patch.setattr(campaign, "report", lambda: None)
        while campaign.run().round == 0:
            campaign.walk.connector.work()
        campaign.walk.connector.work(limit=20)
        campaign.pull()
        yield campaign


def standing(campaign):
    """All that should be as before once a quarantine is lifted."""
    walk = campaign.walk
    rows = [(row["round"], campaign.ledger.resolutions(row["round"])) for row in campaign.ledger.rounds()]
    people = [{**row, "turnaround": None} for row in campaign.history()["people"]]
    hand = in_hand(walk, campaign.status.round)
    return settle_now(walk), campaign.ledger.unanswered(), campaign.status, hand, campaign.ledger.tasks(), rows, people


def test_a_quarantine_reopens_what_it_takes_from_and_lifting_it_gives_everything_back(waiting):
    walk, ledger = waiting.walk, waiting.ledger
    before, said = standing(waiting), ledger.annotations()
    mine = {one.id: one.task_key for one in said if one.worker == "dee"}
    assert "quarantine" not in ledger.step(0, "examine")
    assert set_aside_now(walk) is None
    made = put_aside(walk, "dee", EVER, WHY)
    assert (made.worker, made.actor, made.reason, made.evidence) == ("dee", "lea", "answers at random", "gold: 1 of 12")
    assert ledger.annotations() == said
    settled = settle_now(walk)
    assert all(mine.keys().isdisjoint(one.annotations) for one in settled)
    opened = set(ledger.unanswered()) - set(before[1])
    assert opened == set(mine.values()) - set(before[1])
    assert opened <= {task.key for task in in_hand(walk, 1)}
    row = set_aside_now(walk)
    assert (row["workers"], row["answers"], row["waiting"]) == (["dee"], len(mine), len(set(mine.values())))
    then, now = ({one.item_id for one in found if one.labels is None} for found in (before[0], settled))
    assert row["unresolved"] == len(now - then) > 0
    [record] = [row for row in waiting.history()["people"] if row["worker"] == "dee"]
    assert record["set_aside"] == record["answers"] == len(mine)
    assert record["agreement"]["n"] == 0
    with pytest.raises(WorkforceError, match="already, by lea"):
        put_aside(walk, "dee", "2026-02-01", WHY)
    with pytest.raises(WorkforceError, match="nobody called 'eve' has answered"):
        put_aside(walk, "eve", EVER, WHY)
    [ended] = lift(walk, "dee", Grounds("sue", "the form was broken"))
    assert (ended.number, ended.lifted.actor) == (made.number, "sue")
    assert standing(waiting) == before
    with pytest.raises(WorkforceError, match="nothing of 'dee' is set aside"):
        lift(walk, "dee", WHY)


def test_the_round_asks_others_and_learns_without(waiting):
    walk, ledger = waiting.walk, waiting.ledger
    put_aside(walk, "dee", EVER, WHY)
    taken = {one.task_key for one in ledger.annotations() if one.worker == "dee"}
    finish(waiting)
    heard = {one.task_key for one in ledger.annotations() if one.worker != "dee"}
    assert taken <= heard
    by_dee = {one.id for one in ledger.annotations() if one.worker == "dee"}
    last = ledger.resolutions(1)
    assert all(by_dee.isdisjoint(one.annotations) for one in last)
    codes, names = walk.pool.codes("truth")
    right = [one.labels == (names[codes[one.position]],) for one in last if one.labels is not None]
    assert sum(right) / len(right) > 0.9
    found = ledger.step(1, "examine")["quarantine"]
    assert found["set_aside"]["workers"] == ["dee"]
    assert found["set_aside"]["changed"] > 0
    compared = found["comparison"]
    new = next(row for row in ledger.metrics(1, "benchmark") if row.name == "macro_f1")
    assert compared["new"]["value"] == pytest.approx(new.value)
    assert compared["difference"]["value"] == pytest.approx(compared["new"]["value"] - compared["old"]["value"])
    page = render_html(waiting.history())
    for words in ("answers at random", "What it did to the model of round 1", "Labels that changed"):
        assert words in page
