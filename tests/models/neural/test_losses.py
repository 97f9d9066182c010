"""What mistakes cost: against values by hand, torch's own losses and scikit-learn's class weights."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.utils.class_weight import compute_class_weight

from hitl.models.neural.losses import Loss, class_factors, costs, learnable

NAN = np.nan
seeds = st.integers(0, 1 << 30)


def tensors(*values: object) -> list[torch.Tensor]:
    return [torch.from_numpy(np.asarray(value, dtype=np.float64)) for value in values]


def some(seed: int, *, multi_label: bool, rows: int = 12, labels: int = 3) -> tuple[np.ndarray, ...]:
    """Logits, answers and weights of some items."""
    rng = np.random.default_rng(seed)
    y = np.eye(labels)[rng.integers(labels, size=rows)]
    if multi_label:
        y = rng.choice([0.0, 1.0, NAN], size=(rows, labels))
    return rng.normal(0, 3, (rows, labels)), y, rng.random(rows)


@given(seeds)
def test_sigmoids_are_torchs_binary_cross_entropy(seed: int) -> None:
    logits, y, weights = some(seed, multi_label=True)
    cost = costs(y, weights, np.ones((2, 3)))
    mine = Loss(False, np.ones(3, dtype=bool))(*tensors(logits, y, cost))
    known = ~np.isnan(y)
    z, t, w = tensors(logits[known], y[known], np.broadcast_to(weights[:, None], y.shape)[known])
    torchs = torch.nn.functional.binary_cross_entropy_with_logits(z, t, w, reduction="sum")
    assert float(mine) == pytest.approx(float(torchs), abs=1e-9)


@given(seeds)
def test_softmax_is_torchs_cross_entropy_with_class_weights(seed: int) -> None:
    logits, y, weights = some(seed, multi_label=False)
    factors = np.vstack([np.zeros(3), np.random.default_rng(seed).random(3) + 0.1])
    mine = Loss(True, np.ones(3, dtype=bool))(*tensors(logits, y, costs(y, weights, factors)))
    z, w, by_class = tensors(logits, weights, factors[1])
    classes = torch.from_numpy(y.argmax(axis=1))
    torchs = torch.nn.functional.cross_entropy(z, classes, by_class, reduction="none") @ w
    assert float(mine) == pytest.approx(float(torchs), abs=1e-9)


def test_focal_loss_by_hand() -> None:
    # p = .9 and .25 for what is true: (1 - p)² × -log p.
    logits = np.array([[math.log(9)], [math.log(3)]])
    loss = Loss(False, np.array([True]), gamma=2.0)(*tensors(logits, [[1.0], [0.0]], [[1.0], [4.0]]))
    assert float(loss) == pytest.approx(0.01 * -math.log(0.9) + 4 * 0.5625 * -math.log(0.25))
    three = np.log([[0.7, 0.2, 0.1]])
    loss = Loss(True, np.ones(3, dtype=bool), gamma=2.0)(*tensors(three, [[0, 1, 0]], [[0, 1.5, 0]]))
    assert float(loss) == pytest.approx(1.5 * 0.64 * -math.log(0.2))


@given(seeds, st.booleans())
def test_focal_loss_is_below_cross_entropy_and_is_it_at_gamma_0(seed: int, softmax: bool) -> None:
    logits, y, weights = some(seed, multi_label=not softmax)
    factors = np.vstack([np.zeros(3) if softmax else np.ones(3), np.ones(3)])
    given_ = tensors(logits, y, costs(y, weights, factors))
    everything = np.ones(3, dtype=bool)
    plain = float(Loss(softmax, everything)(*given_))
    focal = [float(Loss(softmax, everything, gamma)(*given_)) for gamma in (1e-9, 0.5, 2.0, 5.0)]
    assert focal[0] == pytest.approx(plain, rel=1e-6)
    assert focal == sorted(focal, reverse=True)


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_finite_and_nothing_pulls_at_what_is_masked(softmax: bool, gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0], [-200.0, 200.0, 1.0]], requires_grad=True)
    y = torch.tensor([[1.0, 0.0, NAN], [1.0, 0.0, NAN]])
    cost = torch.from_numpy(costs(y.numpy().astype(float), np.ones(2), np.array([[not softmax] * 3, [1.0] * 3])))
    loss = Loss(softmax, np.array([True, True, False]), gamma)(logits, y, cost.float())
    (slopes,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(loss)
    assert torch.isfinite(slopes).all()
    assert slopes[1, 0] < 0
    assert (slopes[:, 2] == 0).all()


def test_half_precision_is_computed_in_float32() -> None:
    logits, y, cost = (tensor.float() for tensor in tensors([[3.0, -2.0]], [[1, 0]], [[1, 1]]))
    loss = Loss(False, np.ones(2, dtype=bool))
    assert loss(logits.bfloat16(), y, cost) == loss(logits, y, cost)
    assert loss(logits.bfloat16(), y, cost).dtype == torch.float32


@given(arrays(np.int64, 30, elements=st.integers(0, 2)))
def test_balanced_classes_are_scikit_learns(classes: np.ndarray) -> None:
    seen = np.unique(classes)
    factors = class_factors(np.eye(3)[classes], np.ones(30), multi_label=False, balanced=True)
    theirs = compute_class_weight("balanced", classes=seen, y=classes) if len(seen) > 1 else [0.0]
    assert factors[1, seen] == pytest.approx(theirs)
    assert not factors[0].any()


@given(seeds, st.booleans(), st.booleans(), st.floats(0.01, 100))
def test_costs_sum_to_the_items_whatever_the_scale_of_weights(
    seed: int, multi_label: bool, balanced: bool, scale: float
) -> None:
    _, y, weights = some(seed, multi_label=multi_label, rows=40)
    factors = class_factors(y, scale * weights, multi_label=multi_label, balanced=balanced)
    cost = costs(y, scale * weights, factors)
    assert cost.sum() == pytest.approx((cost > 0).any(axis=1).sum())
    assert (cost[np.isnan(y)] == 0).all()
    if multi_label and balanced:
        assert (cost * (y == 1)).sum(axis=0) == pytest.approx((cost * (y == 0)).sum(axis=0))


def test_what_always_or_never_occurs_cannot_be_learned_and_costs_nothing() -> None:
    y = np.array([[1.0, 1.0, 0.0, NAN], [0.0, 1.0, 0.0, 1.0], [0.0, NAN, 0.0, 0.0]])
    assert learnable(y, np.ones(3), multi_label=True).tolist() == [True, False, False, True]
    assert learnable(y, np.array([1.0, 1.0, 0.0]), multi_label=True).tolist() == [True, False, False, False]
    factors = class_factors(y, np.ones(3), multi_label=True, balanced=True)
    assert (factors > 0).all(axis=0).tolist() == [True, False, False, True]
    single = np.eye(3)[[0, 0, 2]]
    assert learnable(single, np.ones(3), multi_label=False).tolist() == [True, False, True]
    assert not learnable(single[:2], np.ones(2), multi_label=False).any()
