"""The map of a model: what it is fitted on, by which method, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.metrics.calibration import calibration_error
from hitl.models.calibration.maps import Beta, Calibration, Curves, Steps, probable
from hitl.models.calibration.methods import DEFAULT, Fit, fit_label, fit_softmax
from hitl.sampling.uniforms import draws
from hitl.types import Bools, Floats, Ints, Targets

ENOUGH, ENOUGH_EACH = 20.0, 5.0
"""Items drawn by chance, in all and for each label, from which a model is calibrated to the pool by them alone."""

FOLDS, LEAST = 5, 50
"""Folds of the held-out items, by which `auto` compares methods, and the fewest items it does so with."""

_SEED = 1  # of these folds: not those in which the items were held out

_WORDS = {
    "temperature": ("one temperature", "temperature scaling of each label"),
    "platt": ("vector scaling with one temperature", "Platt scaling of each label"),
    "beta": ("beta calibration of each label against the rest", "beta calibration of each label"),
    "isotonic": ("isotonic regression of each label against the rest", "isotonic regression of each label"),
}

Fitting = Callable[[str, Floats, Floats, Floats], Fit]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was scored without having been learned from: `rows` (h,) of the targets, and their logits (h, k).

    A logit is NaN where its label could not be learned without the item.
    """

    rows: NDArray[np.int64]
    logits: Floats


def calibrate(
    held: HeldOut, targets: Targets, constant: NDArray[np.float32], *, multi_label: bool, method: str = DEFAULT
) -> Calibration:
    """The map that makes held-out logits probable, by maximum a posteriori.

    Items count by `targets.stands_for` where draws of the pool are worth `ENOUGH`, and in single-label `ENOUGH_EACH` a
    label; else by their weights. A prior holds every map near the identity, so that few items change little. `auto`
    keeps to Platt's method unless another has a lower log loss in cross-validation by more than a standard error, and
    takes of those that do the simplest within a standard error of the best; in multi-label for each label by itself.
    Labels with a constant are left alone. O(iterations × h k), with `auto` some 20 times that.
    """
    learned = np.isnan(constant)
    enough = ENOUGH if multi_label else max(ENOUGH, ENOUGH_EACH * learned.sum())
    weights, source = _weights(held, targets, enough)
    y = targets.y[held.rows] if multi_label else np.nan_to_num(targets.y[held.rows])
    known = ~np.isnan(y) & ~np.isnan(held.logits) & (weights > 0)[:, None] & learned
    if not multi_label:
        known &= ((y[:, learned] == 1).any(axis=1) & known[:, learned].all(axis=1))[:, None]
    at = known.any(axis=1)
    if not at.any():
        return Calibration.none(len(constant), "too few labelled items to hold any out")
    groups = [np.array([label]) for label in np.flatnonzero(learned)] if multi_label else [np.flatnonzero(learned)]
    fits: list[tuple[Ints, _Chosen]] = []
    for columns in groups:
        rows = np.flatnonzero(known[:, columns[0]])
        if len(rows) and (multi_label or len(columns) > 1):
            fit = fit_label if multi_label else fit_softmax
            sample = _Sample(held.logits[np.ix_(rows, columns)], y[np.ix_(rows, columns)], _worth(weights[rows]))
            fits.append((columns, _fitted(method, fit, sample, targets.positions[held.rows[rows]])))
    made = _joined(fits, len(constant), softmax=not multi_label)
    told = _chosen({targets.labels[columns[0]]: one for columns, one in fits}, method, multi_label=multi_label)
    told |= {"fitted_on": source, "items": int(at.sum()), "worth_items": round(float(_worth(weights[at]).sum()), 1)}
    told |= _told(held.logits[at], y[at], weights[at], made, constant, multi_label=multi_label)
    return replace(made, told=told)


@dataclass(frozen=True, eq=False)
class _Sample:
    """What one map is fitted to: logits (n, c) and y (n, c) of its labels, and how many items each counts for (n,)."""

    logits: Floats
    y: Floats
    weights: Floats

    def take(self, rows: Bools) -> _Sample:
        return _Sample(self.logits[rows], self.y[rows], self.weights[rows])


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The map, its method, and what each method's log loss was in cross-validation, where several were tried."""

    method: str
    fit: Fit
    losses: Mapping[str, float]


def _fitted(method: str, fit: Fitting, sample: _Sample, positions: Ints) -> _Chosen:
    losses: dict[str, float] = {}
    if method == "auto":
        method, losses = _best(fit, sample, positions)
    return _Chosen(method, fit(method, sample.logits, sample.y, sample.weights), losses)


def _best(fit: Fitting, sample: _Sample, positions: Ints) -> tuple[str, dict[str, float]]:
    """The method to use, and each one's mean log loss on items that its map was not fitted on."""
    softmax = sample.y.shape[1] > 1
    order = np.lexsort(
        (draws(positions.astype(np.uint64), _SEED), sample.y.argmax(axis=1) if softmax else sample.y[:, 0])
    )
    folds = np.empty(len(order), dtype=np.int64)
    folds[order] = np.arange(len(order)) % FOLDS
    if len(order) < LEAST:
        return DEFAULT, {}
    losses = {method: np.zeros(len(order)) for method in _WORDS}
    for fold in range(FOLDS):
        rest, out = sample.take(folds != fold), sample.take(folds == fold)
        for method, loss in losses.items():
            loss[folds == fold] = _log_loss(fit(method, rest.logits, rest.y, rest.weights)(out.logits), out.y)
    shares = sample.weights / sample.weights.sum()

    def above(method: str, other: str) -> tuple[float, float]:
        apart = losses[method] - losses[other]
        mean = float(shares @ apart)
        return mean, float(np.sqrt(shares**2 @ (apart - mean) ** 2))

    better = [method for method in losses if sum(above(method, DEFAULT)) < 0]
    best = min(better, key=lambda method: float(shares @ losses[method]), default=DEFAULT)
    chosen = next((method for method in better if np.subtract(*above(method, best)) <= 0), DEFAULT)
    return chosen, {method: round(float(shares @ loss), 5) for method, loss in losses.items()}


def _log_loss(moved: Floats, y: Floats) -> Floats:
    """The log loss (n,) of calibrated logits (n, c): one sigmoid, or one softmax of several."""
    if y.shape[1] == 1:
        return np.asarray(np.logaddexp(0, moved) - y * moved)[:, 0]
    from scipy.special import logsumexp

    return np.asarray(logsumexp(moved, axis=1) - (y * moved).sum(axis=1))


def _joined(fits: Sequence[tuple[Ints, _Chosen]], k: int, *, softmax: bool) -> Calibration:
    """The maps of groups of labels as one."""
    scale, shift = np.ones(k), np.zeros(k)
    curves: dict[int, Beta | Steps] = {}
    for columns, chosen in fits:
        scale[columns], shift[columns] = chosen.fit.scale, chosen.fit.shift
        if chosen.fit.curves is not None:
            curves |= {int(columns[place]): curve for place, curve in chosen.fit.curves.of.items()}
    return Calibration(scale, shift, {}, Curves(curves, softmax) if curves else None)


def _chosen(fits: Mapping[str, _Chosen], method: str, *, multi_label: bool) -> dict[str, Any]:
    """The method in words; by label, and with the losses that it was chosen by, where it was chosen."""
    used = list(dict.fromkeys(one.method for one in fits.values())) or [DEFAULT]
    told: dict[str, Any] = {"method": _WORDS[used[0]][multi_label] if len(used) == 1 else "chosen for each label"}
    if method == "auto":
        told["chosen"] = {label: one.method for label, one in fits.items()} if multi_label else used[0]
        losses = [one.losses for one in fits.values() if one.losses]
        told["log_loss"] = {name: round(float(np.mean([one[name] for one in losses])), 5) for name in _WORDS if losses}
    return told


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
