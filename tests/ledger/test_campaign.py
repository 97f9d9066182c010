"""A whole campaign tells the same in every database."""

from dataclasses import astuple

import pytest

import hitl
from hitl.config import truth_from
from hitl.demo.stream import demo_policy, generate
from hitl.ledger import Ledger
from hitl.rounds.brief import brief


def walk(folder, where):
    pool = hitl.Pool.open(
        generate(150, seed=3), text="text", id="id", reach="reach", language="language", region="region",
        facets=("truth",),
    )  # fmt: skip
    campaign = hitl.Campaign(
        "trial",
        policy=demo_policy(),
        pool=pool,
        model=hitl.TextLinear(),
        plan=hitl.Plan(rounds=1, budget=15, benchmark=20, seed=5),
        connector=hitl.MemoryConnector(truth_from(pool, "truth"), folder=folder / "desk"),
        folder=folder,
        ledger=Ledger(where, "trial"),
    )
    campaign.run()
    return campaign


def told(campaign):
    """The record without its times."""
    ledger = campaign.ledger
    return {
        "steps": [sorted(ledger.steps(n)) for n in range(2)],
        "picks": [ledger.picks(n) for n in range(2)],
        "tasks": ledger.tasks(),
        "annotations": ledger.revisions(),
        "resolutions": [ledger.resolutions(n) for n in range(2)],
        "models": ledger.models(),
        "metrics": [str(astuple(e)) for n in range(2) for e in ledger.metrics(n, "benchmark")],
        "overview": ledger.overview(),
        "events": [(event["kind"], event["detail"]) for event in ledger.events()],
    }


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    return walk(folder, folder / "ledger.db")


def test_postgresql_tells_what_sqlite_tells(here, tmp_path, on_postgres):
    there = walk(tmp_path, on_postgres)
    assert there.status.state == "done"
    assert told(there) == told(here)
    there.ledger.close()


def test_the_rounds_in_brief_are_those_of_the_history(here):
    whole, short = here.history()["rounds"], brief(here.walk)
    same = (
        "round", "kind", "state", "policy_version", "model_id", "picked_by_model", "seed", "started", "completed",
        "tasks", "tasks_done", "training_items", "labels_so_far", "comparison", "since_seed", "agreement",
    )  # fmt: skip
    assert [{name: row[name] for name in same} for row in short] == [
        {name: row[name] for name in same} for row in whole
    ]
    for row, full in zip(short, whole, strict=True):
        for sample in ("benchmark", "audit"):
            assert row[sample] == [e for e in full[sample] if e["name"] in {one["name"] for one in row[sample]}]
    assert short[1]["benchmark"]
    assert short[1]["audit"]
    assert [r.labels_so_far for r in here.rounds] == [row["labels_so_far"] for row in whole]
