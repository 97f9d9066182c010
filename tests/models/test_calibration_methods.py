"""Each method of calibration against planted truth; which one is chosen; and that a map comes back as it was saved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit, softmax
from sklearn.isotonic import IsotonicRegression

from hitl.errors import ConfigError
from hitl.models import load_model, make_model
from hitl.models.calibration import METHODS, Calibration, HeldOut, calibrate, log_odds, probable
from hitl.pool import Pool
from hitl.types import Targets

pytestmark = pytest.mark.simulation

NAMED = [method for method in METHODS if method != "auto"]
WRONG: dict[str, Any] = {
    "temperature": lambda true: 2.5 * logit(true),
    "platt": lambda true: 2 * logit(true) + 3,
    "beta": lambda true: logit(true**3),
    "isotonic": lambda true: np.where(true > 0.3, logit(true) + 3, logit(true) - 2),
}
"""By the method that can mend it: logits that are wrong."""


def planted(n: int, seed: int, method: str, prevalence: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True probabilities (n,), what happened (n,), and wrong logits (n,)."""
    rng = np.random.default_rng(seed)
    true = expit(rng.normal(logit(prevalence), 1.5, n))
    return true, (rng.random(n) < true).astype(float), WRONG[method](true)


def fitted(method: str, logits: np.ndarray, y: np.ndarray, *, multi_label: bool = True) -> Calibration:
    logits, y = (column[:, None] if column.ndim == 1 else column for column in (logits, y))
    targets = Targets(np.arange(len(y)), y, tuple("abcd"[: y.shape[1]]), np.ones(len(y)))
    constant = np.full(y.shape[1], np.nan, dtype=np.float32)
    return calibrate(HeldOut(np.arange(len(y)), logits), targets, constant, multi_label=multi_label, method=method)


def off(made: Calibration, logits: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of calibrated probabilities from the true ones."""
    return float(np.abs(expit(made(logits[:, None])[:, 0]) - true).mean())


@pytest.mark.parametrize("method", NAMED)
def test_each_mends_what_it_can(method: str) -> None:
    _, y, logits = planted(6000, 1, method)
    true, _, later = planted(6000, 2, method)
    made = fitted(method, logits, y)
    assert off(made, later, true) < 0.02
    assert off(made, later, true) < 0.3 * np.abs(expit(later) - true).mean()
    assert made.told["method"] != "none"


@pytest.mark.parametrize("method", NAMED)
def test_few_items_change_little_and_many_more(method: str) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=400)
    moved = [np.abs(fitted(method, logits[:m], np.ones(m))(logits[:, None])[:, 0] - logits).mean() for m in (2, 400)]
    assert moved[0] < 1.3
    assert moved[0] < moved[1]


def test_isotonic_steps_follow_scikit_learns_where_there_are_many_items() -> None:
    _, y, logits = planted(8000, 4, "isotonic")
    grid = np.quantile(logits, np.linspace(0.05, 0.95, 60))
    theirs = IsotonicRegression(out_of_bounds="clip").fit(logits, y).predict(grid)
    ours = expit(fitted("isotonic", logits, y)(grid[:, None])[:, 0])
    assert np.abs(ours - theirs).mean() < 0.02


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=40), st.sampled_from(NAMED))
def test_whatever_the_items_the_map_rises_and_is_sure_of_nothing(items: list, method: str) -> None:
    logits, y = (np.array(column, dtype=float) for column in zip(*items, strict=True))
    moved = fitted(method, logits, y)(np.linspace(-40, 40, 81)[:, None])[:, 0]
    assert np.isfinite(moved).all()
    assert (np.diff(moved) > 0).all()


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_items_changes_nothing(method: str, multi_label: bool) -> None:
    rng = np.random.default_rng(5)
    logits = np.round(rng.normal(0, 2, (120, 3)), 1)
    y = np.eye(3)[rng.integers(0, 3, 120)]
    targets = Targets(np.arange(120), y, ("a", "b", "c"), rng.uniform(0.5, 2, 120))
    constant = np.full(3, np.nan, dtype=np.float32)
    order = rng.permutation(120)
    made = [
        calibrate(HeldOut(rows, logits[rows]), targets, constant, multi_label=multi_label, method=method)
        for rows in (np.arange(120), order)
    ]
    np.testing.assert_allclose(made[0](logits), made[1](logits), atol=1e-5)


def several(seed: int, n: int, bend: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True probabilities of three labels of which one applies, which does (one-hot), and wrong logits."""
    rng = np.random.default_rng(seed)
    true = softmax(rng.normal([1.5, 0.0, -1.0], 1.2, (n, 3)), axis=1)
    y = np.eye(3)[(rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1)]
    return true, y, 2 * np.sign(np.log(true) + 1) * np.abs(np.log(true) + 1) ** bend


@pytest.mark.parametrize("method", METHODS)
def test_labels_that_exclude_one_another_share_one(method: str) -> None:
    _, y, logits = several(6, 3000)
    true, _, later = several(7, 3000)
    constant = np.full(3, np.nan, dtype=np.float32)
    proba = probable(fitted(method, logits, y, multi_label=False)(later), constant, softmax=True)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert np.abs(proba - true).mean() < 0.4 * np.abs(softmax(later, axis=1) - true).mean()


def test_curves_of_labels_that_were_learned_leave_the_others() -> None:
    _, y, logits = several(8, 500)
    y, logits = np.c_[y, np.zeros(500)], np.c_[logits, np.zeros(500)]
    targets = Targets(np.arange(500), y, tuple("abcd"), np.ones(500))
    constant = np.array([np.nan, np.nan, np.nan, 0.01], dtype=np.float32)
    made = calibrate(HeldOut(np.arange(500), logits), targets, constant, multi_label=False, method="beta")
    assert set(made.curves.of) == {0, 1, 2}
    proba = probable(made(logits), constant, softmax=True)
    assert (proba[:, 3] == np.float32(0.01)).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


def test_auto_takes_the_simple_unless_another_is_better() -> None:
    for wrong, wanted in (("platt", "platt"), ("isotonic", "isotonic")):
        _, y, logits = planted(4000, 9, wrong)
        made = fitted("auto", logits, y)
        assert made.told["chosen"] == {"a": wanted}
        assert min(made.told["log_loss"], key=made.told["log_loss"].get) == wanted or wanted == "platt"
    _, y, logits = planted(30, 9, "isotonic")
    few = fitted("auto", logits, y)
    assert (few.told["chosen"], few.told["log_loss"]) == ({"a": "platt"}, {})
    np.testing.assert_array_equal(few(logits[:, None]), fitted("platt", logits, y)(logits[:, None]))


def test_auto_chooses_for_each_label_by_itself() -> None:
    lines, steps = planted(4000, 10, "platt"), planted(4000, 11, "isotonic")
    logits, y = np.stack([lines[2], steps[2]], axis=1), np.stack([lines[1], steps[1]], axis=1)
    made = fitted("auto", logits, y)
    assert made.told["chosen"] == {"a": "platt", "b": "isotonic"}
    assert made.told["method"] == "chosen for each label"
    np.testing.assert_allclose(made(logits)[:, 0], fitted("platt", logits[:, 0], y[:, 0])(logits[:, :1])[:, 0])


@given(st.integers(0, 10_000), st.integers(2, 5), st.sampled_from([1.0, 30.0, 800.0]))
def test_log_odds_are_exact_far_out(seed: int, k: int, scale: float) -> None:
    logits = np.random.default_rng(seed).normal(size=(4, k)) * scale
    found = log_odds(logits)
    for label in range(k):
        others = np.delete(logits, label, axis=1)
        highest = others.max(axis=1)
        rest = highest + np.log(np.exp(others - highest[:, None]).sum(axis=1))
        np.testing.assert_allclose(found[:, label], logits[:, label] - rest, rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def tiny() -> tuple[Pool, np.ndarray]:
    rng = np.random.default_rng(0)
    at = np.arange(90) % 3
    words = ("plugh", "zonk", "blip")
    texts = [" ".join([words[label], *rng.choice(["a", "of", "the", *words], 3)]) for label in at]
    import pyarrow as pa

    return Pool.open(pa.table({"text": texts})), np.eye(3)[at]


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("method", [True, *METHODS])
def test_a_model_comes_back_as_it_was_saved(method: Any, multi_label: bool, tiny: Any, tmp_path: Any) -> None:
    pool, y = tiny
    model = make_model("text_linear", {"buckets": 256, "lsa": 0, "calibrate": method})
    features = model.features(pool, None)
    targets = Targets(np.arange(60), y[:60], ("a", "b", "c"), np.ones(60))
    made = model.fit(features, targets, np.random.default_rng(0), multi_label=multi_label)
    again = load_model(made.save(tmp_path / "model"))
    assert again.model_id == made.model_id
    rows = features.slice(0, 90)
    assert (again.predict(rows).proba == made.predict(rows).proba).all()
    assert sorted(path.suffix for path in (tmp_path / "model").iterdir()) == [".json", ".safetensors"]
    if method is True:
        plain = make_model("text_linear", {"buckets": 256, "lsa": 0})
        assert plain.options() == model.options()  # a campaign from before goes on
        assert set(made.calibration.arrays()) == {"calibration"}


@pytest.mark.parametrize("wrong", ["none", "Platt", 1.5, None, ["beta"]])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("text_linear", {}),
        ("ensemble", {"members": [{"kind": "text_linear"}] * 2}),
        ("text_transformer", {"encoder": "x"}),
    ],
)
def test_a_method_that_is_not_known_is_refused_before_anybody_labels(kind: str, more: dict, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f"{kind}: calibrate=.*auto, temperature, platt, beta, isotonic"):
        make_model(kind, {**more, "calibrate": wrong})
