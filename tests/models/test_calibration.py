"""Calibration against planted truth: logits that are wrong in a known way must become the probabilities they had."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit, softmax

from hitl.metrics.calibration import calibration_error
from hitl.models.calibration import Calibration, HeldOut, calibrate, probable
from hitl.types import Targets

LEARNED = np.full(1, np.nan, dtype=np.float32)


def targets(y: np.ndarray, weights: np.ndarray | None = None, stands_for: np.ndarray | None = None) -> Targets:
    """Targets of all of y (m, k)."""
    labels = tuple("abcdef"[: y.shape[1]])
    return Targets(np.arange(len(y)), y, labels, np.ones(len(y)) if weights is None else weights, stands_for)


def held(logits: np.ndarray) -> HeldOut:
    return HeldOut(np.arange(len(logits)), logits)


def planted(n: int, seed: int, prevalence: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True probabilities (n,) of a rare label, what happened (n,), and logits twice too sharp and shifted by 3 (n,)."""
    rng = np.random.default_rng(seed)
    true = expit(rng.normal(logit(prevalence), 1.5, n))
    return true, (rng.random(n) < true).astype(float), 2 * logit(true) + 3


def fitted(logits: np.ndarray, y: np.ndarray, **more: np.ndarray) -> Calibration:
    """The map for one label, from columns (m,)."""
    return calibrate(held(logits[:, None]), targets(y[:, None], **more), LEARNED, multi_label=True)


def believed(made: Calibration, logits: np.ndarray) -> np.ndarray:
    return probable(made(logits[:, None]), LEARNED, softmax=False)[:, 0]


def bias_by_bins(proba: np.ndarray, true: np.ndarray, bins: int = 8) -> np.ndarray:
    """Mean probability less mean truth, in bins of equally many items."""
    return np.array([(proba[part] - true[part]).mean() for part in np.array_split(np.argsort(proba), bins)])


@pytest.mark.parametrize("seed", range(3))
def test_too_sharp_and_shifted_becomes_honest_on_fresh_items(seed: int) -> None:
    _, y, logits = planted(8000, seed)
    true, hit, later = planted(40_000, seed + 100)
    proba = believed(fitted(logits, y), later)
    assert np.abs(bias_by_bins(expit(later), true)).max() > 0.2
    assert np.abs(bias_by_bins(proba, true)).max() < 0.03
    assert calibration_error(proba, hit == 1, np.ones(len(hit))) < 0.015


def test_the_planted_map_is_found() -> None:
    _, y, logits = planted(100_000, 7)
    made = fitted(logits, y)
    np.testing.assert_allclose([made.scale[0], made.shift[0]], [0.5, -1.5], atol=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_one_temperature_and_shifts_make_one_softmax_honest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = softmax(rng.normal([2.0, 0.0, -1.5], 1.2, (20_000, 3)), axis=1)
    y = np.eye(3)[(rng.random(20_000)[:, None] > true.cumsum(axis=1)).sum(axis=1)]
    logits = 3 * np.log(true) + [0.0, 2.0, 4.0]
    constant = np.full(3, np.nan, dtype=np.float32)
    made = calibrate(held(logits[:4000]), targets(y[:4000]), constant, multi_label=False)
    assert np.unique(made.scale).size == 1
    proba = probable(made(logits[4000:]), constant, softmax=True)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    before = probable(logits[4000:], constant, softmax=True)
    for label in range(3):
        assert np.abs(bias_by_bins(before[:, label], true[4000:, label])).max() > 0.2
        assert np.abs(bias_by_bins(proba[:, label], true[4000:, label])).max() < 0.03


def picked(seed: int, chance: int = 500, active: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits and truth of items of a pool, some drawn by chance and as many again because they were likely positive
    for a reason that the model does not see; and how many items of the pool each stands for."""
    rng = np.random.default_rng(seed)
    _, y, logits = planted(50_000, seed)
    drawn = rng.choice(50_000, chance, replace=False)
    chosen = rng.choice(50_000, active, replace=False, p=(y * 20 + 0.1) / (y * 20 + 0.1).sum())
    at = np.concatenate([drawn, chosen])
    stands_for = np.r_[np.full(chance, 50_000 / chance), np.zeros(active)]
    return logits[at], y[at], stands_for


def test_a_sample_by_chance_makes_it_honest_for_the_pool_where_all_items_would_not() -> None:
    true, _, later = planted(40_000, 50)
    bias = {"chance": [], "all": []}
    for seed in range(8):
        logits, y, stands_for = picked(seed)
        for name, draws in (("chance", stands_for), ("all", None)):
            bias[name].append((believed(fitted(logits, y, stands_for=draws), later) - true).mean())
    assert np.abs(np.mean(bias["chance"])) < 0.015
    assert np.mean(bias["all"]) > 0.1


def test_items_drawn_with_unequal_chances_count_by_what_they_stand_for() -> None:
    """Drawn by the model's own opinion: unweighted the map would be off, by one over the chance it is honest."""
    true, y, logits = planted(50_000, 3)
    rng = np.random.default_rng(3)
    chance = np.where(y == 1, 0.2, 0.02)
    at = np.flatnonzero(rng.random(50_000) < chance)
    fair = believed(fitted(logits[at], y[at], stands_for=1 / chance[at]), logits)
    naive = believed(fitted(logits[at], y[at]), logits)
    assert np.abs(bias_by_bins(fair, true)).max() < 0.04
    assert np.abs(bias_by_bins(naive, true)).max() > 0.15


def test_what_it_was_fitted_on_is_told() -> None:
    logits, y, stands_for = picked(0, chance=50)
    told = fitted(logits, y, stands_for=stands_for).told
    assert "by how many each stands for" in told["fitted_on"]
    assert (told["items"], told["worth_items"]) == (50, 50.0)
    assert told["method"] == "Platt scaling of each label"
    few = fitted(logits[40:], y[40:], stands_for=stands_for[40:]).told
    assert "were picked and are not the pool" in few["fitted_on"]
    assert few["items"] == 510


def test_few_of_great_weight_are_few() -> None:
    """Draws of which one outweighs the rest are worth little more than one (Kish), and not enough."""
    _, y, logits = planted(100, 1)
    uneven = np.ones(100)
    uneven[0] = 1e6
    assert "not the pool" in fitted(logits, y, stands_for=uneven).told["fitted_on"]
    assert fitted(logits, y, weights=uneven).told["worth_items"] == 1.0


def test_told_figures_are_those_of_the_items() -> None:
    _, y, logits = planted(400, 4, prevalence=0.2)
    weights = np.random.default_rng(4).uniform(0.5, 2, 400)
    made = fitted(logits, y, weights=weights)
    for name, proba in (("before", expit(logits)), ("after", believed(made, logits))):
        brier = np.average((proba - y) ** 2, weights=weights)
        assert made.told[f"brier_{name}"] == pytest.approx(brier, abs=1e-5)
        error = calibration_error(proba, y == 1, weights)
        assert made.told[f"calibration_error_{name}"] == pytest.approx(error, abs=2e-3)
    assert made.told["brier_after"] < made.told["brier_before"]


@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_few_items_change_little(hit: float) -> None:
    """One item moves a probability by no more than its loss can: far less than a hundred of the same."""
    moved = [abs(believed(fitted(np.zeros(m), np.full(m, hit)), np.zeros(1))[0] - 0.5) for m in (1, 3, 100)]
    assert moved[0] < moved[1] < moved[2]
    assert moved[0] < 0.35
    assert moved[2] > 0.45


def test_one_class_alone_stays_away_from_certainty() -> None:
    made = fitted(np.linspace(-2, 2, 30), np.ones(30))
    proba = believed(made, np.linspace(-2, 2, 30))
    assert np.isfinite(proba).all()
    assert 0.8 < proba.mean() < 1


def test_equal_logits_get_the_share_that_happened() -> None:
    y = np.repeat([1.0, 0.0], [200, 800])
    assert believed(fitted(np.full(1000, 1.5), y), np.array([1.5]))[0] == pytest.approx(0.2, abs=0.01)


def test_unknown_labels_are_left_out() -> None:
    """NaN in y or in the logits is as if the item were not there for that label."""
    _, y, logits = planted(300, 5, prevalence=0.3)
    y, logits = np.stack([y, y], axis=1), np.stack([logits, logits], axis=1)
    y[100:200, 1] = np.nan
    logits[200:, 1] = np.nan
    constant = np.full(2, np.nan, dtype=np.float32)
    made = calibrate(held(logits), targets(y), constant, multi_label=True)
    first = fitted(logits[:, 0], y[:, 0])
    alone = fitted(logits[:100, 1], y[:100, 1])
    np.testing.assert_allclose(made.scale, [first.scale[0], alone.scale[0]], atol=1e-6)
    np.testing.assert_allclose(made.shift, [first.shift[0], alone.shift[0]], atol=1e-6)
    assert np.isfinite([made.told[f"brier_{name}"] for name in ("before", "after")]).all()


def test_items_without_a_label_or_weight_are_left_out_of_one_softmax() -> None:
    rng = np.random.default_rng(6)
    logits = rng.normal(0, 2, (90, 3))
    y = np.eye(3)[rng.integers(0, 3, 90)]
    constant = np.full(3, np.nan, dtype=np.float32)
    alone = calibrate(held(logits[:60]), targets(y[:60]), constant, multi_label=False)
    y[60:70] = np.nan
    y[70:80] = 0
    logits[80:85, 2] = np.nan
    weights = np.r_[np.ones(85), np.zeros(5)]
    made = calibrate(held(logits), targets(y, weights), constant, multi_label=False)
    np.testing.assert_allclose([made.scale, made.shift], [alone.scale, alone.shift], atol=1e-6)
    assert made.told["items"] == 60


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_label_with_a_constant_is_left_alone(multi_label: bool) -> None:
    rng = np.random.default_rng(8)
    logits = rng.normal(0, 3, (200, 3))
    y = np.eye(3)[rng.integers(0, 2, 200)]
    constant = np.array([np.nan, np.nan, 0.01], dtype=np.float32)
    made = calibrate(held(logits), targets(y), constant, multi_label=multi_label)
    assert (made.scale[2], made.shift[2]) == (1.0, 0.0)
    assert made.scale[0] != 1.0
    proba = probable(made(logits), constant, softmax=not multi_label)
    assert (proba[:, 2] == np.float32(0.01)).all()
    if not multi_label:
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("case", ["no rows", "no weight", "all constant", "all unknown"])
def test_with_nothing_to_learn_from_nothing_changes(multi_label: bool, case: str) -> None:
    logits, y = np.array([[1.0, -1.0], [0.5, 2.0]]), np.eye(2)
    constant = np.full(2, 0.5 if case == "all constant" else np.nan, dtype=np.float32)
    weights = np.zeros(2) if case == "no weight" else np.ones(2)
    if case == "all unknown":
        y = np.full((2, 2), np.nan)
    if case == "no rows":
        logits = logits[:0]
    made = calibrate(held(logits), targets(y, weights), constant, multi_label=multi_label)
    assert made.told == {"method": "none", "why": "too few labelled items to hold any out"}
    assert (made(np.ones((3, 2))) == 1).all()


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_order_of_the_items_changes_nothing(multi_label: bool) -> None:
    rng = np.random.default_rng(9)
    logits = np.round(rng.normal(0, 2, (300, 2)), 1)
    y = np.eye(2)[rng.integers(0, 2, 300)]
    weights, draws = rng.uniform(0.1, 3, 300), rng.integers(0, 5, 300).astype(float)
    constant = np.full(2, np.nan, dtype=np.float32)
    first = calibrate(held(logits), targets(y, weights, draws), constant, multi_label=multi_label)
    order = rng.permutation(300)
    second = calibrate(HeldOut(order, logits[order]), targets(y, weights, draws), constant, multi_label=multi_label)
    np.testing.assert_allclose([first.scale, first.shift], [second.scale, second.shift], atol=1e-6)
    for key, value in first.told.items():
        assert second.told[key] == (pytest.approx(value, abs=1e-5) if isinstance(value, float) else value)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-50, 50), st.booleans(), st.floats(0, 100)), min_size=1, max_size=30),
    st.booleans(),
)
def test_whatever_the_items_the_map_rises_and_is_finite(items: list[tuple[float, bool, float]], draws: bool) -> None:
    logits, y, weights = (np.array(column, dtype=float) for column in zip(*items, strict=True))
    made = fitted(logits, y, weights=weights, stands_for=weights if draws else None)
    assert (made.scale > 0).all()
    assert np.isfinite([made.scale, made.shift]).all()
    proba = believed(made, np.linspace(-60, 60, 41))
    assert (np.diff(proba) >= 0).all()
    assert ((proba >= 0) & (proba <= 1)).all()


@given(st.integers(0, 6), st.integers(1, 4), st.lists(st.integers(0, 3), unique=True, max_size=4), st.booleans())
def test_probabilities_are_those_of_scipy_and_leave_constants_their_share(
    n: int, k: int, fixed: list[int], several: bool
) -> None:
    rng = np.random.default_rng(n * 10 + k)
    logits = rng.normal(0, 300, (n, k))
    constant = np.full(k, np.nan, dtype=np.float32)
    constant[[at for at in fixed if at < k]] = 0.05
    proba = probable(logits, constant, softmax=not several)
    assert (proba.shape, proba.dtype) == ((n, k), np.float32)
    learned = np.isnan(constant)
    assert (proba[:, ~learned] == np.float32(0.05)).all()
    if several:
        np.testing.assert_allclose(proba[:, learned], expit(logits[:, learned]), atol=1e-7)
    elif learned.any():
        left = 1 - 0.05 * (~learned).sum()
        np.testing.assert_allclose(proba[:, learned], left * softmax(logits[:, learned], axis=1), atol=1e-6)
