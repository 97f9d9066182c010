"""The end of a pass: what the blocks came to, each merged exactly once."""

from __future__ import annotations

from typing import Generic

from hitl.compute import Outcome, Work
from hitl.errors import ComputeError
from hitl.types import Progress


class Gather(Generic[Outcome]):
    """Takes the blocks' outcomes as they arrive, in any order; memory holds the merged one alone."""

    def __init__(self, work: Work[Outcome], progress: Progress) -> None:
        self._label, self._sizes, self._progress = work.label, work.sizes, progress
        self._merged = work.nothing()
        self._missing = set(range(len(self._sizes)))
        self._total, self._done = sum(self._sizes), 0
        progress(self._label, 0, self._total)

    def take(self, block: int, outcome: Outcome) -> None:
        """Merge what a block came to; one that was done twice, because its worker died, counts once."""
        if block not in self._missing:
            return
        self._missing.remove(block)
        self._merged.merge(outcome)
        self._done += self._sizes[block]
        self._progress(self._label, self._done, self._total)

    def result(self) -> Outcome:
        """The outcome of all blocks; raises `ComputeError` when some are missing."""
        if self._missing:
            raise ComputeError(
                f"{self._label}: {len(self._missing):,} of {len(self._sizes):,} blocks never came back (the first is "
                f"number {min(self._missing)}); look at the cluster's log, then run the round again"
            )
        return self._merged
