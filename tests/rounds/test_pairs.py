"""A campaign of preferences: pairs are shown side by side, and nothing in them needs to violate anything."""

import json

import numpy as np
import pyarrow as pa

import hitl

POLICY = hitl.Policy.parse(
    "{name: preferences, version: 1, labels: [{name: left, violating: false}, {name: right, violating: false}, "
    "{name: tie, violating: false}]}"
)
WORDS = np.array(
    ["lamp", "river", "stone", "cloud", "green", "table", "winter", "market", "paper", "window", "garden", "button"]
)


def pairs(count=150, seed=3):
    """Pairs of which the kinder side is right, and what is right."""
    rng = np.random.default_rng(seed)
    rows, truth = [], {}
    for n in range(count):
        kinder = int(rng.integers(2))
        sides = [" ".join([*rng.choice(WORDS, 6), "gladly" if side == kinder else "never"]) for side in (0, 1)]
        pair = {"prompt": f"question {n}", "left": sides[0], "right": sides[1]}
        rows.append({"id": f"p{n}", "text": json.dumps(pair), "modality": "pair"})
        truth[f"p{n}"] = (POLICY.names[kinder],)
    return hitl.Pool.open(pa.Table.from_pylist(rows), text="text", modality="modality"), truth


def test_preferences_walk_the_rounds_like_any_label(tmp_path):
    pool, truth = pairs()
    plan = hitl.Plan(rounds=1, budget=20, benchmark=30)
    campaign = hitl.Campaign(
        "pairs", policy=POLICY, pool=pool, model=hitl.TextLinear(), plan=plan, folder=tmp_path,
        connector=hitl.MemoryConnector(truth),
    )  # fmt: skip
    rounds = list(campaign)
    assert campaign.walk.form.name == "pairwise"
    assert campaign.status.state == "done"
    assert rounds[1].selection.by_arm()["uncertain"] > 0
    shown = campaign.ledger.tasks()[0].data
    assert {"prompt", "left", "right"} <= set(shown)
    assert "text" not in shown


def test_a_pair_that_is_none_is_that_item_s_error(tmp_path):
    pool, truth = pairs(40)
    table = pa.Table.from_pylist([{"id": "torn", "text": "{half", "modality": "pair"}])
    rest = pa.Table.from_pylist(pool.rows(np.arange(40)).to_pylist()).select(["id", "text", "modality"])
    torn = hitl.Pool.open(pa.concat_tables([table, rest]), text="text", modality="modality")
    plan = hitl.Plan(rounds=0, seed_budget=31, benchmark=10)
    campaign = hitl.Campaign(
        "torn", policy=POLICY, pool=torn, model=hitl.TextLinear(), plan=plan, folder=tmp_path,
        connector=hitl.MemoryConnector(truth),
    )  # fmt: skip
    assert campaign.run().state == "done"
    assert {task.item_id for task in campaign.ledger.tasks()} == set(truth)
    [line] = (tmp_path / "unreadable.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "torn"
    assert "no JSON" in json.loads(line)["why"]
