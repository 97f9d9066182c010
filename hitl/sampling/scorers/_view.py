"""What the scorers have in common: the check of what they are given, and reading it by column.

Everything runs column by column, because a reduction over rows may round differently where a batch is cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Floats, PoolView, Proba

_SLACK = 1e-5
"""How far float32 rounding may carry a probability beyond [0, 1]."""


def checked(view: PoolView) -> Proba:
    """The probabilities (n, k) of a view; raises `DataError` where one is NaN or outside [0, 1]. O(n k) time."""
    proba = view.proba
    if proba.shape != (len(view), len(view.labels)):
        raise DataError(
            f"probabilities have the shape {proba.shape}, but there are {len(view)} items and {len(view.labels)} "
            "labels; predict with the labels of the policy"
        )
    if not proba.size or (proba.min() >= -_SLACK and proba.max() <= 1 + _SLACK):
        return proba
    wrong = ~((proba >= -_SLACK) & (proba <= 1 + _SLACK))
    rows = np.flatnonzero(wrong.any(axis=1))
    column = int(np.flatnonzero(wrong[rows[0]])[0])
    raise DataError(
        f"{len(rows):,} of {len(view):,} items have a probability that is NaN or outside [0, 1], first in row "
        f"{rows[0]} of the batch (key {int(view.keys[rows[0]])}), label {view.labels[column]!r}: "
        f"{float(proba[rows[0], column])}; retrain the model or look at its features"
    )


def columns(view: PoolView, only: Bools | None = None) -> Iterator[Floats]:
    """The checked probabilities label by label, each (n,) float64 in [0, 1]; `only` (k,) names the labels wanted."""
    proba = checked(view)
    for column in range(proba.shape[1]):
        if only is None or only[column]:
            yield np.clip(proba[:, column].astype(np.float64), 0.0, 1.0)
