"""Density: how typical an item is of the pool."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import cosines, needed
from hitl.types import PoolView, Scores


def density(view: PoolView) -> Scores:
    """The cosine with the pool's mean direction, at least 0; (n,) in [0, 1].

    Up to a factor that is the same for all, this is the item's mean cosine with the whole pool. Multiplied with an
    uncertainty it keeps outliers from being asked about; alone it is a start without labels. O(n d) time, O(n)
    memory. Raises `ConfigError` without embeddings or a centre, `DataError` where they do not fit.

    Information density: Settles & Craven (EMNLP 2008), with cosine similarity and β = 1.

    >>> from dataclasses import replace
    >>> from hitl.sampling.view import example_view
    >>> from hitl.types import Known
    >>> rows = np.array([[2048, 0], [1229, 1638], [-2048, 0]], dtype=np.int16)
    >>> view = replace(example_view([[0.5, 0.5]] * 3), embeddings=rows, known=Known(rows[:0], (), centre=rows[0]))
    >>> density(view).values.round(2)
    array([1. , 0.6, 0. ])
    """
    centre = None if view.known is None else view.known.centre
    centre = needed(centre, "density", "centre of the pool", "give `Known` the pool's mean direction")
    return Scores("density", np.clip(cosines(view, centre[None, :], "density"), 0.0, 1.0))
