"""From scores to honest probabilities: a map fitted on held-out items, and how far it can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.types import Bools, Floats, Proba, Targets

ENOUGH, ENOUGH_EACH = 20.0, 5.0
"""Items drawn by chance, in all and for each label, from which a model is calibrated to the pool by them alone."""

_SCALE_SD, _SHIFT_SD = 0.5, 1.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """Logits times `scale` (k,) plus `shift` (k,); `told` says in plain values how they were found.

    Single-label: the scale is one temperature for all labels. Sources: Platt (1999); temperature and vector scaling,
    Guo et al. (ICML 2017).
    """

    scale: Floats
    shift: Floats
    told: dict[str, Any]

    @classmethod
    def none(cls, labels: int, why: str) -> Calibration:
        """The map that changes nothing."""
        return cls(np.ones(labels), np.zeros(labels), {"method": "none", "why": why})

    def __call__(self, logits: Floats) -> Floats:
        """The calibrated logits (n, k)."""
        return logits * self.scale + self.shift

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The map by name, as it is saved."""
        return {"calibration": np.stack([self.scale, self.shift])}


def probable(logits: Floats, constant: NDArray[np.float32], *, softmax: bool) -> Proba:
    """Probabilities (n, k) of logits (n, k): one softmax, or one sigmoid a label.

    A label whose `constant` (k,) is not NaN has that probability for every item: there was nothing to learn it from.
    With `softmax` the learned labels share what the constants leave.
    """
    fixed = ~np.isnan(constant)
    proba = np.empty(logits.shape, dtype=np.float64)
    if softmax and not fixed.all():
        learned = logits[:, ~fixed]
        raised = np.exp(learned - learned.max(axis=1, keepdims=True))
        left = 1.0 - constant[fixed].sum(dtype=np.float64)
        proba[:, ~fixed] = left * raised / raised.sum(axis=1, keepdims=True)
    elif not softmax:
        proba = 0.5 * (1.0 + np.tanh(0.5 * logits))
    proba[:, fixed] = constant[fixed]
    return proba.astype(np.float32)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was scored without having been learned from: `rows` (h,) of the targets, and their logits (h, k).

    A logit is NaN where its label could not be learned without the item.
    """

    rows: NDArray[np.int64]
    logits: Floats


def calibrate(held: HeldOut, targets: Targets, constant: NDArray[np.float32], *, multi_label: bool) -> Calibration:
    """The map that makes held-out logits probable, by maximum a posteriori.

    Items count by `targets.stands_for` where draws of the pool are worth `ENOUGH`, and in single-label `ENOUGH_EACH` a
    label; else by their weights. A priori the logarithm of a scale is normal with deviation 0.5 and a shift with
    deviation 1, so that few items change little.
    Labels with a constant are left alone. O(iterations × h k).
    """
    learned = np.isnan(constant)
    enough = ENOUGH if multi_label else max(ENOUGH, ENOUGH_EACH * learned.sum())
    weights, source = _weights(held, targets, enough)
    y, k = targets.y[held.rows], len(constant)
    scale, shift = np.ones(k), np.zeros(k)
    if multi_label:
        for label in np.flatnonzero(learned):
            at = ~np.isnan(y[:, label]) & ~np.isnan(held.logits[:, label]) & (weights > 0)
            scale[label], shift[label] = _platt(held.logits[at, label], y[at, label], _worth(weights[at]))
        used = ~np.isnan(y) & ~np.isnan(held.logits) & (weights > 0)[:, None] & learned
        at = used.any(axis=1)
    else:
        y = np.nan_to_num(y)
        at = (y[:, learned] == 1).any(axis=1) & ~np.isnan(held.logits[:, learned]).any(axis=1) & (weights > 0)
        if at.any() and learned.sum() > 1:
            found = _vector(held.logits[np.ix_(at, learned)], y[np.ix_(at, learned)], _worth(weights[at]))
            scale[learned], shift[learned] = found
    if not at.any() or not learned.any():
        return Calibration.none(k, "too few labelled items to hold any out")
    made = Calibration(scale, shift, {})
    told: dict[str, Any] = {
        "method": "Platt scaling of each label" if multi_label else "vector scaling with one temperature"
    }
    told |= {"fitted_on": source, "items": int(at.sum()), "worth_items": round(float(_worth(weights[at]).sum()), 1)}
    told |= _told(held.logits[at], y[at], weights[at], made, constant, multi_label=multi_label)
    return Calibration(scale, shift, told)


def _weights(held: HeldOut, targets: Targets, enough: float) -> tuple[Floats, str]:
    draws = None if targets.stands_for is None else targets.stands_for[held.rows]
    if draws is not None and draws.any() and _worth(draws).sum() >= enough:
        return draws, "held-out predictions of items drawn from the pool by chance, by how many each stands for"
    return targets.weights[held.rows], "held-out predictions of training items, which were picked and are not the pool"


def _worth(weights: Floats) -> Floats:
    """The weights brought to the number of equal items they are worth (Kish 1965)."""
    if not len(weights):
        return weights
    shares: Floats = weights / weights.max()
    worth: float = shares.sum() / np.square(shares).sum()
    return shares * worth


def _platt(logits: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    from scipy.optimize import minimize

    def loss(at: Floats) -> tuple[float, Floats]:
        moved = np.exp(at[0]) * logits + at[1]
        off = weights * (0.5 * (1 + np.tanh(0.5 * moved)) - y)
        value = weights @ (np.logaddexp(0, moved) - y * moved)
        gradient = np.array([off @ (moved - at[1]) + at[0] / _SCALE_SD**2, off.sum() + at[1] / _SHIFT_SD**2])
        return float(value + at[0] ** 2 / (2 * _SCALE_SD**2) + at[1] ** 2 / (2 * _SHIFT_SD**2)), gradient

    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0])), float(found[1])


def _vector(logits: Floats, y: Floats, weights: Floats) -> tuple[float, Floats]:
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    def loss(at: Floats) -> tuple[float, Floats]:
        scaled = np.exp(at[0]) * logits
        moved = scaled + at[1:]
        normal = logsumexp(moved, axis=1, keepdims=True)
        off = weights[:, None] * (np.exp(moved - normal) - y)
        value = weights @ (normal[:, 0] - (y * moved).sum(axis=1))
        gradient = np.r_[(off * scaled).sum() + at[0] / _SCALE_SD**2, off.sum(axis=0) + at[1:] / _SHIFT_SD**2]
        prior = at[0] ** 2 / (2 * _SCALE_SD**2) + at[1:] @ at[1:] / (2 * _SHIFT_SD**2)
        return float(value + prior), gradient

    found = minimize(loss, np.zeros(1 + logits.shape[1]), jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0])), found[1:]


def _told(
    logits: Floats,
    y: Floats,
    weights: Floats,
    made: Calibration,
    constant: NDArray[np.float32],
    *,
    multi_label: bool,
) -> dict[str, Any]:
    """Brier score and calibration error before and after, on the items that the map was fitted on."""
    known = ~np.isnan(y) & ~np.isnan(logits)
    told: dict[str, Any] = {}
    for name, moved in (("before", logits), ("after", made(logits))):
        proba = probable(np.nan_to_num(moved), constant, softmax=not multi_label)
        each = np.broadcast_to(weights[:, None], y.shape)[known]
        told[f"brier_{name}"] = round(float(np.average((proba[known] - y[known]) ** 2, weights=each)), 5)
        told[f"calibration_error_{name}"] = round(calibration_error(proba[known], y[known] == 1, each), 5)
    return told


def calibration_error(proba: Proba | Floats, hit: Bools, weights: Floats, bins: int = 10) -> float:
    """Expected calibration error of n probabilities of something that happened or not (`hit`), in equal-mass bins.

    Σ over bins of their weight times |mean probability - share that happened|; Naeini, Cooper & Hauskrecht (2015).
    Equal probabilities share a bin, so that no order of the items matters. O(n log n).

    >>> calibration_error(np.array([0.2, 0.2, 0.9, 0.9]), np.array([False, False, True, True]), np.ones(4), bins=2)
    0.15
    """
    total = weights.sum()
    if not total > 0:
        return 0.0
    values, at = np.unique(np.asarray(proba, dtype=np.float64), return_inverse=True)
    mass = np.bincount(at, weights)
    place = np.minimum((np.cumsum(mass) - mass / 2) / total * bins, bins - 1).astype(np.int64)
    off = np.bincount(place, mass * values - np.bincount(at, weights * hit), bins)
    return float(np.round(np.abs(off).sum() / total, 12))
