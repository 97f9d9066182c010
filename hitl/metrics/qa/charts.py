"""Control charts of shares: which periods lie beyond what chance makes of a steady process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Floats

ALPHA = 0.0027
"""Chance of a signal in a period of a steady process: that of three standard errors, both sides together."""

_D2 = 1.128  # of moving ranges of two, by which their mean tells a standard deviation

Signal = Literal["", "above", "below", "run above", "run below"]
Method = Literal["exact", "laney"]


@dataclass(frozen=True, eq=False)
class Chart:
    """p periods in order: share, limits and signal of each (p,), the line that they are held against, (p,).

    `method` says where the limits come from. `dispersion` is the spread of the periods over that of the binomial: 1
    where chance alone makes them differ, NaN with fewer than three.
    """

    value: Floats
    low: Floats
    high: Floats
    centre: Floats
    signals: tuple[Signal, ...]
    dispersion: float
    method: str


def p_chart(
    events: Floats,
    sizes: Floats,
    *,
    baseline: Bools | None = None,
    target: float | None = None,
    method: Method = "exact",
) -> Chart:
    """A p-chart of shares events / sizes (p,), of even samples or of effective ones (`shrinking.effective`).

    With a `target` share each period is held against it by exact binomial limits of its own size. Without, against the
    periods of `baseline` (p,; all if left out) other than itself: the limits are those of the beta-binomial prediction
    under Jeffreys' prior, so that an estimated centre line costs no false alarms. `laney` widens normal limits by the
    spread between periods (p' chart; Laney 2002, Quality Engineering 14:531), where they differ for other reasons than
    chance and that is to be taken as normal. A run is a stretch on one side of the line that ends here and is less
    likely than `ALPHA` / 2. Raises `DataError` for impossible counts or targets. O(Σ sizes) time.

    >>> steady, sizes = np.array([5.0, 6, 4, 5, 7, 5, 20]), np.full(7, 100.0)
    >>> p_chart(steady, sizes).signals
    ('', '', '', '', '', '', 'above')
    """
    if not ((sizes >= 0).all() and (events >= 0).all() and (events <= sizes + 1e-9).all()):
        raise DataError("a control chart needs 0 <= events <= size in every period")
    if target is not None and not 0 < target < 1:
        raise DataError(f"{target:g} is no share to hold periods against; give one between 0 and 1")
    held = np.ones(len(events), dtype=np.bool_) if baseline is None else baseline
    value = np.divide(events, sizes, out=np.full(len(events), np.nan), where=sizes > 0)
    others_k, others_n = _others(events, sizes, held)
    if target is None:
        centre = np.divide(others_k, others_n, out=np.full(len(events), np.nan), where=others_n > 0)
    else:
        centre = np.full(len(events), target)
    spread = _dispersion(value, sizes, float(target if target is not None else _pooled(events, sizes, held)))
    if method == "laney":
        low, high, said = *_laney(centre, sizes, max(np.nan_to_num(spread, nan=1.0), 1.0)), "Laney p′, 3 σ"
    elif target is not None:
        low, high = _binomial(target, sizes)
        said = "exact binomial limits around the target"
    else:
        low, high = _predicted(others_k, others_n, sizes)
        said = "beta-binomial prediction from the other periods"
    # Exact limits are of whole counts: an effective count beyond one by less than half an event is on it.
    room = np.zeros(len(value)) if method == "laney" else 0.5 / np.maximum(np.rint(sizes), 1.0)
    beyond = _beyond(value, low, high, room)
    signals = _runs(value, centre, sizes, beyond) if method == "exact" else beyond
    return Chart(value, low, high, centre, tuple(signals), spread, said)


def _others(events: Floats, sizes: Floats, held: Bools) -> tuple[Floats, Floats]:
    """What the baseline's periods other than each one come to (p,)."""
    k, n = np.where(held, events, 0.0), np.where(held, sizes, 0.0)
    return k.sum() - k, n.sum() - n


def _pooled(events: Floats, sizes: Floats, held: Bools) -> float:
    total = sizes[held].sum()
    return float(events[held].sum() / total) if total else float("nan")


def _dispersion(value: Floats, sizes: Floats, centre: float) -> float:
    rows = np.flatnonzero(sizes > 0)
    if len(rows) < 3 or not 0 < centre < 1:
        return float("nan")
    z = (value[rows] - centre) / np.sqrt(centre * (1 - centre) / sizes[rows])
    return float(np.abs(np.diff(z)).mean() / _D2)


def _laney(centre: Floats, sizes: Floats, spread: float) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        half = 3 * spread * np.sqrt(centre * (1 - centre) / sizes)
    return np.clip(np.nan_to_num(centre - half), 0, 1), np.clip(np.nan_to_num(centre + half, nan=1.0), 0, 1)


def _binomial(target: float, sizes: Floats) -> tuple[Floats, Floats]:
    from scipy.stats import binom

    return _ends(sizes, lambda n, level: float(binom.ppf(level, n, target)))


def _predicted(k: Floats, n: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    from scipy.stats import betabinom

    low, high = np.zeros(len(sizes)), np.ones(len(sizes))
    for at in np.flatnonzero((n > 0) & (sizes > 0)).tolist():
        whole = max(round(sizes[at]), 1)
        before = betabinom(whole, k[at] + 0.5, n[at] - k[at] + 0.5)
        reach = np.cumsum(before.pmf(np.arange(whole + 1)))  # its own `cdf` adds them all up anew for each
        low[at], high[at] = (int(np.searchsorted(reach, level)) / whole for level in (ALPHA / 2, 1 - ALPHA / 2))
    return low, high


def _ends(sizes: Floats, quantile: Callable[[int, float], float]) -> tuple[Floats, Floats]:
    low, high = np.zeros(len(sizes)), np.ones(len(sizes))
    for at in np.flatnonzero(sizes > 0).tolist():
        whole = max(round(sizes[at]), 1)
        low[at], high[at] = (quantile(whole, level) / whole for level in (ALPHA / 2, 1 - ALPHA / 2))
    return low, high


def _beyond(value: Floats, low: Floats, high: Floats, room: Floats) -> list[Signal]:
    return [
        "above" if p > up + more else "below" if p < down - more else ""
        for p, down, up, more in zip(value, low, high, room, strict=True)
    ]


def _runs(value: Floats, centre: Floats, sizes: Floats, signals: list[Signal]) -> list[Signal]:
    """The signals, with those of runs where a period has none of its own."""
    from scipy.stats import binom

    told = list(signals)
    chance: float = 1.0
    side = 0
    for at, (p, line, n) in enumerate(zip(value.tolist(), centre.tolist(), sizes.tolist(), strict=True)):
        where = 0 if np.isnan(p) or np.isnan(line) or p == line else (1 if p > line else -1)
        if not where:
            side, chance = 0, 1.0
            continue
        whole = max(round(n), 1)
        low = float(binom.cdf(np.ceil(line * whole - 1e-9) - 1, whole, line))
        alike = 1 - float(binom.cdf(np.floor(line * whole + 1e-9), whole, line)) if where > 0 else low
        chance = (chance if where == side else 1.0) * alike
        side = where
        if chance <= ALPHA / 2 and not told[at]:
            told[at] = "run above" if where > 0 else "run below"
    return told
