"""Least confidence: how probable it is that the likeliest answer is wrong."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import blocks
from hitl.types import PoolView, Proba, Scores


def least_confidence(view: PoolView) -> Scores:
    """1 - P(likeliest answer), divided by its greatest value; (n,) in [0, 1], O(n k) time and O(n) memory.

    Single-label: (1 - max p) k / (k - 1). Multi-label: the answer is a set of labels, taken as independent, so
    that 1 - Π max(p, 1 - p), divided by 1 - 2^-k. Raises `DataError` for NaN. Lewis & Gale (SIGIR 1994).

    >>> from hitl.sampling.view import example_view
    >>> least_confidence(example_view([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])).values
    array([0. , 1. , 0.5])
    """
    k = len(view.labels)
    greatest = 1 - 0.5**k if view.multi_label else 1 - 1 / max(k, 1)
    values = np.zeros(len(view))
    for rows, p in blocks(view):
        if greatest:
            doubt = _any_wrong(p) if view.multi_label else 1 - p.max(axis=0)
            doubt *= np.float32(1 / greatest)
            values[rows] = np.clip(doubt, 0, 1, out=doubt)
    return Scores("least_confidence", values)


def _any_wrong(p: Proba) -> Proba:
    wrong = np.minimum(p, 1 - p)
    doubt: Proba = wrong[0].copy()
    for row in wrong[1:]:
        doubt += row * (1 - doubt)
    return doubt
