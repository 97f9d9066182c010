"""Challenge suites in a campaign: each round's model runs on them, against the one before; nothing else changes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hitl
from hitl.config import CampaignConfig, truth_from
from hitl.deciding import decide
from hitl.errors import ConfigError
from hitl.rounds.challenge import challenge_model, challenge_row

CASES = 120


def suite_of(pool, name="zonks", **changes):
    """Cases from the demo's stream, whose truth is known."""
    rows = pool.rows(np.arange(CASES)).to_pylist()
    cases = pa.table({
        "case": [row["text"] for row in rows],
        "gold": [row["truth"] or "nothing" for row in rows],
        "kind": [f"kind {len(row['text']) % 3}" for row in rows],
        "about": [row["region"] for row in rows],
    })  # fmt: skip
    given = {"text": "case", "expected": "gold", "functionality": "kind", "groups": ["about"], "map": {"nothing": []}}
    return hitl.ChallengeSuite.read(cases, name=name, **(given | changes))


@pytest.fixture(scope="module")
def challenged(tmp_path_factory, stream, new_stand):
    stand = new_stand(tmp_path_factory.mktemp("challenged"), stream)
    campaign = stand.campaign(challenges=[suite_of(stream), suite_of(stream, "again")])
    campaign.run()
    return campaign


def test_every_round_runs_every_suite(challenged):
    rounds = challenged.history()["rounds"]
    for row in rounds:
        told = row["findings"]["challenge"]
        assert [one["suite"] for one in told] == ["zonks", "again"]
        assert {one["model_id"] for one in told} == {row["model_id"]}
        assert {one["before"] for one in told} == {row["picked_by_model"]}
        for one in told:
            assert one["cases"] == CASES == sum(each["passed"]["n"] for each in one["functions"])
            assert all((each["change"] is None) == (row["round"] == 0) for each in one["functions"])
        assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_what_is_kept_is_what_the_models_do(challenged):
    suite, policy = challenged.walk.challenges[0], challenged.walk.policy
    new, old = (suite.run(challenged.walk.fitted(at), policy) for at in (2, 1))
    (told, _) = challenged.history()["rounds"][2]["findings"]["challenge"]
    assert told["passed"]["value"] == pytest.approx(new.passed.mean())
    assert told["change"]["won"] == (new.passed & ~old.passed).sum()
    assert told["change"]["lost"] == (~new.passed & old.passed).sum()
    codes, names = suite.pool.codes("about")
    for row in told["groups"]:
        member = codes == names.index(row["group"])
        alarms = ~new.passed[member & ~new.must_catch]
        assert row["false_positive_rate"]["n"] == len(alarms)
        assert [one["name"] for one in row["aucs"]] == ["subgroup_auc", "bpsn_auc", "bnsp_auc"]


def test_suites_change_nothing_else(challenged, finished):
    plain, _ = finished
    assert [one.model_id for one in plain.rounds] == [one.model_id for one in challenged.rounds]
    assert "challenge" not in plain.history()["rounds"][0]["findings"]


def test_what_regressed_stands_first(challenged):
    suite, policy = challenged.walk.challenges[0], challenged.walk.policy
    run = suite.run(challenged.walk.fitted(2), policy)
    codes, names = run.functionality
    good = np.ones(CASES, dtype=bool)
    before = replace(run, passed=good, model_id="before")
    worse = replace(run, passed=codes != names.index("kind 1"))
    row = challenge_row(worse, before, np.random.default_rng(0))
    assert row["functions"][0]["name"] == "kind 1"
    assert [one["change"]["regressed"] for one in row["functions"]] == [True, False, False]
    back = challenge_row(before, worse, np.random.default_rng(0))
    assert not any(one["change"]["regressed"] for one in back["functions"])
    assert back["change"]["difference"]["low"] > 0


def test_a_suite_that_the_policy_does_not_know_stops_a_campaign_at_the_start(stand):
    with pytest.raises(ConfigError, match="mapped to 'fine', is no label"):
        stand.campaign(challenges=[suite_of(stand.pool, map={"ok": "fine"})])


def test_pictures_of_a_suite_lie_in_its_own_folder(tmp_path):
    from kinds import LABELS, on_images, pictures, truth
    from PIL import Image

    labels = [LABELS[at] for at in truth()]
    items = pa.table({"id": pictures(tmp_path), "file": pictures(tmp_path), "truth": labels})
    pq.write_table(items, tmp_path / "items.parquet")
    apart = tmp_path / "suite"
    apart.mkdir()
    for name in ("a.png", "b.png"):
        Image.open(tmp_path / "0.png").save(apart / name)
    cases = pa.table({"file": ["a.png", "b.png"], "gold": [labels[0]] * 2, "kind": ["one", "two"]})
    pq.write_table(cases, apart / "cases.parquet")
    suite = hitl.ChallengeSuite.read(apart / "cases.parquet", media="file", expected="gold", functionality="kind")
    policy = hitl.Policy.parse(
        "{name: small, version: 1, labels: [{name: fine, violating: false}, {name: rude}, {name: spam}]}"
    )
    pool = hitl.Pool.open(tmp_path / "items.parquet", media="file", facets=("truth",))
    parts = {"policy": policy, "pool": pool, "model": on_images()(tmp_path), "folder": tmp_path / "run"}
    plan = hitl.Plan(rounds=1, budget=10, benchmark=10, seed_budget=20, overlap=0.0, benchmark_people=1)
    connector = hitl.MemoryConnector(truth_from(pool, "truth"))
    campaign = hitl.Campaign("trial", plan=plan, connector=connector, challenges=[suite], **parts)
    campaign.run()
    row = campaign.history()["rounds"][1]["findings"]["challenge"][0]
    assert [one["passed"]["n"] for one in row["functions"]] == [1, 1]
    fitted = campaign.walk.fitted(1)
    there = fitted.predict(campaign.walk.features.take(pool.position_of(["0.png"])))
    right = decide(there.proba, there.thresholds)[0, LABELS.index(labels[0])]
    assert (row["change"]["won"] + row["change"]["lost"]) in (0, 2)
    run = suite.run(challenge_model(campaign.walk, 1, fitted, suite), policy)
    assert run.passed.tolist() == [right, right]


def test_the_campaign_s_file_names_suites(tmp_path):
    folder = tmp_path / "suites"
    folder.mkdir()
    (folder / "cases.csv").write_text("case,gold,kind,about\nzonk wub,hateful,slur,A\nplim,non-hateful,joke,B\n")
    (tmp_path / "items.csv").write_text("id,text,truth\n1,zonk,bad\n2,plim,ok\n")
    (tmp_path / "policy.yaml").write_text(
        "name: p\nversion: 1\nlabels:\n- {name: ok, violating: false}\n- {name: bad}\n"
    )
    (tmp_path / "hitl.yaml").write_text("""
campaign: trial
policy: policy.yaml
pool: {path: items.csv}
connect: {kind: memory, truth: truth}
challenges:
- path: suites/cases.csv
  text: case
  expected: gold
  functionality: kind
  groups: [about]
  map: {hateful: bad, non-hateful: [ok]}
""")
    (suite,) = CampaignConfig.load(tmp_path / "hitl.yaml").open_challenges()
    assert (suite.name, len(suite), suite.groups) == ("cases.csv", 2, ("about",))
    campaign = CampaignConfig.load(tmp_path / "hitl.yaml").open()
    assert [one.name for one in campaign.walk.challenges] == ["cases.csv"]
    campaign.ledger.close()
