"""Fine-tuning of tiny networks: planted rules, what is not known, early stopping, and nothing left behind."""

import importlib.util
import os
import pickle
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from accelerate.state import PartialState
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, HitlError, ModelError
from hitl.models.neural.batching import Tokens
from hitl.models.neural.losses import Loss, class_factors, costs
from hitl.models.neural.tuned import Tuned
from hitl.models.neural.tuning import LOOKS, Tuning, TuningJob, tune
from hitl.models.neural.tuning_data import Buckets, ImageInputs, TextInputs, held_out

QUICK = Tuning(epochs=1, min_steps=0, learning_rate=1e-3)
NAN = np.nan


def _tiny() -> ModuleType:
    path = Path(__file__).parents[1] / "tiny.py"
    spec = importlib.util.spec_from_file_location("tiny", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder: Path = _tiny().tiny_text_encoder(tmp_path_factory.mktemp("text"))
    return folder


@pytest.fixture(scope="module")
def image_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = _tiny().tiny_image_encoder(tmp_path_factory.mktemp("image"))
    return folder


def texts(n: int, seed: int = 0) -> tuple[TextInputs, np.ndarray]:
    """Texts of 2 to 8 tokens, and which of the ids 10, 11 and 12 they hold (n, 3)."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(10, 26, size) for size in rng.integers(2, 9, n)]
    holds = np.array([[(row == token).any() for token in (10, 11, 12)] for row in rows], dtype=np.float64)
    return TextInputs(Tokens.of([row.tolist() for row in rows])), holds


def images(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise (n, 3, 32, 32) that is redder or bluer, and which of them, as classes (n, 2)."""
    rng = np.random.default_rng(seed)
    pixels, red = rng.normal(size=(n, 3, 32, 32)).astype(np.float32), rng.random(n) < 0.4
    pixels[red, 0] += 1
    pixels[~red, 2] += 1
    return pixels, np.eye(2)[red.astype(int)]


def job(encoder: Path, inputs: Any, y: np.ndarray, tuning: Tuning = QUICK, **more: Any) -> TuningJob:
    n = len(y)
    given_ = {"weights": np.ones(n), "keys": np.arange(n, dtype=np.uint64), "multi_label": False, **more}
    return TuningJob(encoder, inputs, y, tuning=tuning, device="cpu", **given_)


def tuned(job: TuningJob, seed: int = 1) -> Tuned:
    return tune(job, np.random.default_rng(seed))


def same(one: Tuned, other: Tuned) -> bool:
    mine, theirs = one.arrays(), other.arrays()
    return mine.keys() == theirs.keys() and all(
        np.array_equal(mine[name], theirs[name], equal_nan=True) for name in mine
    )


@pytest.fixture(scope="module")
def single(text_encoder: Path) -> tuple[TuningJob, Tuned, list[tuple[str, int, int | None]]]:
    """Texts that hold a token, balanced against the many that do not."""
    inputs, holds = texts(300)
    wanted = job(text_encoder, inputs, np.eye(2)[holds[:, 0].astype(int)], replace(QUICK, epochs=5, learning_rate=3e-3))
    seen: list[tuple[str, int, int | None]] = []
    return wanted, tune(wanted, np.random.default_rng(1), lambda *told: seen.append(told)), seen


def test_learns_a_planted_token(single: tuple[TuningJob, Tuned, list[Any]]) -> None:
    _, model, seen = single
    inputs, holds = texts(400, seed=1)
    right = model.logits(inputs).argmax(axis=1) == holds[:, 0]
    assert right[holds[:, 0] == 1].mean() > 0.9
    assert right[holds[:, 0] == 0].mean() > 0.9
    assert np.isnan(model.constant).all()
    assert seen == [("fine-tuning", step, 75) for step in range(1, model.told["steps"] + 1)]


def test_tells_what_was_done_and_keeps_the_best_state(single: tuple[TuningJob, Tuned, list[Any]]) -> None:
    wanted, model, _ = single
    told, held = model.told, model.held_out
    losses = told["losses"]["held_out"]
    assert (told["items"], told["held_out"], told["device"], told["precision"]) == (240, 60, "cpu", "float32")
    assert model.kind == "text"
    assert len(losses) == len(told["losses"]["learned"]) == told["epochs"]
    assert told["best_epoch"] == np.argmin(losses) + 1
    assert told["losses"]["learned"][-1] < 0.5 * told["losses"]["learned"][0]
    assert held_loss(wanted, model) == pytest.approx(min(losses), rel=1e-4)
    assert np.allclose(model.logits(wanted.inputs)[held.rows], held.logits, atol=1e-5)


def held_loss(wanted: TuningJob, model: Tuned) -> float:
    """The balanced loss of what was held out, from the logits that were told."""
    held = model.held_out
    rest = np.setdiff1d(np.arange(len(wanted.y)), held.rows)
    factors = class_factors(
        wanted.y[rest], wanted.weights[rest], multi_label=wanted.multi_label, balanced=wanted.tuning.loss == "balanced"
    )
    cost = costs(wanted.y[held.rows], wanted.weights[held.rows], factors)
    loss = Loss(not wanted.multi_label, np.isnan(model.constant))
    return float(loss(*map(torch.from_numpy, (held.logits, wanted.y[held.rows], cost)))) / float(cost.sum())


def test_comes_back_from_arrays_and_configuration(single: tuple[TuningJob, Tuned, list[Any]]) -> None:
    wanted, model, _ = single
    arrays = model.arrays()
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    again = Tuned.restore({**arrays, "calibration": np.zeros(2)}, model.config, device="cpu")
    assert again.kind == "text"
    assert same(again, model)
    assert np.array_equal(again.logits(wanted.inputs), model.logits(wanted.inputs))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).logits(wanted.inputs), model.logits(wanted.inputs))
    name = next(name for name in arrays if name.endswith("classifier.weight"))
    for changed in ({**arrays, name: arrays[name][:, :-1]}, {key: arrays[key] for key in arrays if key != name}, {}):
        with pytest.raises(ModelError):
            Tuned.restore(changed, model.config)


def test_learns_several_labels_of_which_most_are_unknown(text_encoder: Path) -> None:
    inputs, holds = texts(400)
    y = np.where(np.random.default_rng(9).random(holds.shape) < 0.5, NAN, holds)
    wanted = job(text_encoder, inputs, y, replace(QUICK, epochs=10, learning_rate=6e-3, batch=32), multi_label=True)
    fresh, truth = texts(300, seed=1)
    hit = (tuned(wanted).logits(fresh) > 0) == truth
    for label in range(3):
        assert hit[truth[:, label] == 1, label].mean() > 0.7
        assert hit[truth[:, label] == 0, label].mean() > 0.7


@pytest.mark.parametrize("loss", ["focal", "plain"])
def test_learns_of_images(image_encoder: Path, loss: str) -> None:
    pixels, y = images(96)
    options = replace(QUICK, epochs=3, learning_rate=3e-3, batch=8, loss=loss)
    wanted = job(image_encoder, ImageInputs(96, lambda rows: pixels[rows]), y, options)
    model = tuned(wanted)
    fresh, truth = images(100, seed=1)
    logits = model.logits(ImageInputs(100, lambda rows: fresh[rows]))
    assert model.kind == Tuned.restore(model.arrays(), model.config).kind == "image"
    assert (logits.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.9


def test_what_is_unknown_or_weighs_nothing_is_as_if_not_there_in_any_order(text_encoder: Path) -> None:
    inputs, holds = texts(60)
    keys = np.random.default_rng(3).integers(1 << 62, size=60).astype(np.uint64)
    weights = np.random.default_rng(4).random(60) + 0.1
    holds[:20], weights[20:40] = NAN, 0
    full = job(text_encoder, inputs, holds, weights=weights, keys=keys, multi_label=True)
    rest = np.random.default_rng(5).permutation(np.arange(40, 60))
    few = TextInputs(inputs.tokens.take(rest))
    less = job(text_encoder, few, holds[rest], weights=10 * weights[rest], keys=keys[rest], multi_label=True)
    one, other = tuned(full), tuned(less)
    assert one.told["items"] + one.told["held_out"] == 20
    assert np.array_equal(one.held_out.rows, rest[other.held_out.rows])
    for name in one.state:
        assert np.allclose(one.state[name], other.state[name], atol=2e-6), name
    assert same(tuned(replace(less, weights=weights[rest])), one)
    assert not same(tuned(less, seed=2), one)


def test_single_label_items_without_a_label_are_left_out(text_encoder: Path) -> None:
    inputs, holds = texts(30)
    y = np.eye(2)[holds[:, 0].astype(int)]
    y[:10], y[10:15] = 0, NAN
    model = tuned(job(text_encoder, inputs, y, replace(QUICK, held_out=0.0)))
    assert model.told["items"] == 15
    assert len(model.held_out.rows) == 0
    assert model.told["best_epoch"] == model.told["epochs"] == 1


def test_stops_early_and_takes_the_best_state(text_encoder: Path) -> None:
    inputs, _ = texts(60)
    y = np.eye(2)[np.random.default_rng(9).integers(2, size=60)]  # nothing to learn, but by heart
    wanted = job(text_encoder, inputs, y, Tuning(epochs=40, learning_rate=3e-3, min_steps=0, patience=2, loss="plain"))
    model = tuned(wanted)
    told = model.told
    assert told["epochs"] == told["best_epoch"] + 2 < 40
    assert held_loss(wanted, model) == pytest.approx(min(told["losses"]["held_out"]), rel=1e-4)
    assert told["losses"]["held_out"][-1] > min(told["losses"]["held_out"])


def test_leaves_no_trace(text_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is looked at
    torch.manual_seed(5)
    mine = PartialState(cpu=True)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    environment, verbosity = dict(os.environ), transformers.logging.get_verbosity()
    inputs, holds = texts(20)
    wanted = job(text_encoder, inputs, holds, multi_label=True)
    one = tuned(wanted)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert after == before
    assert (dict(os.environ), transformers.logging.get_verbosity()) == (environment, verbosity)
    assert mine.initialized
    assert list(tmp_path.iterdir()) == []
    random.seed(6)
    torch.manual_seed(6)
    assert same(tuned(wanted), one)


def test_shows_nothing(text_encoder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    inputs, holds = texts(20)
    tuned(job(text_encoder, inputs, holds, multi_label=True))
    assert capfd.readouterr() == ("", "")


def test_lora_is_merged_into_weights_of_the_same_shapes(text_encoder: Path) -> None:
    inputs, holds = texts(40)
    wanted = job(text_encoder, inputs, holds, replace(QUICK, epochs=2, lora=2), multi_label=True)
    model = tuned(wanted)
    base = transformers.AutoModelForSequenceClassification.from_pretrained(text_encoder, num_labels=3).state_dict()
    assert {name: array.shape for name, array in model.state.items()} == {
        name: tuple(tensor.shape) for name, tensor in base.items()
    }
    moved = {name: model.state[name] - base[name].numpy() for name in base if name.startswith("distilbert.")}
    linear = [name for name in moved if name.endswith("lin.weight") or "lin1.weight" in name]
    assert len(linear) >= 8
    assert all(np.linalg.matrix_rank(moved[name], tol=1e-6) in (1, 2) for name in linear)
    assert not moved["distilbert.embeddings.word_embeddings.weight"].any()
    assert held_loss(wanted, model) == pytest.approx(min(model.told["losses"]["held_out"]), rel=1e-4)


def test_lora_without_its_package_names_the_extra(text_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    inputs, holds = texts(20)
    with pytest.raises(ConfigError, match=r"pip install 'hitl\[lora\]'"):
        tuned(job(text_encoder, inputs, holds, replace(QUICK, lora=2), multi_label=True))


def test_mixed_precision_leaves_float32_weights(text_encoder: Path) -> None:
    inputs, holds = texts(20)
    model = tuned(job(text_encoder, inputs, holds, replace(QUICK, precision="bfloat16"), multi_label=True))
    assert model.told["precision"] == "bfloat16"
    assert {array.dtype for array in model.state.values()} == {np.dtype(np.float32)}
    with pytest.raises(ConfigError, match="float16 does not train on cpu"):
        tuned(job(text_encoder, inputs, holds, replace(QUICK, precision="float16"), multi_label=True))


def test_accumulated_batches_are_one_batch(image_encoder: Path) -> None:
    pixels, y = images(7)
    inputs = ImageInputs(7, lambda rows: pixels[rows])
    whole = job(image_encoder, inputs, y, replace(QUICK, epochs=2, batch=8, held_out=0.0))
    cut = replace(whole, tuning=replace(whole.tuning, batch=4, accumulate=2))
    one, other = tuned(whole), tuned(cut)
    assert one.told["steps"] == other.told["steps"] == 2
    assert np.allclose(one.logits(inputs), other.logits(inputs), atol=1e-4)


def test_labels_that_cannot_be_learned_have_a_constant(text_encoder: Path) -> None:
    inputs, holds = texts(30)
    y = np.column_stack([holds[:, 0], np.ones(30), np.zeros(30)])
    model = tuned(job(text_encoder, inputs, y, multi_label=True))
    rows = model.told["items"]
    assert np.isnan(model.constant[0])
    assert model.constant[1:] == pytest.approx([(rows + 1) / (rows + 2), 1 / (rows + 2)])
    assert (model.logits(inputs)[:, 1:] == 0).all()
    one_class = tuned(job(text_encoder, inputs, np.eye(3)[np.ones(30, dtype=int)]))
    rows = one_class.told["items"]
    assert one_class.constant == pytest.approx(np.array([1, rows + 1, 1]) / (rows + 3))
    assert one_class.told["epochs"] == 0
    assert (one_class.logits(inputs) == 0).all()


def test_a_loss_that_is_no_number_ends_it(image_encoder: Path) -> None:
    pixels, y = images(12)
    pixels[3] = NAN
    with pytest.raises(ModelError, match=r"diverged.*learning_rate"):
        tuned(job(image_encoder, ImageInputs(12, lambda rows: pixels[rows]), y))


def test_nothing_to_learn_from_is_told(text_encoder: Path) -> None:
    inputs, holds = texts(5)
    nothing = TextInputs(inputs.tokens.take(np.zeros(0, dtype=np.int64)))
    with pytest.raises(ModelError, match="no training item; resolve"):
        tuned(job(text_encoder, nothing, holds[:0], multi_label=True))
    for y, weights in ((np.full((5, 3), NAN), np.ones(5)), (holds, np.zeros(5))):
        with pytest.raises(ModelError, match="resolve some answers"):
            tuned(job(text_encoder, inputs, y, weights=weights, multi_label=True))
    with pytest.raises(ModelError, match="align"):
        tuned(job(text_encoder, inputs, holds[:4], multi_label=True))
    with pytest.raises(HitlError, match="no such folder"):
        tuned(job(text_encoder / "none", inputs, holds, multi_label=True))


def test_empty_texts_have_finite_logits(text_encoder: Path) -> None:
    inputs, holds = texts(20)
    model = tuned(job(text_encoder, inputs, holds, multi_label=True))
    assert np.isfinite(model.logits(TextInputs(Tokens.of([[], [11, 12], []])))).all()
    assert model.logits(TextInputs(Tokens.of([]))).shape == (0, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 2.5},
        {"min_steps": -1},
        {"learning_rate": 0},
        {"learning_rate": NAN},
        {"warmup": 1.5},
        {"weight_decay": -0.1},
        {"batch": 0},
        {"accumulate": True},
        {"patience": -1},
        {"held_out": 0.6},
        {"loss": "hinge"},
        {"focal_gamma": -1.0},
        {"precision": "int8"},
        {"lora": -2},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"tuning: {next(iter(wrong))}="):
        Tuning(**wrong)


def test_options_are_plain_values() -> None:
    options = Tuning(epochs=5, learning_rate=1e-4, lora=4, loss="focal")
    assert Tuning(**asdict(options)) == options
    assert all(isinstance(value, int | float | str | None) for value in asdict(Tuning()).values())


@given(st.integers(1, 50), st.integers(0, 2000), st.integers(1, 3000))
def test_few_items_are_passed_over_more_often(epochs: int, min_steps: int, steps: int) -> None:
    many, passes = Tuning(epochs=epochs, min_steps=min_steps).passes(steps)
    assert many * passes >= epochs
    assert many * passes * steps >= min_steps
    assert many <= max(epochs, LOOKS)
    if epochs * steps >= min_steps:
        assert (many, passes) == (epochs, 1)


@given(st.integers(0, 1 << 30), st.floats(0, 0.5), st.booleans())
def test_held_out_items_are_a_share_of_each_label_in_any_order(seed: int, share: float, multi_label: bool) -> None:
    rng = np.random.default_rng(seed)
    classes, chance = rng.choice(4, p=[0.6, 0.3, 0.08, 0.02], size=80), rng.random(80)
    y = np.eye(4)[classes]
    out = held_out(y, chance, share, multi_label=multi_label)
    for label, count in enumerate(np.bincount(classes, minlength=4)):
        held = out[classes == label].sum()
        assert abs(held - share * count) <= 1
        assert held < count or not count
    order = rng.permutation(80)
    assert np.array_equal(held_out(y[order], chance[order], share, multi_label=multi_label), out[order])


def test_an_item_with_several_labels_belongs_to_the_rarest() -> None:
    y = np.zeros((40, 2))
    y[:, 0], y[:8, 1] = 1, 1
    out = held_out(y, np.random.default_rng(0).random(40), 0.25, multi_label=True)
    assert (out[:8].sum(), out[8:].sum()) == (2, 8)


@given(st.integers(0, 200), st.integers(1, 20), st.integers(1, 3))
def test_epochs_are_passes_over_all_items(items: int, batch: int, repeats: int) -> None:
    lengths = np.random.default_rng(items).integers(1, 50, items)
    buckets = Buckets(lengths, batch, seed=items, repeats=repeats)
    first, second = list(buckets), list(buckets)
    assert len(buckets) == len(first)
    assert np.array_equal(np.bincount(first, minlength=items), np.full(items, repeats))
    assert sorted(second) == sorted(first)
    assert list(Buckets(lengths, batch, seed=items, repeats=repeats)) == first
    if items > 50:
        assert second != first


def test_batches_of_like_length_have_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 3200)

    def padded(order: Any) -> int:
        return int((lengths[np.array(list(order))].reshape(-1, 16).max(axis=1) * 16).sum())

    by_chance = padded(np.random.default_rng(1).permutation(3200))
    assert padded(Buckets(lengths, 16, seed=0)) < 1.1 * lengths.sum() < 0.7 * by_chance


def test_options_are_known_without_torch() -> None:
    code = "import sys, hitl.models.neural.tuning; print(*{'torch', 'transformers', 'peft'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
