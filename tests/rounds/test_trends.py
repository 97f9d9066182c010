"""What grows and drifts: planted change is found, chance alone is not, whatever the pool has to tell it by."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.demo.stream import demo_policy, generate
from hitl.metrics.drift import prevalence_drift
from hitl.metrics.multiplicity import benjamini_hochberg
from hitl.rounds.judged import Measured
from hitl.rounds.periods import by_chance
from hitl.rounds.trends import trends
from hitl.sampling.diversity.crowd import on_grid
from hitl.types import Resolution

POLICY = hitl.Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: rude}, {name: spam}]}")
TOPICS = (
    "the ferry to the island leaves at noon",
    "my sister bakes bread with rye and salt",
    "who won the chess match in the old town",
)


def posts(rng, n, new=0.0):
    """Invented posts, a share of which are of a topic that is new."""
    words = np.array([f"word{at}" for at in range(60)])
    said = []
    for _ in range(n):
        topic = "free coins for every wallet" if rng.random() < new else TOPICS[rng.integers(3)]
        said.append(" ".join(rng.permutation([*topic.split(), *rng.choice(words, 5)])))
    return said


def test_the_topic_that_emerges_in_the_stream_is_found_with_examples(emerging):
    found = trends(Measured.of(emerging.walk, 1))
    pool = emerging.walk.pool
    codes, names = pool.codes("truth")
    grown = []
    for row in found["growing"]:
        assert row["ratio"]["low"] > 1
        assert row["adjusted"] <= 0.05
        assert row["new"] / found["new"] > row["before"] / found["before"]
        assert len(row["course"]) == 2
        grown += [names[code] for code in codes[pool.position_of([one["item_id"] for one in row["examples"]])]]
    assert "scam" in grown
    assert found["growing"][0]["terms"]
    assert found["folded"] > 0
    assert {row["kind"] for row in found["drift"]} == {"inputs", "scores", "labels"}
    hidden = emerging.walk.benchmark_items().keys()
    shown = [
        one["item_id"] for kind in ("growing", "falling", "drift") for row in found[kind] for one in row["examples"]
    ]
    assert not hidden & set(shown)


def test_the_seed_round_has_nothing_to_compare(emerging):
    assert trends(Measured.of(emerging.walk, 0)) is None


def test_items_dealt_out_by_chance_rarely_alarm(staged, examined):
    alarms = []
    for seed in range(8):
        table = generate(700, seed=seed)
        wave = table["wave"].to_numpy()
        table = table.filter(pa.array(wave <= 2))
        came = np.random.default_rng(seed).integers(0, 2, size=len(table)).astype(np.int8)
        pool = hitl.Pool.open(table.append_column("came", pa.array(came)), text="text", id="id", facets=("came",))
        found = trends(examined(staged(pool, demo_policy(), replay="came", seed=seed)))
        assert found["looked_at"] > 50
        alarms.append(bool(found["growing"]) or any(row["changed"] for row in found["drift"]))
    assert sum(alarms) <= 2  # of 8 with two families of tests at 5 %: more has a chance of 0.5 %


@pytest.mark.parametrize("new", [0.0, 0.3])
def test_without_rounds_the_latest_fifth_is_new(staged, examined, new):
    rng = np.random.default_rng(1)
    texts = [*posts(rng, 480), *posts(rng, 120, new)]
    received = np.datetime64("2026-01-01", "us") + np.arange(600) * np.timedelta64(1, "h")
    known = pa.array(received, mask=np.arange(600) % 50 == 7)
    pool = hitl.Pool.open(pa.table({"text": texts, "received": known}), received="received")
    found = trends(examined(staged(pool, POLICY)))
    assert "latest fifth" in found["compared"]
    assert found["before"] + found["new"] == 588 - found["folded"]
    if new:
        assert {"coins", "wallet", "free", "for", "every"} & set(found["growing"][0]["terms"])
        assert found["growing"][0]["course"] == []
        assert [row["changed"] for row in found["drift"]] == [True]
    else:
        assert found["growing"] == []


def test_pictures_are_compared_by_where_they_lie(staged, examined):
    rng = np.random.default_rng(2)
    came = np.repeat([0, 1], [300, 200]).astype(np.int8)
    topic = np.where(rng.random(500) < 0.3 * came, 5, rng.integers(0, 3, size=500))
    lies = on_grid(np.eye(6)[topic] + 0.1 * rng.normal(size=(500, 6)))
    pool = hitl.Pool.open(
        pa.table({"media": [f"{at}.png" for at in range(500)], "came": came}), media="media", facets=("came",)
    )
    found = trends(examined(staged(pool, POLICY, embeddings=lies, replay="came")))
    assert {row["kind"] for row in found["growing"]} == {"cluster"}
    assert all(row["terms"] == [] for row in found["growing"])
    shown = [one["text"] for row in found["growing"] for one in row["examples"]]
    assert all(topic[int(name.removesuffix(".png"))] == 5 for name in shown)
    assert [row["changed"] for row in found["drift"]] == [True]
    nowhere = trends(examined(staged(pool, POLICY, replay="came")))
    assert (nowhere["growing"], nowhere["drift"], nowhere["looked_at"]) == ([], [], 0)


def test_a_flood_of_copies_counts_once(staged, examined):
    rng = np.random.default_rng(3)
    flood = "get your free coins from every wallet in town before the sun is down"
    texts = [*posts(rng, 150), *posts(rng, 100), *[f"{flood} {at}" for at in range(40)]]
    came = np.repeat([0, 1], [150, 140]).astype(np.int8)
    pool = hitl.Pool.open(pa.table({"text": texts, "came": came}), facets=("came",))
    found = trends(examined(staged(pool, POLICY, replay="came")))
    assert found["growing"] == []
    assert [(row["before"], row["new"]) for row in found["copies"]] == [(0, 40)]
    assert found["copies"][0]["examples"][0]["text"].startswith(flood)
    assert found["folded"] >= 39


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({}, "neither times nor a column to replay"),
        ({"came": np.zeros(50, dtype=np.int8)}, "Nothing new came into play in round 1"),
        ({"received": np.full(50, np.datetime64("2026-01-01", "us"))}, "at one time"),
    ],
)
def test_where_old_and_new_cannot_be_told_apart_it_says_why(staged, examined, columns, why):
    parts = {"received": "received"} if "received" in columns else {}
    table = pa.table({"text": posts(np.random.default_rng(4), 50), **columns})
    pool = hitl.Pool.open(table, facets=("came",) if "came" in columns else (), **parts)
    found = trends(examined(staged(pool, POLICY, replay="came" if "came" in columns else None)))
    assert why in found["why"]
    assert (found["growing"], found["falling"], found["drift"]) == ([], [], [])


def drawn(rng, truth, p, reach, came, errs):
    """The picks of two rounds as campaigns make them, and what people said: the benchmark's with greater care."""
    free, picks = np.ones(len(truth), dtype=bool), []

    def take(arm, rows, inclusion=None):
        free[rows] = False
        odds = [None] * len(rows) if inclusion is None else inclusion.tolist()
        return [SimpleNamespace(item_id=str(row), arm=arm, inclusion=one) for row, one in zip(rows, odds, strict=True)]

    def by_weight(arm, weights, size, number):
        rows = np.flatnonzero(free & (came <= number))
        rank = rng.random(len(rows)) / weights[rows]
        order = np.argsort(rank)
        chosen = rows[order[:size]]
        return take(arm, chosen, np.minimum(1.0, weights[chosen] * rank[order[size]]))

    doubt = np.sqrt(p * (1 - p)) * np.hypot(0.5, 0.5 * reach)
    for number, (arm, weights, size) in enumerate(
        (("benchmark", reach + 0.25, 60), ("audit", np.maximum(doubt, 0.25 * doubt.mean()), 40))
    ):
        mine = by_weight(arm, weights, size, number)
        rows = np.flatnonzero(free & (came <= number))
        mine += take("positives", rows[np.argsort(-p[rows])[:40]])
        mine += take("random", rng.permutation(np.flatnonzero(free & (came <= number)))[:40])
        picks.append(mine)
    said = np.where(rng.random(len(truth)) < errs, rng.integers(0, 3, size=len(truth)), truth)
    settled = []
    for one in (one for mine in picks for one in mine):
        label = (truth if one.arm == "benchmark" else said)[int(one.item_id)]
        settled.append(Resolution(one.item_id, int(one.item_id), (POLICY.names[label],), 1.0, "m", "1"))
    return picks, settled


@pytest.mark.parametrize("errs", [0.0, 0.08])
def test_labels_that_do_not_drift_rarely_alarm_whatever_was_picked(staged, errs):
    rng = np.random.default_rng(5)
    n, alarms, covered = 1000, [], []
    for _ in range(120):
        truth = rng.choice(3, size=n, p=[0.86, 0.1, 0.04])
        p = np.clip(np.where(truth > 0, rng.beta(3, 2, n), rng.beta(1.2, 8, n)), 0.001, 0.999)
        reach = rng.pareto(1.3, n) + 0.1
        came = (rng.random(n) < 0.33).astype(np.int8)
        picks, settled = drawn(rng, truth, p, reach / reach.mean(), came, errs)
        pool = hitl.Pool.open(pa.table({"text": ["zonk"] * n, "came": came}), facets=("came",))
        found = prevalence_drift(
            *by_chance(staged(pool, POLICY, picks=picks, settled=settled, replay="came"), 1), "abc"
        )
        alarms.append((benjamini_hochberg(np.array([one.p for one in found])) <= 0.05).any())
        covered += [one.difference.low <= 0 <= one.difference.high for one in found]
    assert np.mean(alarms) <= 0.05
    assert np.mean(covered) >= 0.95


def test_what_a_round_picked_is_known_to_its_random_arm(staged):
    pool = hitl.Pool.open(pa.table({"text": ["zonk"] * 100}))
    pick = lambda at, arm: SimpleNamespace(item_id=str(at), arm=arm, inclusion=None)  # noqa: E731
    picks = [[*(pick(at, "random") for at in range(20, 40)), *(pick(at, "positives") for at in range(20))]]
    settled = [Resolution(str(at), at, ("spam",) if at < 20 else ("ok",), 1.0, "m", "1") for at in range(40)]
    before, now = by_chance(staged(pool, POLICY, picks=picks, settled=settled), 0)
    assert before == []
    assert now[0].prevalence == pytest.approx([0.8, 0.0, 0.2])
    assert now[0].inclusion == pytest.approx(np.full(20, 0.25))
