"""The walk: every step once, in whatever process; nothing lost, nothing twice, nothing learned from the benchmark."""

import json
from dataclasses import astuple

import numpy as np
import pytest

import hitl
from hitl.errors import CampaignError, ConfigError, PolicyError, ServerUnreachable
from hitl.policy import Policy
from hitl.rounds import STEPS
from hitl.rounds.learn import training_set
from hitl.workforce.simulated import Reviewer

SAMPLES = ("benchmark", "audit", "agreement")


class Stopped(BaseException):
    """What a killed process does: nothing after this."""


def told(campaign):
    """The record without its times."""
    ledger = campaign.ledger
    numbers = [row["round"] for row in ledger.rounds()]
    return {
        "steps": [sorted(ledger.steps(n)) for n in numbers],
        "picks": [ledger.picks(n) for n in numbers],
        "tasks": ledger.tasks(),
        "annotations": ledger.revisions(),
        "resolutions": [ledger.resolutions(n) for n in numbers],
        "models": [ledger.model(n)["model_id"] for n in numbers],
        "metrics": [[str(astuple(e)) for s in SAMPLES for e in ledger.metrics(n, s)] for n in numbers],
        "outputs": [
            {name: step["output"] for name, step in ledger.steps(n).items() if name != "select"} for n in numbers
        ],
    }  # fmt: skip


def test_a_campaign_walks_all_its_rounds(finished):
    campaign, rounds = finished
    assert [r.number for r in rounds] == [0, 1, 2]
    assert [r.kind for r in rounds] == ["seed", "active", "active"]
    assert campaign.status.state == "done"
    for completed in rounds:
        figure = completed.metrics["accuracy"]
        assert 0 <= figure.low <= figure.value <= figure.high <= 1
        assert (completed.comparison is None) == (completed.number == 0)
        assert (len(completed.audit) > 0) == (completed.number > 0)
    assert rounds[0].selection.by_arm()["benchmark"] == 40
    assert rounds[2].labels_so_far > rounds[0].labels_so_far


def test_no_item_is_asked_twice_and_each_round_keeps_its_budget(finished):
    campaign, rounds = finished
    asked = [task.item_id for task in campaign.ledger.tasks()]
    assert len(asked) == len(set(asked)) == 40 + 30 * 3
    assert [len(r.selection) for r in rounds] == [70, 30, 30]


def test_probability_samples_keep_their_inclusion_probability(finished):
    _, rounds = finished
    for completed in rounds:
        for pick in completed.selection.picks:
            drawn = pick.arm in ("audit", "benchmark")
            assert (pick.inclusion is not None) == drawn
            assert not drawn or 0 < pick.inclusion <= 1


def test_the_benchmark_is_never_trained_on(finished):
    campaign, _ = finished
    benchmark = campaign.walk.benchmark_items()
    for number in range(3):
        learned = campaign.walk.pool.ids(training_set(campaign.walk, number).positions)
        assert not set(learned) & set(benchmark)
        assert len(learned) == campaign.ledger.step(number, "fit")["training_items"]


def test_items_of_a_later_wave_wait_for_their_round(finished):
    campaign, _ = finished
    for task in campaign.ledger.tasks():
        assert campaign.walk.wave[task.position] <= task.round


def test_iterating_again_tells_the_same_rounds(finished):
    campaign, rounds = finished
    before = told(campaign)
    assert [repr(r) for r in campaign] == [repr(r) for r in rounds]
    assert told(campaign) == before


def test_what_is_told_is_json_and_the_page_is_there(finished):
    campaign, _ = finished
    history = json.loads(json.dumps(campaign.history()))
    assert [row["state"] for row in history["rounds"]] == ["done"] * 3
    assert history["rounds"][1]["picked_by_model"] == history["rounds"][0]["model_id"]
    assert sum(history["rounds"][1]["arms"].values()) == 30
    page = (campaign.folder / "report.html").read_text()
    assert "trial" in page


def test_a_model_s_card_tells_what_it_is_and_how_good(finished):
    campaign, rounds = finished
    for completed in rounds:
        card = hitl.load_model(campaign.folder / "models" / completed.model_id).card
        assert (card["policy_version"], card["round"], card["campaign"]) == ("1", completed.number, "trial")
        told = {(row["name"], row["label"]): row["value"] for row in card["benchmark"]}
        assert told["accuracy", ""] == pytest.approx(completed.metrics["accuracy"].value)
        assert told["macro_f1", ""] is None, "one of five labels has the five items that a figure needs"


def test_reprs_are_short_and_html_is_escaped(finished):
    campaign, rounds = finished
    assert repr(campaign) == "Campaign('trial', done: all 3 rounds are completed)"
    assert repr(rounds[1]).startswith("Round 1 (active): 30 asked, macro_f1")
    assert "<table>" in rounds[1]._repr_html_()
    with pytest.raises(KeyError, match="no figure 'speed'"):
        rounds[1].metrics["speed"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_stopped_in_every_step_ends_as_if_it_had_not_been(stand, finished, monkeypatch, when):
    """Each step of each round is cut off once, before its work or before its record, by what nothing catches."""
    due = {(number, name) for number in range(3) for name in STEPS}

    def cut_off(name, plain):
        def step(walk, number):
            first = (number, name) in due
            done = plain(walk, number) if when == "after" or not first else None
            if first and (done is not None or when == "before"):
                due.discard((number, name))
                raise Stopped
            return done

        return step

    for name, plain in list(STEPS.items()):
        monkeypatch.setitem(STEPS, name, cut_off(name, plain))
    while due:
        with pytest.raises(Stopped):
            list(stand.campaign())
    resumed = stand.campaign()
    list(resumed)
    assert told(resumed) == told(finished[0])


def test_a_server_that_is_down_loses_nothing(stand, finished):
    campaign = stand.campaign()
    plain, calls = campaign.walk.connector.push, []

    def push(tasks, progress):
        calls.append(1)
        if len(calls) == 2:
            raise ServerUnreachable("the server does not answer")
        return plain(tasks, progress)

    campaign.walk.connector.push = push
    with pytest.raises(ServerUnreachable):
        campaign.run()
    assert campaign.run().state == "done"
    assert told(campaign) == told(finished[0])


def test_a_server_that_is_restarted_while_people_work_is_waited_for(stand, monkeypatch):
    campaign = stand.campaign(auto=False, plan=stand.plan.model_copy(update={"rounds": 0}))
    desk = campaign.walk.connector
    plain, naps = desk.pull, []

    def pull(cursor):
        if len(naps) == 1:
            raise ServerUnreachable("the server does not answer")
        return plain(cursor)

    def nap(seconds):
        naps.append(seconds)
        desk.work()

    desk.pull = pull
    monkeypatch.setattr("hitl.rounds.campaign.time.sleep", nap)
    assert campaign.run(wait=7).state == "done"
    assert len(naps) > 2
    assert set(naps) == {7}


def test_a_round_waits_until_people_have_worked(stand):
    campaign = stand.campaign(auto=False)
    status = campaign.run()
    assert (status.state, status.round, status.tasks_done, status.tasks) == ("waiting", 0, 0, 70)
    assert campaign.run().state == "waiting"
    campaign.walk.connector.work()
    assert campaign.pull() > 0
    assert campaign.status.tasks_done > 0
    for _ in range(20):
        if campaign.run().state == "done":
            break
        campaign.walk.connector.work()
    assert campaign.status.state == "done"


def test_a_round_goes_on_with_the_share_that_was_answered(stand):
    plan = stand.plan.model_copy(update={"answered": 0.5, "third_opinion": False, "rounds": 0})
    campaign = stand.campaign(auto=False, plan=plan)
    campaign.run()
    campaign.walk.connector.work(limit=100)
    assert campaign.run().state == "done"
    assert campaign.ledger.step(0, "pull")["unanswered"] > 0


def test_disagreement_goes_to_a_third_person(stand):
    reviewers = [Reviewer(name, accuracy=0.6, skip_rate=0, unsure_rate=0) for name in ("a", "b", "c", "d")]
    campaign = stand.campaign(reviewers=reviewers, plan=stand.plan.model_copy(update={"rounds": 0}))
    campaign.run()
    by_task = {}
    for annotation in campaign.ledger.annotations():
        by_task.setdefault(annotation.task_key, []).append(annotation)
    tasks = {task.key: task for task in campaign.ledger.tasks()}
    thirds = {key for key, said in by_task.items() if len(said) == 3}
    assert thirds
    for key, said in by_task.items():
        assert len({a.worker for a in said}) == len(said) <= 3
        assert (tasks[key].overlap == 3) == (key in thirds)
        if len(said) == 2:
            assert said[0].answer.labels == said[1].answer.labels


def test_a_policy_that_changed_needs_a_new_version(stand):
    stand.campaign(auto=False).run()
    text = stand.policy.to_yaml().replace("severity: ", "severity: 1", 1)
    with pytest.raises(PolicyError, match="still version"):
        stand.campaign(policy=Policy.parse(text)).run()


def test_a_round_is_finished_under_the_policy_that_it_began_with(stand):
    stand.campaign(auto=False).run()
    newer = Policy.parse(stand.policy.to_yaml().replace("version: '1'", "version: '2'"))
    assert newer.version == "2"
    with pytest.raises(PolicyError, match="finish it with that version"):
        stand.campaign(policy=newer).run()


def test_labels_whose_definition_changed_are_not_learned_from(stand):
    stand.campaign(plan=stand.plan.model_copy(update={"rounds": 0})).run()
    values = stand.policy.model_dump()
    values["version"] = "2"
    changed = next(label for label in values["labels"] if label["name"] == "insult")
    changed["definition"] = "Something else than before."
    for region in values["regions"].values():
        region["labels"].pop("insult", None)
    for label in values["labels"]:
        if not label["violating"]:
            label.pop("severity")
            label.pop("actions")
    campaign = stand.campaign(policy=Policy.model_validate(values), plan=stand.plan.model_copy(update={"rounds": 1}))
    assert campaign.run().state == "done"
    first = {t.item_id for t in campaign.ledger.tasks(0)}
    before = {r.item_id: r.labels for r in campaign.ledger.resolutions(0) if r.labels}
    after = {r.item_id: r for r in campaign.ledger.resolutions(1) if r.item_id in first}
    stale = {item for item, labels in before.items() if labels == ("insult",)}
    assert stale
    assert {item for item, r in after.items() if r.method == "stale policy"} >= stale
    assert all(after[item].labels is None for item in stale)
    assert any(r.labels == ("ok",) for r in after.values())


def test_another_model_or_pool_needs_another_campaign(stand):
    stand.campaign(plan=stand.plan.model_copy(update={"rounds": 0})).run()
    with pytest.raises(ConfigError, match="the model is not the one of round 0"):
        stand.campaign(model=hitl.TextLinear(C=3.0)).run()


def test_a_task_that_somebody_deleted_is_let_go(stand):
    campaign = stand.campaign(auto=False, plan=stand.plan.model_copy(update={"rounds": 0}))
    campaign.run()
    gone = campaign.ledger.tasks()[0].key
    campaign.walk.connector.delete_task(gone)
    resumed = stand.campaign(auto=False, plan=stand.plan.model_copy(update={"rounds": 0}))
    for _ in range(10):
        if resumed.run().state == "done":
            break
        resumed.walk.connector.work()
    assert resumed.status.state == "done"
    assert resumed.ledger.lost_tasks() == {gone}
    assert len(resumed.ledger.resolutions(0)) == len(resumed.ledger.tasks())


def test_a_word_that_is_not_believed_is_asked_again(stand):
    careless = Reviewer("idle", accuracy=0.5, skip_rate=0, unsure_rate=0, careless=True)
    good = [Reviewer(name, accuracy=0.97, skip_rate=0, unsure_rate=0) for name in ("a", "b", "c")]
    campaign = stand.campaign(reviewers=[careless, *good], plan=stand.plan.model_copy(update={"rounds": 0}))
    campaign.run()
    said = {}
    for annotation in campaign.ledger.annotations():
        said.setdefault(annotation.task_key, []).append(annotation)
    for task in campaign.ledger.tasks():
        resolution = next(r for r in campaign.ledger.resolutions(0) if r.item_id == task.item_id)
        assert resolution.labels is not None or len(said[task.key]) > 1


def test_two_runs_at_once_are_refused(stand):
    campaign = stand.campaign(auto=False)
    with campaign._alone(), pytest.raises(CampaignError, match="another run holds"):
        stand.campaign(auto=False).run()


@pytest.mark.parametrize("name", ["", "a/b", "two\nlines"])
def test_a_name_that_cannot_be_a_folder_is_refused(stand, name):
    with pytest.raises(ConfigError, match="name"):
        hitl.Campaign(name, policy=stand.policy, pool=stand.pool, model=None, connector=None, folder=stand.folder)


def test_chance_comes_from_the_seed_alone(stand, finished):
    again = stand.campaign("again")
    other = stand.campaign("other", plan=stand.plan.model_copy(update={"seed": 6}))
    again.run(), other.run()
    assert told(again) == told(finished[0])
    assert not np.array_equal([p.item_id for p in again.ledger.picks(0)], [p.item_id for p in other.ledger.picks(0)])
