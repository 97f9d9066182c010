"""What every kind of model must do. A new kind joins with one line in `kinds.KINDS`."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from kinds import KINDS, LABELS, Kind, N, apart, pool_of, truth

from hitl.deciding import decide
from hitl.errors import ModelError
from hitl.metrics.calibration import calibration_error
from hitl.models import Features, Fitted, Model, Reader, load_model, make_model
from hitl.pool import Pool
from hitl.types import Targets


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


LEARNING = {
    "test_it_learns_and_tells_its_labels",
    "test_probabilities_are_calibrated_on_what_was_held_out",
    "test_one_class_and_unseen_labels_get_their_smoothed_share",
    "test_an_unseen_label_leaves_the_others_learned",
    "test_unknown_labels_are_masked",
}


@pytest.fixture(autouse=True)
def asked_of(kind: Kind, request: pytest.FixtureRequest) -> None:
    """A judge learns nothing but its calibration, and its policy says whether labels exclude one another."""
    several = getattr(request.node, "callspec", None) and request.node.callspec.params.get("multi_label")
    if kind.judges and (several or request.function.__name__ in LEARNING):
        pytest.skip("a judge is not asked this")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(kind: Kind, workshop: Path) -> Model:
    return kind.make(workshop)


@pytest.fixture(scope="module")
def pool(kind: Kind, workshop: Path) -> Pool:
    return pool_of(kind, workshop)


@pytest.fixture(scope="module")
def features(model: Model, pool: Pool) -> Features:
    return model.features(pool, None)


def one_label(m: int = 60) -> Targets:
    return Targets(np.arange(m), np.eye(3)[truth()[:m]], LABELS, np.ones(m))


def fit(model: Model, features: Features, targets: Targets, multi_label: bool = False, seed: int = 0) -> Fitted:
    return model.fit(features, targets, np.random.default_rng(seed), multi_label=multi_label)


@pytest.fixture(scope="module")
def fitted(model: Model, features: Features) -> Fitted:
    """One that has learned 60 items with one label each."""
    return fit(model, features, one_label())


def everything(fitted: Fitted, features: Features) -> np.ndarray:
    """What it believes of all items before calibration."""
    return fitted.predict(features.slice(0, len(features))).opinion


def some_pool(kind: Kind, content: dict[str, list[str]]) -> Pool:
    """A pool of other content in the columns that a kind reads."""
    named = {"text": "text", "media": "file"}
    parts = {part: named[part] for part in kind.reads}
    return Pool.open(pa.table({name: pa.array(content[name], pa.string()) for name in parts.values()}), **parts)


def rows(pool: Pool, model: Model, features: Features, at: object) -> pa.Table:
    return pool.rows(at, list(features.reader.columns))


def test_they_keep_the_protocols(model: Model, features: Features, fitted: Fitted) -> None:
    assert isinstance(model, Model)
    assert isinstance(features, Features)
    assert isinstance(features.reader, Reader)
    assert isinstance(fitted, Fitted)
    assert make_model(model.kind, json.loads(json.dumps(model.options()))) == model
    assert not {"device", "root"} & set(model.options())


def test_it_learns_and_tells_its_labels(fitted: Fitted, features: Features) -> None:
    predicted = fitted.predict(features.slice(60, N))
    assert predicted.labels == fitted.labels == LABELS
    assert predicted.model_id == fitted.model_id
    assert predicted.proba.dtype == predicted.opinion.dtype == np.float32
    assert (predicted.opinion.argmax(axis=1) == truth()[60:]).mean() > 0.9
    assert (predicted.proba.argmax(axis=1) == truth()[60:]).mean() > 0.9
    for proba in (predicted.proba, predicted.opinion):
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


def test_probabilities_are_calibrated_on_what_was_held_out(model: Model, fitted: Fitted, features: Features) -> None:
    told = fitted.card["calibration"]
    predicted = fitted.predict(features.slice(0, N))
    if not model.options()["calibrate"]:
        assert told["method"] == "none"
        assert (predicted.proba == predicted.opinion).all()
        return
    assert told["method"] != "none"
    assert 10 <= told["items"] <= 60
    assert told["brier_after"] <= told["brier_before"] + 1e-3
    later = np.arange(60, N)
    hit = np.eye(3, dtype=bool)[truth()[later]]
    errors = [
        calibration_error(p[later].ravel(), hit.ravel(), np.ones(90)) for p in (predicted.proba, predicted.opinion)
    ]
    assert errors[0] < max(0.12, errors[1])


@pytest.mark.parametrize("multi_label", [False, True])
def test_same_data_and_seed_same_model(model: Model, features: Features, multi_label: bool) -> None:
    first, second = (fit(model, features, one_label(), multi_label) for _ in range(2))
    assert first.model_id == second.model_id
    assert (everything(first, features) == everything(second, features)).all()
    other = fit(model, features, one_label(50), multi_label)
    assert other.model_id != first.model_id


def test_inputs_are_left_as_they_were(model: Model, features: Features) -> None:
    targets, card = one_label(), {"metrics": {"macro_f1": 0.5}}
    before = [array.copy() for array in (targets.positions, targets.y, targets.weights)]
    x = features.slice(0, 10)
    held = pickle.loads(pickle.dumps(x))
    fitted = model.fit(features, targets, np.random.default_rng(0), multi_label=False, card=card)
    fitted.predict(x)
    fitted.with_card({"metrics": {}})
    for array, was in zip((targets.positions, targets.y, targets.weights), before, strict=True):
        assert (array == was).all()
    assert apart(x, held) == 0
    assert card == {"metrics": {"macro_f1": 0.5}}
    assert fitted.card["metrics"] == {"macro_f1": 0.5}


def test_features_are_rows_by_position_and_range(features: Features) -> None:
    assert len(features) == N
    chosen = np.array([7, 3, 3, 80])
    for at, position in enumerate(chosen):
        alone = features.take(chosen[at : at + 1])
        assert apart(alone, features.slice(position, position + 1)) == 0
    assert apart(features.take(np.arange(20, 30)), features.slice(20, 30)) == 0
    assert features.take(np.empty(0, dtype=np.int64)).shape[0] == 0
    assert features.slice(5, 5).shape[0] == 0
    assert features.slice(80, 200).shape[0] == N - 80
    assert len(features.unreadable) == 0


def test_predictions_follow_the_rows(kind: Kind, fitted: Fitted, features: Features) -> None:
    order = np.random.default_rng(3).permutation(N)
    whole = fitted.predict(features.slice(0, N))
    parts = [fitted.predict(features.slice(start, start + 7)) for start in range(0, N, 7)]
    for name in ("proba", "raw"):
        told = getattr(whole, name)
        shuffled = getattr(fitted.predict(features.take(order)), name)
        np.testing.assert_allclose(shuffled, told[order], atol=kind.tolerance, rtol=0)
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, told, atol=kind.tolerance, rtol=0)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_order_of_training_items_hardly_matters(model: Model, features: Features, multi_label: bool) -> None:
    targets = one_label()
    order = np.random.default_rng(4).permutation(len(targets))
    shuffled = Targets(targets.positions[order], targets.y[order], LABELS, targets.weights[order])
    first, second = (fit(model, features, t, multi_label).predict(features.slice(0, N)) for t in (targets, shuffled))
    np.testing.assert_allclose(first.opinion, second.opinion, atol=2e-3)
    np.testing.assert_allclose(first.proba, second.proba, atol=5e-3)


def test_rows_are_scored_as_the_pool_is(
    kind: Kind, model: Model, fitted: Fitted, features: Features, pool: Pool
) -> None:
    predicted = fitted.predict_rows(rows(pool, model, features, np.arange(N)))
    np.testing.assert_allclose(predicted.opinion, everything(fitted, features), atol=kind.near, rtol=0)
    if kind.reads == ("text",):
        told = fitted.predict_texts(pool.texts(np.arange(N)))
        assert (told.proba == predicted.proba).all()
    with pytest.raises(ModelError, match="give rows with such columns"):
        fitted.predict_rows(pa.table({"zonk": ["a"]}))


def test_the_reader_reads_rows_as_the_features_were_made(
    kind: Kind, model: Model, features: Features, pool: Pool
) -> None:
    order = np.random.default_rng(5).permutation(N)
    reader = pickle.loads(pickle.dumps(features.reader))
    for start in range(0, N, 30):
        at = order[start : start + 30]
        x, embeddings = reader.read(rows(pool, model, features, at))
        assert apart(x, features.take(at)) <= kind.grid
        assert (embeddings is None) == (features.embeddings is None)
        if embeddings is not None:
            assert embeddings.dtype == np.int16
            assert apart(embeddings, np.asarray(features.embeddings[at])) <= kind.grid
    assert reader.read(rows(pool, model, features, []))[0].shape[0] == 0


def test_embeddings_are_rows_of_length_one_on_the_grid(features: Features) -> None:
    if features.embeddings is None:
        return
    embeddings = np.asarray(features.embeddings[np.arange(N)]).astype(float)
    assert features.embeddings.shape == embeddings.shape
    np.testing.assert_allclose(np.linalg.norm(embeddings / 2048, axis=1), 1, atol=0.01)
    cosines = embeddings @ embeddings.T / 2048**2
    same = truth()[:, None] == truth()
    assert cosines[same].mean() > cosines[~same].mean() + 0.1


@pytest.mark.parametrize("multi_label", [False, True])
def test_heads_are_a_committee_of_the_same_shape(
    kind: Kind, model: Model, features: Features, multi_label: bool
) -> None:
    heads = model.options().get("heads", 0)
    fitted = fit(model, features, one_label(), multi_label)
    predicted = fitted.predict(features.slice(0, N))
    if not heads:
        assert predicted.committee is None or len(predicted.committee) == len(model.options()["members"])
        return
    committee = predicted.committee
    assert (committee.shape, committee.dtype) == ((heads, N, 3), np.float32)
    assert (committee[0] != committee[1]).any()
    assert (fit(model, features, one_label(), multi_label).predict(features.slice(0, N)).committee == committee).all()
    other = fit(model, features, one_label(), multi_label, seed=1).predict(features.slice(0, N))
    assert (other.committee != committee).any()
    assert (other.opinion == predicted.opinion).all()
    parts = [fitted.predict(features.slice(start, start + 7)).committee for start in range(0, N, 7)]
    assert (np.concatenate(parts, axis=1) == committee).all()


def test_heads_disagree_more_where_labels_are_scarce(model: Model, features: Features) -> None:
    if not model.options().get("heads", 0):
        return
    spread = [
        fit(model, features, one_label(m)).predict(features.slice(0, N)).committee.std(axis=0).mean() for m in (9, 80)
    ]
    assert spread[0] > 1.2 * spread[1]


@pytest.mark.parametrize("multi_label", [False, True])
def test_thresholds_decide_and_change_no_probability(
    kind: Kind, model: Model, features: Features, multi_label: bool, tmp_path: Path
) -> None:
    fitted = fit(model, features, one_label(), multi_label)
    before = fitted.predict(features.slice(0, N))
    assert before.thresholds is None
    prevalence = np.array([0.2, 0.5, 0.3])
    deciding = fitted.with_thresholds(prevalence, before.proba)
    predicted = deciding.predict(features.slice(0, N))
    assert (predicted.proba == before.proba).all()
    shares = decide(predicted.proba, predicted.thresholds, multi_label).mean(axis=0)
    if kind.convex:  # a network that is sure of everything gives many items the same probability
        np.testing.assert_allclose(shares, prevalence, atol=0.05)
    assert deciding.model_id != fitted.model_id
    assert deciding.card["thresholds"] == predicted.thresholds.tolist()
    again = load_model(deciding.save(tmp_path / "model"), root=getattr(model, "root", None))
    assert again.model_id == deciding.model_id
    assert (again.predict(features.slice(0, N)).thresholds == predicted.thresholds).all()
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    (tmp_path / "model" / "card.json").write_text(json.dumps({**card, "thresholds": [0.5, 0.5, 0.5]}))
    with pytest.raises(ModelError, match="its hash differs"):
        load_model(tmp_path / "model")


def test_no_rows_give_no_rows(kind: Kind, model: Model, fitted: Fitted, features: Features, pool: Pool) -> None:
    assert fitted.predict(features.slice(0, 0)).proba.shape == (0, 3)
    assert fitted.predict_rows(rows(pool, model, features, [])).proba.shape == (0, 3)
    nothing = {"text": pa.array([], pa.string()), "file": pa.array([], pa.string())}
    empty = pa.table(
        {name: nothing[name] for name in ("text", "file") if {"file": "media"}.get(name, name) in kind.reads}
    )
    media = "file" if "media" in kind.reads else None
    empty_pool = Pool.open(empty, media=media, text="text" if "text" in kind.reads else None)
    read = model.features(empty_pool, None)
    assert len(read) == 0
    assert fitted.predict(read.slice(0, 0)).proba.shape == (0, 3)


def test_equal_content_ties(kind: Kind, model: Model, fitted: Fitted, features: Features, pool: Pool) -> None:
    proba = fitted.predict_rows(rows(pool, model, features, [4, 9, 4])).proba
    np.testing.assert_allclose(proba[0], proba[2], atol=kind.tolerance, rtol=0)


def test_odd_texts_have_probabilities(kind: Kind, fitted: Fitted) -> None:
    if kind.reads != ("text",):
        return
    odd = ["", " \n", "\x00", "😀" * 50, "x" * 5000, "\ud800", "ﬁne\u0301", "नमस्ते दुनिया", "你好"]
    predicted = fitted.predict_texts(odd)
    for proba in (predicted.proba, predicted.opinion):
        assert np.isfinite(proba).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
def test_one_class_and_unseen_labels_get_their_smoothed_share(
    kind: Kind, model: Model, features: Features, multi_label: bool
) -> None:
    only = Targets(np.arange(8), np.tile([0.0, 1.0, 0.0], (8, 1)), LABELS, np.ones(8))
    fitted = fit(model, features, only, multi_label)
    proba = fitted.predict(features.slice(0, N)).proba
    classes, items = (2 if multi_label else 3), 8 if kind.convex else fitted.card["training"]["items"]
    expected = [1 / (items + classes), (items + 1) / (items + classes), 1 / (items + classes)]
    np.testing.assert_allclose(proba, np.tile(expected, (N, 1)), rtol=1e-6)


def test_an_unseen_label_leaves_the_others_learned(model: Model, features: Features) -> None:
    at = np.flatnonzero(truth() != 2)[:40]
    two = Targets(at, np.eye(3)[truth()[at]], LABELS, np.ones(40))
    predicted = fit(model, features, two).predict(features.slice(0, N))
    np.testing.assert_allclose(predicted.proba.sum(axis=1), 1, atol=1e-6)
    assert np.unique(predicted.proba[:, 2]).size == 1
    assert 1 / 44 < predicted.proba[0, 2] < 1 / 30
    seen = truth() != 2
    assert (predicted.opinion.argmax(axis=1) == truth())[seen].mean() > 0.9


def test_unknown_labels_are_masked(kind: Kind, model: Model, features: Features) -> None:
    """What is NaN for a label changes nothing for that label: as if those items were not there."""
    full = one_label()
    unknown = Targets(full.positions, np.full((60, 3), np.nan), LABELS, full.weights)
    if not kind.convex:
        y = full.y.copy()
        y[30:, 1] = np.nan
        first = everything(fit(model, features, Targets(full.positions, y, LABELS, full.weights), True), features)
        assert ((first[:, 0] > 0.5) == (truth() == 0)).mean() > 0.8
        return
    y = full.y.copy()
    y[30:, 1] = np.nan
    masked = everything(fit(model, features, Targets(full.positions, y, LABELS, full.weights), True), features)
    half = Targets(full.positions[:30], full.y[:30], LABELS, full.weights[:30])
    alone = everything(fit(model, features, half, True), features)
    whole = everything(fit(model, features, full, True), features)
    np.testing.assert_allclose(masked[:, 1], alone[:, 1], atol=2e-3)
    np.testing.assert_allclose(masked[:, [0, 2]], whole[:, [0, 2]], atol=2e-3)
    np.testing.assert_allclose(everything(fit(model, features, unknown, True), features), 0.5)


def test_an_item_of_no_weight_is_as_if_it_were_not_there(model: Model, features: Features) -> None:
    weights = np.ones(60)
    weights[40:] = 0
    dropped = Targets(np.arange(60), one_label().y, LABELS, weights)
    some = fit(model, features, dropped).predict(features.slice(0, N))
    without = fit(model, features, one_label(40)).predict(features.slice(0, N))
    np.testing.assert_allclose(some.opinion, without.opinion, atol=3e-3)
    np.testing.assert_allclose(some.proba, without.proba, atol=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.empty(0, dtype=np.int64), "y": np.empty((0, 3)), "weights": np.empty(0)}, "no training item"),
        ({"y": np.zeros((4, 2))}, "align them"),
        ({"positions": np.array([0, 1, 2, N])}, "outside the pool's 90 items"),
        ({"positions": np.array([-1, 1, 2, 3])}, "outside the pool"),
        ({"y": np.full((4, 3), 0.5)}, "other than 0, 1 and NaN"),
        ({"y": np.ones((4, 3))}, "two labels in a single-label policy"),
        ({"y": np.full((4, 3), np.nan)}, "no training item has a label"),
        ({"weights": np.zeros(4)}, "not all 0"),
        ({"weights": np.array([1, np.nan, 1, 1])}, "finite"),
    ],
)
def test_targets_that_cannot_be_learned_from_are_refused(
    model: Model, features: Features, change: dict[str, np.ndarray], message: str
) -> None:
    good = {"positions": np.arange(4), "y": np.eye(3)[[0, 1, 2, 0]], "weights": np.ones(4), "labels": LABELS}
    with pytest.raises(ModelError, match=message):
        fit(model, features, Targets(**{**good, **change}))


def test_features_of_another_kind_are_refused(kind: Kind, model: Model, workshop: Path) -> None:
    other = "text_linear" if model.kind != "text_linear" else "text_transformer"
    strange = KINDS[other]
    features = strange.make(workshop).features(pool_of(strange, workshop), None)
    with pytest.raises(ModelError, match="compute them with its"):
        fit(model, features, one_label())


@pytest.mark.parametrize("multi_label", [False, True])
def test_saved_and_loaded_it_is_the_same_bit_by_bit(
    kind: Kind, model: Model, features: Features, pool: Pool, multi_label: bool, tmp_path: Path
) -> None:
    told = {"policy_version": "3", "metrics": {"f1": float("nan")}}
    fitted = fit(model, features, one_label(), multi_label).with_card(told)
    fitted.save(tmp_path / "models" / "round 1")
    folder = (tmp_path / "models").rename(tmp_path / "elsewhere") / "round 1"
    again = load_model(folder, device="cpu", root=getattr(model, "root", None))
    assert (again.model_id, again.labels, again.multi_label) == (fitted.model_id, LABELS, multi_label)
    first, second = (one.predict(features.slice(0, N)) for one in (fitted, again))
    for name in ("proba", "raw"):
        assert (getattr(first, name) == getattr(second, name)).all()
    assert (first.committee is None) == (second.committee is None)
    assert first.committee is None or (first.committee == second.committee).all()
    some = rows(pool, model, features, [1, 5, 7])
    assert (again.predict_rows(some).proba == fitted.predict_rows(some).proba).all()
    assert again.card == fitted.card
    card = json.loads((folder / "card.json").read_text())
    wanted = {"kind", "options", "labels", "multi_label", "policy_version", "data_hash", "metrics", "limits"}
    assert wanted | {"calibration", "intended_use", "training"} <= set(card)
    assert (card["policy_version"], card["metrics"]) == ("3", {"f1": None})
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".bin", ".pt")]


def test_it_travels_to_another_process(fitted: Fitted, features: Features) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    assert again.model_id == fitted.model_id
    assert (again.predict(features.slice(0, 9)).proba == fitted.predict(features.slice(0, 9)).proba).all()


def test_saving_again_replaces_a_model_and_nothing_else(
    model: Model, features: Features, fitted: Fitted, tmp_path: Path
) -> None:
    second = fit(model, features, one_label(40))
    fitted.save(tmp_path / "model")
    fitted.with_card({"note": "later"}).save(tmp_path / "model")
    assert load_model(tmp_path / "model").card["note"] == "later"
    second.save(tmp_path / "model")
    assert load_model(tmp_path / "model").model_id == second.model_id
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("plim")
    with pytest.raises(ModelError, match="something that is no model is there"):
        fitted.save(tmp_path / "mine")


def test_what_was_changed_since_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    def saved() -> Path:
        return fitted.save(tmp_path / "model")

    weights = bytearray((saved() / "weights.safetensors").read_bytes())
    weights[-5] ^= 1
    (tmp_path / "model" / "weights.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match="its hash differs"):
        load_model(tmp_path / "model")
    card = json.loads((saved() / "card.json").read_text())
    for change in ({"labels": card["labels"][::-1]}, {"limits": []}, {"metrics": {"macro_f1": 1.0}}):
        (tmp_path / "model" / "card.json").write_text(json.dumps({**card, **change}))
        with pytest.raises(ModelError, match="its hash differs"):
            load_model(tmp_path / "model")
    (tmp_path / "model" / "card.json").write_text("{")
    with pytest.raises(ModelError, match="is no model card"):
        load_model(tmp_path / "model")
    (saved() / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="is missing"):
        load_model(tmp_path / "model")
    with pytest.raises(ModelError, match="holds no saved model"):
        load_model(tmp_path / "nothing")


def test_features_are_kept_and_read_back(
    kind: Kind, model: Model, features: Features, fitted: Fitted, pool: Pool, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int | None]] = []
    first = model.features(pool, tmp_path, lambda *step: told.append(step))
    assert kind.judges or told[-1][1:] == (N, N)  # a judge is asked when its opinion is wanted
    told.clear()
    again = model.features(pool, tmp_path, lambda *step: told.append(step))
    assert told == []
    assert first.fingerprint == again.fingerprint == features.fingerprint
    for kept in (first, again):
        assert apart(kept.slice(0, N), features.slice(0, N)) <= (kind.grid if kind.judges else 0)
        if features.embeddings is not None:
            assert apart(np.asarray(kept.embeddings[:]), np.asarray(features.embeddings[:])) == 0
    assert kind.judges or fit(model, again, one_label()).model_id == fitted.model_id


def test_other_items_have_other_features(kind: Kind, model: Model, features: Features, workshop: Path) -> None:
    other = some_pool(kind, {"text": ["plim"], "file": pool_of(kind, workshop).rows([0])["media"].to_pylist()})
    assert model.features(other, None).fingerprint != features.fingerprint
