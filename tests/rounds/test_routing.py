"""Routing in a campaign: by its own rules, urgent ones at once, with the reason on record and the waiting told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import hitl
from hitl.config import CampaignConfig
from hitl.errors import ConfigError
from hitl.ledger import Ledger
from hitl.rounds.routed import routing
from hitl.rounds.tabs import CALM, tabs
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Answer, Pull, Task
from hitl.workforce.exposure import ExposureCap
from hitl.workforce.routing import Route
from hitl.workforce.simulated import Reviewer

PEOPLE = [Reviewer(name, accuracy=0.9, skip_rate=0, unsure_rate=0.15) for name in ("ana", "bo", "cem", "dee")]
URGENT = Route(name="a threat", to="legal", labels=("threat",), within="4h", priority="urgent")
ROUTES = [
    URGENT,
    Route(name="split", to="another", disagreement=True),
    Route(name="left open", to="senior", resolved=False),
    Route(name="a senior passes it on", to="legal", after="senior", outs=("escalate", "unsure", "no_policy")),
    Route(name="all else", to="accept"),
]
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def by_queue(campaign, queue):
    return [task for task in campaign.ledger.tasks() if task.queue == queue]


@pytest.fixture(scope="module")
def routed(tmp_path_factory, stream, new_stand):
    """A campaign by rules of its own, walked in steps: what lay with the lawyers while others were still asked."""
    stand = new_stand(tmp_path_factory.mktemp("routed"), stream)
    plan = hitl.Plan(**{**stand.plan.model_dump(), "rounds": 0, "budget": 40, "benchmark": 20})
    campaign = stand.campaign(
        plan=plan, reviewers=PEOPLE, auto=False, routes=ROUTES, clock=lambda: START,
        exposure=[ExposureCap(severity_from=1, per_day=4)],
    )  # fmt: skip
    desk, early = campaign.walk.connector, []
    for _ in range(30):
        if campaign.run().state == "done":
            break
        open_ = campaign.ledger.unanswered(0)
        if any(not task.queue and task.key in open_ for task in campaign.ledger.tasks()):
            early = by_queue(campaign, "legal") or early
        desk.work(limit=40)
    assert campaign.status.state == "done"
    return campaign, early


def test_what_is_urgent_does_not_wait_for_the_round_and_the_rest_does(routed):
    campaign, early = routed
    said = {}
    for one in campaign.ledger.annotations():
        said.setdefault(one.task_key, []).append(one)
    stream = {task.item_id: task for task in by_queue(campaign, "")}
    assert early
    for task in early:
        labels = {label for one in said[stream[task.item_id].key] if one.answer for label in one.answer.labels}
        assert "threat" in labels
    sent = [case for event in campaign.ledger.events("routed") for case in event["detail"]["cases"]]
    named = {
        item
        for item, task in stream.items()
        if any("threat" in one.answer.labels for one in said[task.key] if one.answer)
    }
    assert {case["item"] for case in sent if case["rule"] == "a threat"} == named
    first = min(at for at, case in enumerate(sent) if case["to"] == "senior")
    assert [case["to"] for case in sent[first:]].count("another") == 0


def test_the_record_says_what_was_sent_where_and_why(routed):
    campaign, _ = routed
    events = campaign.ledger.events("routed")
    sent = [case for event in events for case in event["detail"]["cases"]]
    for queue, to in (("legal", "legal"), ("review", "senior")):
        assert {case["task"] for case in sent if case["to"] == to} == {task.key for task in by_queue(campaign, queue)}
    assert {(case["rule"], case["why"]) for case in sent if case["to"] == "another"} == {("split", "people disagree")}
    assert {case["why"] for case in sent if case["rule"] == "a threat"} == {"threat named"}
    passed = {case["item"] for case in sent if case["rule"] == "a senior passes it on"}
    assert passed <= {task.item_id for task in by_queue(campaign, "review")}
    urgent, usual = ([t.priority for t in by_queue(campaign, q)] for q in ("legal", "review"))
    assert min(p for p, case in zip(urgent, [c for c in sent if c["to"] == "legal"], strict=True)
               if case["priority"] == "urgent") >= 0.5 > max(usual)  # fmt: skip


def test_the_last_word_is_that_of_the_lawyers(routed):
    campaign, _ = routed
    settled = {r.item_id: r for r in campaign.ledger.resolutions(0)}
    heard = {one.task_key: one for one in campaign.ledger.annotations() if not one.skipped}
    for task in by_queue(campaign, "legal"):
        answer = heard[task.key].answer
        assert settled[task.item_id].method == "legal"
        assert settled[task.item_id].labels == (None if answer.out else answer.labels)
        assert " × " in task.data["opinions"]


def test_the_history_tells_of_rules_waiting_and_exposure(routed):
    campaign, _ = routed
    told = campaign.history()["routing"]
    sent = [case for event in campaign.ledger.events("routed") for case in event["detail"]["cases"]]
    assert told["own"]
    assert [row["name"] for row in told["routes"]] == [rule.name for rule in ROUTES]
    assert [row["fired"] for row in told["routes"]] == [
        sum(case["rule"] == rule.name for case in sent) for rule in ROUTES
    ]
    waits = {(row["queue"], row["priority"]): row for row in told["turnaround"]}
    assert waits["legal", "urgent"]["cases"] == sum(case["rule"] == "a threat" for case in sent)
    assert all(row["open"] == row["overdue"] == 0 for row in waits.values())
    # Nothing is due at eight, whatever was answered by then.
    assert waits["legal", "urgent"]["in_time"]["n"] == 0
    people = {row["worker"]: row for row in told["exposure"]}
    said = campaign.ledger.annotations()
    assert {worker: row["seen"] for worker, row in people.items()} == {
        worker: len({one.task_key for one in said if one.worker == worker}) for worker in {one.worker for one in said}
    }
    config = campaign.ledger.rounds()[0]["config"]
    assert config["routes"][0] == {"to": "legal", "name": "a threat", "labels": ["threat"], "priority": "urgent",
                                   "within": "4h"}  # fmt: skip
    assert config["exposure"] == [{"severity_from": 1.0, "per_day": 4}]
    assert CALM in {tab.name for tab in campaign.walk.connector.tabs}


def test_rules_stand_in_place_of_the_plan_s_switches(stand):
    plan = stand.plan.model_copy(update={"review": True})
    with pytest.raises(ConfigError, match="leave those two out"):
        stand.campaign(plan=plan, routes=ROUTES)
    with pytest.raises(ConfigError, match="no label is called 'treat'"):
        stand.campaign(routes=[Route(to="legal", labels=("treat",)), Route(to="accept")])
    assert "routes" not in stand.campaign().walk.config()


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ("[{to: accept}, {to: senior, severity_from: 8}]", "rule 2 .* is never reached"),
        ("[{to: senior, within: soon}]", "routes.0.within: 'soon' is no time"),
        ("[{to: senior, severity_form: 8}]", "did you mean 'severity_from'"),
    ],
)
def test_mistakes_in_the_file_are_told(tmp_path, routes, message):
    path = tmp_path / "hitl.yaml"
    path.write_text(
        "campaign: c\npolicy: p.yaml\npool: {path: x.csv}\nconnect: {kind: memory, truth: t}\n"
        f"routes: {routes}\nexposure: [{{severity_from: 8, per_day: 20}}]\n"
    )
    with pytest.raises(ConfigError, match=message):
        CampaignConfig.load(path)
    path.write_text(path.read_text().replace(routes, "[{to: legal, regions: [DE], within: 4h}, {to: accept}]"))
    config = CampaignConfig.load(path)
    assert config.routes == (Route(to="legal", regions=("DE",), within="4h"), Route(to="accept"))
    assert config.exposure == (ExposureCap(severity_from=8, per_day=20),)


def test_each_language_has_a_tab_in_each_queue_for_those_who_read_it():
    def asked(key, language, queue=""):
        return Task(key, 0, f"item {key}", 0, "classify", "1", "", {"language": language}, queue=queue)

    tasks = [asked("a", "de"), asked("b", "id"), asked("c", ""), asked("d", "id", "legal"), asked("e", "hi", "legal")]
    heard = {"b": [Annotation("1", "b", "ana", Answer(("ok",)), "", 1.0)]}
    found = {(tab.queue, tab.name): tab for tab in tabs(tasks, heard)}
    spoken = {where: tab.language for where, tab in found.items() if where[1].startswith("Language") and tab.language}
    assert spoken == {("", "Language: de"): "de", ("", "Language: id"): "id", ("legal", "Language: id"): "id",
                      ("legal", "Language: hi"): "hi"}  # fmt: skip
    assert {tab.answered for where, tab in found.items() if where in spoken} == {False}
    assert found["", "Language: not known"].keys == ("c",)
    assert ("legal", "Open") in found
    assert ("review", "Open") not in found


@pytest.fixture
def planted(tmp_path, stream, stand):
    """A record with eight cases sent to the lawyers at eight with four hours to answer, and what became of each."""
    now = [START]
    ledger = Ledger(":memory:", "planted", clock=lambda: now[0])
    languages = ["id"] * 5 + ["de"] * 3
    tasks = [
        Task(f"k{n}", 0, f"i{n}", n, "classify", "1", "", {"language": language}, queue="legal")
        for n, language in enumerate(languages)
    ]
    hours = [1.0, 2.0, 3.0, 3.5, 5.0, 6.0]
    answers = [
        Annotation(f"a{n}", f"k{n}", "ana" if n % 2 else "bo", Answer(("ok",)),
                   (START + timedelta(hours=hour)).isoformat(), 5.0)
        for n, hour in enumerate(hours)
    ]  # fmt: skip
    skips = [Annotation(f"s{n}", "k7", f"w{n}", None, START.isoformat(), 1.0, skipped=True) for n in range(3)]
    cases = [
        {"item": task.item_id, "task": task.key, "rule": "r", "to": "legal", "people": 1, "priority": "urgent",
         "within": "4h", "why": "threat named"}
        for task in tasks
    ]  # fmt: skip
    with ledger.transaction() as writer:
        writer.begin_round(0, seed=1, config={}, policy_version="1")
        writer.add_tasks(tasks)
        writer.event("routed", {"round": 0, "cases": cases})
        writer.mirror(Pull((*answers, *skips), "", seen={}))
    return Walk("planted", stand.policy, stream, None, hitl.Plan(), None, ledger, tmp_path, None, None, rules=(URGENT,))


def test_waiting_counts_what_still_waits_and_in_time_only_what_is_due(planted):
    [row] = routing(planted, (START + timedelta(hours=10)).isoformat())["turnaround"]
    assert (row["cases"], row["open"], row["overdue"], row["let_go"]) == (8, 1, 1, 1)
    # Seven that are not let go: of them the fourth is answered after three and a half hours.
    assert row["median"]["value"] == 3.5 * 3600
    assert (row["in_time"]["value"], row["in_time"]["n"]) == (0.5, 8)
    [early] = routing(planted, (START + timedelta(hours=3.75)).isoformat())["turnaround"]
    assert (early["overdue"], early["in_time"]["n"]) == (0, 0)


def test_overdue_cases_are_told_the_latest_first_and_what_nobody_will_answer_after_them(planted):
    told = routing(planted, (START + timedelta(hours=10)).isoformat())
    assert [(row["item_id"], row["let_go"]) for row in told["overdue"]] == [("i6", False), ("i7", True)]
    assert (told["overdue"][0]["late"], told["overdue"][0]["why"]) == (6 * 3600, "threat named")
    assert told["overdue_in_all"] == 2
    assert [(row["name"], row["fired"]) for row in told["routes"]] == [("a threat", 0), ("r", 8)]


def test_who_reads_what_is_held_against_who_answered(planted):
    now = START.isoformat()
    rows = {row["language"]: row for row in routing(planted, now, {"ana": ("id",), "bo": ("de", "en")})["languages"]}
    assert (rows["id"]["readers"], rows["id"]["answers"], rows["id"]["foreign"]) == (1, 5, 3)
    assert (rows["de"]["readers"], rows["de"]["foreign"], rows["de"]["open"]) == (1, 1, 1)
    assert {row["readers"] for row in routing(planted, now)["languages"]} == {None}
