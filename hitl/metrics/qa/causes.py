"""Why errors happen: which causes make most of them, and where a cause is more than its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.metrics.intervals import FEWEST, shares
from hitl.metrics.multiplicity import benjamini_hochberg
from hitl.metrics.qa.change import change, p_of
from hitl.types import Bools, Estimate, Floats, Ints

AGAINST = "in the slice - elsewhere, two parts of one sample, MOVER"


@dataclass(frozen=True)
class Bar:
    """One cause: errors seen, its share of all errors with a cause, and what it makes with those before it."""

    cause: str
    n: int
    share: Estimate
    cumulative: float


@dataclass(frozen=True)
class Root:
    """Where a cause has another share of the errors than elsewhere, and whether that stands after all that was tried.

    `adjusted` is by Benjamini and Hochberg over all slices and causes that were compared.
    """

    dimension: str
    group: str
    cause: str
    here: Estimate
    elsewhere: Estimate
    difference: Estimate
    adjusted: float

    @property
    def stands(self) -> bool:
        """Whether the difference is there, with one in twenty of such findings false."""
        return self.adjusted <= 0.05


def pareto(inclusion: Floats, cause: Ints, names: Sequence[str]) -> list[Bar]:
    """Causes by their share of the n errors, the largest first; `cause` (n,) are codes of `names`, -1 where unknown.

    Each error counts as many times as its inclusion probability (n,) says. O(n c).

    >>> [(bar.cause, round(bar.share.value, 2), round(bar.cumulative, 2))
    ...  for bar in pareto(np.full(10, 0.5), np.array([1] * 7 + [0] * 2 + [-1]), ["tool", "training"])]
    [('training', 0.78, 0.78), ('tool', 0.22, 1.0)]
    """
    known = cause >= 0
    n = np.bincount(cause[known], minlength=len(names))
    of = {at: _share(inclusion, cause == at, known, names[at]) for at in np.flatnonzero(n).tolist()}
    ranked = sorted(of, key=lambda at: (-of[at].value, names[at]))
    told, sum_ = [], 0.0
    for at in ranked:
        sum_ += of[at].value
        told.append(Bar(names[at], int(n[at]), of[at], min(sum_, 1.0)))
    return told


def roots(
    inclusion: Floats, cause: Ints, names: Sequence[str], slices: Mapping[str, tuple[Ints, Sequence[str]]]
) -> list[Root]:
    """Each slice and cause, compared with the errors elsewhere, the surest difference first.

    `slices` are dimension → codes (n,) and their names. Only slices with `FEWEST` errors of a known cause inside and
    outside are compared. O(n × slices × causes).
    """
    found: list[Root] = []
    known = cause >= 0
    for dimension, (codes, groups) in slices.items():
        for group, title in enumerate(groups):
            inside, outside = known & (codes == group), known & (codes != group)
            if min(inside.sum(), outside.sum()) < FEWEST:
                continue
            for at, name in enumerate(names):
                if not (known & (cause == at)).any():
                    continue
                here, there = (_share(inclusion, cause == at, part, name) for part in (inside, outside))
                found.append(Root(dimension, title, name, here, there, change(there, here, AGAINST), float("nan")))
    adjusted = benjamini_hochberg(np.array([p_of(one.difference) for one in found])) if found else np.zeros(0)
    told = [
        Root(one.dimension, one.group, one.cause, one.here, one.elsewhere, one.difference, float(p))
        for one, p in zip(found, adjusted, strict=True)
    ]
    return sorted(told, key=lambda one: (one.adjusted, -one.difference.value, one.dimension, one.group, one.cause))


def _share(inclusion: Floats, mine: Bools, among: Bools, cause: str) -> Estimate:
    inside = among.astype(np.float64)[:, None]
    found = shares(mine[:, None] * inside, inside, 1 / inclusion, 1 - inclusion)
    value, low, high = (float(part[0]) for part in (found.value, found.low, found.high))
    return Estimate("share_of_errors", value, low, high, int(found.n[0]), cause, method="Hájek, Wilson interval")
