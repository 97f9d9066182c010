"""Coefficients of agreement with their intervals, by a bootstrap over tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitl.metrics.agreement.coefficients import Coefficient
from hitl.metrics.intervals import kish, share_interval
from hitl.metrics.resample import replicate
from hitl.types import Bools, Estimate, Floats

REPLICATES = 1000

UNSEEN = 0.5
"""Disagreements of the greatest size that are added to those seen."""

ROUNDING = 1e-20
"""A variance below this is that of equal numbers."""


def estimates(
    coefficients: Sequence[Coefficient],
    weights: Floats,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> tuple[Estimate, ...]:
    """Each coefficient with its 95 % interval; all are of the same t tasks, with `weights` (t,) that average 1.

    Tasks are weighed anew with exponential weights (the Bayesian bootstrap: no rare label ever drops out), which gives
    the standard error. The interval is Wilson's of the observed disagreement with that error, divided by the
    disagreement that chance gives: in simulation it covers where nobody or nearly nobody disagrees, where percentiles
    do not. Each task's answers are chance, too, so that a sample of all of the pool has an interval as well.
    O(replicates t c) for c columns in all, memory of one block of replicates.
    """
    known = [one for one in coefficients if one.bottom.any()]
    columns = [np.column_stack([one.top, one.bottom, one.margins]) for one in known]
    ends = np.cumsum([0, *(block.shape[1] for block in columns)])
    table = np.hstack(columns) if columns else np.zeros((len(weights), 0))

    def values(times: Floats) -> Floats:
        sums = times @ table
        return np.stack(
            [_parts(one, sums[:, ends[at] : ends[at + 1]])[2] for at, one in enumerate(known)], axis=1
        ).reshape(len(times), len(known))

    shaken = replicate(values, weights, np.ones(len(weights)), replicates, rng) if known else np.zeros((0, 0))
    told = {
        id(one): _estimate(
            one, weights, shaken[:, at], f"bootstrap over items, {replicates} replicates, Wilson’s shape"
        )
        for at, one in enumerate(known)
    }
    return tuple(told.get(id(one)) or _unknown(one, 0, one.nothing) for one in coefficients)


def _parts(one: Coefficient, sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Observed and expected disagreement and the coefficient itself (b,), from weighted sums of its columns (b, c)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found, by_chance = sums[:, 0] / sums[:, 1], one.expected(sums[:, 2:])
        return found, by_chance, 1.0 - found / by_chance


def _estimate(one: Coefficient, weights: Floats, shaken: Floats, how: str) -> Estimate:
    sums = weights @ np.column_stack([one.top, one.bottom, one.margins])
    found, by_chance, value = (part.item() for part in _parts(one, sums[None]))
    n = int((one.bottom > 0).sum())
    if not by_chance > 1e-12:
        return _unknown(one, n, "all answers are the same, so that chance would agree, too")
    low, high = _bounds(one, weights, found, by_chance * shaken[np.isfinite(shaken)])
    method = f"{one.method}; {how}" if one.method else how
    least, most = max(1 - high / by_chance, -1.0), 1 - low / by_chance
    return Estimate(one.name, value, min(least, value), max(most, value), n, one.label, method=method)


def _bounds(one: Coefficient, weights: Floats, found: float, shaken: Floats) -> tuple[float, float]:
    """The interval of an observed disagreement, given replicates with its spread.

    On a scale a disagreement is rarely the greatest there is. It is measured in the size of the typical one, E[x²] /
    E[x], or of twice the mean where that is more, so that Wilson's shape fits x and not a share; as if half a greatest
    one had been seen besides, because few items show few of the great ones. Of equal ones the size is 1.
    """
    sizes = weights * one.bottom
    part = np.divide(one.top, one.bottom, out=np.zeros(len(weights)), where=one.bottom > 0)
    typical = float(weights @ part**2 + UNSEEN) / float(weights @ part + UNSEEN)
    size = max(typical, min(2 * found, 1.0))
    # What Wilson takes for the variance of a share of `size`, brought down to that of x.
    spread = max(typical - found, 0.0) / (size - found) if size > found else 1.0
    variance = float(shaken.var()) / size**2 if len(shaken) else 0.0
    low, high = share_interval(
        np.array([found / size]),
        np.array([variance if variance > ROUNDING else 0.0]),
        spread / kish(sizes[:, None]),
        np.minimum(_events(one.top > 0, weights), _events(one.top < one.bottom, weights)),
        np.array([int((one.bottom > 0).sum())]),
    )
    return low.item() * size, high.item() * size


def _events(speak: Bools, weights: Floats) -> Floats:
    """How many tasks speak on one side; those of uneven weights are fewer, by Kish."""
    return np.asarray(kish((weights * speak)[:, None]))


def _unknown(one: Coefficient, n: int, why: str) -> Estimate:
    least = 0.0 if not one.margins.shape[1] else -1.0
    return Estimate(one.name, float("nan"), least, 1.0, n, one.label, method=why)
