"""Average precision: how well a model ranks, without any threshold."""

from __future__ import annotations

import numpy as np

from hitl.types import Bools, Floats


def average_precision(truth: Bools, scores: Floats, weights: Floats) -> Floats:
    """Average precision Σ (Rᵢ - Rᵢ₋₁) Pᵢ over the distinct scores, for each row of weights (b, n): (b,).

    As scikit-learn's `average_precision_score` with `sample_weight`; NaN without positives. The items are sorted once
    for all rows. O(n log n + b n).

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]), np.ones((1, 3))).round(4)
    array([0.8333])
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    sorted_weights = weights[:, order]
    found = np.cumsum(sorted_weights * truth[order], axis=1)[:, ends]
    taken = np.cumsum(sorted_weights, axis=1)[:, ends]
    if not truth.any():
        return np.full(len(weights), np.nan)
    gained = np.diff(found, axis=1, prepend=0.0)
    area: Floats = (gained * found / taken).sum(axis=1) / found[:, -1]
    return area


def ranking_influence(truth: Bools, scores: Floats, weights: Floats) -> Floats:
    """What each item (n,) brings to its average precision: w d AP / d w, which sums to 0. O(n log n).

    >>> ranking_influence(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]), np.ones(3)).round(4)
    array([ 0.1389, -0.1111, -0.0278])
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    group = np.cumsum(ends) - ends
    w, hit = weights[order], (weights * truth)[order]
    taken, found = np.cumsum(w)[ends], np.cumsum(hit)[ends]
    precision = found / taken
    gained = np.diff(found, prepend=0.0)
    area = float(gained @ precision) / found[-1]
    # An item moves the precision at its own rank and at every one below it.
    below = np.cumsum((gained / taken)[::-1])[::-1]
    below_hit = np.cumsum((gained / taken * precision)[::-1])[::-1]
    slope = truth[order] * (precision[group] - area + below[group]) - below_hit[group]
    influence = np.empty(len(scores))
    influence[order] = w * slope / found[-1]
    return influence
