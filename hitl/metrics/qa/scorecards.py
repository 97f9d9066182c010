"""Scorecards: how often the decisions of each group were wrong, by a sample that was looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import shares, unless_few
from hitl.metrics.qa.shrinking import METHOD, effective, shrink
from hitl.types import Bools, Estimate, Floats, Ints

RATES = ("error_rate", "critical_error_rate", "noncritical_error_rate")
"""All errors; those that people bear; the wrong clause alone."""


@dataclass(frozen=True, eq=False)
class Checked:
    """n decisions that were drawn and looked at again.

    `inclusion` (n,) is the chance with which each was drawn and looked at, `wrong` and `critical` (n,) what the second
    look found. Raises `DataError` where these contradict each other.
    """

    inclusion: Floats
    wrong: Bools
    critical: Bools

    def __post_init__(self) -> None:
        if not self.inclusion.shape == self.wrong.shape == self.critical.shape:
            raise DataError("inclusion, wrong and critical need one entry a decision each")
        if not ((self.inclusion > 0) & (self.inclusion <= 1)).all():
            raise DataError("inclusion probabilities must be above 0 and at most 1; only drawn decisions are weighed")
        if (self.critical & ~self.wrong).any():
            raise DataError("a decision that was right is no critical error; mark it wrong, or not critical")

    def __len__(self) -> int:
        return len(self.inclusion)

    def errors(self, rate: str) -> Bools:
        """(n,) which decisions count as errors in one of `RATES`."""
        if rate not in RATES:
            raise DataError(f"{rate!r} is no rate of a scorecard; choose one of {', '.join(RATES)}")
        by_rate = dict(zip(RATES, (self.wrong, self.critical, self.wrong & ~self.critical), strict=True))
        return by_rate[rate]

    def take(self, rows: Bools | Ints) -> Checked:
        """Some of the decisions: a domain of the sample."""
        return Checked(self.inclusion[rows], self.wrong[rows], self.critical[rows])


@dataclass(frozen=True)
class Card:
    """One group's record: how many of its decisions were looked at, and each rate as found and drawn to its kind's.

    `raw` are design-based, about the decisions that were drawn from; `shrunk` about the group's way of deciding, with
    its neighbours' record as far as groups of the kind are alike. Both are in the order of `RATES`.
    """

    group: str
    kind: str
    n: int
    decisions: float  # that the sample stands for
    raw: tuple[Estimate, ...]
    shrunk: tuple[Estimate, ...]

    def __repr__(self) -> str:
        return f"Card({self.group!r}: {self.raw[0].figures}, drawn to {self.shrunk[0].figures}; n={self.n})"


def rate(checked: Checked, name: str = RATES[0], inside: Bools | None = None) -> Estimate:
    """The share of decisions that were wrong, in one of the senses of `RATES`, of all or of a domain `inside` (n,).

    Hájek's ratio, Wilson's interval at the effective size (`hitl.metrics.intervals.shares`). O(n).

    >>> some = np.arange(40) < 4
    >>> print(rate(Checked(np.full(40, 0.5), some, some)))
    error_rate 0.100 [0.050, 0.190] (n=40)
    """
    within = np.ones(len(checked)) if inside is None else inside.astype(float)
    wrong = (checked.errors(name) * within)[:, None]
    found = shares(wrong, within[:, None], 1 / checked.inclusion, 1 - checked.inclusion)
    value, low, high = (float(part[0]) for part in (found.value, found.low, found.high))
    n = int(found.n[0])
    method = "Hájek, Wilson interval at the effective size" if n else "no such decision was looked at again"
    return unless_few(Estimate(name, value, low, high, n, method=method), n, "decisions were looked at")


def scorecards(
    checked: Checked, groups: Ints, names: Sequence[str], kinds: Sequence[str], errors: Bools | None = None
) -> list[Card]:
    """A card for each of g groups that something was looked at of, in the order of `names`: no ranking.

    `groups` (n,) are codes of `names` (g,), `kinds` (g,) the kind that each is drawn towards. `errors` (n,) marks the
    errors that concern the group where that is not all of them. Shrinking treats the sample's weights by their
    effective size (`shrinking.effective`), about a stream and not a finite set: who decided five times and was
    looked at five times has still shown little. O(n g).
    """
    count = len(names)
    inside = (groups[:, None] == np.arange(count)).astype(np.float64)
    own = np.ones(len(checked), dtype=np.bool_) if errors is None else errors
    weights, certain = 1 / checked.inclusion, np.ones(len(checked))
    raw, drawn = [], []
    for name in RATES:
        wrong = (checked.errors(name) & own)[:, None] * inside
        raw.append(shares(wrong, inside, weights, 1 - checked.inclusion))
        drawn.append(_drawn(*effective(shares(wrong, inside, weights, certain)), kinds))
    sizes, stands = inside.sum(axis=0).astype(int), weights @ inside
    cards = []
    for at in np.flatnonzero(sizes).tolist():
        n, estimates = int(sizes[at]), []
        for name, found in zip(RATES, raw, strict=True):
            value, low, high = (float(part[at]) for part in (found.value, found.low, found.high))
            told = Estimate(name, value, low, high, n, names[at], method="Hájek, Wilson interval at the effective size")
            estimates.append(unless_few(told, n, "decisions were looked at"))
        pooled = (
            Estimate(name, float(value[at]), float(low[at]), float(high[at]), n, names[at], method=method[at])
            for name, (value, low, high, method) in zip(RATES, drawn, strict=True)
        )
        cards.append(Card(names[at], kinds[at], n, float(stands[at]), tuple(estimates), tuple(pooled)))
    return cards


def _drawn(events: Floats, sizes: Floats, kinds: Sequence[str]) -> tuple[Floats, Floats, Floats, list[str]]:
    """Shares (g,) drawn to those of their kind, with intervals, and how."""
    value, low, high = (np.full(len(sizes), np.nan) for _ in range(3))
    methods = [""] * len(sizes)
    of = np.array(kinds)
    for kind in dict.fromkeys(kinds):
        rows = np.flatnonzero((of == kind) & (sizes > 0))
        if not len(rows):
            continue
        found = shrink(events[rows], sizes[rows])
        value[rows], low[rows], high[rows] = found.value, found.low, found.high
        alone = "beta-binomial; alone of its kind"
        for row in rows.tolist():
            methods[row] = METHOD.format(kind or "all") if len(rows) > 1 else alone
    return value, low, high, methods
