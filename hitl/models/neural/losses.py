"""What a mistake costs while a network learns: cross-entropy with weights of items, labels and doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hitl.types import Bools, Floats

if TYPE_CHECKING:
    import torch


def class_factors(y: Floats, weights: Floats, *, multi_label: bool, balanced: bool) -> Floats:
    """How much a 0 and a 1 of each label count (2, k), from y (m, k) of 0, 1 and NaN (unknown) and weights (m,).

    Single-label only the 1 of an item counts; `balanced`, a label has the factor n / (k n_c), where n_c is the weight
    of its items and k the number of labels that occur. Multi-label `balanced` gives the positives and the negatives of
    each label half of its known weight. All are scaled so that the costs of these items (`costs`) sum to the number of
    items that have any. A label that always or never occurs has 0: there is nothing to learn. O(m k).

    >>> y = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> class_factors(y, np.ones(4), multi_label=False, balanced=True)
    array([[0.        , 0.        ],
           [0.66666667, 2.        ]])
    """
    mass = np.stack([weights @ (y == 0), weights @ (y == 1)])
    if not multi_label:
        mass[0] = 0
    learned = learnable(y, weights, multi_label=multi_label)
    factors = np.zeros_like(mass)
    each = mass.sum(axis=0, keepdims=True) if multi_label else mass.sum(keepdims=True)
    among = 2 if multi_label else max(int(learned.sum()), 1)
    np.divide(each if balanced else among * mass, among * mass, out=factors, where=(mass > 0) & learned)
    cost = costs(y, weights, factors)
    total = cost.sum()
    return factors * ((cost > 0).any(axis=1).sum() / total) if total > 0 else factors


def learnable(y: Floats, weights: Floats, *, multi_label: bool) -> Bools:
    """Which labels (k,) there is something to learn of: known to occur in one item, and not to in another."""
    counted = weights > 0
    occurs = (y[counted] == 1).any(axis=0)
    if multi_label:
        return np.asarray(occurs & (y[counted] == 0).any(axis=0))
    return np.asarray(occurs & (occurs.sum() > 1))


def costs(y: Floats, weights: Floats, factors: Floats) -> Floats:
    """What each answer counts (m, k): its item's weight times the factor of its label; 0 where it is unknown.

    >>> costs(np.array([[1.0, np.nan], [0.0, 1.0]]), np.array([1.0, 2.0]), np.array([[1.0, 1.0], [3.0, 3.0]]))
    array([[3., 0.],
           [2., 6.]])
    """
    return np.asarray(weights[:, None] * ((y == 0) * factors[0] + (y == 1) * factors[1]))


@dataclass(frozen=True, eq=False)
class Loss:
    """Summed cross-entropy of logits (n, k) with answers y (n, k) that count by their `costs` (n, k).

    With `softmax` over the labels that are `learned` (k,), for items with one label; else a sigmoid for each label.
    `gamma` above 0 makes it the focal loss, (1 - p)^γ × -log p for the probability p of what is true, which lets what
    is learned already count less: Lin, Goyal, Girshick, He & Dollár (ICCV 2017). Computed in float32 at least.

    >>> import torch
    >>> one = torch.ones(1, 1)
    >>> round(float(Loss(False, np.array([True]))(torch.zeros(1, 1), one, one)), 4)  # log 2
    0.6931
    """

    softmax: bool
    learned: Bools
    gamma: float = 0.0

    def __call__(self, logits: torch.Tensor, y: torch.Tensor, cost: torch.Tensor) -> torch.Tensor:
        """The sum; whoever wants a mean divides it."""
        return (self._softmax if self.softmax else self._sigmoids)(self._columns(logits), y, self._columns(cost))

    def _columns(self, values: torch.Tensor) -> torch.Tensor:
        import torch

        values = values if values.dtype == torch.float64 else values.float()
        return values[:, torch.from_numpy(self.learned).to(values.device)]

    def _softmax(self, logits: torch.Tensor, y: torch.Tensor, cost: torch.Tensor) -> torch.Tensor:
        import torch

        log_p = torch.log_softmax(logits, dim=1)
        return -(cost * self._doubt(-torch.expm1(log_p)) * log_p).sum()

    def _sigmoids(self, logits: torch.Tensor, y: torch.Tensor, cost: torch.Tensor) -> torch.Tensor:
        import torch

        towards = torch.where(self._columns(y) == 1, logits, -logits)
        log_p = torch.nn.functional.logsigmoid(towards)
        return -(cost * self._doubt(torch.sigmoid(-towards)) * log_p).sum()

    def _doubt(self, off: torch.Tensor) -> torch.Tensor:
        """(1 - p)^γ; kept from 0, where a root has no slope."""
        import torch

        return off.clamp_min(1e-12) ** self.gamma if self.gamma else torch.ones_like(off)
