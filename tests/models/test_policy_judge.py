"""A language model as pre-labeler, from the policy to saved predictions, against a local server."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tiny
from judge import serving

from hitl.errors import ConfigError, EndpointDown, ModelError, PolicyError
from hitl.models import Features, Fitted, Model, Reader, load_model, make_model
from hitl.models.policy_judge import PolicyJudge
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.types import Targets

POLICY = """
name: abuse
version: 3
labels:
  - {name: fine, violating: false}
  - {name: rude, severity: 4, definition: belittles somebody, actions: {review: 0.3}}
regions:
  ID: {labels: {rude: {definition: belittles somebody or their kin}}}
"""
LABELS = ("fine", "rude")
N = 60


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[serving.Served]:
    monkeypatch.setenv("ZONK_KEY", serving.KEY)
    with serving.serving() as running:
        yield running


@pytest.fixture
def pool() -> Pool:
    """Items of five words, the rude ones with more "zonk" among them."""
    rng = np.random.default_rng(5)
    words = [
        ["zonk" if draw < (0.6 if row % 3 == 0 else 0.15) else f"wub{row}" for draw in rng.random(5)]
        for row in range(N)
    ]
    regions = ["ID" if row % 2 else "" for row in range(N)]
    return Pool.open(pa.table({"text": [" ".join(some) for some in words], "where": regions}), region="where")


def truth() -> np.ndarray:
    return (np.arange(N) % 3 == 0).astype(int)


def targets(m: int = 40) -> Targets:
    return Targets(np.arange(m), np.eye(2)[truth()[:m]], LABELS, np.ones(m))


def remote(served: serving.Served, **options: Any) -> PolicyJudge:
    named = {"url": served.url, "key_env": "ZONK_KEY", "price_in": 1.0, "price_out": 4.0, "retries": 0}
    return PolicyJudge(POLICY, serving.MODEL, **(named | options))


def fit(judge: PolicyJudge, features: Any, of: Targets | None = None, seed: int = 0, **more: Any) -> Any:
    return judge.fit(features, of or targets(), np.random.default_rng(seed), multi_label=False, **more)


def test_it_keeps_the_protocols(served: serving.Served, pool: Pool) -> None:
    judge = remote(served, served_as=["zonk-2b"], most_cost=3.0)
    features = judge.features(pool, None)
    assert isinstance(judge, Model)
    assert isinstance(features, Features)
    assert isinstance(features.reader, Reader)
    assert isinstance(fit(judge, features), Fitted)
    options = json.loads(json.dumps(judge.options()))
    assert make_model("policy_judge", options, device="cpu") == judge
    assert "device" not in options
    assert serving.KEY not in f"{judge!r} {options} {features!r}"
    assert len(features) == N
    assert features.embeddings is None


def test_a_policy_is_the_same_in_any_form(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    forms = (POLICY, Policy.parse(POLICY), str(tmp_path / "policy.yaml"), tmp_path / "policy.yaml")
    judges = {PolicyJudge(form, "zonk") for form in forms}
    assert len(judges) == 1
    (judge,) = judges
    assert judge.rules == Policy.parse(POLICY)
    assert PolicyJudge(judge.policy, "zonk") == judge


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ""}, "must name the language model"),
        ({"longest": 0}, "longest=0"),
        ({"most_items": -1}, "most_items=-1"),
        ({"why": 1.5}, "why=1.5"),
        ({"most_cost": 1.0}, "needs price_in"),
        ({"most_cost": -1.0, "price_in": 1.0}, "most_cost is money"),
        ({"url": "zonk"}, "url must read"),
        ({"url": "http://zonk.invalid"}, "unencrypted"),
        ({"url": "https://zonk.invalid", "retries": -1}, "retries"),
        ({"policy": 7}, "must be a Policy"),
        ({"policy": "none.yaml"}, "no such file"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PolicyJudge(**{"policy": POLICY, "model": "zonk", **options})


def test_a_policy_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(PolicyError):
        PolicyJudge("{name: x, version: 1, labels: [{name: only}]}", "zonk")


def test_texts_are_judged_directly(served: serving.Served, tmp_path: Path) -> None:
    judge = remote(served)
    found = judge.judge(["zonk wub", "wub", "", "half \ud800"], region="ID", cache=tmp_path)
    np.testing.assert_allclose(found.proba[:2], [[0.5, 0.5], [1, 0]])
    assert found.rationales[0] == "2 words"
    assert found.problems == ("", "", "it has no text", "")
    assert found.cost.requests == 3
    assert found.cost.money == pytest.approx(3 * (100 + 4 * 20) / 1e6)
    assert "their kin" in served.asked[0].system
    judge.judge(["zonk wub", "wub"], region="ID", cache=tmp_path)
    assert len(served.asked) == 3
    judge.judge(["zonk wub"], cache=tmp_path)
    assert len(served.asked) == 4


def test_features_ask_when_they_are_taken_and_by_the_items_region(served: serving.Served, pool: Pool) -> None:
    features = remote(served).features(pool, None)
    assert not served.asked
    chosen = np.array([7, 3, 3, 50])
    x = features.take(chosen)
    assert (x.shape[0], len(served.asked)) == (4, 3)
    regional = {asked.content: "their kin" in asked.system for asked in served.asked}
    assert regional == {text: at % 2 == 1 for at, text in zip(chosen.tolist(), pool.texts(chosen), strict=True)}
    np.testing.assert_array_equal(features.slice(50, 51).proba[0], x.proba[3])
    assert len(served.asked) == 3
    assert features.take(np.zeros(0, dtype=np.int64)).shape == (0, 2)
    assert features.slice(N - 2, N + 100).shape[0] == 2


def test_what_it_says_is_calibrated_on_the_answers_of_people(served: serving.Served, pool: Pool) -> None:
    judge = remote(served)
    features = judge.features(pool, None)
    fitted = fit(judge, features, card={"policy_version": "3"})
    calibration = fitted.card["calibration"]
    assert calibration["items"] == 40
    assert calibration["brier_after"] <= calibration["brier_before"]
    predicted = fitted.predict(features.slice(0, N))
    said = features.slice(0, N).proba
    np.testing.assert_allclose(predicted.opinion, np.clip(said, 1e-4, 1), atol=2e-4)
    assert ((predicted.proba[40:, 1] > 0.5) == truth()[40:]).mean() > 0.8
    assert np.isnan(fitted.core.constant).all()


def test_the_card_tells_what_was_asked_and_what_it_is_not(served: serving.Served, pool: Pool) -> None:
    judge = remote(served)
    card = fit(judge, judge.features(pool, None)).card
    training, depends = card["training"], card["depends"]
    assert training["items"] == 40
    assert training["model"] == serving.MODEL
    assert training["policy"] == "abuse v3"
    assert training["cost_so_far"]["requests"] == 40
    assert training["cost_so_far"]["money"] == pytest.approx(40 * 180 / 1e6)
    assert depends["prompt_version"] == training["prompt_version"]
    assert depends["pinned"] == serving.MODEL
    limits = " ".join(card["limits"])
    for said in ("never a label", "audited", "biased", "mislead", "provider's version"):
        assert said in limits
    assert serving.KEY not in json.dumps(card)


def test_an_item_without_an_answer_has_no_opinion_and_is_told(served: serving.Served, pool: Pool) -> None:
    silent = set(pool.texts(np.array([4, 33])))
    served.behave = lambda number, asked: serving.said("?" if asked.content in silent else serving.judged(asked))
    judge = remote(served)
    features = judge.features(pool, None)
    assert len(features.unreadable) == 0
    fitted = fit(judge, features)
    assert fitted.card["training"]["without_an_answer"] == 2
    assert fitted.card["calibration"]["items"] == 38
    predicted = fitted.predict(features.take(np.array([33, 1, 4])))
    np.testing.assert_allclose(predicted.opinion[[0, 2]], 0.5)
    assert features.unreadable.positions.tolist() == [4, 33]
    assert all("JSON" in reason for reason in features.unreadable.reasons)


def test_same_judge_same_id_and_another_policy_or_model_another(served: serving.Served, pool: Pool) -> None:
    judge = remote(served)
    features = judge.features(pool, None)
    first, again = (fit(judge, features, seed=seed) for seed in (0, 1))
    assert first.model_id == again.model_id
    reworded = replace(judge, policy=POLICY.replace("belittles", "insults"))
    other = fit(reworded, reworded.features(pool, None))
    assert other.model_id != first.model_id
    assert other.card["depends"]["prompts"] != first.card["depends"]["prompts"]
    assert reworded.features(pool, None).fingerprint != features.fingerprint == judge.features(pool, None).fingerprint


def test_what_is_no_part_of_an_answer_asks_nothing_again(served: serving.Served, pool: Pool, tmp_path: Path) -> None:
    remote(served).features(pool, tmp_path).slice(0, 10)
    changed = POLICY.replace("version: 3", "version: 4").replace("review: 0.3", "review: 0.6")
    cheaper = PolicyJudge(changed, serving.MODEL, served.url, "ZONK_KEY", concurrency=1, timeout=9.0)
    cheaper.features(pool, tmp_path).slice(0, 10)
    assert len(served.asked) == 10
    for other in ({"seed": 1}, {"longest": 7}, {"policy": POLICY.replace("belittles", "insults")}):
        options = {"policy": POLICY, "model": serving.MODEL, "url": served.url, "key_env": "ZONK_KEY", **other}
        before = len(served.asked)
        PolicyJudge(**options).features(pool, tmp_path).slice(0, 10)
        assert len(served.asked) == before + 10


def test_a_run_that_broke_off_goes_on(served: serving.Served, pool: Pool, tmp_path: Path) -> None:
    healthy, judge = served.behave, remote(served, concurrency=1)
    served.behave = lambda number, asked: healthy(number, asked) if number < 25 else serving.Answer(drop=True)
    with pytest.raises(EndpointDown):
        fit(judge, judge.features(pool, tmp_path))
    served.behave = healthy
    fit(judge, judge.features(pool, tmp_path))
    assert len(served.asked) == 41


def test_more_than_allowed_is_refused_over_all_takes(served: serving.Served, pool: Pool) -> None:
    features = remote(served, most_items=30).features(pool, None)
    features.slice(0, 20)
    features.slice(0, 20)
    with pytest.raises(ModelError, match=r"15 items have no judgement yet, 20 were asked about .* allows 30"):
        features.slice(20, 35)
    assert len(served.asked) == 20
    features.slice(20, 30)


def test_what_is_not_allowed_needs_no_key_to_be_refused(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZONK_KEY", raising=False)
    judge = PolicyJudge(POLICY, "zonk", "https://zonk.invalid/v1", "ZONK_KEY", most_items=3)
    with pytest.raises(ModelError, match="most_items to 4"):
        judge.judge(["a", "b", "c", "d"])
    with pytest.raises(ConfigError, match="ZONK_KEY"):
        judge.judge(["a"])


def test_progress_is_told(served: serving.Served, pool: Pool) -> None:
    told = []
    features = remote(served).features(pool, None, lambda *what: told.append(what))
    features.slice(0, 5)
    assert told == [("asking the judge", done, 5) for done in range(6)]


def test_saved_it_comes_back_and_asks_nobody_before_it_reads(
    served: serving.Served, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = remote(served)
    features = judge.features(pool, tmp_path / "cache")
    fitted = fit(judge, features)
    asked = len(served.asked)
    monkeypatch.delenv("ZONK_KEY")
    again = load_model(fitted.save(tmp_path / "model"), device="cpu")
    assert (again.model_id, again.labels, again.card) == (fitted.model_id, LABELS, fitted.card)
    np.testing.assert_array_equal(
        again.predict(features.slice(0, 40)).proba, fitted.predict(features.slice(0, 40)).proba
    )
    assert len(served.asked) == asked
    with pytest.raises(ConfigError, match="ZONK_KEY holds no key"):
        again.predict_texts(["zonk"])
    monkeypatch.setenv("ZONK_KEY", serving.KEY)
    assert again.predict_texts(["zonk", "wub"]).opinion.argmax(axis=1).tolist() == [1, 0]
    assert serving.KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_reader_travels_without_its_key_and_shares_the_cache(
    served: serving.Served, pool: Pool, tmp_path: Path
) -> None:
    features = remote(served).features(pool, tmp_path)
    x = features.slice(0, 10)
    packed = pickle.dumps(features.reader)
    assert serving.KEY.encode() not in packed
    assert len(packed) < 4_000
    read, embeddings = pickle.loads(packed).read(pool.rows(np.arange(10), list(features.reader.columns)))
    np.testing.assert_array_equal(read.proba, x.proba)
    assert embeddings is None
    assert len(served.asked) == 10
    with pytest.raises(ModelError, match="reads text"):
        features.reader.read(pa.table({"region": ["ID"]}))


@pytest.mark.parametrize("missing", ["region", "nulls"])
def test_rows_without_a_region_are_judged_by_the_common_policy(
    served: serving.Served, pool: Pool, missing: str
) -> None:
    rows = pa.table({"text": ["zonk", None]})
    if missing == "nulls":
        rows = rows.append_column("region", pa.nulls(2, pa.string()))
    read, _ = remote(served).features(pool, None).reader.read(rows)
    assert read.problems == ("", "it has no text")
    assert "their kin" not in served.asked[0].system


def test_answers_of_another_policy_are_refused(served: serving.Served, pool: Pool) -> None:
    judge = remote(served)
    features = judge.features(pool, None)
    other = Targets(np.arange(4), np.eye(2)[[0, 1, 0, 1]], ("fine", "spam"), np.ones(4))
    with pytest.raises(ModelError, match="fine, spam, and the judge's policy has fine, rude, one an item"):
        fit(judge, features, other)
    with pytest.raises(ModelError, match="the policy that the answers are of"):
        judge.fit(features, targets(), np.random.default_rng(0), multi_label=True)
    with pytest.raises(ModelError, match="compute them with its features"):
        fit(judge, pool)
    with pytest.raises(ModelError, match="compute them with its features"):
        fit(replace(judge, policy=POLICY.replace("belittles", "insults")), features)
    assert not served.asked


def test_a_pool_without_text_is_refused() -> None:
    pictures = Pool.open(pa.table({"file": ["a.png"]}), media="file")
    with pytest.raises(ModelError, match="has no text for policy_judge"):
        PolicyJudge(POLICY, "zonk", "http://localhost/v1").features(pictures, None)


def test_several_labels_are_judged_one_by_one(served: serving.Served, pool: Pool) -> None:
    told = json.dumps({"labels": {"threat": 0.9, "slur": 0.8}, "rationale": "both"})
    served.behave = lambda number, asked: serving.said(told)
    several = Policy.parse("{name: x, version: 1, multi_label: true, labels: [{name: threat}, {name: slur}]}")
    judge = PolicyJudge(several, serving.MODEL, served.url, "ZONK_KEY")
    features = judge.features(pool, None)
    y = np.array([[1.0, 1.0], [1.0, np.nan], [0.0, 1.0], [np.nan, np.nan]])
    of = Targets(np.arange(4), y, ("threat", "slur"), np.ones(4))
    fitted = judge.fit(features, of, np.random.default_rng(0), multi_label=True)
    np.testing.assert_allclose(fitted.predict(features.slice(0, 2)).opinion, [[0.9, 0.8]] * 2, rtol=1e-5)


def test_a_model_on_this_machine_is_pinned_by_its_files(pool: Pool, tmp_path: Path) -> None:
    folder = tiny.tiny_causal_lm(tmp_path / "lm")
    judge = PolicyJudge(POLICY, str(folder), device="cpu", most_items=50, why=3)
    features = judge.features(pool, tmp_path / "cache")
    fitted = fit(judge, features)
    assert len(fitted.card["depends"]["pinned"]) == 32
    predicted = fitted.predict(features.slice(0, 8))
    np.testing.assert_allclose(predicted.proba.sum(axis=1), 1, atol=1e-6)
    with pytest.raises(ModelError, match="allows 50"):
        features.slice(0, N)
    again = load_model(fitted.save(tmp_path / "model"), device="cpu")
    np.testing.assert_allclose(again.predict_texts(["zonk"]).proba, fitted.predict_texts(["zonk"]).proba, atol=1e-5)
    tiny.tiny_causal_lm(folder, seed=7)
    changed = load_model(tmp_path / "model", device="cpu")
    with pytest.raises(ModelError, match="not those it was made with"):
        changed.predict_texts(["zonk"])
