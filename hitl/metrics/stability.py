"""Whether the model still changes its mind: agreement of two models' decisions on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import Z, shares
from hitl.types import Bools, Estimate, Floats

STEADY = 0.99
"""Mean kappa from which on Bloodgood and Vijay-Shanker stop."""

WINDOW = 3
"""Comparisons of consecutive models that the mean is over."""


@dataclass(frozen=True)
class Stability:
    """Two models on the same items: Cohen's kappa, overall and by label, and the share of items decided otherwise."""

    kappa: Estimate
    changed: Estimate
    by_label: tuple[Estimate, ...] = ()

    def __repr__(self) -> str:
        return f"Stability({self.kappa}, {self.changed})"


def stability(
    before: Bools,
    after: Bools,
    labels: Sequence[str],
    *,
    multi_label: bool,
    weights: Floats | None = None,
) -> Stability:
    """How far two models decide alike: `before` and `after` (n, k) say which labels each gives to each item.

    Cohen's kappa (1960) of a probability sample of the pool with `weights` (n,), even ones when left out. In a
    single-label policy it is over the labels as categories; in a multi-label one it is the mean of each label's own.
    Labels that neither model gives, or both give to all, have no kappa and do not count. The interval is
    the delta method's on log(1 - kappa), which keeps it below 1; where nothing changed it is the rule of three for the
    share of changed items. Read `steady` for the rule that stops on it. Raises `DataError` for shapes. O(n k).

    >>> before = np.eye(2, dtype=bool)[np.repeat([0, 1], [60, 40])]
    >>> after = before.copy()
    >>> after[55:60] = [False, True]
    >>> stability(before, after, ["ok", "spam"], multi_label=False)
    Stability(kappa 0.898 [0.761, 0.956] (n=100), changed 0.050 [0.021, 0.113] (n=100))
    """
    _check(before, after, labels, weights)
    given = np.ones(len(before)) if weights is None else weights
    differs = (before != after).any(axis=1).astype(np.float64)
    told = tuple(
        _kappa(_binary(before[:, column]), _binary(after[:, column]), given, label)[0]
        for column, label in enumerate(labels)
    )
    overall = _mean(before, after, given) if multi_label else _kappa(before, after, given, "")[0]
    return Stability(overall, _changed(differs, given), told)


def steady(kappas: Sequence[float]) -> bool | None:
    """Whether predictions have settled: the last `WINDOW` kappas average `STEADY` or more; None with fewer of them.

    The rule of Bloodgood and Vijay-Shanker (2009, CoNLL, "A method for stopping active learning based on stabilizing
    predictions"), which looks at the latest comparisons of consecutive models on a fixed, unlabelled sample.

    >>> steady([0.8, 0.985, 0.99, 0.995]), steady([0.99]), steady([0.9, 0.99, 0.995])
    (True, None, False)
    """
    latest = [kappa for kappa in kappas if kappa == kappa][-WINDOW:]
    return sum(latest) / WINDOW >= STEADY - 1e-12 if len(latest) == WINDOW else None


def _kappa(before: Bools, after: Bools, weights: Floats, label: str) -> tuple[Estimate, Floats]:
    """Kappa over the columns as categories, and each item's influence on it (n,)."""
    n = len(before)
    nothing = np.zeros(n)
    if not n:
        return Estimate("kappa", float("nan"), -1.0, 1.0, 0, label, method="no item was looked at"), nothing
    share = weights / weights.sum()
    first, second = share @ before, share @ after
    chance = float(first @ second)
    same = (before == after).all(axis=1).astype(np.float64)
    # Of what differs, so that models which agree on every item have a kappa of exactly 1 on any machine.
    observed = 1 - float(share @ (1 - same))
    if chance >= 1 - 1e-12:
        why = "both models decide alike for all items, as chance would"
        return Estimate("kappa", float("nan"), -1.0, 1.0, n, label, method=why), nothing
    kappa = 1 - (1 - observed) / (1 - chance)
    by_chance = before @ second + after @ first - 2 * chance
    pull = (same - observed) / (1 - chance) - (1 - observed) / (1 - chance) ** 2 * by_chance
    influence = share * pull
    low, high = _bounds(kappa, influence, share, chance)
    return Estimate(
        "kappa", kappa, low, high, n, label, method="Cohen's kappa, delta method on log(1 - kappa)"
    ), influence


def _bounds(kappa: float, influence: Floats, share: Floats, chance: float) -> tuple[float, float]:
    gap = 1 - kappa
    if gap <= 1e-12:
        return max(1 - (1 - 0.05 ** float((share**2).sum())) / (1 - chance), -1.0), 1.0
    spread = float(np.exp(Z * (influence**2).sum() ** 0.5 / gap))
    return max(1 - gap * spread, -1.0), 1 - gap / spread


def _mean(before: Bools, after: Bools, weights: Floats) -> Estimate:
    """The mean of the labels' kappas; their errors are added item by item, so that they may hang together."""
    found = [_kappa(_binary(before[:, at]), _binary(after[:, at]), weights, "") for at in range(before.shape[1])]
    told = [(one, influence) for one, influence in found if one.value == one.value]
    n = len(before)
    if not told:
        return Estimate(
            "kappa", float("nan"), -1.0, 1.0, n, method=found[0][0].method if found else "there is no label"
        )
    value = sum(one.value for one, _ in told) / len(told)
    low = sum(one.low for one, _ in told) / len(told)
    influence = sum((influence for _, influence in told), np.zeros(n)) / len(told)
    high = 1.0
    if value < 1 - 1e-12:
        low, high = _bounds(value, influence, weights / weights.sum(), 0.0)
    method = f"mean of Cohen's kappa over the {len(told)} labels of {len(found)} that are given; delta method"
    return Estimate("kappa", value, low, high, n, method=method)


def _changed(differs: Floats, weights: Floats) -> Estimate:
    found = shares(differs[:, None], np.ones((len(differs), 1)), weights, np.ones(len(differs)))
    value, low, high = (float(part[0]) for part in (found.value, found.low, found.high))
    return Estimate("changed", value, low, high, len(differs), method="share of items decided otherwise; Wilson")


def _binary(given: Bools) -> Bools:
    return np.stack([given, ~given], axis=1)


def _check(before: Bools, after: Bools, labels: Sequence[str], weights: Floats | None) -> None:
    if before.ndim != 2 or before.shape != after.shape or before.shape[1] != len(labels):
        raise DataError(
            f"decisions have the shapes {before.shape} and {after.shape} for {len(labels)} labels; "
            "give both models the same items and labels"
        )
    if weights is not None and (weights.shape != before.shape[:1] or not (np.isfinite(weights) & (weights > 0)).all()):
        raise DataError("the weights of the items must be one above 0 for each; drop items without one")
