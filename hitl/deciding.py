"""From probabilities to decisions: which labels each item is given, and whether it violates anything."""

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


def violation(proba: Proba | Floats, violating: Bools, multi_label: bool = False) -> Floats:
    """The probability (n,) that some violating label (k,) applies, from the labels' (n, k); O(n k).

    The sum in a single-label policy. In a multi-label one the largest: the lower bound whatever the dependence of the
    labels (Fréchet), and exact where they nest. Each item's number depends on its own row alone.

    >>> violation(np.array([[0.5, 0.25, 0.25]]), np.array([False, True, True])).tolist()
    [0.5]
    """
    found = np.zeros(len(proba))
    for column in np.flatnonzero(violating):
        (np.maximum if multi_label else np.add)(found, proba[:, column].astype(np.float64), out=found)
    return np.clip(found, 0.0, 1.0, out=found)
