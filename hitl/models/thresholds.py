"""Decision thresholds with which each label is given as often as its estimated prevalence says."""

from __future__ import annotations

import numpy as np

from hitl.deciding import decide
from hitl.errors import ModelError
from hitl.types import Floats, Proba

LOWEST, HIGHEST = 1e-3, 1.0 - 1e-3
"""Multi-label thresholds stay between these; single-label ones between LOWEST and its inverse."""

ENOUGH = 5.0
"""Expected positives of a label in the sample from which its threshold is fully believed."""

_ROUNDS = 200
_DECIMALS = 12  # of shares, so that the order in which weights are summed decides nothing


def prevalence_thresholds(
    prevalence: Floats, proba: Proba | Floats, multi_label: bool, weights: Floats | None = None
) -> Floats:
    """Thresholds (k,) for `decide` with which the share of items decided for a label is its `prevalence` (k,).

    `proba` (n, k) is a sample of the pool whose items count by `weights` (n,). Multi-label: the weighted quantile of
    the label's probabilities at 1 - prevalence. Otherwise each label in turn is given the threshold that fits the
    others', until all shares fit; prevalences that sum to something else than 1 are scaled. NaN leaves a label's
    default (0.5; 1 for the most probable label), and with few expected positives the threshold stays near it. Equal
    probabilities are never split. Raises `ModelError` when the sample is empty or does not fit. O(rounds × k n log n).

    Sources: quantification, Forman (2008), Saerens, Latinne & Decaestecker (2002); the thresholds of several classes
    are the prices of an auction for places, Bertsekas (1988).

    >>> prevalence_thresholds(np.array([0.5, np.nan]), np.array([[0.1, 0.2], [0.3, 0.9]] * 9), True)
    array([0.2, 0.5])
    """
    weights = np.ones(len(proba)) if weights is None else np.asarray(weights, dtype=np.float64)
    prevalence = np.asarray(prevalence, dtype=np.float64)
    _check(prevalence, proba, weights)
    weights = weights / weights.sum()
    default = 0.5 if multi_label else 1.0
    known = ~np.isnan(prevalence)
    if not known.any():
        return np.full(len(prevalence), default)
    exact = np.asarray(proba, dtype=np.float64)
    found = (_each if multi_label else _together)(prevalence, exact, weights)
    expected = np.where(known, prevalence, 0.0) / np.square(weights).sum()
    return _held(found, np.minimum(1.0, expected / ENOUGH), multi_label)


def _check(prevalence: Floats, proba: Proba | Floats, weights: Floats) -> None:
    n, k = proba.shape
    if prevalence.shape != (k,) or weights.shape != (n,):
        raise ModelError(f"{n} items × {k} labels have prevalence {prevalence.shape} and weights {weights.shape}")
    if not n or not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise ModelError("a sample without items of positive, finite weight tells no thresholds; give a larger one")
    if ((prevalence < 0) | (prevalence > 1)).any():
        raise ModelError("a prevalence is outside [0, 1]; give shares of items, NaN where not known")


def _held(found: Floats, trust: Floats, multi_label: bool) -> Floats:
    """Between the default and what was found by `trust` (k,), on the scale of log odds or of logs; within limits."""
    if multi_label:
        bounded = np.clip(found, LOWEST, HIGHEST)
        logits = trust * np.log(bounded / (1 - bounded))
        return np.where(trust >= 1, bounded, 1 / (1 + np.exp(-logits)))
    bounded = np.clip(found, LOWEST, 1 / LOWEST)
    return np.where(trust >= 1, bounded, bounded**trust)


def _each(prevalence: Floats, proba: Floats, weights: Floats) -> Floats:
    found = np.full(len(prevalence), 0.5)
    for label in np.flatnonzero(~np.isnan(prevalence)):
        found[label] = _cut(proba[:, label], weights, prevalence[label])
    return found


def _together(prevalence: Floats, proba: Floats, weights: Floats) -> Floats:
    known = np.flatnonzero(~np.isnan(prevalence))
    total = prevalence[known].sum()
    scale = 1 / total if total > 1 or (len(known) == len(prevalence) and total > 0) else 1.0
    wanted = prevalence * scale
    found, best, least = np.ones(len(prevalence)), np.ones(len(prevalence)), np.inf
    for _ in range(_ROUNDS):
        off = np.round(np.abs(weights @ decide(proba, found) - wanted)[known].max(), _DECIMALS)
        if off < least:
            best, least = found.copy(), off
        if off <= np.round(weights.max(), _DECIMALS):
            break
        for label in known:
            others = np.delete(proba / found, label, axis=1).max(axis=1, initial=1e-300)
            found[label] = np.clip(_cut(proba[:, label] / others, weights, wanted[label]), 1e-9, 1e9)
        if len(known) == len(prevalence):
            found /= np.exp(np.log(found).mean())
    return best


def _cut(values: Floats, weights: Floats, share: float) -> float:
    """Between two distinct values, or beyond them all: where the weight of those above is nearest to `share`."""
    order = np.argsort(-values, kind="stable")
    ranked, above = values[order], np.cumsum(weights[order])
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    shares = np.append(0.0, above[ends])
    at = int(np.round(np.abs(shares - share), _DECIMALS).argmin())
    if at == 0:
        return float(np.nextafter(ranked[0], np.inf))
    if at == len(ends):
        return float(ranked[-1])
    return float((ranked[ends[at - 1]] + ranked[ends[at]]) / 2)
