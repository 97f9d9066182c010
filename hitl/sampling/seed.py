"""The seed round, before there is any model: the frozen benchmark, then keywords, clusters and chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hitl.errors import ConfigError
from hitl.sampling.candidates import Candidates, join, rank_within
from hitl.sampling.fold import Folded, fold, join_folds
from hitl.sampling.keywords import matches
from hitl.sampling.known import nearest
from hitl.sampling.picks import make_picks
from hitl.sampling.plan import Plan
from hitl.sampling.sketch import Draw, ProbabilityDraw, TopM
from hitl.sampling.typical import allocate, typical
from hitl.sampling.uniforms import derive, draws
from hitl.sampling.view import check_quotas
from hitl.types import Arm, Bools, Embeddings, Floats, Ints, Keys, Pick, Selection

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE = 5000
"""Items of the subsample that is clustered."""

_CHUNK = 1 << 18


@dataclass(frozen=True, eq=False)
class SeedPool:
    """A pool of N items as the seed round reads it: columns, and callables that read the pool at positions (n,).

    `text_batches` gives (first row, Arrow string array) over the whole pool in order. An arm whose callable is None
    passes its share on. `eligible` (N,) is None where every item may be picked.
    """

    keys: Keys  # (N,)
    reach: Floats  # (N,) views
    strata: Ints  # (N,) codes into `names`
    names: tuple[str, ...]
    ids: Callable[[Ints], list[str]]
    texts: Callable[[Ints], list[str]] | None = None
    text_batches: Callable[[], Iterable[tuple[int, pa.Array | pa.ChunkedArray]]] | None = None
    features: Callable[[Ints], Any] | None = None  # (n, f), scipy sparse or dense; embeddings are taken as they are
    exemplars: Mapping[str, Embeddings] = field(default_factory=dict)  # label → (e, d), where features are embeddings
    eligible: Bools | None = None
    alike: Callable[[Ints, Ints], Folded] | None = None  # of items (n,), and of others that they may repeat (m,)

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"SeedPool({len(self):,} items, {len(self.names)} strata)"

    def open(self) -> Bools:
        """Which items may be picked, (N,), as a copy of its own."""
        return np.ones(len(self), dtype=np.bool_) if self.eligible is None else self.eligible.copy()

    def items(self, rows: Ints, seed: int) -> Candidates:
        """The items at positions as candidates: in the order of chance, since nothing is known of them yet."""
        keys = self.keys[rows]
        return Candidates(rows, keys, draws(keys, seed), self.strata[rows], np.zeros(len(rows)))


def benchmark_draw(pool: SeedPool, plan: Plan, seed: int) -> Draw:
    """The frozen benchmark: `plan.benchmark` items drawn with probability ∝ reach / mean reach + plan.audit_floor.

    No model is needed. By reach, because figures weighted by views need the items that are seen; with the floor, so
    that no item's weight exceeds that of one of mean reach by more than (1 + floor) / floor. O(N) time, O(size)
    memory. Raises `ConfigError` when the benchmark would leave nothing to train on.
    """
    open_ = pool.open()
    eligible = int(open_.sum())
    if plan.benchmark and plan.benchmark >= eligible:
        raise ConfigError(
            f"the benchmark of {plan.benchmark} leaves nothing to train on in a pool of {eligible} items; "
            f"set `benchmark` to {eligible // 2} or less, or bring more items"
        )
    mean = float(pool.reach.mean()) if len(pool) else 0.0
    drawn = ProbabilityDraw(plan.benchmark)
    for rows in _chunks(open_):
        items = pool.items(rows, derive(seed, "serve"))
        weights = pool.reach[rows] / (mean or 1.0) + plan.audit_floor
        drawn.feed(items, weights, draws(items.keys, derive(seed, "benchmark")))
    return drawn.result()


def seed_select(pool: SeedPool, plan: Plan, keywords: Mapping[str, Sequence[str]], *, seed: int) -> Selection:
    """Choose the seed round: `benchmark` from the whole pool; `keyword`, `exemplar`, `diverse`, `random` from the rest.

    `keywords` are those of each violating label (`policy_keywords`): labels share the arm equally, and one without
    matches gives its share to the others; so they do with what is nearest to their exemplars (seeding with what is
    known of a rare class: Ein-Dor et al. 2020; Kirk et al. 2022). Within an arm strata take turns (keyword, exemplar)
    or get places by the root of their size (diverse), so that each appears if it can; the random arm is even over the
    pool. What repeats a benchmark item or an earlier pick is not asked, so that the benchmark is not learned by heart.
    What an arm cannot fill goes to the next. `pool_stats`: `seen`, `eligible`, `strata`, `planned`, `passed_on`,
    `unfilled`, `folded`, `keyword_matches` (by label). The same pool, plan and seed give the same picks.

    One pass over the texts and O(N) time besides, O(N) bytes of memory, and the clustering of 5,000 items. Raises
    `ConfigError` when the benchmark takes the whole pool or a quota names no stratum.

    >>> keys = np.arange(9, dtype=np.uint64)
    >>> pool = SeedPool(keys, np.ones(9), np.zeros(9, dtype=np.int64), ("",), ids=lambda rows: [f"i{r}" for r in rows])
    >>> seed_select(pool, Plan(benchmark=4, seed_budget=3, keyword=0, exemplar=0, diverse=0), {}, seed=1)
    Selection(7 picks: benchmark 4, random 3)
    """
    check_quotas(plan.quotas, pool.names)
    planned = plan.seed_counts()
    drawn = benchmark_draw(pool, plan, seed)
    round_ = _SeedRound(pool, plan, seed, drawn)
    matched = round_.keyword(keywords, planned["keyword"])
    passed_on = {"keyword": planned["keyword"] - round_.count("keyword")}
    round_.exemplar(planned["exemplar"] + passed_on["keyword"])
    passed_on["exemplar"] = planned["exemplar"] + passed_on["keyword"] - round_.count("exemplar")
    round_.diverse(planned["diverse"] + passed_on["exemplar"])
    passed_on["diverse"] = planned["diverse"] + passed_on["exemplar"] - round_.count("diverse")
    round_.random(planned["random"] + passed_on["diverse"])
    picks = [*round_.picks("benchmark", drawn.items, inclusion=drawn.inclusion), *round_.chosen]
    counts = np.bincount(pool.strata[pool.open()], minlength=len(pool.names))
    return Selection(
        tuple(picks),
        {
            "seen": len(pool),
            "eligible": int(counts.sum()),
            "strata": dict(zip(pool.names, counts.tolist(), strict=True)),
            "planned": {"benchmark": plan.benchmark, **planned},
            "passed_on": {arm: count for arm, count in passed_on.items() if count},
            "unfilled": sum(planned.values()) - len(round_.chosen),
            "folded": sum(pick.stands_for - 1 for pick in picks),
            "keyword_matches": matched,
        },
    )


class _SeedRound:
    """The arms of one seed round, each taking from what those before it left."""

    def __init__(self, pool: SeedPool, plan: Plan, seed: int, drawn: Draw) -> None:
        self.pool, self.plan, self.seed = pool, plan, seed
        self.open = pool.open()
        self.open[drawn.items.positions] = False
        self.positions = drawn.items.positions.tolist()
        self.chosen: list[Pick] = []

    def count(self, arm: Arm) -> int:
        return sum(pick.arm == arm for pick in self.chosen)

    def picks(self, arm: Arm, items: Candidates, **extra: Any) -> list[Pick]:
        # served in an order of chance, which tells nobody the arm
        scores = draws(items.keys, derive(self.seed, "serve"))
        return make_picks(arm, replace(items, scores=scores), self.pool.ids, self.pool.names, **extra)

    def keyword(self, keywords: Mapping[str, Sequence[str]], want: int) -> dict[str, int]:
        """Fill the keyword arm; how many open items match each label."""
        labels = [label for label, words in keywords.items() if words]
        if not (want and labels and self.pool.text_batches):
            return {}
        depth = max(want, self.plan.shortlist * -(-want // len(labels)))
        tops = {label: TopM(depth, len(self.pool.names)) for label in labels}
        matched = dict.fromkeys(labels, 0)
        for start, texts in self.pool.text_batches():
            open_ = self.open[start : start + len(texts)]
            for label in labels:
                rows = start + np.flatnonzero(matches(texts, keywords[label]) & open_)
                matched[label] += len(rows)
                tops[label].feed(self.pool.items(rows, derive(self.seed, "keyword")))
        found = {label: _in_turn(tops[label].result(), depth) for label in labels}
        self._take_by_label("keyword", found, want)
        return matched

    def exemplar(self, want: int) -> None:
        """Fill the exemplar arm with the items nearest to what the policy shows of each label."""
        exemplars = self.pool.exemplars
        if not (want and exemplars and self.pool.features):
            return
        depth = max(want, self.plan.shortlist * -(-want // len(exemplars)))
        tops = {label: TopM(depth, len(self.pool.names)) for label in exemplars}
        for rows in _chunks(self.open):
            items, embeddings = self.pool.items(rows, derive(self.seed, "exemplar")), self.pool.features(rows)
            for label, examples in exemplars.items():
                tops[label].feed(replace(items, scores=np.maximum(nearest(embeddings, examples), 0.0)))
        found = {}
        for label in exemplars:
            items = tops[label].result()
            ranked = items.take(items.scores > 0).ranked()
            found[label] = ranked.take(np.lexsort((rank_within(ranked.strata),))[:depth])
        self._take_by_label("exemplar", found, want)

    def _take_by_label(self, arm: Arm, found: Mapping[str, Candidates], want: int) -> None:
        """Fill an arm from the items found for each label, labels in turn."""
        sizes = [len(items) for items in found.values()]
        queues = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        items = join(found.values())
        if not len(items):
            return
        parts = {
            f"{arm} {label}": np.isin(items.positions, mine.positions).astype(np.float64)
            for label, mine in found.items()
        }
        self._take(arm, replace(items, parts=parts), queues, want)

    def diverse(self, want: int) -> None:
        """Fill the diverse arm."""
        if not (want and self.pool.features and self.open.any()):
            return
        counts = np.bincount(self.pool.strata[self.open], minlength=len(self.pool.names))
        sizes = allocate(counts, SAMPLE)
        top = TopM(int(sizes.max()), len(counts))
        for rows in _chunks(self.open):
            top.feed(self.pool.items(rows, derive(self.seed, "diverse")))
        sample = top.result()
        sample = sample.take(rank_within(sample.strata) < sizes[sample.strata])
        rng = np.random.default_rng(derive(self.seed, "clusters"))
        queues = typical(sample, self.pool.features(sample.positions), allocate(counts, want), rng)
        near = np.concatenate(queues)
        ends = np.cumsum([len(queue) for queue in queues])
        self._take("diverse", sample.take(near), np.split(np.arange(len(near)), ends[:-1]), want)

    def random(self, want: int) -> None:
        """Fill the random arm."""
        drawn = ProbabilityDraw(want)
        for rows in _chunks(self.open):
            items = self.pool.items(rows, derive(self.seed, "serve"))
            drawn.feed(items, np.ones(len(rows)), draws(items.keys, derive(self.seed, "random")))
        self._keep(self.picks("random", drawn.result().items))

    def _take(self, arm: Arm, items: Candidates, queues: Sequence[Ints], want: int) -> None:
        folded = self._fold(items)
        rows = take_in_turn(queues, np.where(folded.seen, -1, folded.group), want)
        distinct = np.unique(np.stack([folded.group, items.positions]), axis=1)[0]  # one item may match two labels
        stands_for = np.bincount(distinct, minlength=1)[folded.group[rows]]
        self._keep(self.picks(arm, items.take(rows), stands_for=stands_for))

    def _fold(self, items: Candidates) -> Folded:
        taken = np.array(self.positions, dtype=np.int64)
        group = np.unique(items.positions, return_inverse=True)[1]
        foldings = [Folded(group, np.zeros(len(items), dtype=np.bool_))]
        if self.plan.fold_at is None or not len(items):
            return foldings[0]
        if self.pool.texts is not None:
            against = self.pool.texts(taken) if len(taken) else []
            foldings.append(fold(self.pool.texts(items.positions), self.plan.fold_at, against))
        if self.pool.alike is not None:
            foldings.append(self.pool.alike(items.positions, taken))
        return join_folds(*foldings) if len(foldings) > 1 else foldings[0]

    def _keep(self, picks: list[Pick]) -> None:
        self.chosen += picks
        self.positions += [pick.position for pick in picks]
        self.open[[pick.position for pick in picks]] = False


def take_in_turn(queues: Sequence[Ints], group: Ints, count: int) -> Ints:
    """Rows from several queues, each giving its next in turn, no group twice and no row of group -1; at most `count`.

    O(rows in the queues).

    >>> take_in_turn([np.array([0, 1]), np.array([2, 3])], group=np.array([7, 8, 7, 9]), count=3).tolist()
    [0, 3, 1]
    """
    waiting = [iter(queue.tolist()) for queue in queues]
    codes, used = group.tolist(), {-1}
    taken: list[int] = []
    while waiting and len(taken) < count:
        still = []
        for queue in waiting:
            row = next((row for row in queue if codes[row] not in used), None)
            if row is not None and len(taken) < count:
                used.add(codes[row])
                taken.append(row)
                still.append(queue)
        waiting = still
    return np.array(taken, dtype=np.int64)


def _in_turn(items: Candidates, count: int) -> Candidates:
    """Strata in turn: the first of each by chance, then the second of each, and so on; the first `count` of them."""
    by_chance = items.take(np.lexsort((items.keys, items.draws)))
    return by_chance.take(np.lexsort((by_chance.draws, rank_within(by_chance.strata)))[:count])


def _chunks(open_: Bools) -> Iterable[Ints]:
    for start in range(0, len(open_), _CHUNK):
        yield start + np.flatnonzero(open_[start : start + _CHUNK])
