"""The learning curve beyond the labels bought so far: an extrapolation with an interval, never a promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Estimate, Floats

LEAST = 4
"""Rounds with different numbers of labels from which on a curve is fitted: it has three parameters."""

HORIZON = 1000.0
"""Times the labels bought so far beyond which a target counts as not reached: the fit says nothing of so far out."""

JITTER = (0.0, 0.005, 0.01, 0.02, 0.04)
"""Standard deviations that training itself may add to a round's figure, all held for equally likely."""

_POWERS = np.geomspace(0.1, 2.5, 64)  # exponents; below them the curve is a logarithm to the eye
_SPANS = np.geomspace(0.1, 10.0, 16)  # decay lengths, in spans between the first and the last round
_POWER_LAW = 0.75  # prior odds of the two families; Viering and Loog (2022) find power laws the safer choice
_DRAWS = 40  # of each of the (64 + 16) × 5 pairs of rate and jitter
_LEAST_ERROR = 1e-3


@dataclass(frozen=True, eq=False)
class Curves:
    """m curves f(n) = start + gain × rise(n), n ≥ first, with their weights (m,), which sum to 1.

    The rise is 1 - (n / first)^-rate where `power`, else 1 - exp(-rate (n - first)).
    """

    first: float
    weights: Floats
    start: Floats
    gain: Floats
    rate: Floats
    power: Bools

    def at(self, labels: float) -> Floats:
        """(m,) figures at one number of labels."""
        return self.start + self.gain * rises(labels, self.first, self.rate, self.power)

    @property
    def plateau(self) -> Floats:
        """(m,) figures at labels without end."""
        return self.start + self.gain

    def needed(self, figure: Floats) -> Floats:
        """(m,) labels at which each curve comes to its `figure`; infinite where it never does."""
        missing = np.full(len(self.start), np.inf)
        share = np.divide(figure - self.start, self.gain, out=missing, where=self.gain > 1e-12)
        share = np.where(figure <= self.start, 0.0, share)
        log = np.full(len(share), np.inf)
        np.divide(-np.log1p(-np.minimum(share, 1 - 1e-12)), self.rate, out=log, where=share < 1 - 1e-12)
        by_power = self.first * np.exp(np.minimum(log, 100.0))
        return np.where(self.power & np.isfinite(log), by_power, self.first + log)


def rises(labels: Floats | float, first: float, rate: Floats, power: Bools) -> Floats:
    """How far curves have risen at numbers of labels: 0 at `first`, towards 1 beyond it; arguments broadcast."""
    n = np.maximum(labels, first)
    return np.asarray(-np.expm1(-rate * np.where(power, np.log(n / first), n - first)))


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """A figure as a function of labels, seen in `rounds` rounds and known up to `labels` labels.

    Where nothing can be said, `why` says so, and every estimate is NaN with it as its method.
    """

    figure: str
    rounds: int
    labels: float
    curves: Curves | None = None
    why: str = ""
    method: str = ""

    def at(self, labels: float) -> Estimate:
        """The figure of a model trained on so many labels; O(draws)."""
        return self._told(self.figure, lambda curves: curves.at(labels))

    def gain(self, more: float) -> Estimate:
        """What so many labels more would bring; an error that all rounds share drops out of it."""
        now = self.labels
        return self._told(f"{self.figure}_gain", lambda curves: curves.at(now + more) - curves.at(now))

    def plateau(self) -> Estimate:
        """What the figure would come to with labels without end."""
        return self._told("plateau", lambda curves: curves.plateau)

    def needed(self, target: float, *, of_plateau: bool = False) -> Estimate:
        """Labels at which the figure comes to `target`, or to that share of its plateau.

        Infinite where the curve never comes to it, or only beyond `HORIZON` times the labels bought; any of value,
        low and high may be. Raises `DataError` for a target outside (0, 1].
        """
        if not 0 < target <= 1:
            raise DataError(f"the target is {target:g}; it must be above 0 and at most 1")

        def labels(curves: Curves) -> Floats:
            found = curves.needed(target * curves.plateau if of_plateau else np.full(len(curves.start), target))
            return np.where(found <= HORIZON * self.labels, found, np.inf)

        return self._told("labels_needed", labels, most=np.inf)

    def __repr__(self) -> str:
        if self.why:
            return f"LearningCurve({self.figure}: {self.why})"
        return f"LearningCurve({self.figure} over {self.rounds} rounds, {self.plateau()})"

    def _told(self, name: str, read: Callable[[Curves], Floats], most: float = 1.0) -> Estimate:
        """Median and middle 95 % over the curves, by weight."""
        if self.curves is None:
            return Estimate(name, float("nan"), 0.0, most, self.rounds, method=self.why)
        values = read(self.curves)
        order = np.argsort(values, kind="stable")
        below = np.cumsum(self.curves.weights[order])
        places = np.minimum(np.searchsorted(below, [0.025, 0.5, 0.975]), len(order) - 1)
        low, value, high = values[order[places]].tolist()
        return Estimate(name, value, low, high, self.rounds, method=self.method)


def fit_curve(
    labels: Floats,
    figure: Floats,
    error: Floats,
    rng: np.random.Generator,
    *,
    correlation: float = 0.5,
    name: str = "macro_f1",
) -> LearningCurve:
    """The learning curve through figures (t,) in [0, 1] of t rounds, with standard errors (t,), over labels (t,).

    The figures are weighted least squares' (weights 1 / error², Figueroa et al. 2012, BMC Medical Informatics 12:8)
    on f(n) = a - b n^-c, or with exp(-c n) in place of the power (pow3 and exp3 of Viering and Loog 2022, arXiv
    2103.10948), which never falls and stays in [0, 1]. Since all rounds are measured on the same items, their errors
    are taken to be a part that all share, `correlation` of the variance, which moves the whole curve, and a part
    of their own, to which training adds a `JITTER`. Few rounds do not settle three parameters, so the
    interval is over all curves, weighted by how well they fit: given rate and jitter, the start and the plateau are
    Gaussian (a priori even over 0 ≤ start ≤ plateau ≤ 1) and drawn exactly; rates and jitters are a grid. That is
    the parametric bootstrap's Bayesian twin; a bootstrap of so few points sits on the borders of the
    parameters and covers too little.

    Rounds without a figure (NaN) are left out; under `LEAST` different numbers of labels the curve says why it is not
    known. Raises `DataError` for shapes and figures that cannot be. O(t³ + draws) time.

    >>> labels = np.array([100.0, 200, 400, 800, 1600])
    >>> errors = np.full(5, 0.01)
    >>> curve = fit_curve(labels, 0.8 - 2 * labels**-0.5, errors, np.random.default_rng(0))
    >>> bool(curve.at(3200).low < 0.8 - 2 * 3200**-0.5 < curve.at(3200).high)
    True
    >>> fit_curve(labels[:2], np.array([0.5, 0.6]), errors[:2], np.random.default_rng(0))
    LearningCurve(macro_f1: too few rounds: 2 of 4 with figures at different numbers of labels)
    """
    _check(labels, figure, error, correlation)
    seen = np.isfinite(figure) & np.isfinite(error) & (labels > 0)
    n, y, s = labels[seen], figure[seen], np.maximum(error[seen], _LEAST_ERROR)
    last, different = float(n.max(initial=0.0)), len(np.unique(n))
    if different < LEAST:
        why = f"too few rounds: {different} of {LEAST} with figures at different numbers of labels"
        return LearningCurve(name, len(n), last, why=why)
    curves = _posterior(n, y, s, correlation, rng)
    method = (
        f"power laws and exponentials weighted by their fit to {len(n)} rounds, errors correlated {correlation:.2f}"
    )
    if _falls(n, y, s, correlation):
        method += "; the figures fall, which no such curve does: read it as flat"
    return LearningCurve(name, len(n), last, curves, method=method)


def _posterior(n: Floats, y: Floats, s: Floats, correlation: float, rng: np.random.Generator) -> Curves:
    first, span = float(n.min()), float(n.max() - n.min())
    rates = np.concatenate([_POWERS, 1 / (_SPANS * span)])
    power = np.arange(len(rates)) < len(_POWERS)
    prior = np.where(power, _POWER_LAW / len(_POWERS), (1 - _POWER_LAW) / len(_SPANS))
    parts = list(_drawn(rises(n, first, rates[:, None], power[:, None]), y, s, correlation, rng))
    log = np.concatenate([part[0] for part in parts]) + np.tile(np.log(prior), len(JITTER))[:, None]
    weights = np.exp(log - log.max())
    start, gain = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
    kept = weights > 1e-9
    rate, by_power = (np.tile(of, len(JITTER))[:, None] + np.zeros_like(weights) for of in (rates, power))
    return Curves(
        first, weights[kept] / weights[kept].sum(), start[kept], gain[kept], rate[kept], by_power[kept].astype(np.bool_)
    )


def _drawn(
    rise: Floats, y: Floats, s: Floats, correlation: float, rng: np.random.Generator
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """For each jitter: log weights, starts and gains of curves y = start + gain × rise (r, t), each (r, draws)."""
    for jitter in JITTER:
        precision = np.linalg.inv(_covariance(s, correlation, jitter))
        level = precision.sum(axis=1)
        total, cross = float(level.sum()), rise @ level
        square = np.einsum("rt,tu,ru->r", rise, precision, rise)
        # the gain's own Gaussian, then the start's given the gain
        sharp = np.maximum(square - cross**2 / total, 1e-12)
        mean = (rise @ (precision @ y) - cross * (level @ y) / total) / sharp
        gain, log_gain = _truncated(mean[:, None], sharp[:, None] ** -0.5, 1.0, rng, len(rise))
        centre = (level @ y - cross[:, None] * gain) / total
        start, log_start = _truncated(centre, total**-0.5, 1 - gain, rng, len(rise))
        left = y - (level @ y - cross * mean)[:, None] / total - mean[:, None] * rise
        fit = -0.5 * np.einsum("rt,tu,ru->r", left, precision, left) - 0.5 * np.log(sharp * total)
        fit += 0.5 * np.linalg.slogdet(precision)[1]
        yield fit[:, None] + log_gain + log_start, start, gain


def _truncated(
    mean: Floats, sd: Floats | float, most: Floats | float, rng: np.random.Generator, rows: int
) -> tuple[Floats, Floats]:
    """Draws (r, draws) of Gaussians within [0, most], by inversion on stratified chance, and the log mass within."""
    from scipy.special import log_ndtr, ndtri_exp

    chance = (np.arange(_DRAWS) + rng.random((rows, _DRAWS))) / _DRAWS
    for row in chance:
        rng.shuffle(row)
    low, high = (np.zeros_like(chance) - mean) / sd, (np.zeros_like(chance) + most - mean) / sd
    flip = low + high > 0  # the tail on the left is the one that logarithms keep exact
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    log_low, log_high = log_ndtr(low), log_ndtr(high)
    mass = log_high + np.log(np.maximum(-np.expm1(log_low - log_high), 1e-300))
    z = np.clip(ndtri_exp(np.logaddexp(log_low, np.log(chance) + mass)), low, high)
    drawn = mean + sd * np.where(flip, -z, z)
    return np.clip(drawn, 0.0, most), mass


def _covariance(s: Floats, correlation: float, jitter: float = 0.0) -> Floats:
    return np.asarray(correlation * np.outer(s, s) + np.diag((1 - correlation) * s**2 + jitter**2))


def _falls(n: Floats, y: Floats, s: Floats, correlation: float) -> bool:
    """Whether a straight line through the figures falls by more than chance (2.5 %)."""
    precision = np.linalg.inv(_covariance(s, correlation))
    design = np.stack([np.ones(len(n)), np.log(n)])
    spread = np.linalg.inv(design @ precision @ design.T)
    return bool((spread @ design @ precision @ y)[1] < -1.96 * spread[1, 1] ** 0.5)


def _check(labels: Floats, figure: Floats, error: Floats, correlation: float) -> None:
    if not labels.shape == figure.shape == error.shape == (len(labels),):
        raise DataError(
            f"a learning curve needs one figure and one error a round; labels, figures and errors have the shapes "
            f"{labels.shape}, {figure.shape} and {error.shape}"
        )
    seen = figure[np.isfinite(figure)]
    if ((seen < 0) | (seen > 1)).any() or (error[np.isfinite(error)] < 0).any():
        raise DataError("a learning curve needs figures in [0, 1] and errors of 0 or more; mend or drop the others")
    if not 0 <= correlation < 1:
        raise DataError(f"the errors' correlation is {correlation:g}; it must be at least 0 and below 1")
