"""Occupancy: how much of the time that people were there went into this campaign's work; by a table of shifts only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.ops.times import active, ratio_estimate
from hitl.types import Bools, Estimate, Floats, Ints

NO_TABLE = "no table of shifts: when people were there is not known, and is not guessed"


@dataclass(frozen=True, eq=False)
class Shifts:
    """m shifts: whose (m,), as codes of `workers`, from when to when (m,), in seconds since 1970.

    Raises `DataError` where a shift ends before it begins, or overlaps another of the same person.
    """

    workers: tuple[str, ...]
    worker: Ints
    start: Floats
    end: Floats

    def __post_init__(self) -> None:
        backwards = np.flatnonzero(~(self.end > self.start))
        if len(backwards):
            raise DataError(f"shift {backwards[0] + 1}: it ends before it begins; mend the times")
        order = np.lexsort([self.start, self.worker])
        same = self.worker[order][1:] == self.worker[order][:-1]
        early = np.flatnonzero(same & (self.start[order][1:] < self.end[order][:-1]))
        if len(early):
            first, second = sorted(int(order[early[0] + step]) + 1 for step in (0, 1))
            raise DataError(f"shifts {first} and {second}: they overlap, of one person; no time may count twice")

    def until(self, now: float) -> Shifts:
        """What of them is over by now; a shift under way counts until now."""
        begun = self.start < now
        return Shifts(self.workers, self.worker[begun], self.start[begun], np.minimum(self.end[begun], now))

    def __len__(self) -> int:
        return len(self.worker)

    def __repr__(self) -> str:
        return f"Shifts({len(self):,} shifts of {len(np.unique(self.worker)):,} people)"


@dataclass(frozen=True, eq=False)
class Present:
    """What shifts and work say together: seconds there and at work, by shift (m,), and work outside of any shift."""

    worker: Ints
    there: Floats
    worked: Floats
    outside: Bools  # (n,) which work was sent outside of its person's shifts

    def occupancy(self, mine: Bools) -> Estimate:
        """Time at work over time there, of the shifts `mine` (m,): they are the units of its interval."""
        found = ratio_estimate(self.worked[mine], self.there[mine], "occupancy")
        return found if mine.any() else replace(found, method="none of their shifts is in the table")


def present(shifts: Shifts, worker: Ints, seconds: Floats, at: Floats) -> Present:
    """Work (n,) by the shift in which it was sent: `worker` are codes of `shifts.workers`, -1 of nobody there.

    `seconds` are as the tool counts them, `at` when an answer was sent, in seconds since 1970. O((n + m) log m).

    >>> table = Shifts(("ana",), np.array([0, 0]), np.array([0.0, 10_000]), np.array([3600.0, 13_600]))
    >>> found = present(table, np.array([0, 0, 0]), np.array([600.0, 600, 50]), np.array([700.0, 11_000, 99_999]))
    >>> found.worked.tolist(), found.outside.tolist()
    ([600.0, 600.0], [False, False, True])
    """
    # Shifts of one person do not overlap, so that the last one begun is the only one that can hold.
    order = np.lexsort([shifts.start, shifts.worker])
    place = _last_before(shifts.worker[order], shifts.start[order], worker, at)
    inside = place >= 0
    held = order[np.maximum(place, 0)] if len(order) else np.zeros(len(at), dtype=np.int64)
    inside[inside] = at[inside] <= shifts.end[held[inside]]
    worked = np.bincount(held[inside], weights=active(seconds[inside]), minlength=len(shifts))
    return Present(shifts.worker, shifts.end - shifts.start, worked.astype(np.float64), ~inside)


def _last_before(owner: Ints, start: Floats, worker: Ints, at: Floats) -> Ints:
    """For each piece of work (n,) the last of the sorted shifts of its person that began before it; -1 where none."""
    moments = np.unique(np.concatenate([start, at]))
    width = len(moments) + 1
    held = owner * width + np.searchsorted(moments, start)
    found = np.searchsorted(held, worker * width + np.searchsorted(moments, at), side="right") - 1
    mine = (found >= 0) & (worker >= 0) & ~np.isnan(at)
    mine[mine] = owner[found[mine]] == worker[mine]
    return np.where(mine, found, -1).astype(np.int64)
