"""From probabilities to decisions: which labels each item is given."""

from __future__ import annotations

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Floats, Proba


def decide(proba: Proba | Floats, thresholds: Floats | None = None, multi_label: bool = False) -> Bools:
    """Which labels items are given (n, k), from their probabilities (n, k) and a threshold > 0 for each label (k,).

    Multi-label: those whose probability reaches its threshold, 0.5 by default. Otherwise the one label whose
    probability is highest relative to its threshold, by default the most probable; of equals the first. Raises
    `DataError` for thresholds that do not fit. O(n k).

    >>> decide(np.array([[0.3, 0.7], [0.6, 0.4]]), np.array([0.2, 0.8])).tolist()
    [[True, False], [True, False]]
    """
    if thresholds is not None and (thresholds.shape != proba.shape[1:] or not (thresholds > 0).all()):
        raise DataError(f"{len(thresholds)} thresholds for {proba.shape[1]} labels; give one above 0 for each label")
    if multi_label:
        return np.asarray(proba >= (0.5 if thresholds is None else thresholds))
    relative = proba if thresholds is None else proba / thresholds
    decided = np.zeros(proba.shape, dtype=np.bool_)
    if proba.shape[1]:
        decided[np.arange(len(proba)), relative.argmax(axis=1)] = True
    return decided
