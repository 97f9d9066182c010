"""Times and rates of work, with intervals: quantiles by order statistics, means that allow for a long tail, waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hitl.metrics.intervals import FEWEST, Z
from hitl.types import Bools, Estimate, Floats

AWAY = 900.0
"""Seconds on one annotation above which a person is taken to have been away."""


def active(seconds: Floats) -> Floats:
    """Seconds of work (n,): at most `AWAY` each, and none below 0."""
    return np.clip(seconds, 0.0, AWAY)


def median_estimate(values: Sequence[float] | Floats, name: str) -> Estimate:
    """The median with the order statistics that bound it at 95 % or more; see `quantile_estimate`.

    >>> print(median_estimate([3.0, 4.0, 4.5, 5.0, 6.0, 9.0, 30.0], "seconds"))
    seconds 5.000 [3.000, 30.000] (n=7)
    """
    return quantile_estimate(values, 0.5, name)


def quantile_estimate(values: Sequence[float] | Floats, q: float, name: str) -> Estimate:
    """A quantile with the order statistics that bound it at 95 % or more (binomial; Conover 1999, ch. 3.2).

    Where so few values cannot bound it so surely (under six for the median, above the ninth tenth under 36), the
    interval ends with their range, and the method says so. O(n log n).

    >>> print(quantile_estimate(np.arange(1.0, 101.0), 0.9, "seconds"))
    seconds 90.100 [84.000, 96.000] (n=100)
    """
    from scipy.special import bdtr

    n = len(values)
    if not n:
        return Estimate(name, float("nan"), 0.0, float("inf"), 0, method="there are no answers")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    tails = bdtr(np.arange(n, dtype=np.float64), n, q)
    below, above = int((tails <= 0.025).sum()), int((1 - tails > 0.025).sum())
    low, high = ordered[max(below - 1, 0)], ordered[min(above, n - 1)]
    word = "median" if q == 0.5 else f"quantile {q:g}"
    method = f"{word}, order statistics" if below and above < n else f"{word} of few values, their range"
    return Estimate(name, float(np.quantile(ordered, q)), float(low), float(high), n, method=method)


def mean_estimate(values: Floats, name: str) -> Estimate:
    """The mean of values (n,) that may have a long tail, with its interval; see `ratio_estimate`.

    >>> print(mean_estimate(np.repeat([4.0, 5.0, 6.0, 7.0, 8.0, 60.0], 10), "seconds"))
    seconds 15.000 [10.469, 21.506] (n=60)
    """
    return ratio_estimate(values, np.ones(len(values)), name)


def ratio_estimate(top: Floats, bottom: Floats, name: str) -> Estimate:
    """Σ top / Σ bottom over n units, both (n,) and 0 or more, with its 95 % interval.

    Hall's (1992, JRSS B 54:221) cubic transformation of t takes the skewness of the linearised residuals out, so
    that the interval reaches further where the tail is: of log-normal times with a σ of .8 it covers 93 % at 15 values
    and 94 % at 150, where t itself covers 89 and 94 %. It is for more work of the same people, in the same mix.
    Under `FEWEST` units the value is not told. O(n).
    """
    from scipy.special import stdtrit

    n, total = len(top), float(bottom.sum())
    if total <= 0:
        return Estimate(name, float("nan"), 0.0, float("inf"), n, method="there is nothing to divide by")
    value = float(top.sum()) / total
    if n < FEWEST:
        why = f"too few: {n} bear on it, {FEWEST} are needed"
        return Estimate(name, float("nan"), 0.0, float("inf"), n, method=why)
    residual = (top - value * bottom) * n / total
    spread = float((residual**2).mean() ** 0.5)
    if not spread:
        return Estimate(name, value, value, value, n, method="all alike")
    skew = float((residual**3).mean()) / spread**3
    error = spread / (n - 1) ** 0.5
    at = float(stdtrit(n - 1, 0.975))
    low, high = (value - error * _unskewed(end, skew, n) for end in (at, -at))
    return Estimate(name, value, max(low, 0.0), high, n, method="mean, Hall's interval for skewed values")


def _unskewed(t: float, skew: float, n: int) -> float:
    """Where t lies before Hall's transformation: its inverse, and t itself without any skewness."""
    if abs(skew) < 1e-9:
        return t
    return float((np.cbrt(1 + skew * (t / n**0.5 - skew / (6 * n))) - 1) * 3 * n**0.5 / skew)


def waiting(seconds: Floats, over: Bools, q: float, name: str) -> Estimate:
    """The q-quantile of waiting times (n,), of which those not `over` are as long as they are by now, and still last.

    Kaplan and Meier's (1958) product-limit estimate: leaving out what still waits, or taking it for done, would make
    waiting look shorter than it is. The interval is Brookmeyer and Crowley's (1982, Biometrics 38:29) on the log-log
    scale. NaN while too few are over. O(n log n).

    >>> print(waiting(np.arange(1.0, 41.0), np.arange(40) < 30, 0.5, "turnaround"))
    turnaround 20.000 [14.000, 26.000] (n=40)
    """
    n = len(seconds)
    if not n:
        return Estimate(name, float("nan"), 0.0, float("inf"), 0, method="nothing was asked at a known time")
    times, place = np.unique(seconds, return_inverse=True)
    ends = np.bincount(place, weights=over.astype(np.float64), minlength=len(times))
    at_risk = n - np.concatenate([[0.0], np.cumsum(np.bincount(place, minlength=len(times)))[:-1]])
    left = np.cumprod(1 - ends / at_risk)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.sqrt(np.cumsum(ends / (at_risk * (at_risk - ends)))) / np.abs(np.log(left))
        low, high = (left ** np.exp(sign * Z * error) for sign in (1, -1))
    # Where nobody is left there is no error to be had: the last bounds that there are stay.
    inside = (left > 0) & (left < 1)
    first = [
        _first(times, part <= 1 - q + 1e-12)
        for part in (left, np.where(inside, low, left), np.where(inside, high, 1.0))
    ]
    found = Estimate(name, first[0], min(first[1], first[0]), first[2], n, method="Kaplan-Meier, Brookmeyer-Crowley")
    if np.isfinite(first[0]):
        return found
    return replace(found, value=float("nan"), low=first[1] if np.isfinite(first[1]) else float(seconds.min()),
                   method=f"not yet: {int(over.sum()):,} of {n:,} are done")  # fmt: skip


def _first(times: Floats, reached: Bools) -> float:
    return float(times[reached.argmax()]) if reached.any() else float("inf")
