"""Margin, also called breaking ties: how close the two likeliest answers are."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import blocks
from hitl.types import PoolView, Proba, Scores


def margin(view: PoolView) -> Scores:
    """1 - (p₁ - p₂) of the two likeliest labels; (n,) in [0, 1], O(n k) time and O(n) memory.

    Multi-label: each label is a question of its own, with margin |p - (1 - p)|, and the least certain one counts:
    max over labels of 1 - |2p - 1|. Raises `DataError` for NaN. Scheffer, Decomain & Wrobel (IDA 2001).

    >>> from hitl.sampling.view import example_view
    >>> margin(example_view([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])).values
    array([0. , 1. , 0.5])
    """
    values = np.zeros(len(view))
    for rows, p in blocks(view):
        values[rows] = _least_certain(p) if view.multi_label else _closeness_of_two(p)
    return Scores("margin", values)


def _least_certain(p: Proba) -> Proba:
    top: Proba = np.minimum(p, 1 - p).max(axis=0)
    top *= 2
    return top


def _closeness_of_two(p: Proba) -> Proba:
    first: Proba = p[0]
    second: Proba = np.zeros_like(first)
    for row in p[1:]:
        lower = np.minimum(first, row)
        np.maximum(first, row, out=first)
        np.maximum(second, lower, out=second)
    second += np.subtract(1, first, out=first)  # this order keeps what is small exact
    return np.clip(second, 0, 1, out=second)
