"""Challenge suites: which cases a model passes, by functionality, and what changed since the model before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import shares, unless_few
from hitl.metrics.mcnemar import LEVEL, McNemar, mcnemar
from hitl.metrics.multiplicity import holm
from hitl.types import Bools, Estimate, Ints


@dataclass(frozen=True)
class Change:
    """What changed in some cases between two models: `test` counts cases won and lost, `adjusted` is its p after Holm.

    `difference` is that of the pass rates, new less old.
    """

    name: str
    test: McNemar
    difference: Estimate
    adjusted: float

    @property
    def regressed(self) -> bool:
        """Whether the new model passes less often, beyond what cases of the kind lose by chance."""
        return self.adjusted <= LEVEL and self.test.losses > self.test.wins


def must_catch(accepted: Bools, violating: Bools) -> Bools:
    """(n,) whether a case is a violation that must be caught: whatever is accepted (n, k) violates (k,)."""
    return np.asarray(accepted.any(axis=1) & ~(accepted & ~violating).any(axis=1))


def passes(given: Bools, accepted: Bools, violating: Bools, multi_label: bool) -> Bools:
    """(n,) whether the labels that a model gave (n, k) are right for cases that accept those labels (n, k).

    Single label: the one given is accepted. Multi-label: of a violation, some accepted label is given; of others, no
    violating label beside those accepted. A case that accepts none is passed by any that does not violate.

    >>> given, nothing = np.array([[True, False], [False, True]]), np.zeros((2, 2), dtype=bool)
    >>> passes(given, nothing, np.array([False, True]), False)
    array([ True, False])
    """
    caught, excess = (given & accepted).any(axis=1), (given & violating & ~accepted).any(axis=1)
    strict = must_catch(accepted, violating) if multi_label else accepted.any(axis=1)
    return np.where(strict, caught, ~excess)


def faults(accepted: Bools, violating: Bools) -> Bools:
    """(k,) the violating labels that no case which must be let be accepts: giving one there is a false alarm.

    All violating ones where every case must be caught.
    """
    return np.asarray(violating & ~accepted[~must_catch(accepted, violating)].any(axis=0))


def pass_rates(passed: Bools, codes: Ints, names: tuple[str, ...]) -> list[Estimate]:
    """The share of cases passed in each of the parts that `codes` (n,) name, with Wilson intervals.

    A suite is read as a sample of the cases of its kind that could be written. O(n × names).

    >>> pass_rates(np.array([True] * 7 + [False] * 3), np.zeros(10, dtype=int), ("slur",))
    [passed[slur] 0.700 [0.342, 0.913] (n=10)]
    """
    part = (codes[:, None] == np.arange(len(names))).astype(float)
    ones = np.ones(len(passed))
    found = shares(part * passed[:, None], part, ones, ones)
    told = zip(names, found.value, found.low, found.high, found.n, strict=True)
    return [
        unless_few(Estimate("passed", float(v), float(lo), float(hi), int(n), label=name, method="Wilson interval"), n)
        for name, v, lo, hi, n in told
    ]


def changes(new: Bools, old: Bools, codes: Ints, names: tuple[str, ...]) -> list[Change]:
    """What two models pass (n,) of the same cases, part by part: McNemar's test, Holm's correction over the parts.

    Parts without cases are left out. Raises `DataError` when the models were not given the same cases.
    O(n × names + Σ (cases that differ)²).
    """
    if not len(new) == len(old) == len(codes):
        raise DataError(f"{len(new):,} cases against {len(old):,}; run both models on the same suite")
    parts = [(name, codes == at) for at, name in enumerate(names)]
    parts = [(name, rows) for name, rows in parts if rows.any()]
    tests = [mcnemar(new[rows], old[rows], np.ones(int(rows.sum()))) for _, rows in parts]
    adjusted = holm(np.array([test.p for test in tests]))
    return [
        Change(name, test, _difference(name, new[rows], old[rows]), float(p))
        for (name, rows), test, p in zip(parts, tests, adjusted, strict=True)
    ]


def _difference(name: str, new: Bools, old: Bools) -> Estimate:
    """Newcombe's interval of a paired difference of shares (1998, Statistics in Medicine 17:2635, method 10)."""
    both = np.stack([new, old], axis=1).astype(float)
    ones = np.ones(len(new))
    found = shares(both, np.ones_like(both), ones, ones)
    (p1, p0), (l1, l0), (u1, u0) = found.value, found.low, found.high
    deviation = both - both.mean(axis=0)
    size = float(np.sqrt((deviation**2).sum(axis=0).prod()))
    phi = float(deviation[:, 0] @ deviation[:, 1]) / size if size > 0 else 0.0
    down, up = _joined(p1 - l1, u0 - p0, phi), _joined(u1 - p1, p0 - l0, phi)
    value = float(p1 - p0)
    low, high = max(value - down, -1.0), min(value + up, 1.0)
    return Estimate("passed", value, low, high, len(new), label=name, method="Newcombe's paired interval")


def _joined(one: float, other: float, phi: float) -> float:
    return float(np.sqrt(max(one**2 + other**2 - 2 * phi * one * other, 0.0)))
