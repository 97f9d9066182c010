"""Least confidence: how probable it is that the likeliest answer is wrong."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import columns
from hitl.types import PoolView, Scores


def least_confidence(view: PoolView) -> Scores:
    """1 - P(likeliest answer), divided by its greatest value; (n,) in [0, 1], O(n k).

    Single-label: (1 - max p) k / (k - 1). Multi-label: the answer is a set of labels, taken as independent, so
    that 1 - Π max(p, 1 - p), divided by 1 - 2^-k. Raises `DataError` for NaN. Lewis & Gale (SIGIR 1994).

    >>> from hitl.sampling.view import example_view
    >>> least_confidence(example_view([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])).values
    array([0. , 1. , 0.5])
    """
    top = np.ones(len(view)) if view.multi_label else np.zeros(len(view))
    for p in columns(view):
        if view.multi_label:
            top *= np.maximum(p, 1 - p)
        else:
            np.maximum(top, p, out=top)
    k = len(view.labels)
    greatest = 1 - 0.5**k if view.multi_label else 1 - 1 / max(k, 1)
    values = np.clip((1 - top) / greatest, 0.0, 1.0) if greatest else np.zeros(len(view))
    return Scores("least_confidence", values)
