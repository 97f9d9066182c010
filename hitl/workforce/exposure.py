"""Exposure to severe content: what each person saw on a day, caps on it, and who may be dealt one item more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hitl.history.routing import CapRow, DayRow, ExposureRow
from hitl.types import Floats, Ints

SUSPECTED = 0.1
"""Probability of a label from which an item is taken to be of its severity before anybody has judged it."""

LATEST_DAYS = 14
"""Days of each person that are told one by one."""


class ExposureCap(BaseModel):
    """At most `per_day` items of this severity or a higher one a person and day.

    >>> ExposureCap(severity_from=8, per_day=20).told
    '20 a day from severity 8'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    severity_from: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    per_day: Annotated[int, Field(gt=0)]

    @property
    def told(self) -> str:
        """The cap in words."""
        return f"{self.per_day:,} a day from severity {self.severity_from:g}"


@dataclass(frozen=True, eq=False)
class Sights:
    """m times that somebody saw an item: who (m,) as codes of `workers`, on which of the `days` (m,), how severe (m,).

    Days are ISO dates in ascending order. A skipped or unsure item was seen, too.
    """

    workers: tuple[str, ...]
    days: tuple[str, ...]
    worker: Ints
    day: Ints
    severity: Floats

    def __len__(self) -> int:
        return len(self.severity)

    def __repr__(self) -> str:
        return f"Sights({len(self):,} by {len(self.workers)} people on {len(self.days)} days)"

    def counts(self, least: float) -> Ints:
        """(workers, days) how many items of at least this severity each person saw on each day. O(m)."""
        severe = self.severity >= least
        place = self.worker[severe] * len(self.days) + self.day[severe]
        flat = np.bincount(place, minlength=len(self.workers) * len(self.days))
        return flat.reshape(len(self.workers), len(self.days)).astype(np.int64)


def suspected(proba: Floats, severity: Floats) -> Floats:
    """(n,) the worst severity that items may have, from the probabilities and severities (n, k) of their labels.

    A label is suspected from `SUSPECTED` on. Without any prediction (a row of zeros) nothing is known, and the worst
    must be assumed: infinity. O(n k).

    >>> suspected(np.array([[0.85, 0.15], [0.95, 0.05], [0, 0]]), np.array([0.0, 9.0])).tolist()
    [9.0, 0.0, inf]
    """
    worst = np.where(proba >= SUSPECTED, severity, 0.0).max(axis=1, initial=0.0)
    found: Floats = np.where(proba.any(axis=1), worst, np.inf)
    return found


def within_caps(severity: float, seen: Sequence[int], caps: Sequence[ExposureCap]) -> bool:
    """Whether an item may be dealt to somebody who has seen so many that day, by cap; see `suspected` for `severity`.

    >>> caps = [ExposureCap(severity_from=8, per_day=2)]
    >>> within_caps(9.0, [1], caps), within_caps(9.0, [2], caps), within_caps(3.0, [2], caps)
    (True, False, True)
    """
    return all(severity < cap.severity_from or count < cap.per_day for cap, count in zip(caps, seen, strict=True))


def exposure(sights: Sights, caps: Sequence[ExposureCap], today: str) -> list[ExposureRow]:
    """What each person saw, in the order of their names, beside the caps; `today` is an ISO date. O(m × severities)."""
    levels = np.unique(sights.severity[sights.severity > 0])
    by_level = np.array([sights.counts(level) for level in levels], dtype=np.int64)
    # Counts from a severity on, less those from the next: of that severity alone.
    by_level[:-1] -= by_level[1:]
    by_cap = [sights.counts(cap.severity_from) for cap in caps]
    seen = sights.counts(-np.inf)
    names = [f"{level:g}" for level in levels]
    now = sights.days.index(today) if today in sights.days else None
    rows = []
    for at, worker in enumerate(sights.workers):
        there = np.flatnonzero(seen[at])
        severe = by_level[:, at] if len(levels) else np.zeros((0, len(sights.days)), dtype=np.int64)
        rows.append(
            ExposureRow(
                worker=worker,
                seen=int(seen[at].sum()),
                days=len(there),
                severe=_counted(names, severe.sum(axis=1)),
                by_day=[
                    DayRow(day=sights.days[day], seen=int(seen[at, day]), severe=_counted(names, severe[:, day]))
                    for day in there[::-1][:LATEST_DAYS].tolist()
                ],
                caps=[_cap(cap, counts[at], sights.days, now) for cap, counts in zip(caps, by_cap, strict=True)],
            )
        )
    return rows


def _counted(names: Sequence[str], counts: Ints) -> dict[str, int]:
    return {name: count for name, count in zip(names, counts.tolist(), strict=True) if count}


def _cap(cap: ExposureCap, counts: Ints, days: Sequence[str], now: int | None) -> CapRow:
    worst = int(counts.argmax()) if len(counts) else 0
    most = int(counts[worst]) if len(counts) else 0
    return CapRow(
        severity_from=cap.severity_from,
        per_day=cap.per_day,
        most=most,
        most_on=days[worst] if most else "",
        reached=int((counts >= cap.per_day).sum()),
        over=int((counts > cap.per_day).sum()),
        today=0 if now is None else int(counts[now]),
    )
