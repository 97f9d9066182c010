"""Prevalence from an audit and the model that scored the whole pool: as good as several times the labels.

The model's mean belief is known for the whole pool; the audit, drawn by known chance, tells how far off it is. The
estimate is right on average whatever the model believes, and only its precision depends on the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.deciding import violation
from hitl.errors import DataError
from hitl.history import BelievedRow
from hitl.metrics.figures import Ratio, prevalences
from hitl.metrics.intervals import FEW, Shares, Z, shares, wilson_bounds
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Estimate, Floats

ASSISTED = "model-assisted (difference estimator, leave-one-out slope), Wilson interval at the effective size"
"""How an estimate was made that the model's beliefs of the pool had a part in."""

SEEN = 10.0
"""A variance seen in this many items' worth of influence counts as much as the anticipated one."""

_SLOPE, _SHIFT = 0.5, 2.0  # prior deviations of the calibration of log odds that the audit itself shows
_STEPS = 15


@dataclass(frozen=True)
class Believed:
    """The shares of a pool that a model believes in: of items that violate, of their views, and of items by label.

    Means over all items that the audit was drawn from, by the same model's calibrated probabilities; NaN is unknown.
    """

    prevalence: float
    by_views: float
    labels: Mapping[str, float]

    @classmethod
    def of(cls, row: BelievedRow) -> Believed:
        """What a scan put on record."""
        labels = {label: _number(share) for label, share in row["labels"].items()}
        return cls(_number(row["prevalence"]), _number(row["prevalence_by_views"]), labels)

    def share(self, ratio: Ratio) -> float:
        """What it believes one of `prevalences` to be in the pool; NaN for what it has no belief of."""
        if ratio.label:
            return self.labels.get(ratio.label, float("nan"))
        return {"prevalence": self.prevalence, "prevalence_by_views": self.by_views}.get(ratio.name, float("nan"))


def assisted(sample: LabelledSample, believed: Believed) -> tuple[Estimate, ...]:
    """`prevalence`, `prevalence_by_views` and `prevalence` by label, of those that the model's beliefs are known of.

    `sample` is the settled part of the audit, with the probabilities of the model that believed; see
    `assisted_shares`. A figure that no settled item bears on is left out. O(n k).

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> said = [("spam",) if i % 5 == 0 else ("ok",) for i in range(100)]
    >>> judged = [Resolution(f"item {i}", i, labels, 1.0, "m", "1") for i, labels in enumerate(said)]
    >>> spam = np.where(np.arange(100) % 5 == 0, 0.9, np.where(np.arange(100) % 7 == 0, 0.4, 0.05))
    >>> drawn = LabelledSample.of(policy, judged, np.stack([1 - spam, spam], axis=1), inclusion=np.full(100, 0.01))
    >>> print(assisted(drawn, Believed(0.3, float("nan"), {}))[0])
    prevalence 0.238 [0.208, 0.270] (n=100)
    """
    wanted = [ratio for ratio in prevalences(sample) if np.isfinite(believed.share(ratio)) and ratio.bottom.any()]
    if not wanted:
        return ()
    found = assisted_ratios(wanted, sample, believed)
    return tuple(
        Estimate(ratio.name, float(value), float(low), float(high), int(n), ratio.label, method=_method(events))
        for ratio, value, low, high, n, events in zip(
            wanted, found.value, found.low, found.high, found.n, found.events, strict=True
        )
    )


def assisted_ratios(wanted: Sequence[Ratio], sample: LabelledSample, believed: Believed) -> Shares:
    """`assisted_shares` of one or more of a sample's `prevalences`; NaN where nothing is believed. O(n m)."""
    risk = violation(sample.proba, sample.violating, sample.multi_label)
    belief = {label: sample.proba[:, column] for column, label in enumerate(sample.labels)} | {"": risk}
    return assisted_shares(
        np.stack([ratio.top for ratio in wanted], axis=1),
        np.stack([ratio.bottom for ratio in wanted], axis=1),
        np.stack([belief[ratio.label] for ratio in wanted], axis=1),
        np.array([believed.share(ratio) for ratio in wanted]),
        sample.weights,
        sample.uncertain,
    )


def _number(share: float | None) -> float:
    return float("nan") if share is None else share


def _method(events: float) -> str:
    few = f"; as wide as without the model's help, because {events:.3g} items speak for it or against"
    return ASSISTED + (few if events < FEW else "")


def assisted_shares(
    top: Floats, bottom: Floats, belief: Floats, believed: Floats, weights: Floats, uncertain: Floats
) -> Shares:
    """Shares Σ top / Σ bottom of a pool, from a sample's columns (n, m), what a model believes of top / bottom in each
    item (n, m), and the share of the whole pool (m,) that it believes in. O(n m).

    The generalised difference estimator in ratio form, R(y) + b (P - R(p)), with Hájek's R, y = top / bottom, p the
    belief and P its share in the pool (Särndal, Swensson & Wretman 1992, ch. 6). The slope b in [0, 1] that minimises
    the variance ("power tuning": Angelopoulos, Duchi & Zrnic 2023, arXiv:2311.01453) is found for each item from the
    others, so that an item's answer has no part in its own prediction (cross-fitting): no bias, honest residuals.

    The interval is Wilson's at the effective size that the residuals' variance implies. A rare event that the
    model did not expect has a large weight, and where none was drawn the residuals' variance is far too small. So it
    is pulled (by `SEEN`) towards the variance anticipated of the design, Σ (1 - π) w² E(y - b p)², if that is larger,
    with E by the beliefs calibrated anew on the sample itself (shift and slope of the log odds, a posteriori): an
    overconfident model is found out by the items that it is wrong about, before those it is most wrong about are drawn.
    Below `FEW` events that is not to be trusted either, and the interval spans that of `shares` as well. `weights` and
    `uncertain` (1 - π) are (n,), or (n, m) for as many samples of one size. Raises `DataError` for shapes.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(0.1, 2, 1000)[:, None]
    >>> y = (rng.random((1000, 1)) < p).astype(float)
    >>> sample = y, np.ones_like(y), np.full(1000, 1e3), np.ones(1000)
    >>> width = lambda found: (found.high - found.low).round(3)
    >>> width(shares(*sample)), width(assisted_shares(*sample[:2], p, np.array([0.0476]), *sample[2:]))
    (array([0.026]), array([0.023]))
    """
    from scipy.special import stdtrit

    weights, uncertain = _columns(top, bottom, belief, believed, weights, uncertain)
    y = np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0)
    weighted = weights * bottom
    total = weighted.sum(axis=0)
    n = (bottom > 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = weighted / total
        influence = np.sqrt(uncertain) * share * np.sqrt(n / np.maximum(n - 1, 1))
        slope = _slope(y - (share * y).sum(axis=0), belief - (share * belief).sum(axis=0), influence)
        rest = y - slope * belief
        residual = (share * rest).sum(axis=0)
        value = (share * slope).sum(axis=0) * believed + residual
        anticipated = _anticipated(y, belief, bottom > 0, share, slope, influence)
        influence = influence * (rest - residual)
        variance = (influence**2).sum(axis=0)
        inside = np.where((value > 0) & (value < 1), value, 0.5)
        seen = variance / (inside * (1 - inside))
        items = np.nan_to_num(variance**2 / (influence**4).sum(axis=0))
        spread = (items * seen + SEEN * np.maximum(seen, anticipated)) / (items + SEEN)
        # The t correction is Korn and Graubard's (1998).
        low, high = wilson_bounds(inside, spread * (stdtrit(np.maximum(n, 2) - 1.0, 0.975) / Z) ** 2)
    events = np.minimum(y.sum(axis=0), n - y.sum(axis=0))
    found = Shares(value, low, high, n, influence, spread * inside * (1 - inside), spread, events)
    return _unless_few(found, top, bottom, weights, uncertain)


def _slope(y: Floats, p: Floats, influence: Floats) -> Floats:
    """For each item the slope that minimises the others' variance, in [0, 1]."""
    both, alone = influence**2 * y * p, influence**2 * p * p
    others = alone.sum(axis=0) - alone
    differ = others > 1e-12 * (influence**2).sum(axis=0)  # beliefs that are all alike differ by rounding
    slope = np.divide(both.sum(axis=0) - both, others, out=np.zeros(y.shape), where=differ)
    return np.asarray(np.clip(slope, 0.0, 1.0))


def _anticipated(y: Floats, belief: Floats, settled: Bools, share: Floats, slope: Floats, influence: Floats) -> Floats:
    """The variance to be expected by the calibrated beliefs, over that of one item (m,): one over an effective size."""
    p = calibrated(y, belief, settled)
    apart = p - slope * belief
    apart = apart - (share * apart).sum(axis=0)
    mean = (share * p).sum(axis=0)
    variance = (influence**2 * (p * (1 - p) + apart**2)).sum(axis=0)
    return np.asarray(variance / (mean * (1 - mean)))


def calibrated(y: Floats, belief: Floats, settled: Bools) -> Floats:
    """Beliefs (n, m) calibrated on answers y: a logistic regression of y on their log odds in each column, O(n m).

    Maximum a posteriori with normal priors at the identity (shift 0 ± 2, slope 1 ± 0.5), by Newton's method. Items are
    not weighted: given the belief, whether an item was drawn tells nothing of its answer.

    >>> p = np.repeat([[0.02], [0.98]], 200, axis=0)
    >>> y = np.tile([[1.0], [0.0], [0.0], [0.0], [0.0]], (80, 1))  # right in 1 of 5, whatever is believed
    >>> calibrated(y, p, np.ones_like(y, dtype=bool))[[0, -1], 0].round(1)
    array([0.2, 0.2])
    """
    from scipy.special import expit, logit

    odds = logit(np.clip(belief, 1e-7, 1 - 1e-7))
    shift, slope = np.zeros(y.shape[1]), np.ones(y.shape[1])
    for _ in range(_STEPS):
        p = expit(shift + slope * odds)
        off, spread = settled * (y - p), settled * p * (1 - p)
        g0 = off.sum(axis=0) - shift / _SHIFT**2
        g1 = (off * odds).sum(axis=0) - (slope - 1) / _SLOPE**2
        h00 = spread.sum(axis=0) + _SHIFT**-2
        h01 = (spread * odds).sum(axis=0)
        h11 = (spread * odds**2).sum(axis=0) + _SLOPE**-2
        det = h00 * h11 - h01**2
        shift = shift + np.clip((h11 * g0 - h01 * g1) / det, -1.0, 1.0)
        slope = slope + np.clip((h00 * g1 - h01 * g0) / det, -0.5, 0.5)
    found: Floats = expit(shift + slope * odds)
    return found


def _unless_few(found: Shares, top: Floats, bottom: Floats, weights: Floats, uncertain: Floats) -> Shares:
    """The same, with what `shares` says added where few events were seen, and in place of what cannot be a share."""
    outside = ~((found.value > 0) & (found.value < 1))
    value, low, high = found.value.copy(), found.low.copy(), found.high.copy()
    for column in np.flatnonzero(outside | (found.events < FEW)):
        one = slice(column, column + 1)
        plain = shares(top[:, one], bottom[:, one], weights[:, column], uncertain[:, column])
        at_least, at_most = float(plain.low[0]), float(plain.high[0])
        if outside[column]:
            value[column], low[column], high[column] = float(plain.value[0]), at_least, at_most
        else:
            low[column], high[column] = min(low[column], at_least), max(high[column], at_most)
    return Shares(value, low, high, found.n, found.influence, found.variance, found.by_weights, found.events)


def _columns(
    top: Floats, bottom: Floats, belief: Floats, believed: Floats, weights: Floats, uncertain: Floats
) -> tuple[Floats, Floats]:
    """Weights and 1 - π as columns (n, m); raises `DataError` for shapes that do not fit."""
    n, m = top.shape
    fits = bottom.shape == belief.shape == (n, m) and believed.shape == (m,)
    if not fits or not {weights.shape, uncertain.shape} <= {(n,), (n, m)}:
        raise DataError(
            f"columns {top.shape}, {bottom.shape} and {belief.shape} with {believed.shape} shares believed and weights "
            f"{weights.shape} and {uncertain.shape}; give one row an item and one column a share"
        )
    wide = [np.broadcast_to(part.reshape(n, -1), (n, m)) for part in (weights, uncertain)]
    return wide[0], wide[1]
