"""Entropy: how many bits the answer is still worth."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import columns
from hitl.types import Floats, PoolView, Scores


def entropy(view: PoolView) -> Scores:
    """Shannon entropy of the answer divided by its greatest value; (n,) in [0, 1], O(n k).

    Single-label: -Σ p log p / log k. Multi-label: the mean over labels of the binary entropy in bits, which is the
    entropy of the label set when labels are independent, divided by k. Raises `DataError` for NaN.
    Shannon (1948); Settles (2009), section 3.1.

    >>> from hitl.sampling.view import example_view
    >>> entropy(example_view([[1.0, 0.0], [0.5, 0.5]])).values
    array([0., 1.])
    """
    total = np.zeros(len(view))
    for p in columns(view):
        total += _surprise(p)
        if view.multi_label:
            total += _surprise(1 - p)
    k = len(view.labels)
    greatest = k * np.log(2) if view.multi_label else np.log(max(k, 1))
    values = np.clip(total / greatest, 0.0, 1.0) if greatest else np.zeros(len(view))
    return Scores("entropy", values)


def _surprise(p: Floats) -> Floats:
    return np.asarray(-p * np.log(np.where(p > 0, p, 1.0)))
