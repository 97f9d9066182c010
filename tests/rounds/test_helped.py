"""The finding `helped` of a campaign that was left in peace."""

import json

import pytest

from hitl.rounds.helped import helped
from hitl.rounds.judged import Measured


def test_each_active_round_is_compared_with_the_one_before(finished):
    campaign, rounds = finished
    for number in (1, 2):
        found = campaign.ledger.step(number, "examine")["helped"]
        assert json.loads(json.dumps(found)) == found
        told, measured = found["benchmark"], campaign.ledger.step(number, "measure")["comparison"]
        assert (told["new_model"], told["old_model"]) == (rounds[number].model_id, rounds[number - 1].model_id)
        whole, *others = told["rows"]
        for side in ("old", "new"):
            assert whole[side] == measured[side]
        assert whole["difference"]["value"] == measured["difference"]["value"]
        assert [row["label"] for row in others if row["label"]] == list(campaign.walk.policy.names)
        assert told["family"] == max(sum(row["p"] is not None for row in others), 1)
        assert all(row["items"] <= told["items"] == whole["decisions"]["n"] for row in others)
    assert "helped" not in campaign.ledger.step(0, "examine")


def test_the_audit_compares_two_models_that_have_not_seen_it(finished):
    campaign, rounds = finished
    assert campaign.ledger.step(1, "examine")["helped"]["audit"] is None
    told = campaign.ledger.step(2, "examine")["helped"]["audit"]
    assert (told["round"], told["new_model"], told["old_model"]) == (1, rounds[1].model_id, rounds[0].model_id)
    at = Measured.of(campaign.walk, 2)
    asked = {pick.item_id for pick in rounds[2].selection.picks if pick.arm == "audit"}
    assert told["items"] == len(at.audit.sample) <= len(asked)
    two = at.audit.sample, at.judge(at.drawn, campaign.walk.fitted(0)).sample
    new, old = ((one.predicted == one.truth).all(axis=1) for one in two)
    found = told["rows"][0]["decisions"]
    assert (found["wins"], found["losses"]) == (int((new & ~old).sum()), int((old & ~new).sum()))
    gain = two[0].weights @ (new * 1.0 - old) / two[0].weights.sum()
    assert found["difference"] == pytest.approx(gain)


def test_a_finding_is_the_same_each_time(finished):
    campaign, _ = finished
    assert helped(Measured.of(campaign.walk, 2)) == campaign.ledger.step(2, "examine")["helped"]


def test_the_control_arm_waits_for_enough_labels(finished):
    campaign, _ = finished
    found = campaign.ledger.step(2, "examine")["control"]
    assert found["why"].startswith("too few labels by chance")
    assert found["drawn"] < found["labels"]
    assert "control" not in campaign.ledger.step(0, "examine")
