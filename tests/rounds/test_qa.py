"""The QA programme over one campaign: what is drawn, that the second look is blind, and what its figures are of."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import hitl
from hitl.cli import app
from hitl.errors import AnswerError, CampaignError, DataError, WorkforceError
from hitl.rounds import findings
from hitl.rounds.qa import cards, chart, qa
from hitl.rounds.qa_actions import Opening, effect_of, move_action, open_action
from hitl.rounds.qa_draw import Wanted, draw
from hitl.rounds.qa_logged import logged_decisions
from hitl.rounds.qa_record import programme
from hitl.rounds.qa_sessions import answer_session, key_of_sample, open_session, session_rows, session_sheet
from hitl.rounds.qa_sheets import (
    ERRORS,
    SHEET,
    blind_sheet,
    error_sheet,
    record_causes,
    record_verdicts,
    write_rows,
)
from hitl.workforce.lifecycle import DESCRIBED, MOVED

NOW = "2030-01-01T00:00:00+00:00"
SAID = {"actor": "lead", "reason": "the monthly look"}


@pytest.fixture(scope="module")
def made(tmp_path_factory, stream, new_stand):
    """A stand on which a seed round was run, nothing found out about it and no page written; and how to open it."""
    stand = new_stand(tmp_path_factory.mktemp("qa"), stream)
    parts = {"model": hitl.TextLinear(heads=1), "plan": hitl.Plan(rounds=0, seed_budget=40, benchmark=40, seed=5)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "FINDINGS", {})
        patch.setattr("hitl.rounds.campaign.write_report", lambda history, folder: folder / "report.html")
        for _ in stand.campaign("made", **parts):
            pass
    return stand, parts


@pytest.fixture
def campaign(made, tmp_path):
    """The campaign, of which nothing was drawn yet."""
    stand, parts = made
    shutil.copytree(stand.folder / "made", tmp_path / "run")
    return replace(stand, folder=tmp_path).campaign("run", **parts)


@pytest.fixture
def fresh(campaign):
    return campaign.walk


@pytest.fixture(scope="module")
def truth(stream):
    """Item → its violating label, "" where it has none."""
    codes, names = stream.codes("truth")
    return {
        item: "" if names[code] == "ok" else names[code]
        for item, code in zip(stream.ids(np.arange(len(stream))), codes.tolist(), strict=True)
    }


def log(path, rows, head="item,decided_at,action,decider,category,by,kind,vendor,team"):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def vendor_log(path, truth, wrong_of):
    """A vendor's decisions on 60 items by two people, the first of whom is wrong every `wrong_of` items."""
    rows = []
    for at, (item, label) in enumerate(list(truth.items())[:60]):
        said = ("" if label else "hate") if at % 2 == 0 and at % wrong_of == 0 else label
        action = "remove" if said else "keep"
        rows.append(f"{item},2026-0{1 + at // 10}-05T00:00:00Z,{action},human,{said},v-{at % 2},,acme,night")
    return log(path, rows)


def look_at(walk, sample, truth, folder, reviewer="senior-1"):
    """Fill the sheet of a sample in as somebody who is always right."""
    rows = blind_sheet(walk, sample, programme(walk).verdicts)
    filled = [{**row, "labels": truth[row["item"]] or "(none)", "reviewer": reviewer} for row in rows]
    return record_verdicts(walk, write_rows(filled, SHEET, folder / "sheet.csv"), **SAID)


def test_all_deciders_are_in_one_frame_and_none_is_drawn_from_twice(fresh, truth, tmp_path):
    acme = vendor_log(tmp_path / "acme.csv", truth, 4)
    sample = draw(fresh, Wanted(size=90, logs=[acme], **SAID), NOW)
    assert {one.kind for one in sample.drawn} == {"human", "resolver", "model", "vendor"}
    assert len(sample.drawn) == 90
    decisions = {name: told["decisions"] for name, told in sample.detail["sources"].items()}
    assert decisions["acme.csv"] == 60
    assert sum(decisions.values()) == sum(one["decisions"] for one in sample.detail["strata"].values())
    assert all(0 < one.inclusion <= 1 for one in sample.drawn)
    # the inverse odds add up to the frame, within three of its standard errors (Horvitz and Thompson, as if Poisson)
    odds = np.array([one.inclusion for one in sample.drawn])
    assert abs((1 / odds).sum() - sum(decisions.values())) < 3 * np.sqrt(((1 - odds) / odds**2).sum())
    with pytest.raises(CampaignError, match="no decision to draw"):
        draw(fresh, Wanted(size=10, logs=[acme], **SAID), NOW)
    with pytest.raises(CampaignError, match="would count twice"):
        draw(fresh, Wanted(size=10, logs=[acme], since="2020-01-01", **SAID), NOW)


def test_nothing_on_the_sheet_tells_who_decided_or_what(fresh, truth, tmp_path):
    sample = draw(fresh, Wanted(size=60, logs=[vendor_log(tmp_path / "acme.csv", truth, 4)], **SAID), NOW)
    rows = blind_sheet(fresh, sample, {})
    assert set(rows[0]) == set(SHEET)
    items = [one.item for one in sample.drawn]
    assert len(rows) == len(set(items))
    assert [row["review"] for row in rows] == sorted(row["review"] for row in rows)
    hidden = {one.by for one in sample.drawn} | {"acme", "night", "vendor", "resolver"}
    words = json.dumps([{k: v for k, v in row.items() if k != "content"} for row in rows])
    assert not any(word in words for word in hidden)
    assert all(row["labels"] == row["reviewer"] == row["note"] == "" for row in rows)


def test_a_census_gives_every_decider_their_exact_error_rate(fresh, truth, tmp_path):
    acme = vendor_log(tmp_path / "acme.csv", truth, 4)
    sample = draw(fresh, Wanted(size=1000, logs=[acme], own=False, **SAID), NOW)
    assert look_at(fresh, sample, truth, tmp_path) == 60
    looked = programme(fresh).looked
    by = {card.group: card for card in cards(looked, "decider")}
    assert by["v-0"].raw[0].value == by["v-0"].raw[1].value == pytest.approx(15 / 30)
    assert by["v-0"].raw[0].low == by["v-0"].raw[0].high
    assert by["v-1"].raw[0].value == 0.0
    assert 0 < by["v-1"].shrunk[0].value < by["v-0"].shrunk[0].value < 0.5
    assert [card.group for card in cards(looked, "vendor")] == ["acme"]
    clauses = {card.group: card for card in cards(looked, "clause")}
    wrong = [one for one in looked if one.error != "right"]
    put_in = sum(one.error == "overreach" for one in wrong)
    assert clauses["hate"].raw[0].value == pytest.approx(
        sum("hate" in one.concerned for one in wrong) / sum("hate" in one.concerned for one in looked)
    )
    assert put_in > 0
    assert chart(looked, period="month")["points"][0]["period"] == "2026-01"


def test_ones_own_look_does_not_count_and_a_later_one_replaces_it(fresh, truth, tmp_path):
    sample = draw(fresh, Wanted(size=1000, logs=[vendor_log(tmp_path / "a.csv", truth, 4)], own=False, **SAID), NOW)
    look_at(fresh, sample, truth, tmp_path, reviewer="v-0")
    assert {one.drawn.by for one in programme(fresh).looked} == {"v-1"}
    row = qa(fresh, NOW)["samples"][0]
    assert (row["checked"], row["own"]) == (30, 30)
    first = next(one for one in sample.drawn if one.by == "v-0")
    sheet = write_rows(
        [{"review": first.review, "labels": "unsure", "reviewer": "x"}],
        ("review", "labels", "reviewer"),
        tmp_path / "b.csv",
    )
    record_verdicts(fresh, sheet, **SAID)
    assert qa(fresh, NOW)["samples"][0]["unsure"] == 1


@pytest.mark.parametrize(
    ("cells", "error", "words"),
    [
        (("nothing", "hate", "x"), DataError, "was not drawn"),
        ((None, "rude", "x"), AnswerError, "is no answer"),
        ((None, "hate", ""), DataError, "is not told"),
        ((None, "hate", "a@b.org"), DataError, "pseudonyms only"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused_whole(fresh, truth, tmp_path, cells, error, words):
    sample = draw(fresh, Wanted(size=5, logs=[vendor_log(tmp_path / "a.csv", truth, 4)], own=False, **SAID), NOW)
    review, labels, reviewer = cells
    names = ("review", "labels", "reviewer")
    rows = [{"review": one.review, "labels": "hate", "reviewer": "x"} for one in sample.drawn[:1]]
    rows.append(dict(zip(names, (review or sample.drawn[1].review, labels, reviewer), strict=True)))
    with pytest.raises(error, match=words):
        record_verdicts(fresh, write_rows(rows, names, tmp_path / "b.csv"), **SAID)
    assert programme(fresh).verdicts == {}


def test_causes_actions_and_their_effect(fresh, truth, tmp_path):
    early = draw(fresh, Wanted(size=1000, logs=[vendor_log(tmp_path / "acme.csv", truth, 2)], own=False, **SAID), NOW)
    look_at(fresh, early, truth, tmp_path)
    rows = error_sheet(programme(fresh))
    assert {row["by"] for row in rows} == {"v-0"}
    sheet = write_rows([{**row, "cause": "training"} for row in rows], ERRORS, tmp_path / "errors.csv")
    assert record_causes(fresh, sheet, **SAID) == len(rows) == 30
    told = qa(fresh, NOW)
    assert [(bar["cause"], bar["n"]) for bar in told["causes"]] == [("training", 30)]
    action = open_action(fresh, Opening(
        title="Teach", owner="trainer", target=0.1, due="2029-01-01", where={"vendor": "acme"}, cause="training",
        **SAID,
    ))  # fmt: skip
    assert action.baseline["value"] == pytest.approx(0.5)
    assert qa(fresh, NOW)["actions"][0]["overdue"]
    with pytest.raises(WorkforceError, match="cannot become verified"):
        move_action(fresh, action.id, "verified", actor="auditor", reason="it looks well")
    done = move_action(fresh, action.id, "done", actor="trainer", reason="two hours with everybody")
    assert effect_of(done, programme(fresh).looked)["verdict"] == "too early"
    later = [f"{item},2029-05-01T00:00:00Z,{'remove' if label else 'keep'},human,{label},v-0,,acme,night"
             for item, label in list(truth.items())[100:160]]  # fmt: skip
    after = draw(fresh, Wanted(size=40, logs=[log(tmp_path / "later.csv", later)], own=False, **SAID), NOW)
    look_at(fresh, after, truth, tmp_path)
    effect = effect_of(done, programme(fresh).looked)
    assert (effect["before"]["value"], effect["after"]["value"]) == (pytest.approx(0.5), 0.0)
    assert effect["difference"]["high"] < -0.3
    assert effect["verdict"] == "better"
    assert (
        move_action(fresh, action.id, "verified", actor="auditor", reason="60 decisions, none wrong").state
        == "verified"
    )


def test_a_session_takes_its_key_from_verdicts_and_shows_it_to_nobody(fresh, truth, tmp_path):
    sample = draw(fresh, Wanted(size=40, logs=[vendor_log(tmp_path / "a.csv", truth, 4)], own=False, **SAID), NOW)
    look_at(fresh, sample, truth, tmp_path)
    session = open_session(fresh, "March", key_of_sample(fresh, "", 12), **SAID)
    rows = session_sheet(fresh, session.id)
    assert len(rows) == 12
    assert {row["labels"] for row in rows} == {""}
    assert all(row["content"] for row in rows)
    for phase, shift in (("before", 1), ("after", 0)):
        filled = [
            {**row, "worker": who, "labels": truth[row["item"]] or "(none)" if at % 2 or not shift else "hate"}
            for who in ("w-1", "w-2", "w-3") for at, row in enumerate(rows)
        ]  # fmt: skip
        path = write_rows(filled, ("item", "worker", "labels"), tmp_path / f"{phase}.csv")
        assert answer_session(fresh, session.id, phase, path, **SAID) == 36
    row = session_rows(fresh)[0]
    assert row["after"]["right"]["value"] == 1.0
    assert row["before"]["right"]["value"] < 1.0
    assert row["right"]["value"] == pytest.approx(1.0 - row["before"]["right"]["value"])


def test_a_log_says_who_decided_or_is_not_guessed(fresh, truth, tmp_path):
    first, second, *rest = truth
    at = "2026-01-05T00:00:00Z"
    rows = [
        f"{first},{at},remove,automated,hate,word-list,rule,,", f"{second},{at},keep,automated,,,,,",
        f"{rest[0]},{at},review,automated,hate,m,model,,", f"{rest[1]},{at},keep,human,,p-1,robot,,",
        f"{first},{at},remove,automated,hate,word-list,rule,,", f"elsewhere,{at},keep,human,,p-1,,,",
    ]  # fmt: skip
    found = logged_decisions(fresh, log(tmp_path / "l.csv", rows), NOW)
    assert [found.words("kind", row) for row in range(len(found))] == ["rule", "automated", "human"]
    assert found.position.tolist()[-1] == -1
    assert found.acted.tolist() == [True, False, False]
    assert [one["reason"].split(":")[0] for one in found.set_aside] == [
        "kind",
        "action",
        "the same decision stands there twice",
    ]
    with pytest.raises(DataError, match="e-mail"):
        logged_decisions(fresh, log(tmp_path / "m.csv", [f"{first},{at},keep,human,,a@b.org,,,"]), NOW)


def test_people_of_a_vendor_are_known_by_the_roster(campaign, fresh):
    worker = campaign.ledger.annotations()[0].worker
    said = {"worker": worker, "actor": "lead", "reason": "hired"}
    with campaign.ledger.transaction() as writer:
        writer.event(MOVED, {**said, "before": "", "after": "active"})
        writer.event(DESCRIBED, {**said, "languages": [], "skills": [], "vendor": "acme", "team": "night"})
    sample = draw(fresh, Wanted(size=5000, **SAID), NOW)
    mine = [one for one in sample.drawn if one.by == worker]
    assert {(one.kind, one.vendor, one.team) for one in mine} == {("vendor", "acme", "night")}


def test_seniors_are_asked_blind_and_their_word_comes_back(campaign, fresh):
    sample = draw(fresh, Wanted(size=5000, **SAID), NOW)
    before = set(campaign.ledger.asked_items())
    asked, left = campaign.ask_again(**SAID)
    tasks = [task for task in campaign.ledger.tasks() if task.queue == "review"]
    assert asked == len(tasks) == len({one.item for one in sample.drawn if one.item in before})
    assert left == len({one.item for one in sample.drawn} - before)
    assert {task.data["opinions"] for task in tasks} == {""}
    assert not any(one.by in json.dumps(dict(tasks[0].data)) for one in sample.drawn)
    assert set(campaign.ledger.asked_items()) == before
    campaign.pull()
    held = programme(fresh)
    assert len({one.drawn.item for one in held.looked}) > 0
    assert campaign.ask_again(**SAID)[0] == 0


def test_the_commands_tell_what_there_is_and_what_to_do(campaign, fresh, truth, tmp_path, monkeypatch):
    for module in ("qa", "qa_figures", "qa_work"):
        monkeypatch.setattr(f"hitl.cli.{module}.begun", lambda config, progress: campaign)
    runner = CliRunner()

    def call(*words):
        done = runner.invoke(app, ["qa", *map(str, words)], env={"COLUMNS": "160"})
        assert done.exit_code == 0, (words, done.output, done.exception)
        return json.loads(done.stdout) if "--json" in words else done.stdout

    by = ("--actor", "lead", "--reason", "monthly")
    assert "hitl qa sample" in call("scorecards")
    assert "hitl qa action open" in call("actions")
    assert "hitl qa session open" in call("sessions")
    acme, sheet = vendor_log(tmp_path / "acme.csv", truth, 4), tmp_path / "sheet.csv"
    told = call("sample", "--log", acme, "--only-logs", "--size", 50, "--to", sheet, *by)
    assert "50 of 60 decisions are drawn" in told
    assert str(sheet) in told
    rows = list(csv.DictReader(io.StringIO(sheet.read_text())))
    filled = [{**row, "labels": truth[row["item"]] or "(none)"} for row in rows]
    write_rows(filled, SHEET, sheet)
    assert call("verdicts", sheet, "--reviewer", "senior", *by, "--json") == {"verdicts": 50}
    assert [card["group"] for card in call("scorecards", "--json")] == ["v-0", "v-1"]
    assert "v-0" in call("scorecards")
    assert call("chart", "--where", "vendor=acme", "--json")["points"]
    assert "errors" in call("errors")
    assert "hitl qa causes" in call("pareto")
    made = call(
        "action",
        "open",
        "--title",
        "Teach",
        "--owner",
        "trainer",
        "--target",
        0.1,
        "--due",
        "2029-01-01",
        *by,
        "--json",
    )
    assert made["state"] == "open"
    assert call("action", "done", "a1", "--actor", "trainer", "--reason", "done", "--json")["state"] == "done"
    assert call("session", "open", "--title", "March", "--size", 5, *by, "--json")["items"] == 5
