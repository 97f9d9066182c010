"""Thresholds of a campaign: what is found about a round, and the policy that is made of it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import yaml

from hitl.errors import PolicyError
from hitl.metrics.cuts import Cuts
from hitl.metrics.operating import Promise
from hitl.policy import Policy
from hitl.rounds.judged import Measured
from hitl.rounds.proposal import changed, proposal, revised
from hitl.rounds.thresholds import Wanted, choose, thresholds

EASY = Promise(precision=0.5, missed=0.5, confidence=0.6)
POLICY = Policy.parse(
    """
name: p
version: 3
labels:
  - {name: ok, violating: false}
  - {name: rude, severity: 2, actions: {review: 0.3, limit: 0.6, remove: 0.9}}
regions:
  DE: {labels: {rude: {severity: 5, actions: {review: 0.2, remove: 0.8}}}}
"""
)


@pytest.fixture(scope="module")
def measured(finished) -> Measured:
    campaign, _ = finished
    return Measured.of(campaign.walk, 2)


def test_every_threshold_of_the_policy_is_told_with_its_risk(measured) -> None:
    told = thresholds(measured)
    assert json.loads(json.dumps(told)) == told
    policy = measured.walk.policy
    common = {(row["label"], row["action"]): row["present"] for row in told["cuts"] if not row["where"]}
    wanted = {(label.name, name): at for label in policy.labels for name, at in label.actions if at is not None}
    assert wanted.items() <= common.items()
    assert {row["where"] for row in told["cuts"]} <= {"", *policy.regions}
    for row in told["cuts"]:
        assert row["risk"]["name"] == ("missed" if row["action"] == "review" else "precision")
        assert row["promised"] or row["why"]
    assert (told["judged_on"], told["items"]) == ("benchmark", len(measured.benchmark.sample))
    assert {one["name"] for one in told["present"]} == {"automated", "automated_by_views", "precision@act", "missed"}
    assert told["present"][0] == pytest.approx(told["proposed"][0]) or changed(told)
    assert len(told["checked"]) == 4


def test_so_few_items_promise_nothing_and_the_present_stands(measured) -> None:
    told, policy = choose(measured, Wanted(Promise(precision=0.999, missed=0.001)))
    assert not any(row["promised"] for row in told["cuts"])
    assert not changed(told)
    assert policy == measured.walk.policy
    assert any("would do" in row["why"] for row in told["cuts"])


def test_the_record_and_the_history_hold_it(finished) -> None:
    campaign, _ = finished
    rows = campaign.history()["rounds"]
    assert all(row["findings"]["thresholds"]["cuts"] for row in rows)


@pytest.mark.parametrize("by", ["region", "language"])
def test_slices_are_told_and_only_regions_are_written(measured, by) -> None:
    told, policy = choose(measured, Wanted(EASY, by))
    walk = measured.walk
    values = set(walk.pool.codes(by)[1])
    assert {row["where"] for row in told["cuts"]} - {""} <= values
    assert len({row["where"] for row in told["cuts"]}) > 2
    pooled = [row for row in told["cuts"] if row["pooled"]]
    assert all("too few of" in row["why"] and not row["promised"] for row in pooled)
    if by == "language":
        assert set(policy.regions) == set(walk.policy.regions)


def test_a_proposal_is_a_policy_under_a_new_version_that_says_what_it_rests_on(measured) -> None:
    told, policy = choose(measured, Wanted(EASY))
    assert changed(told)
    now = measured.walk.policy
    text = proposal(policy, told, {now.version})
    read = Policy.parse(text)
    assert read.version == f"{now.version}-thresholds"
    assert read.names == now.names
    assert now.diff(read).stale == {}
    assert told["model_id"] in text
    assert Policy.parse(proposal(policy, told, {now.version, read.version})).version == f"{now.version}-thresholds-2"
    for row in told["cuts"]:
        at = read.resolve(row["where"]).label(row["label"]).actions
        assert getattr(at, row["action"]) == row["proposed"]
    # Nothing but thresholds differs.
    plain = [yaml.safe_load(one.to_yaml()) for one in (now, read)]
    for one in plain:
        one.pop("version")
        for label in [*one["labels"], *(x for r in one.get("regions", {}).values() for x in r["labels"].values())]:
            label.pop("actions", None)
    assert plain[0] == plain[1]


def test_by_cost_only_what_is_shown_to_save_moves(measured) -> None:
    told, _ = choose(measured, Wanted(cost=True))
    assert told["chosen_by"] == "cost"
    assert not any(row["where"] for row in told["cuts"])
    saved = {row["label"]: row for row in told["savings"]}
    for row in told["cuts"]:
        if row["present"] != row["proposed"]:
            assert saved[row["label"]]["low"] > 0
    assert "" in saved


def test_a_region_keeps_what_else_it_says() -> None:
    found = revised(POLICY, {("", "rude"): Cuts(0.4, 0.5, 0.9), ("DE", "rude"): Cuts(0.1, math.inf, 0.7)})
    there = found.resolve("DE").label("rude")
    assert (there.severity, there.actions.review, there.actions.limit, there.actions.remove) == (5, 0.1, None, 0.7)
    assert found.label("rude").actions.limit == 0.5
    assert revised(POLICY, {}) == POLICY
    same = {("US", "rude"): Cuts(0.3, 0.6, 0.9)}
    assert revised(POLICY, same) == POLICY
    with pytest.raises(PolicyError, match="rise with the action"):
        revised(POLICY, {("", "rude"): Cuts(0.9, 0.5, 0.4)})


@pytest.mark.parametrize("version", ["3-thresholds", "3-thresholds-4", "3"])
def test_a_version_is_never_given_twice(measured, version) -> None:
    told, _ = choose(measured, Wanted(EASY))
    taken = {version}
    for _ in range(3):
        policy = POLICY.model_copy(update={"version": version})
        new = Policy.parse(proposal(policy, told, taken)).version
        assert new not in taken
        taken.add(new)
    with pytest.raises(PolicyError, match="shorter"):
        proposal(POLICY.model_copy(update={"version": "x" * 60}), told, set())


def test_a_region_of_any_name_ends_no_comment(measured) -> None:
    told, policy = choose(measured, Wanted(EASY))
    hostile = "x\nlabels: []\u2028version: 9\x85name: y"
    cuts = [{**row, "where": hostile, "why": hostile} for row in told["cuts"]]
    text = proposal(policy, {**told, "cuts": cuts}, set())
    assert Policy.parse(text).names == policy.names


def test_without_a_benchmark_the_audit_speaks_for_the_model_before(measured) -> None:
    class Audited(Measured):
        benchmark = None

    at = Audited(measured.walk, measured.number, measured.new, measured.old)
    told, _ = choose(at, Wanted())
    assert (told["judged_on"], told["model_id"], told["checked"]) == ("audit", measured.old.model_id, [])
    seed = Audited(measured.walk, 0, measured.new, None)
    assert choose(seed, Wanted()) is None
    assert np.isfinite([row["share"]["value"] for row in told["cuts"] if row["share"]["value"] is not None]).all()
