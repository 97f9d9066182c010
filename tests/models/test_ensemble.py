"""Several models as one: whose mean it is, who its committee is, and that each member comes back with its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import kinds
import numpy as np
import pyarrow as pa
import pytest
from kinds import LABELS, N, truth
from PIL import Image
from scipy.special import expit, softmax

from hitl.errors import ConfigError, ModelError
from hitl.models import load_model, make_model
from hitl.models.ensemble import SMALLEST, Ensemble
from hitl.models.multimodal import Multimodal
from hitl.models.text_linear import TextLinear
from hitl.pool import Pool
from hitl.types import Targets

WORDS = {"kind": "text_linear", "buckets": 1 << 10, "lsa": 0}
LETTERS = {"kind": "text_linear", "buckets": 1 << 8, "char": (1, 2), "lsa": 0, "C": 0.1}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ensemble")


def pool() -> Pool:
    return Pool.open(pa.table({"text": kinds.texts()}))


def targets(multi_label: bool, m: int = 60) -> Targets:
    y = np.eye(3)[truth()[:m]]
    if multi_label:
        y[:20, 1] = np.nan
    return Targets(np.arange(m), y, LABELS, np.ones(m))


def fit(model: Ensemble, pool: Pool, multi_label: bool = False, **more: Any) -> tuple[Any, Any]:
    features = model.features(pool, None)
    given = more.pop("targets", targets(multi_label))
    return model.fit(features, given, np.random.default_rng(0), multi_label=multi_label), features


@pytest.mark.parametrize("weights", [None, (3.0, 1.0), (0.0, 2.0)])
@pytest.mark.parametrize("multi_label", [False, True])
def test_its_opinion_is_the_members_mean_logarithm(multi_label: bool, weights: tuple[float, ...] | None) -> None:
    model = Ensemble((WORDS, LETTERS), weights)
    fitted, features = fit(model, pool(), multi_label)
    x = features.slice(0, N)
    alone = []
    for member, part in zip(model.members, features.members, strict=True):
        one = member.fit(part, targets(multi_label), np.random.default_rng(0), multi_label=multi_label)
        alone.append(one.predict(part.slice(0, N)).raw.astype(float))
    clipped = np.clip(np.stack(alone), SMALLEST, 1 - SMALLEST)
    if multi_label:
        wanted = expit(np.average(np.log(clipped / (1 - clipped)), axis=0, weights=weights))
    else:
        wanted = softmax(np.average(np.log(clipped), axis=0, weights=weights), axis=1)
    predicted = fitted.predict(x)
    np.testing.assert_allclose(predicted.raw, wanted, atol=1e-6)
    np.testing.assert_allclose(predicted.committee, alone, atol=1e-7)


def test_it_is_calibrated_as_a_whole_and_its_members_are_not() -> None:
    fitted, features = fit(Ensemble((WORDS, LETTERS)), pool())
    assert fitted.card["calibration"]["method"] == "vector scaling with one temperature"
    assert fitted.card["calibration"]["items"] == 60
    predicted = fitted.predict(features.slice(0, N))
    assert (predicted.proba != predicted.raw).any()
    assert [name for name in load_free(fitted) if "calibration" in name] == ["calibration"]
    plain, _ = fit(Ensemble((WORDS, LETTERS), calibrate=False), pool())
    assert plain.card["calibration"]["method"] == "none"


def load_free(fitted: Any) -> list[str]:
    """The names of what it would save."""
    return [*fitted.core.arrays(), *fitted.calibration.arrays()]


def test_a_label_that_was_never_seen_is_constant() -> None:
    at = np.flatnonzero(truth() != 2)[:40]
    given = Targets(at, np.eye(3)[truth()[at]], LABELS, np.ones(40))
    fitted, features = fit(Ensemble((WORDS, LETTERS)), pool(), targets=given)
    proba = fitted.predict(features.slice(0, N)).proba
    np.testing.assert_allclose(proba[:, 2], 1 / 43, rtol=1e-6)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("members", "weights", "message"),
    [
        ((WORDS,), None, "give two members or more"),
        ((), None, "give two members or more"),
        ((WORDS, LETTERS), (1.0,), "2 members and 1 weights"),
        ((WORDS, LETTERS), (1.0, -1.0), "not negative"),
        ((WORDS, LETTERS), (0.0, 0.0), "not all 0"),
        ((WORDS, LETTERS), (1.0, np.nan), "finite"),
        ((WORDS, 3), None, "neither a model nor a mapping"),
        ((WORDS, {"kind": "text_liner"}), None, "did you mean 'text_linear'"),
        ((WORDS, {"kind": "text_linear", "bucket": 3}), None, "has no option 'bucket'"),
        ((WORDS, {}), None, "is not known"),
    ],
)
def test_what_cannot_be_an_ensemble_is_refused(members: tuple[Any, ...], weights: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ensemble(members, weights)
    with pytest.raises(ConfigError, match=message):
        make_model("ensemble", {"members": list(members), "weights": weights})


def test_its_options_make_it_again() -> None:
    model = Ensemble((TextLinear(C=2.0), {**WORDS, "heads": 2}), (1, 2))
    again = make_model("ensemble", json.loads(json.dumps(model.options())))
    assert again == model
    assert again.members[0].C == 2.0
    inner = Ensemble((model, WORDS))
    assert make_model("ensemble", json.loads(json.dumps(inner.options()))) == inner


def test_features_of_other_members_are_refused() -> None:
    model = Ensemble((WORDS, LETTERS))
    three = Ensemble((WORDS, LETTERS, LETTERS)).features(pool(), None)
    for features in (three, model.members[0].features(pool(), None)):
        with pytest.raises(ModelError, match="are not of this ensemble"):
            model.fit(features, targets(False), np.random.default_rng(0), multi_label=False)


def on_pictures(folder: Path) -> tuple[Ensemble, Pool]:
    """An ensemble of words and pictures, and a pool of which two pictures cannot be opened."""
    kinds.pictures(folder)
    names = [f"{row}.png" for row in range(N)]
    (folder / "text.png").write_text("no picture")
    names[70], names[80] = "gone.png", "text.png"
    members = (WORDS, {"kind": "image_classifier", "encoder": str(kinds.encoder(folder, "image")), "C": 10.0})
    pool = Pool.open(pa.table({"text": kinds.texts(), "file": names}), text="text", media="file")
    return Ensemble(members, root=str(folder), device="cpu"), pool


def test_items_that_any_member_cannot_read_are_told(workshop: Path) -> None:
    model, pool = on_pictures(workshop)
    features = model.features(pool, None)
    assert features.unreadable.positions.tolist() == [70, 80]
    assert "gone.png" in features.unreadable.reasons[0]
    twice = Ensemble((model.members[1], model.members[1], WORDS)).features(pool, None)
    assert twice.unreadable.positions.tolist() == [70, 80]


def test_embeddings_are_those_of_the_first_member_that_has_any(workshop: Path) -> None:
    model, pool = on_pictures(workshop)
    features = model.features(pool, None)
    assert features.embeddings is features.members[1].embeddings
    x, embeddings = features.reader.read(pa.table({"text": ["plim"], "media": ["3.png"]}))
    assert x.shape == (1,)
    assert np.abs(embeddings - np.asarray(features.embeddings[3:4])).max() <= 1
    assert features.reader.columns == ("text", "media")
    assert model.features(pool, None).fingerprint == features.fingerprint


def test_saved_it_needs_no_encoder_and_finds_its_pictures(workshop: Path, tmp_path: Path) -> None:
    model, pool = on_pictures(workshop)
    shutil.copytree(workshop / "image-encoder", tmp_path / "image-encoder")
    options = {**model.members[1].options(), "encoder": str(tmp_path / "image-encoder")}
    model = Ensemble((WORDS, {"kind": "image_classifier", **options}), root=str(workshop), device="cpu")
    fitted, features = fit(model, pool)
    folder = fitted.save(tmp_path / "model")
    shutil.rmtree(tmp_path / "image-encoder")
    again = load_model(folder.rename(tmp_path / "moved"), device="cpu", root=str(workshop))
    assert again.model_id == fitted.model_id
    first, second = (one.predict(features.slice(0, N)) for one in (fitted, again))
    assert (first.proba == second.proba).all()
    assert (first.committee == second.committee).all()
    rows = pool.rows(np.arange(5), ["text", "media"])
    assert (again.predict_rows(rows).proba == fitted.predict_rows(rows).proba).all()


def test_rows_that_a_member_cannot_read_are_refused(workshop: Path) -> None:
    model, pool = on_pictures(workshop)
    fitted, _ = fit(model, pool)
    for rows in (pa.table({"text": ["plim"]}), pa.table({"media": ["3.png"]})):
        with pytest.raises(ModelError, match=r"reads (text|media); give rows with such columns"):
            fitted.predict_rows(rows)


def test_members_of_every_making_come_back(workshop: Path, tmp_path: Path) -> None:
    """A multimodal member, whose card tells how it reads, and an ensemble within."""
    _, pool = on_pictures(workshop)
    both = Multimodal(
        text={"encoder": str(kinds.encoder(workshop, "text"))},
        image={"encoder": str(kinds.encoder(workshop, "image"))},
        root=str(workshop),
        device="cpu",
    )
    model = Ensemble((Ensemble((WORDS, LETTERS)), both), root=str(workshop), device="cpu")
    fitted, features = fit(model, pool, multi_label=True)
    again = load_model(fitted.save(tmp_path / "model"), device="cpu", root=str(workshop))
    assert again.model_id == fitted.model_id
    x = features.slice(0, N)
    assert (again.predict(x).committee == fitted.predict(x).committee).all()
    assert again.predict(x).committee.shape == (2, N, 3)
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert {name.split("/")[0] for name in card["files_sha256"]} == {"1"}


def test_a_changed_member_is_refused(workshop: Path, tmp_path: Path) -> None:
    model, pool = on_pictures(workshop)
    fitted, _ = fit(model, pool)
    folder = fitted.save(tmp_path / "model")
    config = folder / "1" / "encoder" / "preprocessor_config.json"
    body = config.read_text()
    config.unlink()  # it may be a link to the encoder's own
    config.write_text(body.replace("0.5", "0.4"))
    with pytest.raises(ModelError, match="its hash differs"):
        load_model(folder)


def test_a_picture_is_read_by_the_root_of_its_members(tmp_path: Path, workshop: Path) -> None:
    """Members handed over as models keep their own folder."""
    Image.new("RGB", (32, 32), (200, 40, 60)).save(tmp_path / "a.png")
    encoder = str(kinds.encoder(workshop, "image"))
    member = make_model("image_classifier", {"encoder": encoder}, root=str(tmp_path), device="cpu")
    features = Ensemble((member, member)).features(
        Pool.open(pa.table({"file": ["a.png", "b.png"]}), media="file"), None
    )
    assert features.unreadable.positions.tolist() == [1]
