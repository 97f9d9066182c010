"""Likely positive: what most probably violates the policy, to find rare harm early."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import blocks
from hitl.types import PoolView, Scores


def likely_positive(view: PoolView) -> Scores:
    """The largest probability of a violating label; (n,) in [0, 1], O(n k), single- and multi-label alike.

    The largest and not the sum, so that one rare label that is likely beats several that are not. Zero where no
    label violates anything. Raises `DataError` for NaN. Certainty sampling as in Attenberg, Melville & Provost
    (ECML 2010), section 3.

    >>> from hitl.sampling.view import example_view
    >>> likely_positive(example_view([[0.9, 0.1], [0.25, 0.75]])).values.round(2)
    array([0.1 , 0.75])
    """
    values = np.zeros(len(view))
    for rows, p in blocks(view):
        values[rows] = p[view.violating].max(axis=0, initial=0)
    return Scores("likely_positive", values)
