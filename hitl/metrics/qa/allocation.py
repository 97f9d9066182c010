"""How many decisions to look at in each stratum, and how much each is wanted."""

from __future__ import annotations

import numpy as np

from hitl.errors import DataError
from hitl.types import Floats, Ints

POWER = 0.5
"""Between 0, all strata alike, and 1, in proportion to their stake."""

LEAST = 5
"""Decisions that a stratum has a claim to: fewer tell no share (`hitl.metrics.intervals.FEWEST`)."""


def allocate(size: int, decisions: Ints, stake: Floats, *, power: float = POWER, least: int = LEAST) -> Ints:
    """How many of `size` looks each of h strata gets (h,), at most its `decisions` (h,), in proportion to stake^power.

    Bankier's power allocation (1988, American Statistician 42:174): a compromise between the best for the whole and
    the best for each stratum. First every stratum gets up to `least`, or an even part where `size` is too small for
    that; what a stratum cannot use goes to the others. Rounded by largest remainders. Raises `DataError` for negative
    counts or stakes. O(h² log h).

    >>> allocate(100, np.array([10_000, 100, 3]), np.array([10_000.0, 100, 3])).tolist()
    [84, 13, 3]
    """
    if size < 0 or (decisions < 0).any() or not (np.isfinite(stake).all() and (stake >= 0).all()):
        raise DataError("an allocation needs a size, counts and stakes of 0 or more")
    size = int(min(size, decisions.sum()))
    given = _filled(size, np.minimum(decisions, least), np.ones(len(decisions)))
    wanted = np.where(decisions > given, np.maximum(stake, 1e-12) ** power, 0.0)
    return np.asarray(given + _filled(size - int(given.sum()), decisions - given, wanted), dtype=np.int64)


def _filled(size: int, room: Ints, wanted: Floats) -> Ints:
    """Up to `size` in proportion to `wanted` (h,) and within `room` (h,); what a full stratum leaves goes to others."""
    given = np.zeros(len(room), dtype=np.int64)
    while (left := size - int(given.sum())) > 0:
        open_ = np.flatnonzero((given < room) & (wanted > 0))
        if not len(open_):
            break
        parts = wanted[open_] / wanted[open_].sum() * left
        free = (room - given)[open_]
        full = parts >= free
        if full.any():
            given[open_[full]] = room[open_[full]]
            continue
        whole = np.floor(parts).astype(np.int64)
        given[open_] += whole
        given[open_[np.argsort(whole - parts, kind="stable")[: left - int(whole.sum())]]] += 1
    return given


def risk(chance: Floats, stake: Floats, stake_share: float) -> Floats:
    """How much each of n decisions is wanted: √chance × √((1 - s)² + (s × stake / mean stake)²).

    `chance` (n,) is that of an error, by whatever is believed; NaN counts as the mean. For errors counted by Σ y / π
    the least anticipated variance is reached in proportion to the root of E[y²] (Godambe and Joshi 1965; Särndal,
    Swensson and Wretman 1992, ch. 12.2). `stake` (n,) is what an error would cost, views × severity; the root of the
    sum serves shares of decisions and of harm at once (`hitl.sampling.audit.audit_weights`).

    >>> risk(np.array([0.04, 0.16, np.nan]), np.ones(3), 0.0).round(2)
    array([0.2 , 0.4 , 0.32])
    """
    if not 0 <= stake_share <= 1:
        raise DataError(f"{stake_share:g} is no share; give the stake a part between 0 and 1")
    known = ~np.isnan(chance)
    usual = float(chance[known].mean()) if known.any() else 1.0
    mean = float(stake.mean()) if len(stake) else 0.0
    relative = stake / mean if mean > 0 else np.ones(len(stake))
    doubt = np.sqrt(np.clip(np.where(known, chance, usual), 0.0, 1.0))
    return np.asarray(doubt * np.hypot(1 - stake_share, stake_share * relative))
