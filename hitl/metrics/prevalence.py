"""How frequent each label is in the pool, from all that was drawn by known chance so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.metrics.intervals import kish
from hitl.types import Floats


@dataclass(frozen=True, eq=False)
class Drawn:
    """One probability sample of what was unlabelled in a pool of `pool` items: m settled items of it.

    Before it `labelled` items had been settled, `known` (k,) of them with each label: what was picked for its label is
    missing in the draw, and would be in the estimate.
    """

    y: Floats  # (m, k) of 0 and 1
    inclusion: Floats  # (m,) probability with which each was drawn
    known: Floats  # (k,)
    labelled: int
    pool: int

    @property
    def items(self) -> float:
        """How many items the draw counts as if it had been even: (Σ w)² / Σ w², w = 1 / inclusion (Kish 1965)."""
        return float(kish(1 / self.inclusion))

    @property
    def prevalence(self) -> Floats:
        """The share of the whole pool that each label applies to, (k,): what is known, and the rest by Hájek (1971)."""
        weights = 1 / self.inclusion
        rest = weights @ self.y / weights.sum()
        return np.asarray((self.known + (self.pool - self.labelled) * rest) / self.pool)


def pooled_prevalence(draws: Sequence[Drawn], prior: Floats) -> Floats:
    """The share of the pool that each label applies to, (k,), from all draws, each counting its `items`.

    The `prior` (k,) stands where the draws do not contradict it by more than their standard error, √(p (1 - p) / items)
    with p by Laplace's rule; where they do, the share is theirs less that error, so that thresholds set by it do not
    leap with the chance of a small draw (soft thresholding, Donoho & Johnstone 1994). Draws without settled items say
    nothing. O(items × k).

    >>> y = np.repeat([[1.0], [0.0]], [100, 300], axis=0)
    >>> drawn = Drawn(y, np.full(400, 0.1), known=np.array([30.0]), labelled=40, pool=4040)
    >>> pooled_prevalence([drawn], prior=np.array([0.25])), pooled_prevalence([drawn], prior=np.array([0.1])).round(3)
    (array([0.25]), array([0.233]))
    """
    told = [draw for draw in draws if len(draw.y)]
    if not told:
        return prior
    items = np.array([draw.items for draw in told])
    found = items @ np.array([draw.prevalence for draw in told]) / items.sum()
    smooth = (items.sum() * found + 1) / (items.sum() + 2)
    error = np.sqrt(smooth * (1 - smooth) / items.sum())
    return np.asarray(prior + np.sign(found - prior) * np.maximum(np.abs(found - prior) - error, 0.0))
