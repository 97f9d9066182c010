"""Predictions shown or kept back by chance: what reaches people, what is on record, and what the report makes of it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pyarrow as pa
import pytest

import hitl
from hitl.config import truth_from
from hitl.demo.stream import demo_policy, generate
from hitl.rounds import findings
from hitl.rounds.anchoring import anchored
from hitl.rounds.showing import Showing, as_served, hide
from hitl.serve.opinions import Opinions
from hitl.types import Task
from hitl.workforce.simulated import Reviewer

PLAN = {
    "rounds": 1, "budget": 60, "seed_budget": 40, "benchmark": 20, "audit": 0.2, "seed": 5, "third_opinion": False,
    "gold": 0.5, "gold_people": 1, "gold_column": "known", "show_predictions": True, "hide_predictions": 0.4,
}  # fmt: skip
NEVER = ("audit", "benchmark")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A campaign whose people take every prediction over that they see, and are right where they see none."""
    table = generate(700, seed=3)
    known = ["" if at % 5 else truth or "ok" for at, truth in enumerate(table["truth"].to_pylist())]
    table = table.append_column("known", pa.array(known))
    pool = hitl.Pool.open(table, text="text", id="id", language="language", region="region", facets=("truth", "known"))
    truth, folder = truth_from(pool, "truth"), tmp_path_factory.mktemp("shown")

    def follow(task):
        return (max(task.predicted, key=task.predicted.get),) if task.predicted else right(truth, task)

    people = [Reviewer(name, accuracy=1.0, skip_rate=0.0, unsure_rate=0.0) for name in ("ana", "bo")]
    desk = hitl.MemoryConnector(follow, people, folder=folder / "desk")
    campaign = hitl.Campaign(
        "shown", policy=demo_policy(), pool=pool, model=hitl.TextLinear(), plan=hitl.Plan(**PLAN), connector=desk,
        folder=folder,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "FINDINGS", {"anchoring": anchored})
        for _ in campaign:
            pass
    return campaign


def right(truth, task):
    return truth(task) if callable(truth) else truth.get(task.item_id, ())


def arms(campaign):
    picks = [pick for number in (0, 1) for pick in campaign.ledger.picks(number)]
    return {pick.item_id: pick.arm for pick in picks}


def test_people_see_what_the_record_says_and_never_one_where_the_model_is_measured(shown):
    hidden = {key for number in (0, 1) for key in shown.ledger.step(number, "ask")["hidden"]}
    by_item, served = arms(shown), {task.key: task for task in shown.walk.connector.tasks}
    asked = shown.ledger.tasks(1)
    assert all(task.predicted for task in asked)
    for task in asked:
        assert (served[task.key].predicted == {}) == (task.key in hidden)
        assert served[task.key].priority == task.priority
        assert task.key in hidden or by_item[task.item_id] not in NEVER
    by_chance = [task.key in hidden for task in asked if by_item[task.item_id] not in NEVER]
    assert 0.2 < sum(by_chance) / len(by_chance) < 0.6
    gold = {task.key in hidden for task in asked if by_item[task.item_id] == "gold"}
    assert gold == {True, False}


def test_the_finding_is_of_the_tasks_that_chance_dealt(shown):
    found = shown.history()["rounds"][1]["findings"]["anchoring"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    by_item = arms(shown)
    assert found["never_shown"] == sum(by_item[task.item_id] in NEVER for task in shown.ledger.tasks(1))
    assert found["shown"] + found["hidden"] + found["never_shown"] == len(shown.ledger.tasks(1))
    assert (found["answered_shown"], found["answered_hidden"]) == (found["shown"], found["hidden"])
    effects = {(one["about"], one["label"]): one for one in found["effects"]}
    whole, wrong = effects["all", ""], effects["model wrong", ""]
    assert whole["shown"]["value"] == 1.0
    assert whole["difference"]["value"] == pytest.approx(1.0 - whole["hidden"]["value"])
    assert wrong["shown"]["value"] in (1.0, None)
    assert wrong["hidden"]["value"] in (0.0, None)
    assert "anchoring" not in shown.history()["rounds"][0]["findings"]


def test_a_server_that_asks_for_predictions_gets_no_more(shown):
    asked = shown.ledger.tasks(1)
    told = Opinions(shown.walk).predict([{"data": dict(task.data)} for task in asked])
    showing = Showing.of(shown.walk)
    assert [bool(one["result"]) for one in told] == [showing.shows(task) for task in asked]
    assert [one["score"] for one in told] == [1 - task.priority for task in asked]


def test_without_showing_nothing_is_recorded_and_nothing_changes(finished):
    campaign, _ = finished
    assert "hidden" not in campaign.ledger.step(1, "ask")
    tasks = campaign.ledger.tasks(1)
    assert as_served(campaign.walk, tasks) == tasks
    assert all("anchoring" not in row["findings"] for row in campaign.history()["rounds"])


def key(number):
    return f"{number * 0x9E3779B97F4A7C15 % 2**80:020x}"


def staged(share, seed=0):
    plan = SimpleNamespace(hide_predictions=share)
    return SimpleNamespace(plan=plan, seed=lambda number, step: 1000 * seed + number)


def test_chance_is_the_key_s_own_and_has_the_planned_share():
    tasks = [Task(key(number), 1, f"item-{number}", number, "classify", "1", "", {}) for number in range(4000)]
    arm = {task.item_id: "uncertain" for task in tasks}
    hidden = hide(staged(0.25), 1, tasks, arm)
    assert hidden == hide(staged(0.25), 1, tasks[::-1], arm) == sorted(hidden)
    assert set(hide(staged(0.25), 1, tasks[:2000], arm)) <= set(hidden) <= set(hide(staged(0.5), 1, tasks, arm))
    assert len(hidden) == pytest.approx(1000, abs=4 * (4000 * 0.25 * 0.75) ** 0.5)
    other = set(hide(staged(0.25, seed=1), 1, tasks, arm))
    assert len(other & set(hidden)) == pytest.approx(250, abs=80)
    assert hide(staged(0.0), 1, tasks, arm) == []
    audited = {task.item_id: "audit" for task in tasks}
    assert len(hide(staged(0.0), 1, tasks, audited)) == 4000


def test_seniors_and_rounds_asked_without_predictions_see_none():
    showing = Showing(True, frozenset({1}), frozenset({"b"}))
    task = Task("a", 1, "item", 0, "classify", "1", "", {})
    cases = [task, Task(**{**vars(task), "queue": "review"}), Task(**{**vars(task), "round": 0}),
             Task(**{**vars(task), "key": "b"})]  # fmt: skip
    assert [showing.shows(one) for one in cases] == [True, False, False, False]
    assert [showing.keeps_back(one) for one in cases] == [False, True, True, True]
    assert not any(Showing(False, frozenset(), frozenset()).keeps_back(one) for one in cases)


def test_hiding_what_is_not_shown_is_a_mistake():
    with pytest.raises(ValueError, match="set show_predictions"):
        hitl.Plan(hide_predictions=0.2)
