"""One pass over the pool: every item is scored once, and what may be picked is kept in sketches that merge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.errors import ConfigError, DataError
from hitl.sampling.candidates import Candidates
from hitl.sampling.combine import combine
from hitl.sampling.plan import Plan
from hitl.sampling.scorers import scorer
from hitl.sampling.scorers.impact import impact
from hitl.sampling.sketch import Draw, ProbabilityDraw, TopM
from hitl.sampling.uniforms import derive, draws
from hitl.sampling.view import Stakes, check_quotas
from hitl.types import Bools, Floats, Ints, PoolView, Scores

BINS = 64
"""Bins of the histogram of scores over [0, 1]."""

_UNIT = 1 << 20
"""Sums are kept in whole units of this fineness, because sums of floats depend on the order in which they are added."""


@dataclass(frozen=True, eq=False)
class ScanBatch:
    """n items of the pool as the scan sees them; only `eligible` ones (not asked before) may be picked.

    `strata` are codes into the names that the scan is given, the same in every batch.
    """

    positions: Ints  # (n,) rows in the pool
    view: PoolView
    strata: Ints  # (n,)
    eligible: Bools  # (n,)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"ScanBatch({len(self):,} items, {int(self.eligible.sum()):,} eligible)"


@dataclass(frozen=True)
class PoolStats:
    """What a scan saw: items, those eligible, and of these the combined score and expected cost (policy units)."""

    seen: int
    eligible: int
    strata: Mapping[str, int]  # name → eligible items
    histogram: tuple[int, ...]  # eligible items in each of `BINS` equal bins of the score
    mean_score: float
    expected_cost: float  # of the model's present decisions on all eligible items

    def quantile(self, share: float) -> float:
        """The score below which about `share` of the eligible items lie, to within one bin; NaN for an empty pool."""
        if not self.eligible:
            return float("nan")
        counts = np.cumsum(self.histogram)
        return (int(np.searchsorted(counts, share * counts[-1])) + 1) / BINS

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for the ledger and the report."""
        return {
            "seen": self.seen,
            "eligible": self.eligible,
            "strata": dict(self.strata),
            "histogram": list(self.histogram),
            "mean_score": self.mean_score,
            "expected_cost": self.expected_cost,
        }


@dataclass(frozen=True, eq=False)
class Scan:
    """What is left of a pool after one pass: all that `select` needs, in memory that does not grow with the pool."""

    shortlist: Candidates  # the top by score of each stratum, by stratum
    audit: Draw  # a probability sample of all eligible items
    random: Candidates  # in random order, more than will be needed
    strata: tuple[str, ...]
    stats: PoolStats

    def __repr__(self) -> str:
        return (
            f"Scan({self.stats.seen:,} items, {self.stats.eligible:,} eligible: shortlist {len(self.shortlist):,}, "
            f"audit {len(self.audit):,}, random {len(self.random):,})"
        )


class Scanner:
    """A scan under way: feed it batches, merge it with those of other shards, and take the result.

    The result depends on the items alone and not on how they were cut into batches and shards, nor on their order.
    N items take O(N (k + scorers)) time; memory is O(shortlist × strata), plus one batch.
    """

    def __init__(self, plan: Plan, strata: tuple[str, ...], stakes: Stakes, seed: int) -> None:
        check_quotas(plan.quotas, strata)
        arms = plan.arms()
        self._plan, self._strata, self._stakes, self._seed = plan, strata, stakes, seed
        self._weights = {name: weight for name, weight in plan.scores.items() if weight}
        self._scorers = {name: scorer(name) for name in self._weights}
        # audit picks are taken out of the shortlist later, so it must be longer by them
        m = plan.shortlist * arms["explore"] + arms["audit"] if arms["explore"] else 0
        self._top = TopM(m, len(strata))
        self._audit = ProbabilityDraw(arms["audit"])
        self._random = ProbabilityDraw(2 * plan.budget)
        self._seen = self._score_units = self._cost_units = 0
        self._counts = np.zeros(len(strata), dtype=np.int64)
        self._histogram = np.zeros(BINS, dtype=np.int64)

    def feed(self, batch: ScanBatch) -> None:
        """Look at a batch; raises `DataError` for probabilities or codes that cannot be, `ConfigError` for a plan."""
        self._check(batch)
        self._seen += len(batch)
        combined, cost = self._score(batch.view)
        items = Candidates(
            batch.positions, batch.view.keys, batch.view.draw, batch.strata, combined.values, combined.parts
        )
        reach = batch.view.reach
        if not batch.eligible.all():
            items, cost, reach = items.take(batch.eligible), cost[batch.eligible], reach[batch.eligible]
        relative = cost / self._stakes.worst
        self._count(items, relative)
        self._top.feed(items)
        self._audit.feed(items, self._audit_weight(relative, reach), draws(items.keys, derive(self._seed, "audit")))
        self._random.feed(items, np.ones(len(items)), draws(items.keys, derive(self._seed, "random")))

    def merge(self, other: Scanner) -> None:
        """Take over what another shard saw; raises `ConfigError` when it ran by another plan, policy or seed."""
        mine = (self._plan, self._strata, self._stakes, self._seed)
        if mine != (other._plan, other._strata, other._stakes, other._seed):
            raise ConfigError("two scans merge only with the same plan, strata, stakes and seed; scan the shards alike")
        self._seen += other._seen
        self._score_units += other._score_units
        self._cost_units += other._cost_units
        self._counts += other._counts
        self._histogram += other._histogram
        self._top.merge(other._top)
        self._audit.merge(other._audit)
        self._random.merge(other._random)

    def result(self) -> Scan:
        """What is left of the pool."""
        eligible = int(self._counts.sum())
        stats = PoolStats(
            seen=self._seen,
            eligible=eligible,
            strata=dict(zip(self._strata, self._counts.tolist(), strict=True)),
            histogram=tuple(self._histogram.tolist()),
            mean_score=self._score_units / _UNIT / eligible if eligible else float("nan"),
            expected_cost=self._cost_units / _UNIT * self._stakes.worst,
        )
        return Scan(self._top.result(), self._audit.result(), self._random.result().items, self._strata, stats)

    def _audit_weight(self, relative: Floats, reach: Floats) -> Floats:
        """Reach × risk, both with their floors; `relative` is reach / mean reach × risk."""
        weights: Floats = relative + self._plan.risk_floor * reach / self._stakes.mean_reach + self._plan.audit_floor
        return weights

    def _score(self, view: PoolView) -> tuple[Scores, Floats]:
        scores = [score(view) for score in self._scorers.values()]
        known = {score.name: score for score in scores}
        cost = known["impact"] if "impact" in known else impact(view)
        if len(view) and not 0 <= cost.values.min() <= cost.values.max() < np.inf:
            raise DataError("an expected cost is NaN, infinite or below 0; look at reach and at the policy's costs")
        return combine(scores, self._weights, self._stakes.scales(self._plan)), cost.values

    def _count(self, items: Candidates, relative: Floats) -> None:
        self._counts += np.bincount(items.strata, minlength=len(self._strata))
        bins = np.minimum((items.scores * BINS).astype(np.int64), BINS - 1)
        self._histogram += np.bincount(bins, minlength=BINS)
        self._score_units += int(np.rint(items.scores * _UNIT).astype(np.int64).sum())
        self._cost_units += int(np.rint(relative * _UNIT).astype(np.int64).sum())

    def _check(self, batch: ScanBatch) -> None:
        n = len(batch)
        if not n == len(batch.view) == len(batch.strata) == len(batch.eligible):
            raise DataError(f"a batch of {n} positions has {len(batch.view)} views and {len(batch.strata)} strata")
        if n and not 0 <= int(batch.strata.min()) <= int(batch.strata.max()) < len(self._strata):
            raise DataError(f"a batch has stratum codes outside 0 … {len(self._strata) - 1}; code all batches alike")


def scan(batches: Iterable[ScanBatch], plan: Plan, *, strata: tuple[str, ...], stakes: Stakes, seed: int) -> Scan:
    """Score a pool in one pass and keep the shortlist, the audit draw, the random arm's items and statistics.

    `strata` are the names behind the batches' codes, `stakes` the scale of cost, `seed` that of the round. The audit
    draw is over all eligible items, with inclusion probability proportional to

        reach / mean reach × (risk + plan.risk_floor) + plan.audit_floor,

    risk in [0, 1] being the expected cost a view of the model's present decision, relative to the policy's highest
    cost; so no weight exceeds another by more than (1 + risk_floor) / audit_floor times its reach over the mean, plus
    one. Complexity as in `Scanner`. Raises `ConfigError` and `DataError` as `Scanner` does.

    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    >>> none = np.zeros(3, dtype=np.int64)
    >>> batch = ScanBatch(np.arange(3), view, strata=none, eligible=np.array([True, True, False]))
    >>> scan([batch], Plan(budget=2, audit=0.5), strata=("",), stakes=Stakes(1.0, 1.0), seed=1)
    Scan(3 items, 2 eligible: shortlist 2, audit 1, random 2)
    """
    scanner = Scanner(plan, strata, stakes, seed)
    for batch in batches:
        scanner.feed(batch)
    return scanner.result()
