"""Novelty: how far an item is from all that people have seen."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import cosines
from hitl.types import PoolView, Scores


def novelty(view: PoolView) -> Scores:
    """1 - the largest cosine with what is labelled, at most 1; (n,) in [0, 1]; 1 where nothing is labelled.

    A new kind of content stands far from everything labelled, and falls as soon as people have seen some of it. An
    item without an embedding (a zero row) gets 0 once anything is labelled: nothing says that it is new, and no
    label could ever make it less so. O(n r d) time for r labelled representatives, O(n) memory. Raises `ConfigError`
    without embeddings, `DataError` where they do not fit.

    The greedy step of k-center: Sener & Savarese (ICLR 2018), "Active learning for convolutional neural networks".

    >>> from dataclasses import replace
    >>> from hitl.sampling.view import example_view
    >>> from hitl.types import Known
    >>> rows = np.array([[2048, 0], [1229, 1638], [0, 2048]], dtype=np.int16)
    >>> view = replace(example_view([[0.5, 0.5]] * 3), embeddings=rows, known=Known(rows[:1], ()))
    >>> novelty(view).values.round(2)
    array([0. , 0.4, 1. ])
    """
    rows = view.embeddings
    labelled = np.empty((0, 0), dtype=np.int16) if view.known is None else view.known.labelled
    closest = cosines(view, labelled, "novelty")
    values = np.clip(1 - closest, 0.0, 1.0)
    unknown = np.flatnonzero(closest == 0)
    if rows is not None and len(unknown):
        values[unknown] = rows[unknown].any(axis=1)
    return Scores("novelty", values)
