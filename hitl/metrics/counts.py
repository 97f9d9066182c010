"""Plain counts: k of n, every one of which counts alike."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import wilson_bounds
from hitl.types import Estimate

Method = Literal["Wilson", "Clopper-Pearson"]


def proportion(k: int, n: int, *, name: str = "share", label: str = "", method: Method = "Wilson") -> Estimate:
    """The share k / n with its 95 % interval; NaN in [0, 1] of nothing.

    Wilson's (1927, JASA 22:209) covers 95 % on average over the true shares, Clopper and Pearson's (1934, Biometrika
    26:404) at least 95 % for every one, which makes it wider; for bounds that must hold take the latter. Of items drawn
    with unequal chances see `hitl.metrics.intervals.shares`. Raises `DataError` where k is not within 0 … n.

    >>> print(proportion(5, 50), proportion(0, 50, method="Clopper-Pearson"), sep="; ")
    share 0.100 [0.043, 0.214] (n=50); share 0.000 [0.000, 0.071] (n=50)
    """
    low, high = wilson(k, n) if method == "Wilson" else clopper_pearson(k, n)
    return Estimate(name, k / n if n else float("nan"), low, high, n, label, method=method if n else "nothing to count")


def wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of k in n."""
    _check(k, n)
    if not n:
        return 0.0, 1.0
    low, high = (float(end[0]) for end in wilson_bounds(np.array([k / n]), np.array([1 / n])))
    return (low if k else 0.0), (high if k < n else 1.0)


def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of k in n, by the quantiles of the beta distribution."""
    _check(k, n)
    from scipy.special import betaincinv

    low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    return low, float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0


def rule_of_three(n: float) -> float:
    """The most that a share can be, at 95 %, of which n draws saw nothing: 1 - 0.05^(1/n), about 3 / n.

    Hanley and Lippman-Hand (1983, JAMA 249:1743). Of draws with unequal chances n is Kish's effective size.

    >>> round(rule_of_three(300), 4)
    0.0099
    """
    return 1.0 - 0.05 ** (1.0 / n) if n > 0 else 1.0


def _check(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise DataError(f"{k} of {n} is no count; give 0 <= k <= n")
