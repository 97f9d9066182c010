"""What the control arm tells of picks whose worth is planted: better than chance, and chance itself."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.metrics.sample import LabelledSample
from hitl.rounds import control as told_by
from hitl.rounds.control import LEAST, control
from hitl.types import Resolution, Targets

pytestmark = pytest.mark.simulation

POLICY = "{name: planted, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}"
MODEL = hitl.TextLinear(word=(1, 1), char=(1, 1), lsa=0, calibrate=False)
ITEMS, SPAM, BENCHMARK = 8_000, 0.06, 1_000


def write(rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Texts of ten words out of 200; spam has two more out of 60 that nothing else has: a model must have met them."""
    truth = rng.random(ITEMS) < SPAM
    names = rng.permutation(np.arange(1000, 10_000))[:260]
    words, marks = names[rng.integers(200, size=(ITEMS, 10))], names[200 + rng.integers(60, size=(ITEMS, 2))]
    told = zip(words, marks, truth, strict=True)
    return [" ".join(map(str, [*row, *(mark if spam else ())])) for row, mark, spam in told], truth


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    texts, truth = write(np.random.default_rng(2))
    pool = hitl.Pool.open(pa.table({"id": [str(at) for at in range(ITEMS)], "text": texts}), id="id", text="text")
    return pool, truth, MODEL.features(pool, tmp_path_factory.mktemp("control"))


def stand(planted, monkeypatch, picked: np.ndarray, drawn: np.ndarray, seed: int, model=MODEL, **plan):
    """A round that learned from what was picked and what chance drew, told as `Measured` is."""
    _, truth, features = planted
    policy = hitl.Policy.parse(POLICY)
    rows = np.sort(np.concatenate([picked, drawn]))
    y = np.stack([~truth, truth], axis=1).astype(float)
    stands = np.isin(rows, drawn).astype(float)
    targets = Targets(rows, y[rows], policy.names, np.ones(len(rows)), stands)
    monkeypatch.setattr(told_by, "training_set", lambda walk, number: targets)
    benchmark = np.arange(BENCHMARK)

    def judge(items, fitted):
        predicted = fitted.predict(features.take(benchmark))
        said = [Resolution(str(at), at, ("spam" if truth[at] else "ok",), 1.0, "m", "1") for at in benchmark]
        inclusion = np.full(len(benchmark), len(benchmark) / ITEMS)
        sample = LabelledSample.of(policy, said, predicted.proba, thresholds=predicted.thresholds, inclusion=inclusion)
        return SimpleNamespace(sample=sample, positions=benchmark)

    new = MODEL.fit(features, targets, np.random.default_rng(seed), multi_label=False)
    new = new.with_thresholds(y.mean(axis=0), new.predict(features.take(np.arange(BENCHMARK, BENCHMARK + 2000))).proba)
    walk = SimpleNamespace(
        plan=hitl.Plan(**plan), model=model, features=features, policy=policy,
        benchmark_items=dict, sample=lambda number, size: np.arange(BENCHMARK, BENCHMARK + size),
    )  # fmt: skip
    return SimpleNamespace(
        walk=walk, number=3, new=new, judge=judge, benchmark=judge({}, new),
        rng=lambda name: np.random.default_rng([seed, *name.encode()]),
    )  # fmt: skip


def picks(planted, seed: int, spam: float | None) -> tuple[np.ndarray, np.ndarray]:
    """600 picks, of which a share is spam, or as many as chance brings; and 200 that chance drew."""
    _, truth, _ = planted
    rng = np.random.default_rng(seed)
    free = rng.permutation(np.arange(BENCHMARK, ITEMS))
    drawn, rest = free[:200], free[200:]
    if spam is None:
        return rest[:600], drawn
    rich = round(600 * spam)
    return np.concatenate([rest[truth[rest]][:rich], rest[~truth[rest]][: 600 - rich]]), drawn


@pytest.mark.parametrize("seed", [1, 2])
def test_picks_that_are_better_than_chance_save_labels(planted, monkeypatch, seed: int) -> None:
    told = control(stand(planted, monkeypatch, *picks(planted, seed, 0.5), seed))
    assert told["why"] == ""
    assert (told["drawn"], told["worth"], told["labels"]) == (200, 200, 800)
    assert told["gain"]["low"] > 0
    assert 0 < told["saved"]["low"] <= told["saved"]["value"] <= 150
    assert [point["labels"] for point in told["curve"]] == [50, 100, 200, 800]


def test_picks_that_are_chance_themselves_save_nothing(planted, monkeypatch) -> None:
    told = [control(stand(planted, monkeypatch, *picks(planted, seed, None), seed)) for seed in range(3, 8)]
    assert sum(one["gain"]["low"] <= 0 <= one["gain"]["high"] for one in told) >= 4
    assert sum(one["saved"]["low"] <= 0 <= one["saved"]["high"] for one in told) >= 4
    assert all(one["saved"]["low"] >= 200 - 800 for one in told)


def test_the_same_round_tells_the_same(planted, monkeypatch) -> None:
    told = [control(stand(planted, monkeypatch, *picks(planted, 9, 0.3), 9)) for _ in range(2)]
    assert told[0] == told[1]


def test_what_cannot_be_told_yet_says_why(planted, monkeypatch) -> None:
    _, truth, _ = planted
    picked, drawn = picks(planted, 1, 0.4)
    few = control(stand(planted, monkeypatch, picked, drawn[: LEAST - 1], 1))
    assert few["why"].startswith(f"too few labels by chance: {LEAST - 1}, worth {LEAST - 1} even ones of the {LEAST}")
    assert few["saved"] is None
    assert few["fits"] == 0
    rare = np.concatenate([drawn[truth[drawn]][:4], drawn[~truth[drawn]]])
    assert "fewer than 5 of them are spam" in control(stand(planted, monkeypatch, picked, rare, 1))["why"]
    assert "what was picked is too little" in control(stand(planted, monkeypatch, picked[:20], drawn, 1))["why"]
    network = SimpleNamespace(kind="ensemble", options=lambda: {"members": [{"kind": "text_transformer", "tune": {}}]})
    assert "a network" in control(stand(planted, monkeypatch, picked, drawn, 1, model=network))["why"]


def test_there_is_none_where_it_is_off_or_in_the_seed_round(planted, monkeypatch) -> None:
    at = stand(planted, monkeypatch, *picks(planted, 1, 0.4), 1, control=False)
    assert control(at) is None
    at = stand(planted, monkeypatch, *picks(planted, 1, 0.4), 1)
    at.number = 0
    assert control(at) is None
    at.number, at.benchmark = 1, None
    assert control(at) is None
