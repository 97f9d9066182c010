"""A mix that learns from itself: an arm's share of the next round follows what its picks yielded in the last ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.sampling.plan import Plan

MEMORY = 0.7
"""What a round's yield still counts when the next one is in: the pool changes under a mix, and so does the model."""

PRIOR = 3.0
"""Positives that an arm is taken to have found at the mean yield before any were seen."""

_NOTHING = 1e-9


@dataclass(frozen=True)
class Yield:
    """What one arm's picks of one round came to.

    `found` counts positives, each weighted by how rare its label was among the labelled items (1 for a label that
    nobody had seen, 0 for one that all have); `gain` is what the round added to the benchmark's headline figure.
    """

    round: int
    arm: str
    settled: int
    found: float
    gain: float = 0.0


def adapted(plan: Plan, yields: Sequence[Yield]) -> dict[str, float]:
    """The arms' shares of the next round; they add up to 1.

    A share is the plan's own weight × the arm's yield relative to the mean, where the yield of an arm is the posterior
    mean of what a pick of it brings: rarity-weighted positives found, plus the round's gain on the benchmark, which
    is credited to the arms by their part of the round's picks. Older rounds count `MEMORY` times less each. Mixed with
    an even share, so that no arm falls below `plan.least` / arms and can show again what it is worth; an arm of weight
    0 in the plan stays at 0. Without yields, or with `plan.adapt` off, the plan's own weights.

    After Active Learning by Learning (Hsu & Lin, AAAI 2015), which lets a bandit with a uniform floor (EXP4.P,
    Beygelzimer et al. 2011) choose among strategies by what they bring, and HAL (Kazerouni et al. 2020) for exploring
    under skew; here with a discounted posterior mean (Gamma-Poisson), as each round pulls all arms at once. The random
    arm has a share of its own, which nothing takes away.

    >>> seen = [Yield(1, "uncertain", 40, found=2.0), Yield(1, "contested", 40, found=18.0)]
    >>> {name: round(share, 2) for name, share in adapted(Plan(), seen).items()}
    {'uncertain': 0.25, 'contested': 0.75}
    """
    base = plan.shares()
    if not plan.adapt or not yields:
        return base
    last = max(one.round for one in yields)
    brought, settled = dict.fromkeys(base, 0.0), dict.fromkeys(base, 0.0)
    for one in yields:
        if one.arm in base and one.settled:
            kept = MEMORY ** (last - one.round)
            # a gain is of the size of a share of the benchmark; a pick's part of it, times the round's picks
            brought[one.arm] += kept * (one.found + max(0.0, one.gain) * one.settled)  # in this order NaN counts as 0
            settled[one.arm] += kept * one.settled
    total = sum(settled.values())
    mean = sum(brought.values()) / total if total else 0.0
    if mean < _NOTHING:
        return base
    worth = {name: (brought[name] + PRIOR) / (settled[name] + PRIOR / mean) / mean for name in base}
    return _floored({name: base[name] * worth[name] for name in base}, plan.least)


def _floored(weights: Mapping[str, float], least: float) -> dict[str, float]:
    total, even = sum(weights.values()), least / sum(weight > 0 for weight in weights.values())
    return {name: (1 - least) * weight / total + even * (weight > 0) for name, weight in weights.items()}


def rarity(counts: Mapping[str, int], labelled: int) -> dict[str, float]:
    """How rare each label is among the labelled items, from 0 (all have it) to 1 (none), by Laplace's rule.

    >>> rarity({"hate": 4, "offensive": 79}, labelled=98)
    {'hate': 0.95, 'offensive': 0.2}
    """
    return {label: float(np.round(1 - (count + 1) / (labelled + 2), 12)) for label, count in counts.items()}
