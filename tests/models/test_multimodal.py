"""Text, picture and metadata in one head: what each adds, and what happens when one of them is missing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tiny
from PIL import Image

from hitl.errors import ConfigError, ModelError
from hitl.models import load_model, make_model
from hitl.models.fitted import FittedModel
from hitl.models.multimodal import MultiFeatures, Multimodal
from hitl.pool import Pool
from hitl.sampling.diversity.crowd import GRID, on_grid
from hitl.types import Targets

N, TRAIN = 240, 160
WORDS = ("zonk wub", "plim grint")
COLOURS = ((200, 60, 40), (40, 60, 200))
LABELS = ("harm", "fine")


@dataclass(frozen=True)
class World:
    """Items whose label is harm where their text and their picture both are of kind 1: neither tells alone."""

    folder: Path
    text: np.ndarray
    picture: np.ndarray
    reach: np.ndarray
    language: list[str]

    @property
    def truth(self) -> np.ndarray:
        return ((self.text + self.picture) == 2).astype(int)

    @property
    def texts(self) -> list[str]:
        rng = np.random.default_rng(1)
        return [f"{WORDS[at]} {rng.choice(['ta', 'bo', 'ke'])} {WORDS[at]}" for at in self.text]

    def pool(self, *columns: str, **changed: Any) -> Pool:
        every = {"text": self.texts, "file": [f"{at}.png" for at in range(N)]} | changed
        table = {name: every[name] for name in columns or ("text", "file")}
        table |= {"views": self.reach, "lang": self.language}
        named = {"text": "text" if "text" in table else None, "media": "file" if "file" in table else None}
        return Pool.open(pa.table(table), reach="views", language="lang", **named)

    def model(self, *parts: str, **options: Any) -> Multimodal:
        encoders = {part: {"encoder": str(self.folder / part)} for part in parts or ("text", "image")}
        return Multimodal(**encoders, C=10.0, root=str(self.folder), device="cpu", **options)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder, rng = tmp_path_factory.mktemp("world"), np.random.default_rng(0)
    tiny.tiny_text_encoder(folder / "text", texts=[*WORDS, "ta bo ke"] * 3)
    tiny.tiny_image_encoder(folder / "image")
    picture = rng.integers(0, 2, N)
    for at, kind in enumerate(picture):
        pixels = np.clip(np.array(COLOURS[kind]) + rng.integers(-30, 30, (tiny.IMAGE, tiny.IMAGE, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{at}.png")
    language = [("plim", "grint")[at] for at in rng.integers(0, 2, N)]
    return World(folder, rng.integers(0, 2, N), picture, rng.lognormal(3, 1, N).round(), language)


def targets(world: World, truth: np.ndarray | None = None) -> Targets:
    y = np.eye(2)[1 - (world.truth if truth is None else truth)[:TRAIN]]
    return Targets(np.arange(TRAIN), y, LABELS, np.ones(TRAIN))


def fit(model: Multimodal, features: Any, given: Targets) -> FittedModel:
    return model.fit(features, given, np.random.default_rng(0), multi_label=False)


@pytest.fixture(scope="module")
def features(world: World) -> MultiFeatures:
    return world.model(columns=["reach", "language"]).features(world.pool(), None)


@pytest.fixture(scope="module")
def fitted(world: World, features: MultiFeatures) -> FittedModel:
    return fit(world.model(columns=["reach", "language"]), features, targets(world))


def right(fitted: FittedModel, features: Any, truth: np.ndarray) -> float:
    """The share of later items for which the more probable label is true."""
    proba = fitted.predict(features.slice(TRAIN, N)).proba
    return float((proba.argmax(axis=1) == 1 - truth[TRAIN:]).mean())


def test_both_parts_know_what_neither_knows_alone(world: World, fitted: FittedModel, features: MultiFeatures) -> None:
    alone = {}
    for part in ("text", "image"):
        model = world.model(part)
        mine = model.features(world.pool(), None)
        alone[part] = right(fit(model, mine, targets(world)), mine, world.truth)
    assert right(fitted, features, world.truth) > 0.95
    assert max(alone.values()) < 0.85


def test_metadata_tells_what_content_does_not(world: World) -> None:
    truth = np.array([name == "grint" for name in world.language]).astype(int)
    for columns, least, most in (([], 0.3, 0.7), (["language"], 0.95, 1.0)):
        model = world.model(columns=columns)
        features = model.features(world.pool(), None)
        assert least <= right(fit(model, features, targets(world, truth)), features, truth) <= most
    truth = (world.reach > np.median(world.reach)).astype(int)
    model = world.model(columns=["reach"])
    features = model.features(world.pool(), None)
    assert right(fit(model, features, targets(world, truth)), features, truth) > 0.9


def test_a_row_is_its_parts_side_by_side_and_says_which_are_there(features: MultiFeatures) -> None:
    x = features.slice(0, N)
    assert x.dtype == np.int16
    assert x.shape == (N, 32 + 32 + 3 + 2)
    assert (x[:, :32] == features.parts["text"].slice(0, N)).all()
    assert (x[:, 32:64] == features.parts["image"].slice(0, N)).all()
    assert (x[:, 67:] == GRID // 2).all()
    assert (features.take(np.array([5, 3, 5])) == x[[5, 3, 5]]).all()
    assert np.linalg.norm(x.astype(float), axis=1).max() < 8192


@pytest.mark.parametrize("missing", ["text", "media", "reach", "language"])
def test_without_one_column_rows_still_have_probabilities(
    missing: str, world: World, fitted: FittedModel, features: MultiFeatures
) -> None:
    rows = world.pool().rows(np.arange(N), ["text", "media", "reach", "language"])
    whole = fitted.predict_rows(rows)
    np.testing.assert_allclose(whole.raw, fitted.predict(features.slice(0, N)).raw, atol=0.02)
    told = fitted.predict_rows(rows.drop_columns([missing]))
    assert np.isfinite(told.proba).all()
    np.testing.assert_allclose(told.proba.sum(axis=1), 1, atol=1e-6)
    assert (told.raw != whole.raw).any()
    x, embeddings = fitted.core.reader.read(rows.drop_columns([missing]))
    assert x.shape == embeddings.shape == (N, 69)
    at = {"text": [*range(32), 67], "media": [*range(32, 64), 68], "reach": [64], "language": [65, 66]}[missing]
    assert (x[:, at] == 0).all()
    assert (np.delete(x, at, axis=1) - np.delete(features.slice(0, N), at, axis=1) <= 1).all()


def test_without_text_it_goes_by_the_picture(world: World, fitted: FittedModel) -> None:
    rows = world.pool().rows(np.arange(N), ["media"])
    harm = fitted.predict_rows(rows).proba[:, 0]
    assert harm[world.picture == 1].mean() > harm[world.picture == 0].mean() + 0.2
    with pytest.raises(ModelError, match=r"multimodal reads text, media, reach, language; give rows"):
        fitted.predict_rows(pa.table({"zonk": ["a"]}))


def test_items_that_lack_a_picture_are_readable_and_those_without_any_part_are_not(world: World) -> None:
    files = [f"{at}.png" for at in range(N)]
    files[3], files[5], files[7] = "", "gone.png", "text.png"
    (world.folder / "text.png").write_text("no picture")
    model = world.model()
    both = model.features(world.pool(file=files), None)
    assert len(both.unreadable) == 0
    assert both.slice(0, 10)[:, 64:].tolist() == [[GRID // 2, 0 if at in (3, 5, 7) else GRID // 2] for at in range(10)]
    model = world.model("image")
    alone = model.features(world.pool(file=files), None)
    assert alone.unreadable.positions.tolist() == [3, 5, 7]
    assert "gone.png" in alone.unreadable.reasons[1]
    assert right(fit(world.model(), both, targets(world)), both, world.truth) > 0.9


def test_a_pool_that_has_one_part_only_is_learned_by_that(world: World, tmp_path: Path) -> None:
    model = world.model()
    features = model.features(world.pool("text"), None)
    assert list(features.parts) == ["text"]
    truth = world.text
    fitted = fit(model, features, targets(world, truth))
    assert right(fitted, features, truth) > 0.95
    again = load_model(fitted.save(tmp_path / "model"), device="cpu")
    assert again.model_id == fitted.model_id
    told = again.predict_texts(world.texts[:5])
    np.testing.assert_allclose(told.raw, fitted.predict(features.slice(0, 5)).raw, atol=0.02)
    nothing = Pool.open(pa.table({"zonk": ["a"], "views": [1]}), reach="views", text="zonk")
    with pytest.raises(ModelError, match="has neither of image for multimodal"):
        world.model("image").features(nothing, None)


def test_saved_it_needs_neither_its_encoders_nor_its_place(world: World, tmp_path: Path) -> None:
    for part in ("text", "image"):
        shutil.copytree(world.folder / part, tmp_path / part)
    encoders = {part: {"encoder": str(tmp_path / part)} for part in ("text", "image")}
    model = Multimodal(**encoders, columns=("reach",), heads=2, root=str(world.folder), device="cpu")
    features = model.features(world.pool(), tmp_path / "cache")
    fitted = fit(model, features, targets(world))
    fitted.save(tmp_path / "model")
    for part in ("text", "image", "cache"):
        shutil.rmtree(tmp_path / part)
    folder = (tmp_path / "model").rename(tmp_path / "moved")
    again = load_model(folder, device="cpu", root=str(world.folder))
    assert again.model_id == fitted.model_id
    assert again.card == fitted.card
    first, second = (one.predict(features.slice(0, N)) for one in (fitted, again))
    assert (first.proba == second.proba).all()
    assert (first.committee == second.committee).all()
    rows = world.pool().rows(np.arange(30), ["text", "media", "reach"])
    np.testing.assert_allclose(again.predict_rows(rows).raw, first.raw[:30], atol=0.02)


def test_rows_are_kept_part_by_part(world: World, tmp_path: Path) -> None:
    model = world.model()
    first = model.features(world.pool(), tmp_path)
    told: list[Any] = []
    again = world.model(columns=["reach"]).features(world.pool(), tmp_path, lambda *step: told.append(step))
    assert told == []
    assert (again.slice(0, N)[:, :64] == first.slice(0, N)[:, :64]).all()
    assert again.fingerprint != first.fingerprint
    assert model.features(world.pool(), None).fingerprint == first.fingerprint
    text = make_model("text_transformer", {"encoder": str(world.folder / "text")}, device="cpu")
    text.features(world.pool(), tmp_path, lambda *step: told.append(step))
    assert told == []


AT: dict[str, Any] = {
    "slice": slice(10, 20),
    "open slice": slice(None),
    "slice with a step": slice(200, 10, -7),
    "slice beyond": slice(230, 999),
    "no slice": slice(5, 5),
    "integers": np.array([4, 0, 239, 4]),
    "from the end": np.array([-1, -240]),
    "none": np.zeros(0, dtype=np.int64),
    "list": [3, 1],
    "unsigned": np.array([3, 1], dtype=np.uint32),
    "mask": np.arange(N) % 7 == 3,
    "no mask": np.zeros(N, dtype=bool),
    "one": 7,
    "the last": -1,
    "one of numpy": np.int64(7),
    "table of integers": np.array([[1, 2, 3], [4, 5, 6]]),
}


@pytest.mark.parametrize("at", AT)
def test_embeddings_are_taken_as_from_an_array(at: str, features: MultiFeatures) -> None:
    whole = on_grid(features.slice(0, N).astype(np.float32))
    found = features.embeddings[AT[at]]
    assert isinstance(found, np.ndarray)
    assert (found.shape, found.dtype) == (whole[AT[at]].shape, np.int16)
    assert (found == whole[AT[at]]).all()


def test_embeddings_look_like_an_array(features: MultiFeatures) -> None:
    whole = on_grid(features.slice(0, N).astype(np.float32))
    embeddings = features.embeddings
    assert (len(embeddings), embeddings.shape, embeddings.dtype) == (N, whole.shape, np.int16)
    assert (np.asarray(embeddings) == whole).all()
    assert np.asarray(embeddings, dtype=np.float32).dtype == np.float32
    assert (np.array(list(embeddings)) == whole).all()
    np.testing.assert_allclose(np.linalg.norm(whole / GRID, axis=1), 1, atol=0.01)
    for wrong in (N, np.array([0, N])):
        with pytest.raises(IndexError):
            embeddings[wrong]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give text, image or both"),
        ({"text": {}}, "give text, image or both"),
        ({"text": {"encoder": "x", "tune": {}}}, "its encoders stay frozen"),
        ({"text": {"encoder": "x", "zonk": 1}}, "'text_transformer' has no option 'zonk'"),
        ({"text": {"pooling": "cls"}}, "an option is missing"),
        ({"image": {"encoder": "x"}, "C": 0}, "C=0 must be a number above 0"),
        ({"image": {"encoder": "x"}, "heads": -1}, "heads=-1"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_model("multimodal", options)


def test_a_column_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match=r"column 'zonk' is none of reach"):
        world.model(columns=["zonk"]).features(world.pool(), None)
