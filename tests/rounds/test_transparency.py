"""The table for a regulator, from a campaign whose pool has planted truth: totals exact, figures within intervals."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import hitl
from hitl.config import truth_from
from hitl.demo.stream import generate
from hitl.errors import CampaignError, DataError
from hitl.history import TransparencyRow, TransparencyTable
from hitl.history.transparency import ALL, MEASURES
from hitl.policy import Policy
from hitl.rounds import findings
from hitl.rounds.in_force import periods, unjudged
from hitl.rounds.transparency import transparency
from hitl.workforce.simulated import Reviewer

NOW = "2030-01-01T00:00:00+00:00"
SURE = [Reviewer(name, accuracy=1.0, skip_rate=0.0, unsure_rate=0.0) for name in ("mira", "tove", "ana")]
POLICY = Policy.parse("""
name: abuse
version: 1
labels:
  - {name: ok, violating: false}
  - {name: insult, actions: {review: 0.2, limit: 0.4}}
  - {name: hate, actions: {review: 0.1, limit: 0.2, remove: 0.5}}
  - {name: threat, actions: {review: 0.1, remove: 0.4}}
  - {name: scam}
regions:
  ID: {labels: {hate: {actions: {remove: 0.3}}}}
""")


@pytest.fixture(scope="module", autouse=True)
def _alone():
    """The other findings of a round, and the page, take their time and are not looked at here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "FINDINGS", {"transparency": findings.FINDINGS["transparency"]})
        patch.setattr("hitl.rounds.campaign.write_report", lambda history, folder: folder / "report.html")
        yield


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A finished campaign of two rounds with a large audit and people who are always right."""
    pool = hitl.Pool.open(
        generate(1000, seed=4), text="text", id="id", reach="reach", language="language", region="region",
        facets=("truth", "wave"),
    )  # fmt: skip
    home = tmp_path_factory.mktemp("planted")
    campaign = hitl.Campaign(
        "planted",
        policy=POLICY,
        pool=pool,
        model=hitl.TextLinear(calibrate=False),
        connector=hitl.MemoryConnector(truth_from(pool, "truth"), SURE, folder=home / "desk"),
        plan=hitl.Plan(
            rounds=2, budget=150, seed_budget=100, benchmark=100, audit=0.8, relabel=0.0, replay="wave", seed=2
        ),
        folder=home,
    )
    campaign.run()
    return campaign, transparency(campaign.walk, NOW)


def values(table, **where):
    """Measure → value of the rows at these places, all languages, categories and deciders where none is given."""
    at = {"language": ALL, "category": ALL} | where
    rows = [row for row in table["rows"] if all(row[name] == value for name, value in at.items())]
    found = {row["measure"]: row for row in rows}
    assert len(found) == len(rows), "a cell has one row a measure"
    return found


def decided(walk, number):
    """What the model in force does with each unjudged item, by the policy: item → (language, views, label → action)."""
    rows = np.flatnonzero(unjudged(walk, number))
    proba = walk.fitted(number - 1).predict(walk.features.take(rows)).proba.astype(float)
    items = walk.pool.rows(rows, ["language", "region", "reach"]).to_pylist()
    actions = {}
    for at, item in enumerate(items):
        labels = walk.policy.resolve(item["region"]).labels
        reached = {
            label.name: max((code for code, (_, cut) in enumerate(reversed(list(label.actions)), start=1)
                             if cut is not None and proba[at, place] >= cut), default=0)
            for place, label in enumerate(labels)
        }  # fmt: skip
        actions[int(rows[at])] = (item["language"], item["reach"], reached)
    return actions


@pytest.mark.parametrize("number", [1, 2, 3])
def test_totals_are_those_of_the_items_one_by_one(planted, number) -> None:
    campaign, table = planted
    items, views = Counter(), Counter()
    for language, reach, reached in decided(campaign.walk, number).values():
        for spoken in (ALL, language):
            items[spoken, "items"] += 1
            views[spoken, "views"] += reach
            for category, code in ((ALL, max(reached.values())), *reached.items()):
                items[spoken, category, code] += 1
                views[spoken, category, code] += reach
    for language in ("en", "ja", ALL):
        for category in (ALL, "insult", "hate", "threat", "scam"):
            told = values(table, period=number, language=language, category=category, decider="automated")
            count = {code: items[language, category, code] for code in range(4)}
            seen = {code: views[language, category, code] for code in range(4)}
            for measure, code in (("review", 1), ("limit", 2), ("remove", 3)):
                assert told[f"decisions@{measure}"]["value"] == count[code]
                assert told[f"views@{measure}"]["value"] == pytest.approx(seen[code])
            assert told["decisions@act"]["value"] == count[2] + count[3]
    whole = values(table, period=number, decider="automated")
    assert whole["items"]["value"] == items[ALL, "items"] == unjudged(campaign.walk, number).sum()
    assert whole["views"]["value"] == pytest.approx(views[ALL, "views"])


def test_the_pool_of_a_period_is_what_its_audit_was_drawn_from(planted) -> None:
    campaign, _ = planted
    for row in campaign.history()["rounds"][1:]:
        assert unjudged(campaign.walk, row["round"]).sum() == row["left"]["eligible"]


@pytest.mark.parametrize("number", [1, 2])
def test_the_truth_lies_within_the_intervals(planted, number) -> None:
    campaign, table = planted
    codes, names = campaign.walk.pool.codes("truth")
    actions = decided(campaign.walk, number)
    acts = np.array([max(reached.values()) >= 2 for _, _, reached in actions.values()])
    bad = np.array([names[codes[at]] != "ok" for at in actions])
    told = values(table, period=number, decider="automated")
    truth = {
        "accuracy": np.mean(acts == bad), "precision": bad[acts].mean(), "recall": acts[bad].mean(),
        "false_positive_rate": acts[~bad].mean(),
    }  # fmt: skip
    for name, value in truth.items():
        assert told[name]["low"] <= value <= told[name]["high"], name
    assert told["audited"]["value"] == 120
    assert told["accuracy"]["basis"] == f"the audit of round {number}"


def test_the_newest_model_is_judged_by_the_benchmark(planted) -> None:
    _, table = planted
    told = values(table, period=3, decider="automated")
    assert told["accuracy"]["basis"] == "the frozen benchmark"
    assert told["audited"]["value"] == 100
    assert told["accuracy"]["end"] is None


def test_periods_follow_one_another_and_name_their_models(planted) -> None:
    campaign, table = planted
    found = periods(campaign.walk)
    assert [period.number for period in found] == [0, 1, 2, 3]
    assert [period.model for period in found] == ["", *(row["model_id"] for row in campaign.history()["rounds"])]
    assert all(one.end == other.begin for one, other in pairwise(found))
    assert {row["period"] for row in table["rows"] if row["decider"] == "automated"} == {1, 2, 3}


def test_people_are_counted_with_their_time(planted) -> None:
    campaign, table = planted
    for number, settled in ((0, 200), (1, 150), (2, 150)):
        told = values(table, period=number, decider="human")
        spent = [one.seconds for one in campaign.ledger.annotations(number)]
        assert told["human_decisions"]["value"] == settled
        assert told["human_answers"]["value"] == len(spent)
        assert told["human_seconds"]["value"] == pytest.approx(np.median(spent))
        parts = [
            row["value"] for row in table["rows"]
            if row["measure"] == "human_decisions" and row["period"] == number and row["category"] == ALL
            and row["language"] != ALL
        ]  # fmt: skip
        assert sum(parts) == settled
    labels = campaign.history()["rounds"][1]["labels"]
    told = {name: values(table, period=1, category=name, decider="human") for name in ("insult", "hate")}
    assert {name: found["human_decisions"]["value"] for name, found in told.items()} == {
        name: labels[name] for name in told
    }


def test_without_a_log_appeals_are_unknown_and_never_none(planted) -> None:
    _, table = planted
    for number in range(4):
        told = values(table, period=number, source="to be mapped")
        assert {"taken@remove", "appeals", "appeals_reversed", "reversal_rate", "appeal_hours"} <= set(told)
        for row in told.values():
            assert (row["value"], row["low"], row["high"], row["n"]) == (None, None, None, None)
            assert row["method"].startswith("not recorded here")
    assert table["log"] is None


def test_a_log_fills_them(planted, tmp_path) -> None:
    campaign, _ = planted
    begun = periods(campaign.walk)[2]
    path = tmp_path / "log.csv"
    at = begun.begin
    rows = [f"x{n},{at},remove,automated,hate,en,{at},{at},{'reversed' if n < 3 else 'upheld'}" for n in range(8)]
    head = "item,decided_at,action,decider,category,language,appealed_at,appeal_decided_at,outcome"
    path.write_text("\n".join([head, *rows, "y,when,remove,automated,hate,en,,,"]) + "\n")
    table = transparency(campaign.walk, NOW, path, 2)
    told = values(table, source="decisions log", decider="automated", language="en", category="hate")
    assert told["taken@remove"]["value"] == told["appeals"]["value"] == 8
    assert told["appeals_reversed"]["value"] == 3
    assert told["reversal_rate"]["value"] == 3 / 8
    assert told["reversal_rate"]["low"] < 3 / 8 < told["reversal_rate"]["high"]
    assert table["log"]["used"] == 8
    assert [one["reason"] for one in table["log"]["set_aside"]] == ["decided_at: is no ISO 8601 time"]
    assert {row["period"] for row in table["rows"]} == {2}
    path.write_text("item,decided_at,action,decider\nx0," + at + ",remove,automated\n")
    told = values(transparency(campaign.walk, NOW, path, 2), decider=ALL)
    assert told["taken@remove"]["value"] == 1
    assert told["appeals"]["method"].startswith("not recorded here")
    path.write_text("item\n")
    with pytest.raises(DataError, match="'decided_at' is missing"):
        transparency(campaign.walk, NOW, path)


def test_every_row_has_its_keys_and_the_header_says_what_is_ours(planted) -> None:
    _, table = planted
    assert set(table) == set(TransparencyTable.__annotations__)
    keys = set(TransparencyRow.__annotations__)
    for row in table["rows"]:
        assert set(row) == keys
        assert row["unit"] == MEASURES[row["measure"]].unit
        assert row["source"] in ("hitl", "decisions log", "to be mapped")
        assert row["value"] is not None or row["method"]
        if row["low"] is not None and row["value"] is not None:
            assert row["low"] <= row["value"] <= row["high"]
    assert "Art. 15(1)(e)" in table["law"][0]["provision"]
    assert "2024/2835" in json.dumps(table["law"])
    assert table["ours"]
    assert {entry["what"] for entry in table["to_map"]} >= {"categories", "languages", "the reporting period"}
    json.dumps(table, allow_nan=False)


def test_the_record_of_a_round_tells_the_main_figures_of_the_table(planted) -> None:
    campaign, table = planted
    rounds = campaign.history()["rounds"]
    assert "transparency" not in rounds[0]["findings"]
    found = rounds[2]["findings"]["transparency"]
    assert found["model_id"] == rounds[1]["model_id"]
    for cell in found["cells"]:
        told = values(table, period=2, language=cell["language"], category=cell["category"], decider="automated")
        for figure in cell["figures"]:
            assert told[figure["name"]]["value"] == figure["value"]
    languages = {cell["language"] for cell in found["cells"]}
    assert {ALL, "en"} <= languages


def test_a_period_that_is_not_there_is_named(planted) -> None:
    campaign, _ = planted
    with pytest.raises(CampaignError, match="there is no period 9; they go from 0 to 3"):
        transparency(campaign.walk, NOW, number=9)


def test_before_the_first_round_there_is_no_table(stand) -> None:
    with pytest.raises(CampaignError, match="no round has begun"):
        transparency(stand.campaign().walk, NOW)


def test_while_people_work_the_model_is_judged_by_the_benchmark(stand) -> None:
    campaign = stand.campaign()
    next(iter(campaign))
    stand.campaign(auto=False).run()
    walk = stand.campaign(auto=False).walk
    told = values(transparency(walk, NOW), period=1, decider="automated")
    assert told["accuracy"]["basis"] == "the frozen benchmark"
    assert told["items"]["value"] == unjudged(walk, 1).sum()


def test_a_model_of_other_labels_is_not_judged(planted) -> None:
    campaign, _ = planted
    other = Policy(name="abuse", version="1", labels=POLICY.labels[:3])
    walk = replace(campaign.walk, policy=other)
    rows = [row for row in transparency(walk, NOW, number=1)["rows"] if row["decider"] == "automated"]
    assert [(row["measure"], row["value"]) for row in rows] == [("decisions@act", None)]
    assert "other labels than the model learned" in rows[0]["method"]


def test_a_model_is_told_by_the_policy_that_was_in_force(planted) -> None:
    campaign, table = planted
    stricter = [label.model_copy(update={"actions": POLICY.label("ok").actions}) for label in POLICY.labels]
    walk = replace(campaign.walk, policy=Policy(name="abuse", version="2", labels=tuple(stricter)))
    again = transparency(walk, NOW, number=1)["rows"]
    assert again == [row for row in table["rows"] if row["period"] == 1]
