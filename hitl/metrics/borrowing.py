"""What a slice may learn from the others about its thresholds: partial pooling, as far as the slices are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hitl.metrics.operating import Evidence, Tried
from hitl.types import Floats

LIKENESS: Floats = np.geomspace(0.3, 1_000.0, 13, dtype=np.float64)
"""How many items of its own the others' share counts for in a slice: unknown, any power of ten as likely as another."""

_HALVINGS = 25


def borrowing(slices: Sequence[Tried], whole: Tried) -> list[Tried]:
    """Each slice's thresholds with the bounds that the slices together allow; fewer than two learn nothing.

    Beta-binomial partial pooling at each threshold (Gelman et al. 2013, Bayesian Data Analysis, sec. 5.3): a slice's
    share is drawn around that of all other slices, with a likeness that is integrated over, by how much the slices
    differ. Like slices lend each other strength, unlike ones stand by their own items. The bound is the posterior's
    quantile at the confidence: it holds for slices on average and not for each. Every slice's sequence starts where
    that of the whole does. O(slices² G).
    """
    return [_one(slices, mine, whole) if len(slices) > 1 else slices[mine] for mine in range(len(slices))]


def _one(slices: Sequence[Tried], mine: int, whole: Tried) -> Tried:
    own = slices[mine].evidence
    means, sizes = zip(*(_others(slices, place) for place in range(len(slices))), strict=True)
    likely = _likelihood([one.evidence for one in slices], means, sizes)
    strength = _strength(sizes[mine])
    wrong, right = own.wrong + means[mine] * strength, own.right + (1 - means[mine]) * strength
    bound = own.in_weights(_quantile(wrong, right, likely, whole.confidence))
    return replace(slices[mine], bound=bound, first=whole.first)


def _others(slices: Sequence[Tried], mine: int) -> tuple[Floats, Floats]:
    """The share of wrong items in all other slices and how many they are, (G,) each.

    One wrong item is added, as in Clopper and Pearson's upper bound, so that no slice is surer than all of them.
    """
    rest = [one.evidence for place, one in enumerate(slices) if place != mine]
    wrong = np.sum([one.wrong for one in rest], axis=0) + 1.0
    right = np.sum([one.right for one in rest], axis=0) + 0.5
    return wrong / (wrong + right), wrong + right


def _strength(size: Floats) -> Floats:
    """(L, G) what the others' share counts for: their unlikeness, and the error of a share of so many items, add up."""
    return np.asarray(1 / (1 / LIKENESS[:, None] + 1 / size))


def _likelihood(slices: Sequence[Evidence], means: Sequence[Floats], sizes: Sequence[Floats]) -> Floats:
    """(L, G) how well each likeness explains the slices, summing to 1 over it."""
    from scipy.special import betaln

    told = np.zeros((len(LIKENESS), len(means[0])))
    for one, mean, size in zip(slices, means, sizes, strict=True):
        strength = _strength(size)
        wrong, right = mean * strength, (1 - mean) * strength
        told += betaln(one.wrong + wrong, one.right + right) - betaln(wrong, right)
    weights = np.exp(told - told.max(axis=0))
    return np.asarray(weights / weights.sum(axis=0))


def _quantile(wrong: Floats, right: Floats, likely: Floats, confidence: float) -> Floats:
    """The quantile (G,) of the mixture of beta distributions (L, G), by halving."""
    from scipy.special import betainc

    low: Floats = np.zeros(wrong.shape[1])
    high: Floats = np.ones(wrong.shape[1])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = (likely * betainc(wrong, right, middle)).sum(axis=0) < confidence
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high
