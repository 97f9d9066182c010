"""Campaigns on pictures, clips, encoders and a language model: what people are asked, and what is told of it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clips import write_clip
from kinds import LABELS, encoder, on_images, on_text, texts, truth
from PIL import Image
from tiny import tiny_causal_lm

import hitl
from hitl.config import CampaignConfig, truth_from

POLICY = hitl.Policy.parse(
    "{name: small, version: 1, labels: [{name: fine, violating: false}, {name: rude, severity: 5}, {name: spam}]}"
)
PLAN = hitl.Plan(rounds=2, budget=10, benchmark=12, seed_budget=24, overlap=0.0, benchmark_people=1)
COLOURS = np.array([(40, 60, 200), (200, 40, 60), (60, 200, 40)])


def campaign(folder: Path, pool: hitl.Pool, model: hitl.TextLinear, **more: object) -> hitl.Campaign:
    connector = hitl.MemoryConnector(truth_from(pool, "truth"), folder=folder / "desk")
    parts = {"policy": POLICY, "plan": PLAN, "folder": folder / "run"} | more
    return hitl.Campaign("trial", pool=pool, model=model, connector=connector, **parts)


def labels(n: int = 90) -> list[str]:
    return [LABELS[at] for at in truth(n)]


@pytest.fixture
def posts() -> hitl.Pool:
    return hitl.Pool.open(
        pa.table({"id": [f"p{at}" for at in range(90)], "text": texts(), "truth": labels()}), facets=("truth",)
    )


def test_a_frozen_encoder_walks_all_rounds_and_encodes_each_text_once(tmp_path, posts, monkeypatch):
    from hitl.models.neural.text_encoder import TextEncoder

    encoded = []
    plain = TextEncoder.embed_tokens
    monkeypatch.setattr(
        TextEncoder, "embed_tokens", lambda self, tokens: encoded.append(len(tokens)) or plain(self, tokens)
    )
    run = campaign(tmp_path, posts, on_text()(tmp_path))
    rounds = list(run)
    assert [one.number for one in rounds] == [0, 1, 2]
    pool_rows = [count for count in encoded if count > 3]
    assert sum(pool_rows) <= len(set(texts()))
    card = run.walk.fitted(2).card
    assert card["calibration"]["items"] > 20
    assert card["policy_version"] == "1"
    again = campaign(tmp_path, posts, on_text()(tmp_path))
    assert [one.model_id for one in again] == [one.model_id for one in rounds]


def test_the_model_is_calibrated_on_what_chance_drew_once_that_is_enough(tmp_path, posts):
    run = campaign(
        tmp_path, posts, hitl.TextLinear(buckets=1 << 12), plan=PLAN.model_copy(update={"audit": 0.7, "budget": 20})
    )
    told = [run.walk.fitted(one.number).card["calibration"] for one in run]
    assert "picked" in told[0]["fitted_on"]
    assert "drawn from the pool by chance" in told[2]["fitted_on"]
    assert told[2]["worth_items"] >= 20
    history = run.history()
    assert history["rounds"][-1]["calibration"] == told[2]
    assert "drawn from the pool by chance" in (run.folder / "report.html").read_text()


def pictures(folder: Path, count: int = 90) -> hitl.Pool:
    rng = np.random.default_rng(5)
    names = [f"{at}.png" for at in range(count)]
    for name, label in zip(names, truth(count), strict=True):
        noise = rng.integers(-60, 60, (32, 32, 3))
        Image.fromarray(np.clip(COLOURS[label] + noise, 0, 255).astype(np.uint8)).save(folder / name)
    (folder / "7.png").write_bytes((folder / "7.png").read_bytes()[:60])
    (folder / "8.png").unlink()
    frames = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (0, 90, 200)]
    frames[0].save(folder / "9.gif", save_all=True, append_images=frames[1:])
    names[9] = "9.gif"
    table = pa.table({"id": [f"p{at}" for at in range(count)], "file": names, "truth": labels(count)})
    pq.write_table(table, folder / "items.parquet")
    return hitl.Pool.open(folder / "items.parquet", media="file", facets=("truth",))


def test_broken_pictures_are_told_and_never_asked_and_the_run_goes_on(tmp_path):
    pool = pictures(tmp_path)
    run = campaign(tmp_path, pool, on_images()(tmp_path))
    rounds = list(run)
    asked = {pick.item_id for one in rounds for pick in one.selection.picks}
    assert len(rounds) == 3
    assert not asked & {"p7", "p8", "p9"}
    told = [json.loads(line) for line in (run.folder / "unreadable.jsonl").read_text().splitlines()]
    assert [one["id"] for one in told] == ["p7", "p8", "p9"]
    assert "damaged" in told[0]["why"]
    assert "no such file" in told[1]["why"]
    assert "animated" in told[2]["why"]
    assert run.history()["pool"]["unreadable"] == 3
    assert "3 of them could not be read" in (run.folder / "report.html").read_text()
    assert any("could not read: 3" in step for step in run.history()["next_steps"])


def test_a_picture_that_is_there_many_times_is_asked_about_once(tmp_path):
    pictures(tmp_path)
    rng, names = np.random.default_rng(8), []
    shape = np.kron(rng.integers(0, 255, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    for at in range(60):  # two of three are one photograph, saved again and again
        if at % 3:
            Image.fromarray(shape).save(tmp_path / f"copy{at}.jpg", quality=60 + at % 30)
            names.append(f"copy{at}.jpg")
        else:
            own = np.kron(rng.integers(0, 255, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)
            Image.fromarray(own).save(tmp_path / f"own{at}.png")
            names.append(f"own{at}.png")
    pq.write_table(pa.table({"id": names, "file": names, "truth": labels(60)}), tmp_path / "flood.parquet")
    pool = hitl.Pool.open(tmp_path / "flood.parquet", media="file", facets=("truth",))
    plan = hitl.Plan(rounds=1, budget=8, benchmark=2, seed_budget=8, audit=0.0, random=0.0, overlap=0.0)
    run = campaign(tmp_path, pool, on_images()(tmp_path), plan=plan)
    by_score = [
        pick for one in run for pick in one.selection.picks if pick.arm in ("diverse", "uncertain", "contested")
    ]
    assert len(by_score) >= 8
    assert sum(pick.item_id.startswith("copy") for pick in by_score) <= 1


def test_reviewers_of_clips_are_told_where_to_look(tmp_path):
    rng, names = np.random.default_rng(6), [f"{at}.mp4" for at in range(60)]
    for name, label in zip(names, truth(60), strict=True):
        shown = [rng.integers(0, 255, (32, 32, 3)).astype(np.uint8) for _ in range(12)]
        shown[8:10] = [np.broadcast_to(COLOURS[label], (32, 32, 3)).astype(np.uint8)] * 2
        write_clip(tmp_path / name, shown, fps=2)
    table = pa.table({"id": names, "file": names, "truth": labels(60)})
    pq.write_table(table, tmp_path / "clips.parquet")
    pool = hitl.Pool.open(tmp_path / "clips.parquet", media="file", facets=("truth",))
    model = hitl.VideoClassifier(str(encoder(tmp_path, "image")), uniform=12, scenes=0, size=32, device="cpu")
    run = campaign(tmp_path, pool, model, plan=PLAN.model_copy(update={"rounds": 1, "seed_budget": 20}))
    assert len(list(run)) == 2
    seed, active = run.ledger.tasks(0), run.ledger.tasks(1)
    assert {task.data["moments"] for task in seed} == {""}
    told = [task.data["moments"] for task in active]
    assert sum(bool(moment) for moment in told) > len(told) / 2
    assert all(minute.startswith("0:0") for moment in told for minute in moment.split(", ") if minute)


def test_a_language_model_s_opinions_walk_a_campaign_from_a_config(tmp_path):
    tiny_causal_lm(tmp_path / "lm")
    pq.write_table(
        pa.table({"id": [f"p{at}" for at in range(40)], "text": texts()[:40], "truth": labels(40)}),
        tmp_path / "items.parquet",
    )
    (tmp_path / "policy.yaml").write_text(POLICY.to_yaml())
    (tmp_path / "hitl.yaml").write_text(
        "campaign: judged\npolicy: policy.yaml\npool: {path: items.parquet}\nconnect: {kind: memory, truth: truth}\n"
        f"model: {{kind: policy_judge, model: {tmp_path / 'lm'}, most_items: 40}}\n"
        "plan: {rounds: 1, budget: 6, benchmark: 8, seed_budget: 10, overlap: 0.0, benchmark_people: 1}\n"
    )
    run = CampaignConfig.load(tmp_path / "hitl.yaml").open()
    assert len(list(run)) == 2
    card = run.walk.fitted(1).card
    assert "never a label" in " ".join(card["limits"])
    assert all(resolution.method != "policy_judge" for resolution in run.ledger.resolutions(1))


def test_encoders_and_media_are_looked_for_beside_the_config(tmp_path):
    pictures(tmp_path)
    encoder(tmp_path, "image")
    (tmp_path / "policy.yaml").write_text(POLICY.to_yaml())
    (tmp_path / "hitl.yaml").write_text(
        "campaign: seen\npolicy: policy.yaml\npool: {path: items.parquet, media: file}\n"
        "connect: {kind: memory, truth: truth}\nmodel: {kind: image_classifier, encoder: image-encoder, root: .}\n"
    )
    config = CampaignConfig.load(tmp_path / "hitl.yaml")
    model = config.open_model()
    assert Path(model.encoder) == tmp_path / "image-encoder"
    assert Path(model.root).resolve() == tmp_path.resolve()
    assert config.media_of(config.open_pool()).path("0.png").name == "0.png"
