"""One pass over the pool: every item is scored once, and what may be picked is kept in sketches that merge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hitl.errors import ConfigError, DataError
from hitl.history import BelievedRow
from hitl.sampling.aims import Aim
from hitl.sampling.audit import Beliefs, audit_weights
from hitl.sampling.candidates import Candidates
from hitl.sampling.combine import combine
from hitl.sampling.plan import Plan
from hitl.sampling.scorers import scorer
from hitl.sampling.scorers.impact import impact
from hitl.sampling.sketch import Draw, FlooredDraw, ProbabilityDraw, TopM
from hitl.sampling.uniforms import derive, draws
from hitl.sampling.view import Stakes, check_quotas, one_label
from hitl.types import Bools, Floats, Ints, PoolView, Proba, Scores

BINS = 64
"""Bins of the histogram of scores over [0, 1]."""

SHORTEST = 2048
"""Items that a shortlist holds at least, so that a flood of copies cannot fill that of a small batch."""

_UNIT = 1 << 20
"""Sums are kept in whole units of this fineness, because sums of floats depend on the order in which they are added."""


@dataclass(frozen=True, eq=False)
class ScanBatch:
    """n items of the pool as the scan sees them; only `eligible` ones (not asked before) may be picked.

    `strata` are codes into the names that the scan is given, the same in every batch. The view holds the opinion that
    arms pick by; `calibrated` are the probabilities (n, k) that the audit goes by, those of the view when left out.
    """

    positions: Ints  # (n,) rows in the pool
    view: PoolView
    strata: Ints  # (n,)
    eligible: Bools  # (n,)
    calibrated: Proba | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"ScanBatch({len(self):,} items, {int(self.eligible.sum()):,} eligible)"


@dataclass(frozen=True)
class PoolStats:
    """What a scan saw: items, those eligible, and of these the priority by the last aim and the expected cost."""

    seen: int
    eligible: int
    strata: Mapping[str, int]  # name → eligible items
    histogram: tuple[int, ...]  # eligible items in each of `BINS` equal bins of the priority
    mean_score: float
    expected_cost: float  # of the model's present decisions on all eligible items, in policy units
    believed: BelievedRow  # the shares that the model believes in, of eligible items

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
            "believed": self.believed,
        }


@dataclass(frozen=True, eq=False)
class Scan:
    """What is left of a pool after one pass: all that `select` needs, in memory that does not grow with the pool."""

    aims: tuple[Aim, ...]
    shortlists: tuple[Candidates, ...]  # for each aim the top by its score, by stratum
    audit: Draw  # a probability sample of all eligible items
    random: Candidates  # in random order, more than will be needed
    strata: tuple[str, ...]
    stats: PoolStats

    def __repr__(self) -> str:
        shortlists = ", ".join(
            f"{aim.name} {len(items):,}" for aim, items in zip(self.aims, self.shortlists, strict=True)
        )
        return (
            f"Scan({self.stats.seen:,} items, {self.stats.eligible:,} eligible: shortlists {shortlists or 'none'}; "
            f"audit {len(self.audit):,}, random {len(self.random):,})"
        )


@dataclass(frozen=True)
class Job:
    """What a scan looks for: a small value that travels to every shard.

    `strata` are the names behind the batches' codes, `stakes` the scale of cost, `seed` that of the round. Raises
    `ConfigError` when a quota names no stratum.
    """

    plan: Plan
    aims: tuple[Aim, ...]
    strata: tuple[str, ...]
    stakes: Stakes
    seed: int

    def __post_init__(self) -> None:
        check_quotas(self.plan.quotas, self.strata)

    @property
    def audit(self) -> int:
        """How many items the audit draws."""
        return self.plan.counts()["audit"]

    def depth(self, aim: Aim) -> int:
        """How many items of a stratum an aim's shortlist holds."""
        # earlier aims and the audit take from it, so it must be longer by what they may take
        taken = sum(other.count for other in self.aims[: self.aims.index(aim)])
        return max(self.plan.shortlist * aim.count, SHORTEST) + self.audit + taken


class Scanner:
    """A scan under way: feed it batches, merge it with those of other shards, and take the result.

    The result depends on the items alone and not on how they were cut into batches and shards, nor on their order.
    N items take O(N (k + scores) aims) time; memory is O(shortlist × strata × aims), plus one batch.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._tops = tuple(TopM(job.depth(aim), len(job.strata)) for aim in job.aims)
        self._audit = FlooredDraw(job.audit, job.plan.audit_floor)
        self._random = ProbabilityDraw(2 * job.plan.budget)
        self._beliefs = Beliefs(job.stakes.mean_reach)
        self._seen = self._score_units = self._cost_units = 0
        self._counts = np.zeros(len(job.strata), dtype=np.int64)
        self._histogram = np.zeros(BINS, dtype=np.int64)

    def feed(self, batch: ScanBatch) -> None:
        """Look at a batch; raises `DataError` for probabilities or codes that cannot be, `ConfigError` for a plan."""
        self._check(batch)
        self._seen += len(batch)
        cost = impact(batch.view)
        if len(cost) and not 0 <= cost.values.min() <= cost.values.max() < np.inf:
            raise DataError("an expected cost is NaN, infinite or below 0; look at reach and at the policy's costs")
        scored = _Scored(batch, self.job, cost)
        lists = [scored.by(aim) for aim in self.job.aims] or [scored.by(_NO_AIM)]
        view = batch.view if batch.calibrated is None else replace(batch.view, proba=batch.calibrated)
        self._beliefs.feed(view, batch.eligible)
        wanted = audit_weights(view, self.job.stakes.mean_reach, self.job.plan.audit_views)
        relative = cost.values / self.job.stakes.worst
        if not batch.eligible.all():
            lists = [items.take(batch.eligible) for items in lists]
            relative, wanted = relative[batch.eligible], wanted[batch.eligible]
        self._count(lists[-1], relative)
        for top, items in zip(self._tops, lists, strict=False):
            top.feed(items)
        served = lists[-1]  # by the widest aim, which all arms' items are served by
        self._audit.feed(served, wanted, self._chance(served, "audit"))
        self._random.feed(served, np.ones(len(served)), self._chance(served, "random"))

    def merge(self, other: Scanner) -> None:
        """Take over what another shard saw; raises `ConfigError` when it looked for something else."""
        if self.job != other.job:
            raise ConfigError("two scans merge only with the same plan, aims, strata, stakes and seed; scan all alike")
        self._seen += other._seen
        self._score_units += other._score_units
        self._cost_units += other._cost_units
        self._counts += other._counts
        self._histogram += other._histogram
        self._beliefs.merge(other._beliefs)
        for mine, theirs in zip(self._tops, other._tops, strict=True):
            mine.merge(theirs)
        self._audit.merge(other._audit)
        self._random.merge(other._random)

    def result(self) -> Scan:
        """What is left of the pool."""
        eligible = int(self._counts.sum())
        stats = PoolStats(
            seen=self._seen,
            eligible=eligible,
            strata=dict(zip(self.job.strata, self._counts.tolist(), strict=True)),
            histogram=tuple(self._histogram.tolist()),
            mean_score=self._score_units / _UNIT / eligible if eligible else float("nan"),
            expected_cost=self._cost_units / _UNIT * self.job.stakes.worst,
            believed=self._beliefs.result(),
        )
        lists = tuple(top.result() for top in self._tops)
        return Scan(self.job.aims, lists, self._audit.result(), self._random.result().items, self.job.strata, stats)

    def _chance(self, items: Candidates, purpose: str) -> Floats:
        return draws(items.keys, derive(self.job.seed, purpose))

    def _count(self, items: Candidates, relative: Floats) -> None:
        self._counts += np.bincount(items.strata, minlength=len(self.job.strata))
        bins = np.minimum((items.scores * BINS).astype(np.int64), BINS - 1)
        self._histogram += np.bincount(bins, minlength=BINS)
        self._score_units += int(np.rint(items.scores * _UNIT).astype(np.int64).sum())
        self._cost_units += int(np.rint(relative * _UNIT).astype(np.int64).sum())

    def _check(self, batch: ScanBatch) -> None:
        n = len(batch)
        if not n == len(batch.view) == len(batch.strata) == len(batch.eligible):
            raise DataError(f"a batch of {n} positions has {len(batch.view)} views and {len(batch.strata)} strata")
        if n and not 0 <= int(batch.strata.min()) <= int(batch.strata.max()) < len(self.job.strata):
            raise DataError(f"a batch has stratum codes outside 0 … {len(self.job.strata) - 1}; code all batches alike")


_NO_AIM = Aim("", 0, {"random": 1.0})
"""What the audit and the random arm are served by where a round has no other."""


class _Scored:
    """One batch with each score computed once, for all items or for one label."""

    def __init__(self, batch: ScanBatch, job: Job, cost: Scores) -> None:
        self._batch, self._scales = batch, job.stakes.scales(job.plan)
        self._known: dict[tuple[str, str], Scores] = {("impact", ""): cost}
        self._views = {"": batch.view}

    def by(self, aim: Aim) -> Candidates:
        """The items with an aim's priority."""
        scores = [self._score(name, aim.label) for name in aim.scores]
        combined = combine(scores, aim.scores, self._scales)
        batch = self._batch
        return Candidates(
            batch.positions, batch.view.keys, batch.view.draw, batch.strata, combined.values, combined.parts
        )

    def _score(self, name: str, label: str) -> Scores:
        if label not in self._views:
            self._views[label] = one_label(self._batch.view, self._batch.view.labels.index(label))
        if (name, label) not in self._known:
            self._known[name, label] = scorer(name)(self._views[label])
        return self._known[name, label]


def priorities(batch: ScanBatch, job: Job) -> Floats:
    """By what the batch's items (n,) are served now: the priority of the job's widest aim, as in a scan. O(n k).

    >>> from hitl.sampling.aims import Standing, aims
    >>> from hitl.sampling.view import example_view
    >>> view, none = example_view([[0.9, 0.1], [0.5, 0.5]]), np.zeros(2, dtype=np.int64)
    >>> plan = Plan(budget=1, audit=0, random=0, arms={"uncertain": {"scores": {"margin": 1}}})
    >>> batch = ScanBatch(np.arange(2), view, strata=none, eligible=np.ones(2, dtype=np.bool_))
    >>> priorities(batch, Job(plan, aims(plan, Standing()), ("",), Stakes(1.0, 1.0), seed=1)).round(1).tolist()
    [0.2, 1.0]
    """
    return _Scored(batch, job, impact(batch.view)).by((job.aims or (_NO_AIM,))[-1]).scores


def scan(batches: Iterable[ScanBatch], job: Job) -> Scan:
    """Score a pool in one pass and keep each aim's shortlist, the audit draw, the random arm's items and statistics.

    The audit draw is over all eligible items, with inclusion probability proportional to `audit_weights` by the
    calibrated probabilities, raised to `plan.audit_floor` times their mean (`FlooredDraw`). Complexity as in `Scanner`.
    Raises `ConfigError` and `DataError` as `Scanner` does.

    >>> from hitl.sampling.aims import Standing, aims
    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    >>> none = np.zeros(3, dtype=np.int64)
    >>> batch = ScanBatch(np.arange(3), view, strata=none, eligible=np.array([True, True, False]))
    >>> plan = Plan(budget=2, audit=0.5)
    >>> scan([batch], Job(plan, aims(plan, Standing()), ("",), Stakes(1.0, 1.0), seed=1))
    Scan(3 items, 2 eligible: shortlists uncertain 2; audit 1, random 2)
    """
    scanner = Scanner(job)
    for batch in batches:
        scanner.feed(batch)
    return scanner.result()
