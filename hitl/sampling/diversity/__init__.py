"""Batches of unlike items, one method to a file: pure callables `Crowd, count, rng → rows in the order to take`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Protocol

import numpy as np

from hitl.errors import ConfigError
from hitl.sampling.diversity.badge import badge
from hitl.sampling.diversity.crowd import Crowd, on_grid
from hitl.sampling.diversity.kmeans_plus_plus import kmeans_plus_plus
from hitl.sampling.diversity.max_coverage import max_coverage
from hitl.sampling.diversity.top import top
from hitl.sampling.diversity.weighted_kmeans import weighted_kmeans
from hitl.types import Ints

__all__ = ["DIVERSITIES", "Crowd", "Diversity", "diversity", "on_grid"]


class Diversity(Protocol):
    """A pure function from a crowd of n items to min(count, n) of its rows, all distinct, the first to take first.

    The same items, weights and draws with a generator of the same seed give the same items in the same order, in
    whatever order they stand in the crowd.
    """

    def __call__(self, crowd: Crowd, count: int, rng: np.random.Generator, /) -> Ints: ...


DIVERSITIES: dict[str, Diversity] = {
    "kmeans_plus_plus": kmeans_plus_plus,
    "badge": badge,
    "weighted_kmeans": weighted_kmeans,
    "max_coverage": max_coverage,
    "top": top,
}
"""Every way to choose a batch from a shortlist that a plan can name."""


def diversity(name: str) -> Diversity:
    """The method called `name`; raises `ConfigError` with the nearest names when there is none.

    >>> diversity("bagde")
    Traceback (most recent call last):
        ...
    hitl.errors.ConfigError: no diversity is called 'bagde'; did you mean badge? There are kmeans_plus_plus, ...
    """
    if name in DIVERSITIES:
        return DIVERSITIES[name]
    near = get_close_matches(name, DIVERSITIES)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ConfigError(f"no diversity is called {name!r}; {hint}There are {', '.join(DIVERSITIES)}")
