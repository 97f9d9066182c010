"""How a figure changed from one sample to another, and whether that may be chance."""

from __future__ import annotations

import numpy as np

from hitl.metrics.intervals import Z
from hitl.types import Estimate

METHOD = "after - before, two independent samples, MOVER"


def change(before: Estimate, after: Estimate, method: str = METHOD) -> Estimate:
    """`after` - `before`, two figures of independent samples, with a 95 % interval; NaN where one is not known.

    The method of variance estimates recovery (Zou and Donner 2008, Statistics in Medicine 27:1693; for shares
    Newcombe's tenth, 1998, Statistics in Medicine 17:873) takes each figure's own, skewed interval as it is.

    >>> print(change(Estimate("error_rate", 0.2, 0.15, 0.27, 200), Estimate("error_rate", 0.1, 0.06, 0.16, 150)))
    error_rate -0.100 [-0.181, -0.022] (n=350)
    """
    n = before.n + after.n
    if np.isnan(before.value) or np.isnan(after.value):
        side = "before" if np.isnan(before.value) else "after"
        told = before if side == "before" else after
        low, high = after.low - before.high, after.high - before.low
        return Estimate(after.name, np.nan, low, high, n, method=f"not known {side}: {told.method}")
    value = after.value - before.value
    down = np.hypot(after.value - after.low, before.high - before.value)
    up = np.hypot(after.high - after.value, before.value - before.low)
    return Estimate(after.name, value, float(value - down), float(value + up), n, after.label, method=method)


def p_of(difference: Estimate) -> float:
    """The two-sided p-value that belongs to a difference's interval: 0.05 where that touches 0; NaN of an unknown one.

    >>> round(p_of(Estimate("d", 0.2, 0.0, 0.3, 9)), 3)
    0.05
    """
    from scipy.special import ndtr

    if np.isnan(difference.value):
        return float("nan")
    far = difference.value - difference.low if difference.value > 0 else difference.high - difference.value
    return float(min(2 * ndtr(-Z * abs(difference.value) / max(far, 1e-300)), 1.0))
