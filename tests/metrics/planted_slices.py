"""Judged items with facets, whose model errs by chance, or more in one slice that was planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hitl.metrics.facets import Facets
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Ints

VALUES = (tuple("abcd"), tuple("PQRST"), tuple("xyz"))


def facets(rng: np.random.Generator, n: int) -> Facets:
    """Language, region (which goes with language), vendor."""
    language = rng.choice(4, n, p=[0.5, 0.25, 0.15, 0.1])
    region = np.where(rng.random(n) < 0.6, language, rng.choice(5, n))
    codes = np.stack([language, region, rng.choice(3, n)], axis=1)
    return Facets(("language", "region", "vendor"), VALUES, codes)


def weights(rng: np.random.Generator, n: int) -> np.ndarray:
    """One over the odds of a draw by reach, whose tail is heavy."""
    return 1 / np.minimum(1.0, (rng.pareto(1.2, n) + 0.1) * 0.2)


def sample(
    rng: np.random.Generator,
    cut: Facets,
    *,
    bad: Callable[[Ints], Bools] | None = None,
    weighted: bool = False,
    false_alarms: float = 0.08,
    planted: float = 0.4,
) -> LabelledSample:
    """Items of which a quarter violate; three in ten of these are missed, and some of the others wrongly flagged."""
    n = len(cut)
    harm = rng.random(n) < 0.25
    alarm = np.full(n, false_alarms)
    if bad is not None:
        alarm[bad(cut.codes)] = planted
    says = harm ^ (rng.random(n) < np.where(harm, 0.3, alarm))
    proba = np.where(says, 0.8, 0.2)
    never = np.full((n, 2), np.inf)
    return LabelledSample(
        y=np.stack([~harm, harm], axis=1).astype(float),
        proba=np.stack([1 - proba, proba], axis=1),
        labels=("ok", "spam"),
        multi_label=False,
        violating=np.array([False, True]),
        weights=weights(rng, n) if weighted else np.ones(n),
        reach=np.ones(n),
        review_at=never,
        limit_at=never,
        remove_at=np.where([False, True], 0.7, np.inf) * np.ones((n, 1)),
        finite=weighted,
    )
