"""Gold, exam and review on a real Label Studio: three projects, and nothing on them that tells what is right."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

import hitl
from hitl.connectors.studio.pulling import pseudonym
from hitl.demo.people import sign_up, work
from hitl.policy import Policy
from hitl.types import Answer
from hitl.workforce.simulated import Response

POLICY = Policy.parse("{name: manners, version: '1', labels: [{name: fine, violating: false}, {name: rude}]}")
NAME = "gold on a server"
WORDS = {"rude": "blorft zindle", "fine": "lovely walk"}


@pytest.fixture(scope="module")
def crew(server):
    people = [
        sign_up(server.url, server.token, f"{name}@gold.invalid", "long-enough-1") for name in ("ana", "bo", "sam")
    ]
    yield people
    for account in people:
        account.close()


@pytest.fixture(scope="module")
def campaign(server, tmp_path_factory):
    truth = ["rude" if at % 3 == 0 else "fine" for at in range(80)]
    table = pa.table({
        "text": [f"{WORDS[label]} number {at}" for at, label in enumerate(truth)],
        "id": [f"i{at}" for at in range(80)],
        "known": [label if at % 4 == 1 else "" for at, label in enumerate(truth)],
    })  # fmt: skip
    known = {"gold": 0.5, "gold_people": 1, "gold_column": "known", "exam": 4}
    plan = hitl.Plan(rounds=0, budget=8, benchmark=4, review=True, third_opinion=False, **known)
    connector = hitl.LabelStudio(server.url, server.token)
    yield hitl.Campaign(
        NAME, policy=POLICY, pool=hitl.Pool.open(table, text="text", id="id", facets=("known",)),
        model=hitl.TextLinear(), plan=plan, connector=connector, folder=tmp_path_factory.mktemp("server"),
    )  # fmt: skip
    connector.close()


def answers(escalating=False, wrong=False):
    """What a person says: what is right by the text, or not; of every fifth item that a senior must see it."""

    def decide(task):
        rude = task.data["text"].startswith("blorft")
        if escalating and int(task.data["text"].rsplit(" ", 1)[1]) % 5 == 0:
            return Response(Answer(out="escalate"), 3.0)
        return Response(Answer(("rude" if rude != wrong else "fine",)), 4.0)

    return decide


def test_a_campaign_with_gold_exam_and_review(campaign, crew):
    ana, bo, sam = crew
    form = campaign.walk.form
    assert campaign.run().state == "waiting"
    places = campaign.walk.connector.project_ids
    assert set(places) == {"", "exam"}
    assert work(ana, places["exam"], form, answers()) == 4
    assert campaign.run().state == "waiting"  # the exam is nothing that a round waits for, or goes on by
    work(ana, places[""], form, answers(escalating=True))
    work(bo, places[""], form, answers(wrong=True))
    assert campaign.run().state == "waiting"
    places = campaign.walk.connector.project_ids
    reviews = sam.tasks(places["review"])
    assert reviews
    assert all(" × " in task.data["opinions"] for task in reviews)
    assert not any(word in json.dumps(dict(task.data)) for task in reviews for word in ("ana@", "bo@"))
    work(sam, places["review"], form, answers())
    assert campaign.run().state == "done"

    known, settled = campaign.walk.gold.known, {r.item_id: r for r in campaign.ledger.resolutions(0)}
    gold = [r for item, r in settled.items() if item in known]
    assert len(gold) == 4
    assert all((r.method, r.labels) == ("gold", known[r.item_id]) for r in gold)
    ruled = [r for r in settled.values() if r.method == "review"]
    assert len(ruled) == len(reviews)
    assert all(r.labels == (("rude",) if int(r.item_id[1:]) % 3 == 0 else ("fine",)) for r in ruled)
    rows = {row["worker"]: row for row in campaign.history()["people"]}
    first, second, senior = (rows[pseudonym(NAME, account.email)] for account in crew)
    assert (first["exam"]["n"], first["exam"]["value"]) == (4, 1.0)
    assert second["gold"]["value"] == 0.0
    assert second["overruled"]["value"] == 1.0
    assert senior["reviews"] == len(reviews)
    assert first["turnaround"]["n"] > 0
    shown = json.dumps([dict(task.data) for task in ana.tasks(places[""]) + ana.tasks(places["exam"])])
    assert "known" not in shown
