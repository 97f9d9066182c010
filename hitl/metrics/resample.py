"""The bootstrap of a probability sample: weights shaken as the draw could have shaken them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hitl.types import Floats

CELLS = 2_000_000
"""Numbers of one block of replicate weights in memory."""


def replicate_weights(weights: Floats, uncertain: Floats, size: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Blocks of replicate weights, (b, n) each and `size` rows in all: w (1 + √(1 - π) (g - 1)), g ~ Exponential(1).

    The generalised bootstrap of Poisson sampling (Beaumont and Patak 2012, International Statistical Review 80:127):
    the variance of a replicated total is its design variance Σ (1 - π) w² y², an item drawn for certain never moves,
    and no weight is negative. With π near 0 it is the Bayesian bootstrap (Rubin 1981): no item ever drops out, so
    that a rare label stays in every replicate. O(size n) time, memory of one block.
    """
    n = len(weights)
    rows = max(1, CELLS // max(n, 1))
    swing = np.sqrt(uncertain)
    for start in range(0, size, rows):
        shaken = rng.exponential(size=(min(rows, size - start), n))
        yield weights * (1 + swing * (shaken - 1))


def replicate(
    figure: Callable[[Floats], Floats], weights: Floats, uncertain: Floats, size: int, rng: np.random.Generator
) -> Floats:
    """`figure` (weights (b, n) → (b, m)) at `size` replicates: (size, m)."""
    blocks = [figure(block) for block in replicate_weights(weights, uncertain, size, rng)]
    return np.concatenate(blocks)
