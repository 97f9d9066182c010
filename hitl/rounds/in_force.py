"""Which model was in force when, and what it would have decided by itself about the items that no person had judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.compute import here
from hitl.metrics.transparency import DecisionCounts, decisions_at
from hitl.models import Fitted
from hitl.policy import Policy
from hitl.policy.taxonomy import Costs
from hitl.rounds.judged import Judged, judged
from hitl.rounds.walk import Walk
from hitl.types import Bools, Ints


@dataclass(frozen=True)
class Period:
    """The time in which one model was in force: from the end of the round that trained it to the end of the next.

    `number` is that next round's, which the model picked and whose audit it has not seen. In the seed round, from its
    start, no model is in force (""). `end` is None while the model is.
    """

    number: int
    begin: str
    end: str | None
    model: str
    policy_version: str


def periods(walk: Walk) -> list[Period]:
    """One period a round that has begun, and one of the newest model where no round followed it. O(rounds)."""
    ledger = walk.ledger
    completed, models = ledger.completed("measure"), ledger.models()
    rows = ledger.rounds()
    found = [
        Period(
            row["round"],
            completed.get(row["round"] - 1, row["started"]),
            completed.get(row["round"]),
            models.get(row["round"] - 1, ""),
            row["policy_version"],
        )
        for row in rows
    ]
    last = rows[-1]["round"] if rows else -1
    if last in completed:
        found.append(Period(last + 1, completed[last], None, models.get(last, ""), rows[-1]["policy_version"]))
    return found


def under(walk: Walk, version: str) -> Walk:
    """The campaign as it was under a version of its policy."""
    if version == walk.policy.version:
        return walk
    return replace(walk, policy=Policy.parse(walk.ledger.policies()[version], f"policy v{version}"))


def unjudged(walk: Walk, number: int) -> Bools:
    """Which items were in play when a round was picked, readable, without a known label, and not asked before. O(n).

    The round's audit is a draw from these.
    """
    begun = [row["round"] for row in walk.ledger.rounds()]
    free = walk.in_play(min(number, begun[-1]))
    asked = {pick.item_id for earlier in begun if earlier < number for pick in walk.ledger.picks(earlier)}
    for rows in (walk.positions(asked | walk.broken().keys()), walk.gold.positions, walk.features.unreadable.positions):
        free[rows] = False
    return free


def evidence(walk: Walk, period: Period, fitted: Fitted) -> tuple[Judged | None, str]:
    """What people judged that speaks for the model, which has not seen it, and what that is.

    The round's audit where it is settled; the frozen benchmark otherwise, as the round before settled it.
    """
    drawn = walk.audit_items(period.number)
    audit = judged(walk, period.number, drawn, fitted, fitted) if drawn else None
    if audit is not None:
        return audit, f"the audit of round {period.number}"
    earlier = walk.fitted(period.number - 2)
    return judged(walk, period.number - 1, walk.benchmark_items(), fitted, earlier), "the frozen benchmark"


def count_decisions(walk: Walk, fitted: Fitted, among: Bools, label: str) -> DecisionCounts:
    """What a model would decide at the policy's thresholds about `among` (n,) items, by language. O(n k) time.

    Features are read and scored block by block; memory is a block and the counts.
    """
    work = _Decide(walk, fitted, walk.policy.costs(walk.regions[1]), among, label)
    # The features that the model learned from are cached here, wherever the pool is scanned.
    compute = here() if walk.compute.travels else walk.compute
    return compute.run(work, walk.progress)


@dataclass(frozen=True, eq=False)
class _Decide:
    """The pass that counts decisions."""

    walk: Walk
    fitted: Fitted
    costs: Costs
    among: Bools
    label: str

    @property
    def sizes(self) -> Sequence[int]:
        """Items of each block."""
        n, block = len(self.walk.pool), self.walk.features.block
        return [min(block, n - start) for start in range(0, n, block)]

    def nothing(self) -> DecisionCounts:
        """The counts of no item."""
        return DecisionCounts.none(len(self.walk.pool.codes("language")[1]), len(self.walk.policy.names))

    def run(self, block: int) -> DecisionCounts:
        """The counts of one block."""
        walk, start = self.walk, block * self.walk.features.block
        rows: Ints = start + np.flatnonzero(self.among[start : start + self.sizes[block]])
        languages, names = walk.pool.codes("language")
        if not len(rows):
            return self.nothing()
        whole = len(rows) == self.sizes[block]
        x = walk.features.slice(start, start + len(rows)) if whole else walk.features.take(rows)
        regions, costs = walk.regions[0][rows], self.costs
        cuts = (costs.review_at[regions], costs.limit_at[regions], costs.remove_at[regions])
        decided = decisions_at(self.fitted.predict(x).proba, *cuts)
        return DecisionCounts.of(decided, languages[rows], len(names), walk.pool.reach[rows], walk.policy.violating)
