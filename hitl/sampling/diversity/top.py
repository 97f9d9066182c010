"""No diversity: the heaviest items, whatever they resemble."""

from __future__ import annotations

import numpy as np

from hitl.sampling.diversity.crowd import Crowd
from hitl.types import Ints


def top(crowd: Crowd, count: int, rng: np.random.Generator) -> Ints:
    """The `count` heaviest items, the smaller draw first among equals; rows of the crowd, at most `count`.

    O(n log n) time, O(n) memory. `rng` is not used.

    >>> crowd = Crowd(np.zeros((3, 2), dtype=np.int16), np.ones((3, 1)), np.array([1, 2, 2.0]), np.array([0, 0.9, 0.1]),
    ...               multi_label=False)
    >>> top(crowd, 2, np.random.default_rng(0)).tolist()
    [2, 1]
    """
    return crowd.ranked()[: max(count, 0)]
