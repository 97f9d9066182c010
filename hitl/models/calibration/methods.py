"""The methods of calibration: each fits a map to logits and what was so, with a prior that keeps few items near it.

All are maximum a posteriori: the logarithm of a scale is normal with deviation 0.5, a shift with deviation 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hitl.errors import ConfigError
from hitl.models.calibration.maps import Beta, Curves, Steps, log_odds
from hitl.types import Floats

METHODS = ("auto", "temperature", "platt", "beta", "isotonic")
"""What the option `calibrate` may name; true is "platt", false none."""

DEFAULT = "platt"

_SCALE_SD, _SHIFT_SD = 0.5, 1.0
_LEAST = 1e-6  # probability of anything by Platt's line, where steps are drawn to it
_PSEUDO = 6.0  # items of what Platt's line says in each step of an isotonic map, so that no step is certain


def check_method(kind: str, calibrate: object) -> None:
    """Raise `ConfigError` for a value of the option `calibrate` that is no method."""
    if not isinstance(calibrate, bool) and calibrate not in METHODS:
        raise ConfigError(
            f"{kind}: calibrate={calibrate!r} must be true (the default method, {DEFAULT}), false (none), or one of "
            f"{', '.join(METHODS)}"
        )


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted map: lines (k,) and curves."""

    scale: Floats
    shift: Floats
    curves: Curves | None = None

    def __call__(self, logits: Floats) -> Floats:
        """The calibrated logits (n, k)."""
        moved: Floats = logits * self.scale + self.shift
        return moved if self.curves is None else self.curves(moved)


def fit_label(method: str, logits: Floats, y: Floats, weights: Floats) -> Fit:
    """The map of one label from n logits (n, 1), y (n, 1) of 0 and 1, and how many items each counts for (n,)."""
    odds, hit = logits[:, 0], y[:, 0]
    if method in ("temperature", "platt"):
        scale, shift = _line(odds, hit, weights, shifts=method == "platt")
        return Fit(np.array([scale]), np.array([shift]))
    curve = _curve(method, odds, hit, weights)
    return Fit(np.ones(1), np.zeros(1), Curves({0: curve}, softmax=False))


def fit_softmax(method: str, logits: Floats, y: Floats, weights: Floats) -> Fit:
    """The map of k labels of which one applies, from logits (n, k), one-hot y (n, k), and weights as in `fit_label`.

    A temperature, and shifts by Platt, are fitted to the softmax itself; curves to each label against the rest.
    """
    k = logits.shape[1]
    if method in ("temperature", "platt"):
        scale, shift = _vector(logits, y, weights, shifts=method == "platt")
        return Fit(np.full(k, scale), shift)
    odds = log_odds(logits)
    curves = {label: _curve(method, odds[:, label], y[:, label], weights) for label in range(k)}
    return Fit(np.ones(k), np.zeros(k), Curves(curves, softmax=True))


def _curve(method: str, odds: Floats, y: Floats, weights: Floats) -> Beta | Steps:
    return _beta(odds, y, weights) if method == "beta" else _isotonic(odds, y, weights)


def _line(odds: Floats, y: Floats, weights: Floats, *, shifts: bool) -> tuple[float, float]:
    def loss(at: Floats) -> tuple[float, Floats]:
        moved = np.exp(at[0]) * odds + (at[1] if shifts else 0.0)
        off = weights * (0.5 * (1 + np.tanh(0.5 * moved)) - y)
        value = weights @ (np.logaddexp(0, moved) - y * moved)
        gradient = np.array([off @ (np.exp(at[0]) * odds), off.sum()][: len(at)])
        return _with_prior(value, gradient, at, scales=1)

    found = _least(loss, 2 if shifts else 1)
    return float(np.exp(found[0])), float(found[1]) if shifts else 0.0


def _vector(logits: Floats, y: Floats, weights: Floats, *, shifts: bool) -> tuple[float, Floats]:
    from scipy.special import logsumexp

    k = logits.shape[1]

    def loss(at: Floats) -> tuple[float, Floats]:
        scaled = np.exp(at[0]) * logits
        moved = scaled + at[1:] if shifts else scaled
        normal = logsumexp(moved, axis=1, keepdims=True)
        off = weights[:, None] * (np.exp(moved - normal) - y)
        value = weights @ (normal[:, 0] - (y * moved).sum(axis=1))
        gradient = np.r_[(off * scaled).sum(), off.sum(axis=0)][: len(at)]
        return _with_prior(value, gradient, at, scales=1)

    found = _least(loss, 1 + k if shifts else 1)
    return float(np.exp(found[0])), found[1:] if shifts else np.zeros(k)


def _beta(odds: Floats, y: Floats, weights: Floats) -> Beta:
    below, above = -np.logaddexp(0, -odds), np.logaddexp(0, odds)  # ln p and -ln(1 - p)

    def loss(at: Floats) -> tuple[float, Floats]:
        rising, falling = np.exp(at[0]) * below, np.exp(at[1]) * above
        moved = rising + falling + at[2]
        off = weights * (0.5 * (1 + np.tanh(0.5 * moved)) - y)
        value = weights @ (np.logaddexp(0, moved) - y * moved)
        return _with_prior(value, np.array([off @ rising, off @ falling, off.sum()]), at, scales=2)

    found = _least(loss, 3)
    return Beta(float(np.exp(found[0])), float(np.exp(found[1])), float(found[2]))


def _isotonic(odds: Floats, y: Floats, weights: Floats) -> Steps:
    """Isotonic regression (Zadrozny & Elkan 2002) through the middle of its steps (Oron & Flournoy 2017).

    Each step counts `_PSEUDO` items of what Platt's line says beside its own, so that none is certain.
    """
    scale, shift = _line(odds, y, weights, shifts=True)
    line = np.clip(0.5 * (1 + np.tanh(0.5 * (scale * odds + shift))), _LEAST, 1 - _LEAST)
    _, place = np.unique(odds, return_inverse=True)
    sums = [np.bincount(place, column) for column in (weights, weights * y, weights * line, weights * odds)]
    mass, hits, said, moment = _pooled(np.stack(sums))
    more = mass + _PSEUDO
    mass, hits, moment = _pooled(np.stack([more, hits + _PSEUDO * said / mass, moment / mass * more]))
    return Steps(moment / mass, np.log(hits / (mass - hits)))


def _pooled(sums: Floats) -> Floats:
    """Sums (s, m) of neighbouring places, mass and hits first, added up to blocks in which the share of hits rises."""
    from scipy.optimize import isotonic_regression

    blocks = isotonic_regression(sums[1] / sums[0], weights=sums[0]).blocks[:-1]
    pooled: Floats = np.add.reduceat(sums, blocks, axis=1)
    return pooled


def _with_prior(value: float, gradient: Floats, at: Floats, scales: int) -> tuple[float, Floats]:
    """A loss and its gradient with the prior of the first `scales` parameters and of the shifts after them."""
    inverse = np.r_[np.full(scales, _SCALE_SD**-2), np.full(len(at) - scales, _SHIFT_SD**-2)]
    return float(value + inverse @ at**2 / 2), gradient + inverse * at


def _least(loss: Callable[[Floats], tuple[float, Floats]], size: int) -> Floats:
    from scipy.optimize import minimize

    found: Floats = minimize(loss, np.zeros(size), jac=True, method="L-BFGS-B").x
    return found
