"""Gold in the stream, the onboarding exam, review by seniors: what the community edition lacks, in a campaign."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.demo.stream import generate
from hitl.errors import ConfigError, ServerRefused
from hitl.report import render_html
from hitl.rounds.learn import training_set
from hitl.workforce.simulated import Reviewer

PEOPLE = [
    Reviewer("ana", accuracy=0.99, skip_rate=0, unsure_rate=0),
    Reviewer("bo", accuracy=0.97, skip_rate=0.02, unsure_rate=0.02),
    Reviewer("cem", accuracy=0.9, skip_rate=0, unsure_rate=0.05),
    Reviewer("dee", accuracy=0.35, skip_rate=0, unsure_rate=0),
]
PLAN = {"gold": 0.4, "gold_column": "known", "exam": 8, "review": True}


def with_known(table, each=4):
    """The stream with a column of known labels: every so many items that hold some, a quarter of them."""
    known = [truth if at % each == 0 else "" for at, truth in enumerate(table["truth"].to_pylist())]
    return table.append_column("known", pa.array(known))


@pytest.fixture(scope="module")
def pool():
    return hitl.Pool.open(
        with_known(generate(700, seed=3)), text="text", id="id", reach="reach", language="language", region="region",
        facets=("truth", "wave", "known"),
    )  # fmt: skip


@pytest.fixture
def trial(stand, pool):
    def make(folder="run", reviewers=PEOPLE, auto=True, **plan):
        changed = hitl.Plan(**{**stand.plan.model_dump(), "rounds": 1, **PLAN, **plan})
        return stand.campaign(folder, pool=pool, plan=changed, reviewers=reviewers, auto=auto)

    stand.pool = pool
    return make


@pytest.fixture(scope="module")
def walked(tmp_path_factory, pool, new_stand):
    stand = new_stand(tmp_path_factory.mktemp("gold"), pool)
    plan = hitl.Plan(**{**stand.plan.model_dump(), "rounds": 1, **PLAN})
    campaign = stand.campaign(plan=plan, reviewers=PEOPLE)
    assert campaign.run().state == "done"
    return campaign


def by_queue(campaign, queue):
    return [task for task in campaign.ledger.tasks() if task.queue == queue]


def gold_tasks(campaign):
    return [task for task in by_queue(campaign, "") if task.item_id in campaign.walk.gold.known]


def test_gold_is_mixed_in_beside_the_budget_and_no_arm_takes_of_it(walked):
    for number, budget in ((0, 70), (1, 30)):
        arms = Counter(pick.arm for pick in walked.ledger.picks(number))
        assert arms["gold"] == 12
        assert sum(arms.values()) == budget + 12
    known = walked.walk.gold.known
    picks = [pick for number in (0, 1) for pick in walked.ledger.picks(number)]
    assert {pick.item_id in known for pick in picks if pick.arm == "gold"} == {True}
    assert not {pick.item_id for pick in picks if pick.arm != "gold"} & known.keys()
    assert len({pick.item_id for pick in picks}) == len(picks)


def test_nothing_in_a_gold_task_tells_that_it_is_one(walked):
    gold = {task.key for task in gold_tasks(walked)}
    for number in (0, 1):
        tasks = [task for task in walked.ledger.tasks(number) if not task.queue]
        shapes = {tuple(task.data) for task in tasks}
        assert len(shapes) == 1
        assert len({(task.form, task.policy_version, task.model_id, bool(task.predicted)) for task in tasks}) == 1
        assert [task.key for task in tasks] == sorted(task.key for task in tasks)
        mine, others = ([task.priority for task in tasks if (task.key in gold) == among] for among in (True, False))
        assert not set(mine) & set(others)
        assert min(others) <= min(mine) <= max(mine) <= max(others)
    assert all(word not in json.dumps(dict(task.data)) for task in gold_tasks(walked) for word in ("gold", "known"))


def test_gold_resolves_to_its_label_and_is_learned_from(walked):
    known, benchmark = walked.walk.gold.known, walked.walk.benchmark_items()
    for number in (0, 1):
        found = {r.item_id: r for r in walked.ledger.resolutions(number)}
        mine = [r for item, r in found.items() if item in known]
        assert len(mine) == 12 * (number + 1)
        assert all((r.labels, r.confidence, r.method) == (known[r.item_id], 1.0, "gold") for r in mine)
        learned = set(walked.walk.pool.ids(training_set(walked.walk, number).positions))
        assert {r.item_id for r in mine} <= learned
        assert not known.keys() & benchmark.keys()
    assert all(task.overlap == walked.walk.plan.gold_people for task in gold_tasks(walked))


def test_each_person_s_accuracy_on_gold_is_told_with_its_interval(walked):
    people = {row["worker"]: row for row in walked.history()["people"]}
    assert list(people) == ["ana", "bo", "cem", "dee"]
    known = walked.walk.gold.known
    keys = {task.key: frozenset(known[task.item_id]) for task in gold_tasks(walked)}
    for name, row in people.items():
        said = [a for a in walked.ledger.annotations() if a.worker == name and a.task_key in keys and a.answer]
        right = [frozenset(a.answer.labels) == keys[a.task_key] for a in said if not a.answer.out]
        assert (row["gold"]["n"], row["gold"]["value"]) == (len(right), pytest.approx(np.mean(right)))
        assert row["gold"]["low"] <= row["gold"]["value"] <= row["gold"]["high"]
    assert people["dee"]["gold"]["high"] < people["ana"]["gold"]["value"]


def test_everybody_may_sit_the_exam_and_it_is_no_label(walked):
    exam = by_queue(walked, "exam")
    assert len(exam) == 8
    assert {(task.round, task.overlap) for task in exam} == {(0, 99)}
    asked = {task.item_id for task in exam}
    assert asked <= walked.walk.gold.known.keys()
    assert not asked & {r.item_id for r in walked.ledger.resolutions(1)}
    assert len({walked.walk.gold.known[item] for item in asked}) > 3  # rare labels are asked, too
    for row in walked.history()["people"]:
        assert row["exam"]["n"] == sum(a.worker == row["worker"] and a.task_key in {t.key for t in exam}
                                       and not a.skipped for a in walked.ledger.annotations())  # fmt: skip
    assert max(row["exam"]["n"] for row in walked.history()["people"]) == 8
    assert "known" not in json.dumps([dict(task.data) for task in exam])


def test_a_round_never_waits_for_the_exam(trial):
    campaign = trial(auto=False, rounds=0, review=False, third_opinion=False)
    campaign.run()
    desk = campaign.walk.connector
    exam = {task.key for task in by_queue(campaign, "exam")}
    for _ in range(20):
        if campaign.run().state == "done":
            break
        desk.work()
    assert campaign.status.state == "done"
    assert campaign.status.tasks == 0 or campaign.status.tasks < len(campaign.ledger.tasks())
    assert exam


def test_what_stays_open_goes_to_a_senior_whose_word_settles_it(walked):
    reviews = by_queue(walked, "review")
    assert reviews
    heard = {}
    for annotation in walked.ledger.annotations():
        heard.setdefault(annotation.task_key, []).append(annotation)
    stream = {task.item_id: task for task in by_queue(walked, "")}
    settled = {r.item_id: r for r in walked.ledger.resolutions(1)}
    for task in reviews:
        assert task.key != stream[task.item_id].key
        assert task.overlap == 1
        assert 0 <= task.priority < 1
        [ruling] = [a for a in heard[task.key] if not a.skipped]
        assert settled[task.item_id].method == "review"
        assert ruling.id in settled[task.item_id].annotations
        if not ruling.answer.out:
            assert settled[task.item_id].labels == ruling.answer.labels
    open_ = [r for r in settled.values() if r.labels is None]
    assert all(r.method == "review" for r in open_)


def test_a_senior_sees_what_was_said_and_not_by_whom(walked):
    told = [task.data["opinions"] for task in by_queue(walked, "review")]
    assert all(" × " in opinions for opinions in told)
    assert not any(reviewer.name in opinions.lower().split() for opinions in told for reviewer in PEOPLE)
    assert not any("opinions" in task.data for task in by_queue(walked, ""))


def test_a_blind_review_tells_nothing(trial):
    campaign = trial(rounds=0, review_blind=True)
    campaign.run()
    assert {task.data["opinions"] for task in by_queue(campaign, "review")} == {""}


def test_who_was_overruled_is_told(walked):
    rulings = {r.item_id: r for r in walked.ledger.resolutions(1) if r.method == "review" and r.labels is not None}
    stream = {task.key: task.item_id for task in by_queue(walked, "")}
    wrong = Counter()
    for a in walked.ledger.annotations():
        item = stream.get(a.task_key)
        if item in rulings and a.answer and not a.answer.out:
            wrong[a.worker] += a.answer.labels != rulings[item].labels
    people = {row["worker"]: row["overruled"] for row in walked.history()["people"]}
    assert sum(wrong.values()) > 0
    for name, row in people.items():
        assert round((row["value"] or 0) * row["n"]) == wrong[name]


def test_a_run_that_is_killed_before_the_review_is_pushed_goes_on_with_the_same_tasks(trial, walked):
    campaign = trial(rounds=0)
    plain, killed = campaign.walk.connector.push, []

    def push(tasks, progress):
        if not killed and any(task.queue == "review" for task in tasks):
            killed.append(len(tasks))
            raise KeyboardInterrupt
        return plain(tasks, progress)

    campaign.walk.connector.push = push
    with pytest.raises(KeyboardInterrupt):
        campaign.run()
    assert campaign.ledger.intents("push")
    again = trial(rounds=0)
    assert again.run().state == "done"
    assert not again.ledger.intents("push")
    assert [t.key for t in by_queue(again, "review")] == [t.key for t in by_queue(walked, "review") if not t.round]
    assert again.ledger.resolutions(0) == walked.ledger.resolutions(0)


def test_agreement_is_that_of_people_on_what_is_not_known(walked, trial):
    without = [task for task in walked.ledger.tasks(1) if not task.queue]
    [alpha] = walked.ledger.metrics(1, "agreement")
    known = walked.walk.gold.known
    answers = Counter(a.task_key for a in walked.ledger.annotations(1) if a.answer and not a.answer.out)
    assert alpha.n <= sum(answers[task.key] > 1 and task.item_id not in known for task in without)


def test_gold_that_runs_out_is_told(trial):
    campaign = trial(gold=1.0, gold_people=1, exam=0, review=False, rounds=0, benchmark=10, budget=100)
    campaign.run()
    gold = sum(pick.arm == "gold" for pick in campaign.ledger.picks(0))
    assert 0 < gold < 100
    assert any(f"last round lacks: {100 - gold}." in step for step in campaign.history()["next_steps"])


def test_a_column_that_holds_no_labels_is_refused(stand, pool):
    plan = {**stand.plan.model_dump(), "gold": 0.1, "gold_column": "wave"}
    with pytest.raises(ConfigError, match=r"column 'wave': 700 cells hold something else than one label"):
        stand.campaign(pool=pool, plan=hitl.Plan(**plan)).run()
    plan["gold_column"] = "truth"
    with pytest.raises(ConfigError, match="every item has a known label"):
        stand.campaign(pool=pool, plan=hitl.Plan(**plan)).run()


def test_gold_without_its_column_is_refused():
    with pytest.raises(ValueError, match="gold_column"):
        hitl.Plan(gold=0.1)
    with pytest.raises(ValueError, match="gold_column"):
        hitl.Plan(exam=5)


def test_what_cannot_be_shown_is_not_asked_and_told(trial):
    campaign = trial(rounds=0, gold=0.0, exam=0, review=False)
    chosen = []

    def broken(tasks):
        found = {task.key: "the link leads nowhere" for task in sorted(tasks, key=lambda t: t.item_id)[:2]}
        chosen.extend(task.item_id for task in tasks if task.key in found)
        return found

    campaign.walk.connector.broken = broken
    assert campaign.run().state == "done"
    assert len(chosen) == len(set(chosen)) == 2
    assert not set(chosen) & {task.item_id for task in campaign.ledger.tasks()}
    assert not campaign.walk.eligible(1)[campaign.walk.positions(chosen)].any()
    assert campaign.ledger.step(0, "ask")["broken"] == dict.fromkeys(chosen, "the link leads nowhere")
    lines = [json.loads(line) for line in (campaign.folder / "unreadable.jsonl").read_text().splitlines()]
    assert {line["id"]: line["why"] for line in lines} == dict.fromkeys(chosen, "the link leads nowhere")
    assert any("could not be shown: 2" in step for step in campaign.history()["next_steps"])


def test_an_answer_that_another_changed_is_asked_anew(trial):
    campaign = trial(auto=False, rounds=0, gold=0.0, exam=0, review=False, third_opinion=False)
    campaign.run()
    desk = campaign.walk.connector
    desk.work()
    campaign.pull()
    task = next(t for t in campaign.ledger.tasks() if t.overlap == 1)
    [said] = [a for a in campaign.ledger.annotations() if a.task_key == task.key and not a.skipped]
    plain = desk.pull

    def touched(cursor):
        pulled = plain(cursor)
        hand = tuple(replace(a, changed_by="eve") if a.id == said.id else a for a in (*pulled.annotations, said))
        return replace(
            pulled, annotations=hand, seen={**pulled.seen, task.key: (*pulled.seen.get(task.key, ()), said.id)}
        )

    desk.pull = touched
    campaign.pull()
    desk.pull = plain
    assert task.key in campaign.ledger.unanswered(0)
    assert [row["whose"] for row in campaign.history()["tampering"]] == [said.worker]
    desk.finish = lambda plainly=desk.finish: with_hand(plainly(), said)
    for _ in range(6):
        if campaign.run().state == "done":
            break
        desk.work()
    assert campaign.status.state == "done"
    heard = {a.worker for a in campaign.ledger.annotations() if a.task_key == task.key and not a.skipped}
    assert len(heard) == 2
    [row] = [row for row in campaign.history()["people"] if row["worker"] == said.worker]
    assert row["unconfirmed"] == 1


def with_hand(pulled, said):
    return replace(
        pulled, annotations=tuple(replace(a, changed_by="eve") if a.id == said.id else a for a in pulled.annotations)
    )


def test_tabs_are_a_convenience_that_stops_nothing(trial):
    campaign = trial(auto=False, rounds=0, review=False, gold=0.0, exam=0)
    shown, desk = [], campaign.walk.connector

    def sort(tabs):
        shown.append([tab.name for tab in tabs])
        raise ServerRefused("no tabs today")

    desk.sort = sort
    campaign.run()
    for _ in range(20):
        desk.work(limit=60)
        if campaign.run().state == "done":
            break
    assert campaign.status.state == "done"
    assert len(shown) > 1
    assert shown[0][-1] == "Disagreements"
    assert list(shown[0][:2]) == ["Open", "Answered"]
    assert shown[0][2].startswith("Language: ")
    assert len(campaign.ledger.events("tabs not shown")) == 1
    assert sum("tabs of the project" in step for step in campaign.history()["next_steps"]) == 1


def test_the_page_shows_people_s_records(walked):
    page = render_html(walked.history())
    for words in ("Right on<br>gold", "Exam", "Overruled<br>in review", "Nobody changed or deleted another’s work."):
        assert words in page
    assert "No gold in the stream" not in page
