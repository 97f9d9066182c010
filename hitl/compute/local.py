"""Passes in this process, block by block or on threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hitl.compute import Outcome, Work
from hitl.compute.gather import Gather
from hitl.errors import ConfigError
from hitl.types import Progress, silent

MOST = 8
"""Threads at most unless more are asked for: each holds a block of its own, and memory's bandwidth is shared."""


def cores() -> int:
    """The cores that this process may use, at most `MOST`."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST)


@dataclass(frozen=True)
class Local:
    """Runs passes here, on as many `threads` as are given: numpy, scipy and Arrow compute outside Python's lock.

    Left out, they are as many as this process has cores, at most `MOST`: what comes out does not depend on them.

    >>> Local(threads=0)
    Traceback (most recent call last):
    hitl.errors.ConfigError: compute.threads=0 must be a whole number of at least 1
    """

    threads: int = field(default_factory=cores)

    def __post_init__(self) -> None:
        if type(self.threads) is not int or self.threads < 1:
            raise ConfigError(f"compute.threads={self.threads!r} must be a whole number of at least 1")

    @property
    def travels(self) -> bool:
        """No: work stays in this process."""
        return False

    def check(self) -> None:
        """Nothing can be amiss."""

    def run(self, work: Work[Outcome], progress: Progress = silent) -> Outcome:
        """The outcome of all blocks; each is an outcome of its own until it is merged."""
        gather = Gather(work, progress)
        blocks = range(len(work.sizes))
        if self.threads == 1:
            for block in blocks:
                gather.take(block, work.run(block))
            return gather.result()
        with ThreadPoolExecutor(self.threads) as threads:
            for block, outcome in zip(blocks, threads.map(work.run, blocks), strict=True):
                gather.take(block, outcome)
        return gather.result()
