"""A wrong gold label is contested and corrected, and every score that rests on it; appeals, and what is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

import hitl
from hitl.demo.stream import generate
from hitl.errors import PoolError, WorkforceError
from hitl.report import render_html
from hitl.rounds import findings
from hitl.rounds.disputes import Claim, open_dispute, rule
from hitl.rounds.learn import settle_now
from hitl.rounds.rulings import rulings
from hitl.workforce.grounds import Grounds
from hitl.workforce.simulated import Reviewer

PEOPLE = [Reviewer(name, accuracy=1.0, skip_rate=0, unsure_rate=0) for name in ("ana", "bo", "cem")]
WORD = Grounds("lea", "it reads otherwise in context", "the thread above it")
WRONG = {"ok": "scam"}
LATER = "2100-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def pool():
    """Every fourth item is gold, and every gold item that is fine is taken for scam."""
    table = generate(400, seed=3)
    known = [WRONG.get(t, t) if at % 4 == 0 else "" for at, t in enumerate(table["truth"].to_pylist())]
    return hitl.Pool.open(
        table.append_column("known", pa.array(known)), text="text", id="id", reach="reach", language="language",
        region="region", facets=("truth", "wave", "known"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def settled(tmp_path_factory, pool, new_stand):
    """A campaign of one round by people who are always right, under gold that is not."""
    stand = new_stand(tmp_path_factory.mktemp("disputes"), pool)
    plan = hitl.Plan(rounds=0, budget=30, seed_budget=30, benchmark=20, gold=0.4, gold_column="known", exam=8, seed=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "FINDINGS", {})
        campaign = stand.campaign(plan=plan, reviewers=PEOPLE, model=hitl.TextLinear(heads=1))
        patch.setattr(campaign, "report", lambda: None)
        assert campaign.run().state == "done"
    return campaign


def wrong_gold(campaign, queue=""):
    """Items of wrong gold that people were asked about, with a task each."""
    codes, names = campaign.walk.pool.codes("truth")
    known = campaign.walk.gold.known
    fine = [task for task in campaign.ledger.tasks() if names[codes[task.position]] == "ok"]
    return [task for task in fine if task.queue == queue and task.item_id in known]


def right(campaign, about):
    return {row["worker"]: round((row[about]["value"] or 0) * row[about]["n"]) for row in campaign.history()["people"]}


def answered(campaign, task):
    return [one.worker for one in campaign.ledger.annotations() if one.task_key == task.key and not one.skipped]


def test_a_ruling_corrects_gold_and_every_score_that_rests_on_it(settled):
    walk, task = settled.walk, wrong_gold(settled)[0]
    workers, before = answered(settled, task), right(settled, "gold")
    exam = walk.exam.tolist()
    assert walk.gold.known[task.item_id] == ("scam",)
    made = open_dispute(walk, Claim("gold", task.item_id, workers[0]), Grounds(workers[0], "nobody is sold anything"))
    assert (made.claimed, made.decided, made.ruling) == (("ok",), ("scam",), None)
    [told] = rulings(walk, LATER)["disputes"]
    assert told["age"] > 365
    ruled = rule(walk, made.number, "overturned", WORD)
    assert (ruled.ruling.labels, ruled.ruling.actor) == (("ok",), "lea")
    assert walk.gold.known[task.item_id] == ("ok",)
    assert walk.gold_given.known[task.item_id] == ("scam",)
    [now] = [one for one in settle_now(walk) if one.item_id == task.item_id]
    assert (now.labels, now.method, now.confidence) == (("ok",), "gold", 1.0)
    after = right(settled, "gold")
    assert {name: after[name] - before[name] for name in after} == {name: int(name in workers) for name in after}
    assert walk.exam.tolist() == exam
    for again in ("upheld", "overturned"):
        with pytest.raises(WorkforceError, match="was ruled on"):
            rule(walk, made.number, again, WORD)


def test_the_exam_is_corrected_too(settled):
    walk, task = settled.walk, wrong_gold(settled, "exam")[0]
    before = right(settled, "exam")
    made = open_dispute(walk, Claim("gold", task.item_id, "bo"), Grounds("bo", "fine"))
    rule(walk, made.number, "overturned", WORD)
    assert right(settled, "exam") == {name: count + 1 for name, count in before.items()}


def test_an_appeal_that_is_upheld_changes_nothing_and_one_that_is_overturned_its_item_alone(settled):
    walk = settled.walk
    before = {one.item_id: one for one in settle_now(walk)}
    first, second = [item for item, one in before.items() if one.method != "gold" and one.labels][:2]
    claim = Claim("decision", first, "author-17", ("hate",) if before[first].labels != ("hate",) else ("ok",))
    made = open_dispute(walk, claim, Grounds("desk", "it is satire"))
    rule(walk, made.number, "upheld", WORD)
    assert {one.item_id: one for one in settle_now(walk)} == before
    made = open_dispute(walk, Claim("decision", second, "author-18"), Grounds("desk", "it is satire"))
    with pytest.raises(WorkforceError, match="says what is right instead"):
        rule(walk, made.number, "overturned", WORD)
    other = "ok" if before[second].labels != ("ok",) else "hate"
    rule(walk, made.number, "overturned", WORD, [other])
    after = {one.item_id: one for one in settle_now(walk)}
    assert (after[second].labels, after[second].method) == ((other,), "ruling")
    assert {item for item, one in after.items() if one != before[item]} == {second}


def test_what_cannot_be_contested_or_ruled_is_refused(settled):
    walk = settled.walk
    task, plain = wrong_gold(settled)[1], next(t for t in settled.ledger.tasks() if t.item_id not in walk.gold.known)
    mine, outsider = answered(settled, task)[0], Grounds("ana", "no")
    for claim, error, told in (
        (Claim("gold", "no-such-item", "ana"), PoolError, "does not hold"),
        (Claim("gold", plain.item_id, "ana"), WorkforceError, "no gold item"),
        (Claim("gold", task.item_id, "eve"), WorkforceError, "eve has given item .* no label"),
        (Claim("review", plain.item_id, "ana"), WorkforceError, "no senior"),
        (Claim("gold", task.item_id, mine, ("nonsense",)), WorkforceError, "no label of policy"),
        (Claim("gold", task.item_id, mine, ("ok", "hate")), WorkforceError, "one label"),
        (Claim("gold", task.item_id, mine, ("scam",)), WorkforceError, "nothing to contest"),
        (Claim("fate", task.item_id, mine), WorkforceError, "is about gold, review, decision"),
    ):
        with pytest.raises(error, match=told):
            open_dispute(walk, claim, outsider)
    events = len(settled.ledger.events())
    with pytest.raises(WorkforceError, match="no dispute 99999"):
        rule(walk, 99999, "upheld", WORD)
    assert len(settled.ledger.events()) == events
    made = open_dispute(walk, Claim("gold", task.item_id, mine), Grounds(mine, "fine"))
    with pytest.raises(WorkforceError, match="own claim"):
        rule(walk, made.number, "upheld", Grounds(mine, "I am right"))
    with pytest.raises(WorkforceError, match="contested already"):
        open_dispute(walk, Claim("gold", task.item_id, mine), Grounds(mine, "fine"))


def test_rates_and_open_disputes_are_told(settled):
    told = rulings(settled.walk, LATER)
    ruled = [row["ruling"]["outcome"] for row in told["disputes"] if row["ruling"]]
    over = told["overturned"]
    assert over["all"]["n"] == len(ruled) == 4
    assert over["all"]["value"] == pytest.approx(ruled.count("overturned") / 4)
    assert over["all"]["low"] < over["all"]["value"] < over["all"]["high"]
    assert sum(row["n"] for row in over["kinds"]) == sum(row["n"] for row in over["languages"]) == 4
    assert {row["label"]: row["n"] for row in over["labels"]}["scam"] >= 2
    assert all(row["claimant"] == "" for row in told["disputes"] if row["kind"] == "decision")
    page = render_html(settled.history())
    assert "author-17" not in page
    for words in ("nobody is sold anything", "it reads otherwise in context", "hitl dispute rule"):
        assert words in page
