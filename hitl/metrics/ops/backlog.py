"""The backlog: when it clears at the present pace, and what a day must bring for it to clear by a date."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import FEWEST
from hitl.types import Estimate, Floats

DAY = 86_400.0


@dataclass(frozen=True, eq=False)
class Flow:
    """d whole days on which work waited: answers given (d,), and answers asked for beyond what a round began with."""

    done: Floats
    asked: Floats

    @property
    def net(self) -> Floats:
        """(d,) by how much the backlog fell."""
        return self.done - self.asked

    def __len__(self) -> int:
        return len(self.done)


def daily(moments: Floats, now: float, days: int) -> Floats:
    """How many moments (n,), in seconds since 1970, lie in each of the last days (d,), the latest first. O(n).

    >>> daily(np.array([99.5, 98.9, 97.0]) * DAY, now=100 * DAY, days=2).tolist()
    [1.0, 1.0]
    """
    ago = np.floor((now - moments[~np.isnan(moments)]) / DAY)
    inside = (ago >= 0) & (ago < days)
    return np.bincount(ago[inside].astype(np.int64), minlength=days).astype(np.float64)


def a_day(counts: Floats, name: str) -> Estimate:
    """The mean of daily counts (d,) with a t interval, days being the units; under `FEWEST` days no value is told.

    Days differ more than chance in counting would make them (shifts, weekends), so that no Poisson interval will do.
    """
    from scipy.special import stdtrit

    n = len(counts)
    if n < 2:
        return Estimate(name, float("nan"), 0.0, float("inf"), n, method=_too_few(n))
    mean, error = float(counts.mean()), float(counts.std(ddof=1)) / n**0.5
    half = float(stdtrit(n - 1, 0.975)) * error
    found = Estimate(name, mean, max(mean - half, 0.0), mean + half, n, method="mean of days, t")
    return found if n >= FEWEST else replace(found, value=float("nan"), method=_too_few(n))


def clears_in(backlog: float, flow: Flow) -> Estimate:
    """Days until a backlog of so many answers is gone, if the days to come are like those of `flow`.

    With r the mean net fall a day and s its standard deviation, the fall over T days lies within r T ± t s √(T + T²/d):
    chance of the days to come, and of the d days that r is known from. The interval is of all T at which the backlog
    lies within that (a prediction by Fieller's argument, 1954, JRSS B 16:175); it has no end where growth cannot be
    ruled out, and where r ≤ 0 the backlog does not clear: the value is infinite. Raises `DataError` below 0.

    >>> steady = Flow(np.array([30.0, 34, 26, 31, 29, 30, 30]), np.array([2.0, 1, 3, 2, 2, 1, 3]))
    >>> print(clears_in(140, steady), clears_in(140, Flow(steady.asked, steady.done)), sep="; ")
    days_to_clear 5.000 [4.308, 5.860] (n=7); days_to_clear inf [inf, inf] (n=7)
    """
    from scipy.special import stdtrit

    if not backlog >= 0:
        raise DataError(f"a backlog of {backlog} answers cannot be; it is 0 or more")
    n, name = len(flow), "days_to_clear"
    if not backlog:
        return Estimate(name, 0.0, 0.0, 0.0, n, method="nothing waits")
    if n < 2:
        return Estimate(name, float("nan"), 0.0, float("inf"), n, method=_too_few(n))
    mean, spread = float(flow.net.mean()), float(flow.net.std(ddof=1))
    at = float(stdtrit(n - 1, 0.975)) * spread
    low, high = _within(backlog, mean, at, n)
    value = backlog / mean if mean > 0 else float("inf")
    method = "prediction from the days' net fall, t" if mean > 0 else "it grows as fast as it is worked off, or faster"
    found = Estimate(name, value, low, high, n, method=method)
    return found if n >= FEWEST else replace(found, value=float("nan"), method=_too_few(n))


def _within(backlog: float, mean: float, at: float, days: int) -> tuple[float, float]:
    """The T > 0 with (B - r T)² ≤ t² s² (T + T²/d), as far as they reach."""
    if not at:
        end = backlog / mean if mean > 0 else float("inf")
        return end, end
    square = mean**2 - at**2 / days
    half = backlog * mean + at**2 / 2
    inside = half**2 - square * backlog**2
    if inside < 0:  # a backlog that grows, and chance is too small to clear it at any time
        return float("inf"), float("inf")
    root = inside**0.5
    # The stable form of both roots: the first as B² over the larger one.
    low = backlog**2 / (half + root) if half + root > 0 else float("inf")
    return low, (half + root) / square if square > 0 and mean > 0 else float("inf")


def daily_target(backlog: float, flow: Flow, days: float) -> Estimate:
    """Answers a day that clear the backlog in so many days, with what is asked for meanwhile.

    The interval is a prediction: of what those days will ask for, t with the days of `flow`. Raises `DataError` where
    no time is left.
    """
    from scipy.special import stdtrit

    if not days > 0:
        raise DataError("the date is past; give one to come")
    n, base = len(flow), backlog / days
    if n < 2:
        why = f"{_too_few(n)}: what will be asked for meanwhile is not counted in"
        return Estimate("answers_a_day", base, base, float("inf"), n, method=why)
    more, spread = float(flow.asked.mean()), float(flow.asked.std(ddof=1))
    half = float(stdtrit(n - 1, 0.975)) * spread * (1 / days + 1 / n) ** 0.5
    low, high = base + max(more - half, 0.0), base + more + half
    return Estimate("answers_a_day", base + more, low, high, n, method="backlog and what is asked for meanwhile, t")


def over(top: Estimate, bottom: Estimate, name: str) -> Estimate:
    """One estimate over another that is independent of it, both above 0.

    Each end is a root of squares of the two half widths on the log scale (MOVER; Zou & Donner 2008, Statistics in
    Medicine 27:1693). NaN where either is.
    """
    if np.isnan(top.value) or np.isnan(bottom.value) or bottom.value <= 0:
        why = top.method if np.isnan(top.value) else bottom.method
        return Estimate(name, float("nan"), 0.0, float("inf"), min(top.n, bottom.n), method=why)
    value = top.value / bottom.value
    if not value:
        return Estimate(name, 0.0, 0.0, 0.0, min(top.n, bottom.n), method="nothing to do")
    with np.errstate(divide="ignore"):
        down = np.hypot(np.log(top.value / top.low), np.log(bottom.high / bottom.value)) if top.low > 0 else np.inf
        up = np.hypot(np.log(top.high / top.value), np.log(bottom.value / bottom.low)) if bottom.low > 0 else np.inf
    ends = value * float(np.exp(-down)), value * float(np.exp(up))
    return Estimate(name, value, *ends, min(top.n, bottom.n), method="both intervals together, log scale")


def _too_few(days: int) -> str:
    return f"too few whole days of work: {days}, {FEWEST} are needed"
