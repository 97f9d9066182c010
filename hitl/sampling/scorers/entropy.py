"""Entropy: how many bits the answer is still worth."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import blocks, surprise, total
from hitl.types import PoolView, Scores


def entropy(view: PoolView) -> Scores:
    """Shannon entropy of the answer divided by its greatest value; (n,) in [0, 1], O(n k) time and O(n) memory.

    Single-label: -Σ p log p / log k. Multi-label: the mean over labels of the binary entropy in bits, which is the
    entropy of the label set when labels are independent, divided by k. Raises `DataError` for NaN.
    Shannon (1948); Settles (2009), section 3.1.

    >>> from hitl.sampling.view import example_view
    >>> entropy(example_view([[1.0, 0.0], [0.5, 0.5]])).values
    array([0., 1.])
    """
    k = len(view.labels)
    greatest = k * np.log(2) if view.multi_label else np.log(max(k, 1))
    values = np.zeros(len(view))
    for rows, p in blocks(view):
        nats = surprise(p)
        if view.multi_label:
            nats += surprise(np.subtract(1, p, out=p))
        if greatest:
            part = total(nats)
            part *= np.float32(1 / greatest)
            values[rows] = np.clip(part, 0, 1, out=part)
    return Scores("entropy", values)
