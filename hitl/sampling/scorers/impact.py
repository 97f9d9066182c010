"""Impact: what the model's present decision is expected to cost."""

from __future__ import annotations

import numpy as np

from hitl.sampling.scorers._view import blocks
from hitl.types import Floats, PoolView, Proba, Scores


def impact(view: PoolView) -> Scores:
    """Expected cost of the present decision, in the policy's cost units and unbounded; (n,) >= 0, O(n k).

    The decision is about the item: it is acted on when any violating label reaches its `act_at`, as in
    `Policy.decide`, and stays up otherwise.

    - stays up: reach × Σ over violating labels of severity × p;
    - is acted on: reach × benign cost × P(no violating label applies), the benign cost being the largest among the
      labels that called for the action. P is 1 - Σ p in a single-label policy. In a multi-label one it is
      1 - max p, its upper bound whatever the dependence of the labels (Fréchet), and exact where they nest.

    An item that is acted on for one label costs nothing for the others: it no longer is seen. Raises `DataError`
    for NaN.

    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[0.9, 0.1], [0.5, 0.5], [0.25, 0.75]], reach=10, severity=4, benign_cost=2, act_at=0.7)
    >>> impact(view).values.round(2)
    array([ 4., 20.,  5.])
    """
    values = np.zeros(len(view))
    for rows, proba in blocks(view):
        np.multiply(view.reach[rows], _cost(view, rows, proba), out=values[rows])
    return Scores("impact", values)


def _cost(view: PoolView, rows: slice, proba: Proba) -> Floats:
    stays, wrong, harm = np.zeros((3, proba.shape[1]))
    acted = np.zeros(proba.shape[1], dtype=np.bool_)
    for column in np.flatnonzero(view.violating):
        p = proba[column].astype(np.float64)
        stays += view.severity[rows, column] * p
        calls = p >= view.act_at[rows, column]
        acted |= calls
        np.maximum(wrong, view.benign_cost[rows, column] * calls, out=wrong)
        (np.maximum if view.multi_label else np.add)(harm, p, out=harm)
    return np.where(acted, wrong * np.clip(1 - harm, 0.0, 1.0), stays)
