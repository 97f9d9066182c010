"""Clips by code, a tiny encoder, and all that a video classifier does with them."""

import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tiny

from hitl.errors import ConfigError, MediaError, ModelError
from hitl.models import load_model, make_model
from hitl.models.clips import ClipFeatures, ClipRows, packed, unpacked
from hitl.models.video_classifier import VideoClassifier
from hitl.pool import Pool
from hitl.sampling.diversity.crowd import on_grid
from hitl.types import Spans, Targets

av = pytest.importorskip("av")

N, RATE, LENGTH, SIDE = 36, 8, 24, 32
LABELS = ("green flash",)


def write(path: Path, pictures: list[np.ndarray], rate: int = RATE) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def shown() -> np.ndarray:
    return np.arange(N) % 2 == 0


def begins() -> np.ndarray:
    """When the flash of half a second begins, in seconds."""
    return np.random.default_rng(7).integers(0, LENGTH - 4, N) / RATE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of 3 s in shades of red and blue; those that are `shown` flash green. One more is no clip."""
    folder = tmp_path_factory.mktemp("clips")
    for row in range(N):
        rng = np.random.default_rng(row)
        shade = np.array([rng.integers(60, 200), 40, rng.integers(60, 200)])
        pictures = [np.clip(rng.normal(shade, 10, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8) for _ in range(LENGTH)]
        if shown()[row]:
            start = round(begins()[row] * RATE)
            for frame in range(start, start + 4):
                pictures[frame][:, :20] = [30, 220, 40]
        write(folder / f"{row}.mp4", pictures)
    (folder / "broken.mp4").write_bytes(b"zonk" * 200)
    tiny.tiny_image_encoder(folder / "encoder")
    return folder


def recipe(folder: Path, **options: object) -> VideoClassifier:
    plain = {"encoder": str(folder / "encoder"), "uniform": 12, "scenes": 4, "size": SIDE, **options}
    return VideoClassifier(**plain, root=str(folder), device="cpu")  # type: ignore[arg-type]


def pool_of(names: list[str]) -> Pool:
    ids = [f"it-{row}" for row in range(len(names))]
    return Pool.open(pa.table({"id": ids, "media": names}), media="media")


NAMES = [*(f"{row}.mp4" for row in range(N)), "broken.mp4", "gone.mp4"]


@pytest.fixture(scope="module")
def features(folder: Path) -> ClipFeatures:
    return recipe(folder).features(pool_of(NAMES), None)


def targets(rows: np.ndarray, spans: Spans | None = None) -> Targets:
    return Targets(rows, shown()[rows, None].astype(float), LABELS, np.ones(len(rows)), spans=spans)


def test_clips_are_learned_and_their_moments_told(folder: Path, features: ClipFeatures) -> None:
    train, held = np.arange(24), np.arange(24, N)
    fitted = recipe(folder).fit(features, targets(train), np.random.default_rng(0), multi_label=True)
    x = features.take(held)
    assert ((fitted.predict(x).proba[:, 0] > 0.5) == shown()[held]).mean() > 0.8
    found = fitted.core.moments(x, np.zeros(len(held), dtype=np.int64))
    first, start = found.times[shown()[held], 0], begins()[held][shown()[held]]
    assert ((first >= start) & (first < start + 0.5)).mean() > 0.8
    assert all(text.startswith("0:0") for text in found.texts())
    marked = np.flatnonzero(shown()[train])
    spans = Spans(marked, np.zeros(len(marked), np.int64), begins()[marked], begins()[marked] + 0.5)
    drawn = recipe(folder).fit(features, targets(train, spans), np.random.default_rng(0), multi_label=True)
    assert drawn.card["training"]["timelines"] == len(marked)
    assert drawn.model_id != fitted.model_id


def test_a_clip_that_cannot_be_opened_is_one_items_error(folder: Path, features: ClipFeatures) -> None:
    assert features.unreadable.positions.tolist() == [N, N + 1]
    assert "broken.mp4" in features.unreadable.reasons[0]
    assert "no such file" in features.unreadable.reasons[1]
    x = features.slice(N, N + 2)
    assert x.counts.tolist() == [0, 0]
    assert not x.frames.any()
    assert not features.embeddings[N:].any()
    fitted = recipe(folder).fit(features, targets(np.arange(24)), np.random.default_rng(0), multi_label=True)
    assert np.isfinite(fitted.predict(x).proba).all()
    assert fitted.core.moments(x, np.zeros(2, dtype=np.int64)).texts() == ["", ""]


def test_features_are_frames_in_the_order_of_time(features: ClipFeatures) -> None:
    x = features.slice(0, N)
    assert x.shape[:2] == (N, 16)
    assert (x.counts >= 12).all()
    for row in range(N):
        times = x.times[row, : x.counts[row]]
        assert (np.diff(times) > 0).all()
        assert 0 <= times[0] <= times[-1] < LENGTH / RATE
    lengths = np.linalg.norm(x.frames[x.there] / 2048, axis=1)
    np.testing.assert_allclose(lengths, 1, atol=0.01)
    np.testing.assert_array_equal(features.embeddings[:N], on_grid(x.frames.sum(axis=1).astype(float)))
    np.testing.assert_array_equal(features.take(np.array([5, 2])).frames, x.frames[[5, 2]])


def test_rows_are_read_as_the_pool_was(folder: Path, features: ClipFeatures) -> None:
    reader = pickle.loads(pickle.dumps(features.reader))
    order = np.array([7, 3, N, 20])
    x, embeddings = reader.read(pa.table({"media": [NAMES[row] for row in order]}))
    taken = features.take(order)
    assert (x.counts == taken.counts).all()
    assert (x.times == taken.times).all()
    assert np.abs(x.frames.astype(int) - taken.frames).max() <= 1
    assert np.abs(embeddings.astype(int) - features.embeddings[order]).max() <= 2
    assert reader.read(pa.table({"media": pa.array([], pa.string())}))[0].shape == (0, *taken.shape[1:])


def test_the_cache_keeps_resumes_and_reuses(
    folder: Path, features: ClipFeatures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    embed = ClipRows.embed

    def counted(rows: ClipRows, table: pa.Table) -> object:
        if len(decoded) == 2:
            decoded.append(0)
            raise KeyboardInterrupt
        decoded.append(len(table))
        return embed(rows, table)

    monkeypatch.setattr(ClipRows, "embed", counted)
    pool = pool_of(NAMES)
    with pytest.raises(KeyboardInterrupt):
        recipe(folder).features(pool, tmp_path)
    kept = recipe(folder).features(pool, tmp_path)
    assert sum(decoded) == N + 1
    np.testing.assert_array_equal(kept.take(np.arange(N)).times, features.take(np.arange(N)).times)
    assert np.abs(kept.embeddings.astype(int) - features.embeddings).max() <= 2
    assert kept.unreadable.reasons == features.unreadable.reasons
    assert kept.fingerprint == features.fingerprint
    before = sum(decoded)
    again = recipe(folder).features(pool, tmp_path)
    assert (again.embeddings == kept.embeddings).all()
    recipe(folder).features(pool_of(NAMES[5:20]), tmp_path)
    assert sum(decoded) == before
    recipe(folder, uniform=2, scenes=0).features(pool_of(NAMES[5:8]), tmp_path)
    assert sum(decoded) == before + 3


def test_damaged_features_are_told(folder: Path, tmp_path: Path) -> None:
    pool = pool_of(NAMES[:3])
    recipe(folder).features(pool, tmp_path)
    (rows,) = tmp_path.glob("*/rows.bin")
    rows.write_bytes(rows.read_bytes()[:-2])
    with pytest.raises(ModelError, match="damaged"):
        recipe(folder).features(pool, tmp_path)


def test_a_saved_model_brings_its_encoder_along(folder: Path, features: ClipFeatures, tmp_path: Path) -> None:
    fitted = recipe(folder, heads=2).fit(features, targets(np.arange(24)), np.random.default_rng(0), multi_label=True)
    again = load_model(fitted.save(tmp_path / "model"))
    x = features.slice(0, N)
    assert again.model_id == fitted.model_id
    assert (again.predict(x).proba == fitted.predict(x).proba).all()
    assert (again.predict(x).committee == fitted.predict(x).committee).all()
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert {name.split("/")[0] for name in card["files_sha256"]} == {"encoder"}
    assert str(folder) not in json.dumps(card["options"]).replace(card["options"]["encoder"], "")


def test_single_label_policies_are_learned_too(folder: Path, features: ClipFeatures) -> None:
    rows = np.arange(24)
    y = np.c_[~shown()[rows], shown()[rows]].astype(float)
    both = Targets(rows, y, ("fine", "green flash"), np.ones(24))
    fitted = recipe(folder).fit(features, both, np.random.default_rng(0), multi_label=False)
    proba = fitted.predict(features.slice(24, N)).proba
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert ((proba[:, 1] > 0.5) == shown()[24:]).mean() > 0.8


def test_a_long_clip_is_read_in_bounded_memory(folder: Path, features: ClipFeatures, tmp_path: Path) -> None:
    frames, side = 3000, 64
    shades = np.random.default_rng(0).integers(0, 255, (6, side, side, 3), dtype=np.uint8)
    write(tmp_path / "long.mp4", [shades[at // 500] for at in range(frames)], rate=25)
    model = VideoClassifier(str(folder / "encoder"), uniform=12, scenes=4, size=side, root=str(tmp_path), device="cpu")
    tracemalloc.start()
    try:
        x = model.features(pool_of(["long.mp4"]), None).slice(0, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert x.times[0].max() > 110
    assert 12 <= x.counts[0] <= 16
    assert peak < frames * side * side * 3 / 4


def test_packed_rows_come_back() -> None:
    rng = np.random.default_rng(1)
    frames = on_grid(rng.normal(size=(5, 7)))
    times = np.array([0.0, 1 / 3, 2.5, 3600.25, 20_000.125])
    clips = unpacked(np.stack([packed(times, frames, 8), packed(times[:0], frames[:0], 8)]), 8, np.zeros(7, np.float32))
    assert clips.counts.tolist() == [5, 0]
    np.testing.assert_array_equal(clips.times[0, :5], times.astype(np.float32))
    assert np.abs(clips.frames[0, :5].astype(int) - frames).max() <= 1
    assert not clips.frames[0, 5:].any()


def test_a_row_without_media_is_unreadable(folder: Path) -> None:
    rows = pa.table({"media": ["0.mp4", None, ""]})
    for told in (recipe(folder).rows.keys(rows)[1], recipe(folder).rows.embed(rows)[1]):
        assert [bool(why) for why in told] == [False, True, True]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"uniform": 0}, "uniform"),
        ({"scenes": -1}, "scenes"),
        ({"size": 4}, "size"),
        ({"pooling": "max"}, "pooling"),
        ({"timelines": -1.0}, "timelines"),
        ({"C": 0.0}, "C=0"),
        ({"encoder": ""}, "encoder"),
    ],
)
def test_options_that_cannot_be_are_refused(folder: Path, options: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        recipe(folder, **options)


def test_the_recipe_is_made_of_plain_options(folder: Path) -> None:
    made = recipe(folder, timelines=2.0)
    assert make_model("video_classifier", json.loads(json.dumps(made.options()))) == made


def test_what_is_no_video_is_refused(folder: Path, features: ClipFeatures) -> None:
    with pytest.raises(ModelError, match="media"):
        recipe(folder).features(Pool.open(pa.table({"text": ["zonk"]})), None)
    with pytest.raises(ModelError, match="another model"):
        recipe(folder, uniform=3).fit(features, targets(np.arange(24)), np.random.default_rng(0), multi_label=True)
    with pytest.raises(MediaError):
        recipe(folder).rows.media.frames("../elsewhere.mp4", recipe(folder).rows.sampling)
