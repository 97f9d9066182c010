"""Threshold distance: how near an item stands to where the policy would do something else with it."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import blocks
from hitl.types import Floats, PoolView, Scores


def threshold_distance(view: PoolView) -> Scores:
    """Uncertainty about the action, not the label: closeness to the policy's nearest threshold; (n,) in [0, 1].

    A probability p is as close to a threshold t as p / t from below and (1 - p) / (1 - t) from above: 1 on it, 0 at
    the far end. The largest over the thresholds of an item's region and over labels counts, so that a label on the
    edge of removal is asked about before one at p = 0.5 where nothing hangs on it. At t = 0 the action is always
    taken and nothing is uncertain: 0; at t = 1 it is p. Zero where the policy has no thresholds. A view without
    `cuts` has the one threshold `act_at`. O(n k a) time and O(n) memory; raises `DataError` for NaN.

    Uncertainty against a decision threshold as in `level set` sampling: Gotovos et al. (IJCAI 2013).

    >>> from dataclasses import replace
    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])
    >>> cuts = np.tile([[np.inf] * 3, [np.inf, np.inf, 0.8]], (3, 1, 1))
    >>> threshold_distance(replace(view, cuts=cuts)).values.round(3)
    array([0.5  , 0.625, 0.5  ])
    """
    cuts = view.act_at[:, :, None] if view.cuts is None else view.cuts
    values = np.zeros(len(view))
    for rows, proba in blocks(view):
        for column, p in enumerate(proba.astype(np.float64)):
            for at in np.moveaxis(cuts[rows, column], 1, 0):
                if np.isfinite(at).any():
                    np.maximum(values[rows], _closeness(p, at), out=values[rows])
    return Scores("threshold_distance", values)


def _closeness(p: Floats, at: Floats) -> Floats:
    below = p < at
    gap = np.where(below, at, 1 - at)
    closeness: Floats = np.sign(at)  # stays at t = 0, where the action is certain, and at p = t = 1, on the threshold
    np.divide(np.where(below, p, 1 - p), gap, out=closeness, where=(gap > 0) & (at > 0))
    return closeness
