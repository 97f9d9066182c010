"""Several tests at once: p-values and intervals that allow for how many there are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hitl.errors import DataError
from hitl.types import Floats


def holm(p: Floats) -> Floats:
    """Adjusted p-values (m,) that keep the chance of any false alarm below the level, whatever the dependence.

    Step-down (Holm 1979, Scand. J. Statist. 6:65): reject where the adjusted value is at most the level. NaN is a test
    that was not made: it stays NaN, and does not count. Raises `DataError` for values outside [0, 1]. O(m log m).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3)
    array([0.03, 0.06, 0.06])
    """
    return _stepwise(p, lambda ordered: np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)))


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p-values (m,) that keep the expected share of false alarms among the alarms below the level.

    Step-up (Benjamini and Hochberg 1995, JRSS B 57:289), for independent or positively dependent tests. NaN is a test
    that was not made: it stays NaN, and does not count. Raises `DataError` for values outside [0, 1]. O(m log m).

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3)
    array([0.03, 0.04, 0.04])
    """

    def step_up(ordered: Floats) -> Floats:
        inflated = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
        return np.asarray(np.minimum.accumulate(inflated[::-1])[::-1])

    return _stepwise(p, step_up)


def _stepwise(p: Floats, adjust: Callable[[Floats], Floats]) -> Floats:
    p = np.asarray(p, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise DataError("p-values must be in [0, 1], or NaN where a test was not made")
    order = made[np.argsort(p[made], kind="stable")]
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(adjust(p[order]), 1.0)
    return adjusted
