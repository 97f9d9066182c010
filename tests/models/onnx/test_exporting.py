"""Exported models: the same probabilities without torch, whole or not at all, and a word for what cannot be."""

import json
import logging
import random
import shutil
import subprocess
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pyarrow as pa
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import hitl.models.onnx
from hitl.errors import ConfigError, ModelError
from hitl.models import MODELS, load_model, make_model
from hitl.models.calibration import Beta, Calibration, Curves, Steps, probable
from hitl.models.fitted import FittedModel
from hitl.models.head import Head
from hitl.models.onnx import Exported, checking, export, exporting, run_exported, writing
from hitl.models.onnx.checking import check
from hitl.models.onnx.graphs import Outcome, graph_of
from hitl.models.onnx.kinds import deployable
from hitl.pool import Pool
from hitl.types import Targets

LABELS = ("fine", "rude", "spam")
SIGNS = ("plugh", "zonk", "blip")
TUNE = {"epochs": 6, "min_steps": 0, "batch": 8, "learning_rate": 4e-3, "patience": 0}
TEXTS = [
    "",
    "zonk",
    "blip blip",
    "plugh " * 9,
    " ",
    "zonk plugh! 1 2 3",
    "x" * 5000,
    "a of zonk " * 200,
    "\ud83d ünd 🙂",
]
N = 60


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fitted_on(pool: Pool, kind: str, options: dict, *, multi_label: bool, **places: str) -> FittedModel:
    """A model of a label that can be seen; with `multi_label`, the last label is there always."""
    y = np.eye(3)[np.arange(N) % 3]
    if multi_label:
        y[:, 2] = 1
    model = make_model(kind, options, device="cpu", **places)
    targets = Targets(np.arange(N), y, LABELS, np.ones(N))
    return model.fit(model.features(pool, None), targets, np.random.default_rng(0), multi_label=multi_label)


def text_model(folder: Path, make, *, multi_label: bool = False, **options) -> FittedModel:
    rng = np.random.default_rng(1)
    words = [" ".join(rng.choice(tiny.WORDS.split(), rng.integers(0, 9))) for _ in range(N)]
    texts = [f"{SIGNS[row % 3]} {SIGNS[row % 3]} {word}" for row, word in enumerate(words)]
    options = {"encoder": str(make(folder / make.__name__)), **options}
    pool = Pool.open(pa.table({"id": [str(row) for row in range(N)], "text": texts}))
    return fitted_on(pool, "text_transformer", options, multi_label=multi_label)


def picture_model(folder: Path, make, **options) -> FittedModel:
    rng = np.random.default_rng(2)
    names = [f"{row}.png" for row in range(N)]
    for row, name in enumerate(names):
        colour = 60 + 150 * np.eye(3)[row % 3]
        pixels = colour + rng.integers(-50, 40, (30 + row % 7, 40, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
    options = {"encoder": str(make(folder / make.__name__)), **options}
    pool = Pool.open(pa.table({"id": names, "file": names}), media="file")
    return fitted_on(pool, "image_classifier", options, multi_label=False, root=str(folder))


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> tuple[FittedModel, Exported]:
    folder = tmp_path_factory.mktemp("frozen")
    fitted = text_model(folder, tiny.tiny_text_encoder, heads=2)
    sample = fitted.predict_texts(TEXTS).proba
    fitted = fitted.with_thresholds(np.array([0.5, 0.3, np.nan]), sample).with_card({"policy_version": "7"})
    return fitted, export(fitted, folder / "exported")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> tuple[FittedModel, Exported]:
    folder = tmp_path_factory.mktemp("tuned")
    fitted = text_model(folder, tiny.tiny_causal_lm, multi_label=True, tune=TUNE, max_length=40)
    saved = load_model(fitted.save(folder / "saved"), device="cpu")
    return fitted, export(saved, folder / "exported", samples=TEXTS)


@pytest.mark.parametrize("kind", ["frozen", "tuned"])
def test_texts_have_the_same_probabilities_in_any_batch(kind, request):
    fitted, made = request.getfixturevalue(kind)
    expected = fitted.predict_texts(TEXTS).proba
    assert np.ptp(expected[:, :2], axis=0).min() > 0.01
    for batch in (1, 4, 32):
        found = run_exported(made.folder, TEXTS, batch)
        assert found.dtype == np.float32
        assert np.abs(found - expected).max() < 1e-4
    assert run_exported(made.folder, []).shape == (0, 3)
    assert made.largest_difference < 1e-4


@pytest.mark.parametrize(
    ("make", "pooling"), [(tiny.tiny_causal_lm, "last"), (tiny.tiny_bert, "cls"), (tiny.tiny_roberta, "mean")]
)
def test_other_encoders_as_they_are_traced(tmp_path, make, pooling):
    kind = deployable(text_model(tmp_path, make, pooling=pooling))
    kind.write(tmp_path)
    proba = []
    for feed in kind.feeds(tmp_path, TEXTS, [slice(0, 1), slice(1, 9)]):
        with torch.no_grad():
            proba.append(graph_of(kind.fitted)(*map(torch.from_numpy, feed.values()))[0].numpy())
    assert np.abs(np.concatenate(proba) - kind.fitted.predict_texts(TEXTS).proba).max() < 1e-4


def test_embeddings_come_out_too(frozen):
    fitted, made = frozen
    batch = checking.open_session(made.folder)
    (feed,) = deployable(fitted).feeds(made.folder, TEXTS, [slice(None)])
    (rows,) = batch.run(["item_embedding"], feed)
    assert (
        np.rint(rows * 2048) == fitted.core.reader.read(pa.table({"text": ["", *TEXTS[1:-1], "? ünd 🙂"]}))[0]
    ).all()


def test_pictures_have_the_same_probabilities(tmp_path):
    fitted = picture_model(tmp_path, tiny.tiny_image_encoder)
    made = export(load_model(fitted.save(tmp_path / "saved")), tmp_path / "exported")
    references = [f"{row}.png" for row in range(5)]
    expected = fitted.predict_rows(pa.table({"media": references})).proba
    assert np.ptp(expected, axis=0).min() > 0.01
    (feed,) = deployable(fitted).feeds(made.folder, references, [slice(None)])
    (found,) = checking.open_session(made.folder).run(["proba"], feed)
    assert np.abs(found - expected).max() < 1e-4
    assert made.told["inputs"]["pixel_values"] == {"type": "float32", "shape": ["batch", 3, 32, 32]}
    with pytest.raises(ModelError, match="reads pictures"):
        run_exported(made.folder, ["zonk"])


@contextmanager
def nothing_said_or_changed(capfd):
    """Nothing is printed, no warning given, no chance drawn, no global setting other afterwards."""

    def settings():
        levels = [logging.getLogger(name).level for name in ("torch", "torch.onnx", "onnxscript", "transformers")]
        return [warnings.filters[:], levels, torch.is_grad_enabled(), torch.get_default_dtype(), sys.stdout, sys.stderr]

    def chance():
        numpy_state = np.random.get_state()  # noqa: NPY002
        return [torch.random.get_rng_state().tolist(), random.getstate(), numpy_state[1].tolist(), numpy_state[2:]]

    capfd.readouterr()
    with warnings.catch_warnings(record=True) as given_:
        warnings.simplefilter("always")
        before = settings(), chance()
        yield
        assert (settings(), chance()) == before
    assert not given_
    assert capfd.readouterr() == ("", "")


def test_large_weights_lie_beside_an_older_export_is_replaced_and_all_in_silence(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(writing, "LARGEST_FILE", 1000)
    out = tmp_path / "exported"
    out.mkdir()
    (out / "export.json").write_text("{}")
    (out / "old.txt").write_text("old")
    fitted = picture_model(tmp_path, tiny.tiny_resnet, tune=TUNE)
    with nothing_said_or_changed(capfd):
        made = export(fitted, out, samples=["1.png", "2.png", "0.png"])
    assert {path.name for path in out.iterdir()} == {*made.told["files_sha256"], "export.json"}
    assert {"model.onnx", "model.onnx.data", "preprocessor_config.json"} == set(made.told["files_sha256"])
    assert (made.told["check"]["samples"], made.told["check"]["batches"]) == (3, 4)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    with pytest.raises(ModelError, match="cannot be read"):
        check(deployable(fitted), out, ["gone.png"])


def test_the_folder_says_how_to_use_it(frozen, tuned):
    fitted, made = frozen
    told = json.loads((made.folder / "export.json").read_text(encoding="utf-8"))
    assert told == made.told
    assert told["labels"] == list(LABELS)
    assert (told["model_id"], told["policy_version"]) == (fitted.model_id, "7")
    assert told["decision"]["thresholds"] == fitted.thresholds.tolist()
    assert told["preprocessing"]["max_length"] == 64
    assert tuned[1].told["preprocessing"]["max_length"] == 40
    assert tuned[1].told["decision"]["thresholds"] == [0.5] * 3
    assert list(tuned[1].told["outputs"]) == ["proba"]
    assert told["inputs"]["input_ids"] == {"type": "int64", "shape": ["batch", "tokens"]}
    hashes = {
        path.name: sha256(path.read_bytes()).hexdigest() for path in made.folder.iterdir() if path.name != "export.json"
    }
    assert told["files_sha256"] == hashes
    assert "model.onnx (" in made.summary
    assert told["check"]["samples"] > 20


def test_weights_are_there_once_and_nothing_of_this_machine(frozen):
    fitted, made = frozen
    model = onnx.load(made.folder / "model.onnx")
    onnx.checker.check_model(model)
    assert {one.domain: one.version for one in model.opset_import}[""] == made.told["opset"]
    weights = sum(int(np.prod(one.dims)) for one in model.graph.initializer)
    encoder = sum(one.numel() for one in fitted.core.reader.encoder.encoder.module.parameters())
    assert encoder * 0.9 < weights < encoder * 1.1 + 1000
    everything = b"".join(path.read_bytes() for path in made.folder.iterdir())
    for path in (Path(torch.__file__).parent, Path(hitl.models.onnx.__file__).parent, made.folder.parent):
        assert str(path).encode() not in everything


def test_the_documented_lines_need_neither_torch_nor_transformers(frozen):
    fitted, made = frozen
    lines = hitl.models.onnx.__doc__.split("\n    ")[1:]
    code = "\n".join(line.rstrip("\n") for line in lines).split("`run_exported`")[0]
    code += "\nimport sys\nassert not {'torch', 'transformers', 'hitl'} & set(sys.modules)\n"
    code += (
        "from hitl.models.onnx import run_exported\nagain = run_exported(folder, ['how bad is this?', 'and this'])\n"
    )
    code += "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    code += "print(json.dumps([proba.tolist(), again.tolist(), decided.tolist()]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=made.folder.parent, capture_output=True, text=True, check=True
    )
    proba, again, decided = json.loads(done.stdout)
    expected = fitted.predict_texts(["how bad is this?", "and this"]).proba
    assert np.abs(np.array(proba) - expected).max() < 1e-4
    assert np.abs(np.array(again) - expected).max() < 1e-4
    assert decided == (expected / fitted.thresholds).argmax(axis=1).tolist()


def test_a_wrong_graph_is_refused_and_nothing_is_left_behind(frozen, tuned, tmp_path, monkeypatch):
    fitted, made = frozen
    head = fitted.core.head
    other = Head(head.coef[:, ::-1].copy(), head.intercept, head.constants, head.softmax)
    wrong = replace(fitted, core=replace(fitted.core, head=other))
    with pytest.raises(ModelError, match="differ by"):
        check(deployable(wrong), made.folder)
    moved = replace(tuned[0], calibration=Calibration(np.ones(3), np.full(3, 0.1), {}))
    with pytest.raises(ModelError, match="differ by"):
        check(deployable(moved), tuned[1].folder, TEXTS)

    def graph_of_another(kind, path):
        shutil.copyfile(made.folder / "model.onnx", path)
        return {}

    monkeypatch.setattr(writing, "write_graph", graph_of_another)
    out = tmp_path / "out"
    with pytest.raises(ModelError, match="was not kept"):
        export(wrong, out)
    assert not list(tmp_path.iterdir())
    shutil.copytree(made.folder, out)
    with pytest.raises(ModelError, match="was not kept"):
        export(wrong, out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert json.loads((out / "export.json").read_text())["model_id"] == fitted.model_id


@pytest.mark.parametrize(("steps", "proba_off", "fine"), [(1, 0.0, True), (200, 0.0, False), (0, 2e-3, False)])
def test_a_row_may_be_rounded_the_other_way_but_not_lie_elsewhere(frozen, monkeypatch, steps, proba_off, fine):
    fitted, made = frozen
    real = checking.open_session(made.folder)

    class Rounded:
        get_outputs = real.get_outputs

        def run(self, names, feed):
            rows = np.rint(real.run(["item_embedding"], feed)[0] * 2048)
            rows[-1, 3] += steps
            return [fitted.predict(rows.astype(np.int16)).proba + np.float32(proba_off), rows / 2048]

    monkeypatch.setattr(checking, "open_session", lambda folder: Rounded())
    if fine:
        assert check(deployable(fitted), made.folder)["samples_a_grid_step_apart"] > 0
        return
    with pytest.raises(ModelError, match="embeddings" if steps else "probabilities"):
        check(deployable(fitted), made.folder)


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_what_cannot_be_exported_is_refused_with_a_remedy(kind, tmp_path):
    if kind in ("text_transformer", "image_classifier"):
        assert kind not in exporting.REFUSED
        return
    fitted = SimpleNamespace(card={"kind": kind})
    with pytest.raises(ModelError, match=f"{kind} cannot be exported to ONNX: .*(hitl.load_model|export a model)"):
        export(fitted, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_and_a_missing_extra(frozen, tmp_path, monkeypatch):
    fitted, _ = frozen
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ModelError, match="another folder"):
        export(fitted, tmp_path)
    with pytest.raises(ModelError, match="no exported model"):
        run_exported(tmp_path, ["zonk"])
    with pytest.raises(ModelError, match="no sample"):
        check(deployable(fitted), tmp_path, [])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install 'hitl\[onnx\]'"):
        export(fitted, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, 4))
def test_outcomes_are_those_of_the_library(seed, softmax, fixed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=20, size=(7, 4))
    constant = np.where(np.arange(4) < fixed, rng.dirichlet(np.ones(5))[:4], np.nan).astype(np.float32)
    calibration = Calibration(np.full(4, rng.uniform(0.1, 3)), rng.normal(size=4), {})
    found = Outcome(calibration, constant, softmax=softmax)(torch.tensor(logits)).numpy()
    assert found == pytest.approx(probable(calibration(logits), constant, softmax=softmax), abs=2e-5)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, 2))
def test_outcomes_by_curves_are_those_of_the_library(seed, softmax, fixed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=5, size=(7, 4))
    constant = np.where(np.arange(4) < fixed, 0.1, np.nan).astype(np.float32)
    bent = Steps(np.sort(rng.normal(size=6)) + 0.1 * np.arange(6), np.sort(rng.normal(size=6)))
    curves = {label: (bent, Beta(*rng.uniform(0.2, 2, 3)))[label % 2] for label in range(fixed, 4 if softmax else 3)}
    calibration = Calibration(np.full(4, rng.uniform(0.5, 2)), rng.normal(size=4), {}, Curves(curves, softmax))
    found = Outcome(calibration, constant, softmax=softmax)(torch.tensor(logits)).numpy()
    assert found == pytest.approx(probable(calibration(logits), constant, softmax=softmax), abs=2e-5)


def test_a_model_with_curves_is_exported_with_them(frozen, tmp_path):
    steps = Steps(np.array([-1.0, 0.5, 2.0]), np.array([-2.0, -1.5, 1.0]))
    curves = Curves({0: Beta(0.5, 1.5, 0.2), 1: steps, 2: Beta(1.2, 0.8, 0.0)}, softmax=True)
    fitted = replace(frozen[0], calibration=replace(frozen[0].calibration, curves=curves))
    made = export(fitted, tmp_path / "out")
    assert made.largest_difference < 1e-3
    found = run_exported(made.folder, TEXTS[:4])
    assert np.abs(found - fitted.predict_texts(TEXTS[:4]).proba).max() < 1e-3
    assert np.abs(found - frozen[0].predict_texts(TEXTS[:4]).proba).max() > 0.01
