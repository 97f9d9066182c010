"""Relabel: which answers that are settled deserve a second opinion."""

from __future__ import annotations

import numpy as np

from hitl.errors import DataError
from hitl.sampling.scorers._view import blocks, checked, needed
from hitl.types import PoolView, Scores


def relabel(view: PoolView) -> Scores:
    """1 - confidence × the model's probability of the settled answer; (n,) in [0, 1]; 0 where nothing is settled.

    High where people were not sure, and where the model contradicts them; the product is the chance that both are
    right if they err independently. Each label is an answer of its own and the most doubtful one counts, in a
    single-label policy the one that was given. The probabilities should be out of fold: a model that learned from
    an answer agrees with it. O(n k) time and O(n) memory. Raises `ConfigError` where a view tells what is settled
    without the confidence, `DataError` for NaN in either.

    After ActiveLab: Goh & Mueller (ICLR 2023 workshop); self-confidence of a given label: Northcutt, Jiang & Chuang
    (JAIR 2021).

    >>> from dataclasses import replace
    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[0.2, 0.8], [0.8, 0.2], [0.5, 0.5]])
    >>> settled = np.array([[0, 1], [0, 1], [np.nan, np.nan]])
    >>> relabel(replace(view, settled=settled, confidence=np.array([1.0, 0.5, 0.0]))).values.round(2)
    array([0.2, 0.9, 0. ])
    """
    values = np.zeros(len(view))
    if view.settled is None:
        checked(view)
        return Scores("relabel", values)
    sure = needed(view.confidence, "relabel", "confidence", "give each settled answer's confidence")
    if view.settled.shape != view.proba.shape or sure.shape != (len(view),):
        raise DataError(f"relabel: settled {view.settled.shape} and confidence {sure.shape} do not fit {view!r}")
    if not ((sure >= 0) & (sure <= 1 + 1e-9) | np.isnan(view.settled).all(axis=1)).all():
        raise DataError("relabel: a settled answer's confidence is NaN or outside [0, 1]; settle the answers anew")
    for rows, proba in blocks(view):
        for p, answer in zip(proba.astype(np.float64), view.settled[rows].T, strict=True):
            doubt = 1 - sure[rows] * np.where(answer == 1, p, 1 - p)
            np.maximum(values[rows], doubt, out=values[rows], where=~np.isnan(answer))
    return Scores("relabel", values)
