"""What goes wrong with which request: drawn beforehand, so that a seed does the same to the same requests."""

from __future__ import annotations

import random
from dataclasses import dataclass

READS, WRITES = 12, 5
"""The first so many reads and writes of a plan's sequence may meet a fault."""


@dataclass(frozen=True)
class Fault:
    """What happens to one request; `forwarded` says whether the server heard of it, `behind` after how many others."""

    kind: str
    forwarded: bool = False
    behind: int = 0

    def __str__(self) -> str:
        when = f", {self.behind} later" if self.behind else ", after" if self.forwarded else ", before"
        return self.kind + when


@dataclass(frozen=True)
class Weather:
    """Which of the reads and writes to come meet which fault: `most` of each, all of it drawn from the seed."""

    seed: int
    kinds: tuple[str, ...]
    most: int = 2

    @property
    def plan(self) -> dict[tuple[str, int], Fault]:
        """Faults by ("read" or "write", how many of those came before)."""
        chance = random.Random(f"weather {self.seed}")
        met = {}
        for what, reach in (("read", READS), ("write", WRITES)):
            for number in sorted(chance.sample(range(reach), min(self.most, reach))):
                kind = chance.choice(self.kinds)
                behind = chance.randint(1, 3) if kind == "late" else 0
                met[what, number] = Fault(kind, chance.random() < 0.5, behind)
        return met


CALM = Weather(0, (), most=0)
