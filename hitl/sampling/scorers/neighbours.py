"""Neighbours: what stands close to harm that people have found already."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import cosines
from hitl.types import PoolView, Scores


def neighbours(view: PoolView) -> Scores:
    """The largest cosine with a known positive of any violating label, at least 0; (n,) in [0, 1]; 0 without any.

    Rare harm has few examples but close kin, which a young model does not rank yet. O(n p d) time for p anchors of
    all labels together, O(n) memory. Raises `ConfigError` without embeddings, `DataError` where they do not fit.

    Anchors as in AnchorAL: Lesci & Vlachos (NAACL 2024); neighbours of the labelled as in SEALS: Coleman et al.
    (AAAI 2022).

    >>> from dataclasses import replace
    >>> from hitl.sampling.view import example_view
    >>> from hitl.types import Known
    >>> rows = np.array([[2048, 0], [1229, 1638], [0, 2048]], dtype=np.int16)
    >>> view = replace(example_view([[0.5, 0.5]] * 3), embeddings=rows, known=Known(rows, (rows[:0], rows[2:])))
    >>> neighbours(view).values.round(2)
    array([0. , 0.8, 1. ])
    """
    anchors = () if view.known is None else view.known.anchors
    harmful = [rows for rows, violates in zip(anchors, view.violating, strict=False) if violates and len(rows)]
    references = np.concatenate(harmful) if harmful else np.empty((0, 0), dtype=np.int16)
    return Scores("neighbours", np.clip(cosines(view, references, "neighbours"), 0.0, 1.0))
