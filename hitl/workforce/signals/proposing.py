"""From the evidence of all signals to proposals: who is to be talked to, at a set rate of false alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hitl.types import Bools, Floats
from hitl.workforce.signals.signal import Evidence, Signal
from hitl.workforce.signals.stream import Stream

LEVEL = 0.01
"""The chance that anybody at all is named without cause, all people, signals and looks of a campaign together."""


@dataclass(frozen=True, eq=False)
class Proposals:
    """What s signals found of w people: the evidence, and adjusted p-values (s, w), NaN where too few to tell."""

    signals: tuple[Signal, ...]
    evidence: Mapping[str, Evidence]
    adjusted: Floats
    level: float

    @property
    def flagged(self) -> Bools:
        """(s, w) where a lead should look."""
        return np.asarray(np.nan_to_num(self.adjusted, nan=1.0) <= self.level)

    @property
    def few(self) -> Bools:
        """(s, w) where whatever a person did could not have raised the alarm yet."""
        return np.isnan(self.adjusted)

    def __repr__(self) -> str:
        people = int(self.flagged.any(axis=0).sum())
        return f"Proposals({people} of {self.adjusted.shape[1]} people, {len(self.signals)} signals)"


def propose(
    stream: Stream, signals: Mapping[str, Signal], adjust: Callable[[Floats], Floats], level: float = LEVEL
) -> Proposals:
    """Run signals over the record as it is now; nothing but a proposal follows from it.

    `adjust` makes p-values (n,), NaN where no test was made, good for all of them at once: `metrics.multiplicity.holm`.
    As the p-values hold whenever one looks, so does the rate over all rounds. O(signals × m k).
    """
    found = {name: signal.find(stream) for name, signal in signals.items()}
    tests = len(signals) * len(stream.workers)
    p = np.array([one.p for one in found.values()]).reshape(len(signals), len(stream.workers))
    reach = np.array([one.possible for one in found.values()]).reshape(p.shape)
    p[reach < np.log(max(tests, 1) / level)] = np.nan
    # tests that could not reach an alarm never will by this record: they are not made, and cost the others nothing
    return Proposals(tuple(signals.values()), found, adjust(p.ravel()).reshape(p.shape), level)
