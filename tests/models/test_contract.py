"""What every kind of model must do. A new kind joins with one line in `RECIPES`."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hitl.deciding import decide
from hitl.errors import ModelError
from hitl.models import Features, Fitted, Model, Reader, load_model, make_model
from hitl.models.text_linear import TextLinear
from hitl.pool import Pool
from hitl.types import Targets

RECIPES: dict[str, Callable[[], Model]] = {
    "text_linear": lambda: TextLinear(buckets=1 << 12),
    "text_linear across words": lambda: TextLinear(word=(1, 1), char=(2, 4), buckets=1 << 10, within_words=False),
    "text_linear unweighted": lambda: TextLinear(buckets=1 << 12, class_weight=None, C=5.0),
    "text_linear plain": lambda: TextLinear(buckets=1 << 12, lsa=0, naive_bayes=0.0),
    "text_linear with heads": lambda: TextLinear(buckets=1 << 12, lsa=8, lsa_scale=3.0, heads=3),
}
LABELS = ("fine", "rude", "spam")
WORDS = {"fine": "plim morv grint", "rude": "zonk wub zonkish", "spam": "bliz bliz 999"}
N = 90


@pytest.fixture(params=RECIPES)
def model(request: pytest.FixtureRequest) -> Model:
    return RECIPES[request.param]()


def truth(n: int = N) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3, n)


@pytest.fixture
def pool() -> Pool:
    rng, common = np.random.default_rng(2), ["ta", "bo", "ke", "lu", "sim", "vor"]
    texts = [
        " ".join(rng.permutation([*rng.choice(WORDS[LABELS[label]].split(), 2), *rng.choice(common, 4)]))
        for label in truth()
    ]
    return Pool.open(pa.table({"id": [f"it-{row}" for row in range(N)], "text": texts}))


@pytest.fixture
def features(model: Model, pool: Pool) -> Features:
    return model.features(pool, None)


def one_label(m: int = 60) -> Targets:
    return Targets(np.arange(m), np.eye(3)[truth()[:m]], LABELS, np.ones(m))


def fit(model: Model, features: Features, targets: Targets, multi_label: bool = False, seed: int = 0) -> Fitted:
    return model.fit(features, targets, np.random.default_rng(seed), multi_label=multi_label)


def everything(fitted: Fitted, features: Features) -> np.ndarray:
    return fitted.predict(features.slice(0, len(features))).proba


def test_they_keep_the_protocols(model: Model, features: Features) -> None:
    assert isinstance(model, Model)
    assert isinstance(features, Features)
    assert isinstance(features.reader, Reader)
    assert isinstance(fit(model, features, one_label()), Fitted)
    assert make_model(model.kind, json.loads(json.dumps(model.options()))) == model


def test_it_learns_and_tells_its_labels(model: Model, features: Features) -> None:
    fitted = fit(model, features, one_label())
    predicted = fitted.predict(features.slice(60, N))
    assert predicted.labels == fitted.labels == LABELS
    assert predicted.model_id == fitted.model_id
    assert predicted.proba.dtype == np.float32
    assert (predicted.proba.argmax(axis=1) == truth()[60:]).mean() > 0.9
    np.testing.assert_allclose(predicted.proba.sum(axis=1), 1, atol=1e-6)


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
    held = x.copy()
    fitted = model.fit(features, targets, np.random.default_rng(0), multi_label=False, card=card)
    fitted.predict(x)
    fitted.with_card({"metrics": {}})
    for array, was in zip((targets.positions, targets.y, targets.weights), before, strict=True):
        assert (array == was).all()
    assert (x != held).nnz == 0
    assert card == {"metrics": {"macro_f1": 0.5}}
    assert fitted.card["metrics"] == {"macro_f1": 0.5}


def test_features_are_rows_by_position_and_range(model: Model, features: Features) -> None:
    assert len(features) == N
    chosen = np.array([7, 3, 3, 80])
    taken = features.take(chosen)
    for row, position in enumerate(chosen):
        assert (taken[[row]] != features.slice(position, position + 1)).nnz == 0
    assert features.take(np.empty(0, dtype=np.int64)).shape[0] == 0
    assert features.slice(5, 5).shape[0] == 0
    assert features.slice(80, 200).shape[0] == N - 80


def test_predictions_follow_the_rows(model: Model, features: Features) -> None:
    fitted = fit(model, features, one_label())
    order = np.random.default_rng(3).permutation(N)
    assert (fitted.predict(features.take(order)).proba == everything(fitted, features)[order]).all()
    parts = [fitted.predict(features.slice(start, start + 7)).proba for start in range(0, N, 7)]
    assert (np.concatenate(parts) == everything(fitted, features)).all()


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_order_of_training_items_hardly_matters(model: Model, features: Features, multi_label: bool) -> None:
    targets = one_label()
    order = np.random.default_rng(4).permutation(len(targets))
    shuffled = Targets(targets.positions[order], targets.y[order], LABELS, targets.weights[order])
    first, second = (everything(fit(model, features, t, multi_label), features) for t in (targets, shuffled))
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_texts_are_scored_as_the_pool_is(model: Model, features: Features, pool: Pool) -> None:
    fitted = fit(model, features, one_label())
    predicted = fitted.predict_texts(pool.texts(np.arange(N)))
    assert (predicted.proba == everything(fitted, features)).all()


def test_the_reader_reads_texts_as_the_features_were_made(model: Model, features: Features, pool: Pool) -> None:
    order = np.random.default_rng(5).permutation(N)
    reader = pickle.loads(pickle.dumps(features.reader))
    for start in range(0, N, 13):
        rows = order[start : start + 13]
        x, embeddings = reader.read(pool.texts(rows))
        assert (x != features.take(rows)).nnz == 0
        assert (embeddings is None) == (features.embeddings is None)
        if embeddings is not None:
            assert embeddings.dtype == np.int16
            assert (embeddings == features.embeddings[rows]).all()
    assert reader.read([])[0].shape[0] == 0


def test_embeddings_are_rows_of_length_one_on_the_grid(features: Features, pool: Pool) -> None:
    if features.embeddings is None:
        return
    assert features.embeddings.shape[0] == N
    lengths = np.linalg.norm(features.embeddings.astype(float) / 2048, axis=1)
    np.testing.assert_allclose(lengths, 1, atol=0.01)
    cosines = features.embeddings.astype(float) @ features.embeddings.T / 2048**2
    same = truth()[:, None] == truth()
    assert cosines[same].mean() > cosines[~same].mean() + 0.1


@pytest.mark.parametrize("multi_label", [False, True])
def test_heads_are_a_committee_of_the_same_shape(model: Model, features: Features, multi_label: bool) -> None:
    heads = model.options()["heads"]
    fitted = fit(model, features, one_label(), multi_label)
    predicted = fitted.predict(features.slice(0, N))
    if not heads:
        assert predicted.committee is None
        return
    committee = predicted.committee
    assert (committee.shape, committee.dtype) == ((heads, N, 3), np.float32)
    assert (committee[0] != committee[1]).any()
    assert (fit(model, features, one_label(), multi_label).predict(features.slice(0, N)).committee == committee).all()
    other = fit(model, features, one_label(), multi_label, seed=1).predict(features.slice(0, N))
    assert (other.committee != committee).any()
    assert (other.proba == predicted.proba).all()
    parts = [fitted.predict(features.slice(start, start + 7)).committee for start in range(0, N, 7)]
    assert (np.concatenate(parts, axis=1) == committee).all()


def test_heads_disagree_more_where_labels_are_scarce(model: Model, features: Features) -> None:
    if not model.options()["heads"]:
        return
    spread = [
        fit(model, features, one_label(m)).predict(features.slice(0, N)).committee.std(axis=0).mean() for m in (9, 80)
    ]
    assert spread[0] > 1.2 * spread[1]


@pytest.mark.parametrize("multi_label", [False, True])
def test_thresholds_decide_and_change_no_probability(
    model: Model, features: Features, multi_label: bool, tmp_path: Path
) -> None:
    fitted = fit(model, features, one_label(), multi_label)
    proba = everything(fitted, features)
    assert fitted.predict(features.slice(0, N)).thresholds is None
    prevalence = np.array([0.2, 0.5, 0.3])
    deciding = fitted.with_thresholds(prevalence, proba)
    predicted = deciding.predict(features.slice(0, N))
    assert (predicted.proba == proba).all()
    shares = decide(predicted.proba, predicted.thresholds, multi_label).mean(axis=0)
    np.testing.assert_allclose(shares, prevalence, atol=0.05)
    assert deciding.model_id != fitted.model_id
    assert deciding.card["thresholds"] == predicted.thresholds.tolist()
    again = load_model(deciding.save(tmp_path / "model"))
    assert again.model_id == deciding.model_id
    assert (again.predict(features.slice(0, N)).thresholds == predicted.thresholds).all()
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    (tmp_path / "model" / "card.json").write_text(json.dumps({**card, "thresholds": [0.5, 0.5, 0.5]}))
    with pytest.raises(ModelError, match="its hash differs"):
        load_model(tmp_path / "model")


def test_no_rows_give_no_rows(model: Model, features: Features) -> None:
    fitted = fit(model, features, one_label())
    assert fitted.predict(features.slice(0, 0)).proba.shape == (0, 3)
    assert fitted.predict_texts([]).proba.shape == (0, 3)
    empty = model.features(Pool.open(pa.table({"text": pa.array([], pa.string())})), None)
    assert fitted.predict(empty.slice(0, 0)).proba.shape == (0, 3)


def test_equal_texts_tie(model: Model, features: Features) -> None:
    fitted = fit(model, features, one_label())
    proba = fitted.predict_texts(["zonk plim", "ta bo", "zonk plim"]).proba
    assert (proba[0] == proba[2]).all()


def test_odd_texts_have_probabilities(model: Model, features: Features) -> None:
    odd = ["", " \n", "\x00", "😀" * 50, "x" * 5000, "\ud800", "ﬁne\u0301", "नमस्ते दुनिया", "你好"]
    proba = fit(model, features, one_label()).predict_texts(odd).proba
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
def test_one_class_and_unseen_labels_get_their_smoothed_share(
    model: Model, features: Features, multi_label: bool
) -> None:
    only = Targets(np.arange(8), np.tile([0.0, 1.0, 0.0], (8, 1)), LABELS, np.ones(8))
    proba = everything(fit(model, features, only, multi_label), features)
    classes = 2 if multi_label else 3
    expected = [1 / (8 + classes), 9 / (8 + classes), 1 / (8 + classes)]
    np.testing.assert_allclose(proba, np.tile(expected, (N, 1)), rtol=1e-6)


def test_an_unseen_label_leaves_the_others_learned(model: Model, features: Features) -> None:
    rows = np.flatnonzero(truth() != 2)[:40]
    two = Targets(rows, np.eye(3)[truth()[rows]], LABELS, np.ones(40))
    proba = everything(fit(model, features, two), features)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(proba[:, 2], 1 / 43, rtol=1e-6)
    seen = truth() != 2
    assert (proba.argmax(axis=1) == truth())[seen].mean() > 0.9


def test_unknown_labels_are_masked(model: Model, features: Features) -> None:
    """What is NaN for a label changes nothing for that label: as if those items were not there."""
    full = one_label()
    y = full.y.copy()
    y[30:, 1] = np.nan
    masked = everything(fit(model, features, Targets(full.positions, y, LABELS, full.weights), True), features)
    half = Targets(full.positions[:30], full.y[:30], LABELS, full.weights[:30])
    alone = everything(fit(model, features, half, True), features)
    whole = everything(fit(model, features, full, True), features)
    np.testing.assert_allclose(masked[:, 1], alone[:, 1], atol=2e-3)
    np.testing.assert_allclose(masked[:, [0, 2]], whole[:, [0, 2]], atol=2e-3)
    unknown = Targets(full.positions, np.full((60, 3), np.nan), LABELS, full.weights)
    np.testing.assert_allclose(everything(fit(model, features, unknown, True), features), 0.5)


def test_an_item_of_no_weight_is_as_if_it_were_not_there(model: Model, features: Features) -> None:
    weights = np.ones(60)
    weights[40:] = 0
    dropped = Targets(np.arange(60), one_label().y, LABELS, weights)
    some = everything(fit(model, features, dropped), features)
    np.testing.assert_allclose(some, everything(fit(model, features, one_label(40)), features), atol=3e-3)


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


@pytest.mark.parametrize("multi_label", [False, True])
def test_saved_and_loaded_it_is_the_same_bit_by_bit(
    model: Model, features: Features, multi_label: bool, tmp_path: Path
) -> None:
    fitted = fit(model, features, one_label(), multi_label).with_card(
        {"policy_version": "3", "metrics": {"f1": float("nan")}}
    )
    folder = fitted.save(tmp_path / "models" / "round 1")
    again = load_model(folder)
    assert (again.model_id, again.labels, again.multi_label) == (fitted.model_id, LABELS, multi_label)
    assert (everything(again, features) == everything(fitted, features)).all()
    assert (again.predict_texts(["zonk"]).proba == fitted.predict_texts(["zonk"]).proba).all()
    committees = [one.predict(features.slice(0, N)).committee for one in (again, fitted)]
    assert committees[1] is None or (committees[0] == committees[1]).all()
    assert again.card == fitted.card
    card = json.loads((folder / "card.json").read_text())
    assert {"kind", "options", "labels", "multi_label", "policy_version", "data_hash", "metrics", "limits"} <= set(card)
    assert (card["policy_version"], card["metrics"]) == ("3", {"f1": None})
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "weights.safetensors"]


def test_saving_again_replaces_a_model_and_nothing_else(model: Model, features: Features, tmp_path: Path) -> None:
    first, second = fit(model, features, one_label()), fit(model, features, one_label(40))
    first.save(tmp_path / "model")
    first.with_card({"note": "later"}).save(tmp_path / "model")
    assert load_model(tmp_path / "model").card["note"] == "later"
    second.save(tmp_path / "model")
    assert load_model(tmp_path / "model").model_id == second.model_id
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("plim")
    with pytest.raises(ModelError, match="something that is no model is there"):
        first.save(tmp_path / "mine")


def test_what_was_changed_since_is_refused(model: Model, features: Features, tmp_path: Path) -> None:
    fitted = fit(model, features, one_label())

    def saved() -> Path:
        return fitted.save(tmp_path / "model")

    weights = bytearray((saved() / "weights.safetensors").read_bytes())
    weights[-5] ^= 1
    (tmp_path / "model" / "weights.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match="its hash differs"):
        load_model(tmp_path / "model")
    card = json.loads((saved() / "card.json").read_text())
    (tmp_path / "model" / "card.json").write_text(json.dumps({**card, "labels": card["labels"][::-1]}))
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


def test_features_are_kept_and_read_back(model: Model, pool: Pool, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    first = model.features(pool, tmp_path, lambda *step: told.append(step))
    assert told[-1][1:] == (N, N)
    told.clear()
    again = model.features(pool, tmp_path, lambda *step: told.append(step))
    assert told == []
    memory = model.features(pool, None)
    assert first.fingerprint == again.fingerprint == memory.fingerprint
    for features in (first, again):
        assert (features.slice(0, N) != memory.slice(0, N)).nnz == 0
        if memory.embeddings is not None:
            assert (features.embeddings == memory.embeddings).all()
        targets = one_label()
        assert fit(model, features, targets).model_id == fit(model, memory, targets).model_id


def test_other_items_have_other_features(model: Model, pool: Pool, tmp_path: Path) -> None:
    other = Pool.open(pa.table({"id": ["it-0"], "text": ["plim"]}))
    assert model.features(other, tmp_path).fingerprint != model.features(pool, tmp_path).fingerprint
