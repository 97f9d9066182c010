"""Margin, also called breaking ties: how close the two likeliest answers are."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import checked
from hitl.types import PoolView, Scores


def margin(view: PoolView) -> Scores:
    """1 - (p₁ - p₂) of the two likeliest labels; (n,) in [0, 1], O(n k) time and O(n) memory.

    Multi-label: each label is a question of its own, with margin |p - (1 - p)|, and the least certain one counts:
    max over labels of 1 - |2p - 1|. Raises `DataError` for NaN. Scheffer, Decomain & Wrobel (IDA 2001).

    >>> from hitl.sampling.view import example_view
    >>> margin(example_view([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])).values
    array([0. , 1. , 0.5])
    """
    proba = checked(view)
    first = np.zeros(len(view), dtype=proba.dtype)
    second = np.zeros(len(view), dtype=proba.dtype)
    for column in range(proba.shape[1]):
        p = proba[:, column]
        if view.multi_label:
            np.maximum(first, 1 - np.abs(2 * p - 1), out=first)
        else:
            np.maximum(second, np.minimum(first, p), out=second)
            np.maximum(first, p, out=first)
    values = first.astype(np.float64)
    if not view.multi_label:
        np.subtract(1.0 + second, values, out=values)
    return Scores("margin", np.clip(values, 0.0, 1.0, out=values))
