"""McNemar's test of two models' decisions on the same items, and the gain that it would have found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Floats, Ints

LEVEL, POWER = 0.05, 0.8
"""Of the two-sided test, and with which a detectable difference is found."""

MANY = 500.0
"""Items on which models are to differ from which on power is computed by the normal approximation."""

_GRID = 1 << 14
"""Steps of the sum of unequal weights: its distribution is exact for weights rounded to a step."""


@dataclass(frozen=True)
class McNemar:
    """How two models' decisions on n items differ: items that only the new one gets right (`wins`), or only the old.

    `difference` is that of the shares of right decisions in the pool, new less old, and `discordance` the share on
    which they differ. The sample tells as much of them as `worth` equal items would.
    """

    wins: int
    losses: int
    n: int
    difference: float
    discordance: float
    p: float
    worth: int
    weighted: bool

    def detectable(self, level: float = LEVEL) -> float:
        """The difference that would be found with a power of 80 %; see `detectable`."""
        return detectable(self.worth, self.discordance, level)

    @property
    def method(self) -> str:
        """How p was found."""
        return "McNemar's test, mid-p" + (" of the design-weighted signs" if self.weighted else "")

    def __repr__(self) -> str:
        return f"McNemar({self.wins} wins, {self.losses} losses of {self.n:,} items, p={self.p:.3g})"


def mcnemar(new: Bools, old: Bools, weights: Floats) -> McNemar:
    """Whether the new model's decisions (n,), true where right, are right as often as the old one's on the same items.

    Given which items the models differ on, each is a win or a loss by the toss of a coin if both are equally good.
    With equal weights that is the exact conditional test (McNemar 1947, Psychometrika 12:153) at its mid-p, which is
    less cautious and kept its level in all 9,595 cases of Fagerland, Lydersen and Laake (2013, BMC Med Res Methodol
    13:91). In a sample of known inclusion the weights, 1 / π, are summed instead of the items: the randomisation
    distribution of Σ ± w. Its variance, Σ w² over the items that differ, is at least that of the design, Σ (1 - π) w²:
    in large samples it stays valid where light items are wins and heavy ones losses, and items drawn for certain make
    it cautious.
    Raises `DataError` for shapes and weights. O(m (m + 16,384)) time for m items that differ.

    >>> mcnemar(np.repeat([True, False], [7, 1]), np.repeat([False, True], [7, 1]), np.ones(8))
    McNemar(7 wins, 1 losses of 8 items, p=0.0391)
    """
    if not new.shape == old.shape == weights.shape == (len(new),):
        raise DataError(f"decisions have the shapes {new.shape} and {old.shape}, weights {weights.shape}; align them")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise DataError("the weights of items must be finite and above 0; drop items without one")
    sign = new.astype(np.int64) - old
    differ = sign != 0
    total, apart = float(weights.sum()), weights[differ]
    # As many equal items as would give the difference the variance that it has (Kish's effective size).
    bears = apart if len(apart) else weights
    worth = total * float(bears.sum()) / float(bears @ bears or 1.0)
    return McNemar(
        wins=int((sign > 0).sum()),
        losses=int((sign < 0).sum()),
        n=len(new),
        difference=float(weights @ sign) / total if total else float("nan"),
        discordance=float(apart.sum()) / total if total else float("nan"),
        p=_mid_p(apart, sign[differ] > 0),
        worth=round(worth),
        weighted=bool(len(weights)) and not np.allclose(weights, weights[0], rtol=1e-9),
    )


def power(n: int, gain: float, discordance: float, level: float = LEVEL) -> float:
    """The chance that the mid-p test on n equal items finds that a share `gain` more of them is right.

    The models differ on a share `discordance` ≥ gain. Exact: over the binomial number of items that differ, and over
    the wins among them (as Lachenbruch 1992, Statistics in Medicine 11:1521); where more than `MANY` are to differ it
    is Connor's normal approximation (1987, Biometrics 43:207). O(√n) time. Raises `DataError` for shares that cannot
    be.

    >>> round(power(200, 0.05, 0.05), 3), power(200, 0.0, 0.3) <= LEVEL
    (0.974, True)
    """
    from scipy.special import bdtr, gammaln, ndtr, ndtri, xlog1py, xlogy

    if not 0 <= gain <= discordance <= 1:
        raise DataError(f"a gain of {gain:g} needs a discordance from it to 1, not {discordance:g}")
    if n * discordance > MANY:
        spread = max(discordance - gain**2, 1e-12) ** 0.5
        far = [(sign * gain * n**0.5 - ndtri(1 - level / 2) * discordance**0.5) / spread for sign in (1, -1)]
        return float(ndtr(far).sum())
    spread = 8 * (n * discordance * (1 - discordance)) ** 0.5 + 8
    m = np.arange(max(int(n * discordance - spread), 0), min(int(n * discordance + spread), n) + 1)
    log = gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1) + xlogy(m, discordance) + xlog1py(n - m, -discordance)
    few, win = _fewest(m, level), (1 + gain / discordance) / 2
    found = np.where(few >= 0, bdtr(np.maximum(few, 0), m, win) + bdtr(np.maximum(few, 0), m, 1 - win), 0.0)
    return float(np.exp(log) @ found)


def detectable(n: int, discordance: float, level: float = LEVEL) -> float:
    """The gain that the test finds with a power of 80 % among n equal items, of which models differ on a share.

    Where the gain takes more items that differ than that, so many differ, all for the better. NaN where even a gain of
    1 would not be found, or the discordance is not known.

    >>> round(detectable(200, 0.1), 3), round(detectable(200, 0.0), 3), detectable(3, 0.5)
    (0.06, 0.033, nan)
    """
    low, high = 0.0, 1.0
    if np.isnan(discordance) or power(n, high, 1.0, level) < POWER:
        return float("nan")
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        found = power(n, middle, max(discordance, middle), level) >= POWER
        low, high = (low, middle) if found else (middle, high)
    return high


def _fewest(m: Ints, level: float) -> Ints:
    """The most wins (or losses) out of m at which the two-sided mid-p is at most `level`; -1 where none is."""
    from scipy.special import bdtr, ndtri

    near = np.floor(m / 2 + ndtri(level / 2) * np.sqrt(m) / 2).astype(np.int64)
    tried = near[:, None] + np.arange(-4, 6)
    k, of = np.clip(tried, 0, m[:, None]), np.broadcast_to(m[:, None], tried.shape)
    # twice the tail less its end: the same as P(X ≤ k) + P(X ≤ k - 1)
    below = np.where(k > 0, bdtr(np.maximum(k - 1, 0), of, 0.5), 0.0)
    extreme = (tried >= 0) & (tried <= m[:, None]) & (bdtr(k, of, 0.5) + below <= level)
    found: Ints = np.where(extreme, tried, -1).max(axis=1)
    return found


def _mid_p(weights: Floats, won: Bools) -> float:
    """P(|Σ ± w| > |observed|) and half of P(=), each sign by a coin, for weights (m,)."""
    if not len(weights):
        return 1.0
    even = np.allclose(weights, weights[0], rtol=1e-9)
    steps = np.rint(weights / weights[0] if even else weights * (_GRID / weights.sum())).astype(np.int64)
    total = int(steps.sum())
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    for step in steps.tolist():
        chance *= 0.5
        chance[step:] += chance[: total + 1 - step].copy()
    away = np.abs(2 * np.arange(total + 1) - total)
    seen = abs(2 * int(steps[won].sum()) - total)
    return float(min(chance[away > seen].sum() + chance[away == seen].sum() / 2, 1.0))
