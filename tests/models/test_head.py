"""The head on frozen rows: exact in any batch, and logistic regression as scikit-learn has it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from hitl.errors import ModelError
from hitl.models.head import Head, fit_head
from hitl.models.linear.fitting import Fitting
from hitl.models.linear.logistic import Penalty
from hitl.sampling.diversity.crowd import GRID, on_grid
from hitl.types import Targets

LABELS = ("a", "b", "c")


def clouds(m: int, k: int, seed: int = 0, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows (m, d) on the grid about k centres, and which centre (m,), the first most often."""
    rng = np.random.default_rng(seed)
    at = rng.choice(k, m, p=np.arange(k, 0, -1) / np.arange(k, 0, -1).sum())
    return on_grid(rng.normal(0, 1, (k, d))[at] + rng.normal(0, 1.2, (m, d))), at


def targets(y: np.ndarray, weights: np.ndarray | None = None) -> Targets:
    return Targets(np.arange(len(y)), y, LABELS[: y.shape[1]], np.ones(len(y)) if weights is None else weights)


def fitting(C: float = 1.0, balanced: bool = False, heads: int = 0, tolerance: float = 1e-6) -> Fitting:
    return Fitting(Penalty(C, balanced, 1000, tolerance), heads=heads)


def learn(x: np.ndarray, y: Targets, how: Fitting, multi_label: bool = False, seed: int = 0) -> Head:
    return fit_head(x, y, how, np.random.default_rng(seed), multi_label=multi_label)[0]


def reference(x: np.ndarray, classes: np.ndarray, C: float, balanced: bool, weights: np.ndarray) -> LogisticRegression:
    model = LogisticRegression(C=C, class_weight="balanced" if balanced else None, tol=1e-10, max_iter=5000)
    return model.fit(x * (1 / GRID), classes, weights)


NEAR = [(1e-6, 3e-4), (1e-9, 1e-6)]
"""Where the search stops (the first as shipped), and how near to scikit-learn's optimum that is."""


@pytest.mark.parametrize(("tolerance", "near"), NEAR)
@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_it_is_logistic_regression(k: int, balanced: bool, C: float, tolerance: float, near: float) -> None:
    x, at = clouds(200, k)
    head = learn(x, targets(np.eye(k)[at]), fitting(C, balanced, tolerance=tolerance))
    wanted = reference(x, at, C, balanced, np.ones(200)).predict_proba(x * (1 / GRID))
    logits, committee = head.scores(x)
    assert committee is None
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(raised / raised.sum(axis=1, keepdims=True), wanted, atol=near)


@pytest.mark.parametrize(("tolerance", "near"), NEAR)
@pytest.mark.parametrize("balanced", [False, True])
def test_each_label_alone_is_one_of_two_classes(balanced: bool, tolerance: float, near: float) -> None:
    rng = np.random.default_rng(1)
    x, at = clouds(200, 3)
    y = np.eye(3)[at]
    y[:50, 1] = np.nan
    weights = rng.uniform(0.5, 2, 200)
    head = learn(x, targets(y, weights), fitting(2.0, balanced, tolerance=tolerance), multi_label=True)
    for label in range(3):
        known = ~np.isnan(y[:, label])
        mine = weights[known] / weights[known].mean()
        if balanced:  # classes weigh the same in the sum of weights, not in the number of items
            mass = np.bincount(y[known, label].astype(int), mine)
            mine = mine * (mine.sum() / 2 / mass)[y[known, label].astype(int)]
        model = reference(x[known], y[known, label], 2.0, False, mine)
        wanted = model.predict_proba(x * (1 / GRID))[:, 1]
        np.testing.assert_allclose(1 / (1 + np.exp(-head.scores(x)[0][:, label])), wanted, atol=near)


@pytest.mark.parametrize("heads", [0, 3])
@pytest.mark.parametrize("multi_label", [False, True])
def test_logits_are_bit_by_bit_the_same_in_any_cut_order_and_number_of_threads(heads: int, multi_label: bool) -> None:
    x, at = clouds(20_000, 3, d=96)
    head = learn(x[:300], targets(np.eye(3)[at[:300]]), fitting(10.0, True, heads), multi_label)
    logits, committee = head.scores(x)
    order = np.random.default_rng(2).permutation(len(x))
    shuffled, voices = head.scores(x[order])
    assert (shuffled == logits[order]).all()
    assert committee is None or (voices == committee[:, order]).all()
    for cut in (1, 7, 1000, 8193):
        parts = [head.scores(x[start : start + cut]) for start in range(0, 17 * cut, cut) if start < len(x)]
        joined = np.concatenate([part for part, _ in parts])
        assert (joined == logits[: len(joined)]).all()
        if committee is not None:
            assert (np.concatenate([part for _, part in parts], axis=1) == committee[:, : len(joined)]).all()
    for threads in (1, 2):
        with threadpool_limits(threads):
            assert (head.scores(x)[0] == logits).all()
    assert (head.scores(np.asfortranarray(x))[0] == logits).all()


@settings(max_examples=80)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(-140, 140), st.booleans())
def test_products_are_whole_numbers_that_float64_holds(seed: int, width: int, size: float, longest: bool) -> None:
    """Against fractions: each logit is the exact sum of products of the rounded weights, rounded once at the end."""
    rng = np.random.default_rng(seed)
    coef = rng.normal(0, 1, (1, 2, width)) * 10.0**size * 10.0 ** rng.uniform(-8, 0, (1, 2, 1))
    x = rng.integers(-2048, 2049, (3, width))
    if longest:  # as long as rows may be, along the weights, so that nothing cancels
        along = coef[0, 0] / np.abs(coef[0, 0]).max()
        x[0] = np.trunc(along / np.linalg.norm(along) * 8191)
    head = Head(coef, np.zeros((1, 2)), np.full((1, 2), np.nan, dtype=np.float32), softmax=False)
    logits, _ = head.scores(x.astype(np.int16))
    table, step = head._whole
    assert (table == np.rint(table)).all()
    exact = [[sum(int(a) * int(b) for a, b in zip(row, one, strict=True)) for one in table.T] for row in x.tolist()]
    largest = max(abs(int(a) * int(b)) for row in x.tolist() for one in table.T for a, b in zip(row, one, strict=True))
    assert max(largest, max(abs(value) for row in exact for value in row)) <= 2**53
    assert [[Fraction(value) for value in row] for row in logits.tolist()] == [
        [value * Fraction(step) for value in row] for row in exact
    ]
    np.testing.assert_allclose(logits, x @ coef[0].T, atol=1e-7 * np.abs(coef).max() * 2048)


@pytest.mark.parametrize("size", [0.0, 5e-324, 1e-308, 1e140])
def test_weights_of_any_size_give_finite_logits(size: float) -> None:
    coef = np.full((1, 2, 4), size)
    head = Head(coef, np.array([[0.5, -0.5]]), np.full((1, 2), np.nan, dtype=np.float32), softmax=True)
    logits, _ = head.scores(np.full((3, 4), 1024, dtype=np.int16))
    np.testing.assert_allclose(logits, np.tile([0.5 + 4096 * size, -0.5 + 4096 * size], (3, 1)), rtol=1e-6)


def test_saved_and_restored_it_is_the_same() -> None:
    x, at = clouds(100, 3)
    head = learn(x, targets(np.eye(3)[at]), fitting(heads=2))
    again = Head.of({name: array.copy() for name, array in head.arrays().items()}, softmax=True)
    for one, other in zip(head.scores(x), again.scores(x), strict=True):
        assert (one == other).all()
    assert np.isnan(again.constant).all()


def test_heads_draw_from_rng_and_leave_the_whole_as_it_is() -> None:
    x, at = clouds(100, 3)
    y = targets(np.eye(3)[at])
    alone, several = learn(x, y, fitting()), learn(x, y, fitting(heads=4))
    assert (alone.scores(x)[0] == several.scores(x)[0]).all()
    committee = several.scores(x)[1]
    assert committee.shape == (4, 100, 3)
    np.testing.assert_allclose(committee.sum(axis=2), 1, atol=1e-6)
    assert (learn(x, y, fitting(heads=4)).scores(x)[1] == committee).all()
    assert (learn(x, y, fitting(heads=4), seed=1).scores(x)[1] != committee).any()


def test_labels_that_never_or_always_occur_are_constant_in_every_head() -> None:
    x, at = clouds(60, 2)
    y = np.concatenate([np.eye(2)[at], np.zeros((60, 1))], axis=1)
    head = learn(x, targets(y), fitting(heads=2))
    np.testing.assert_allclose(head.constant, [np.nan, np.nan, 1 / 63], rtol=1e-6)
    committee = head.scores(x)[1]
    assert (committee[:, :, 2] < 0.05).all()
    y[:, 2] = 1
    head = learn(x, targets(y), fitting(), multi_label=True)
    np.testing.assert_allclose(head.constant, [np.nan, np.nan, 61 / 62], rtol=1e-6)


def test_rows_of_another_width_are_refused() -> None:
    x, at = clouds(30, 2)
    head = learn(x, targets(np.eye(2)[at]), fitting())
    for wrong in (x[:, :-1], x[0], np.zeros((2, 13), dtype=np.int16)):
        with pytest.raises(ModelError, match="use its own features"):
            head.scores(wrong)
    assert head.scores(x[:0])[0].shape == (0, 2)


def test_a_row_of_zeros_has_the_intercept_alone() -> None:
    x, at = clouds(30, 2)
    head = learn(x, targets(np.eye(2)[at]), fitting())
    assert (head.scores(np.zeros((1, x.shape[1]), dtype=np.int16))[0] == head.intercept[0]).all()
