"""What labels, and what a model has gained by them, took in people's hours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hitl.metrics.ops.times import ratio_estimate
from hitl.types import Bools, Estimate, Floats

POINT = 0.01
"""The unit of gain: one point of a figure that runs from 0 to 1."""


def hours_a_label(seconds: Floats, labelled: Bools) -> Estimate:
    """People's hours over labels; both (n,) by item, with all the active time that went into it, skips included.

    Items that stayed without a label cost time, too; the interval is that of a ratio over items.
    """
    return ratio_estimate(seconds / 3600, labelled.astype(np.float64), "hours_a_label")


def hours_a_point(hours: float, gain: Estimate) -> Estimate:
    """Hours over gain in points (0.01) of a figure.

    The hours are known; the interval is that of the gain, turned over (Fieller 1954). Where the gain's interval holds
    0, no amount of hours is ruled out for a point, and the value is not known.

    >>> print(hours_a_point(12.0, Estimate("macro_f1", 0.06, 0.02, 0.10, 200)))
    hours_a_point 2.000 [1.200, 6.000] (n=200)
    >>> print(hours_a_point(12.0, Estimate("macro_f1", 0.06, -0.02, 0.14, 200)))
    hours_a_point unknown: the gain's interval holds 0: it may be none
    """
    found = Estimate("hours_a_point", float("nan"), 0.0, float("inf"), gain.n)
    if np.isnan(gain.value):
        return replace(found, method=f"the gain is not known: {gain.method}")
    if gain.high < 0:
        return replace(found, method="the model lost: its interval lies below 0")
    if gain.low <= 0:
        least = hours * POINT / gain.high if gain.high > 0 else float("inf")
        why = "the gain's interval holds 0: it may be none"
        return replace(found, low=least, method=why)
    ends = (hours * POINT / part for part in (gain.value, gain.high, gain.low))
    value, low, high = ends
    return replace(found, value=value, low=low, high=high, method="hours over the gain's interval, turned over")


def priced(estimate: Estimate, rate: float | None, name: str) -> Estimate:
    """Hours as money at so much an hour; not known without a rate."""
    if rate is None:
        why = "give `cost_per_hour` in the plan"
        return replace(estimate, name=name, value=float("nan"), low=0.0, high=float("inf"), method=why)
    return replace(estimate, name=name, value=estimate.value * rate, low=estimate.low * rate, high=estimate.high * rate)
