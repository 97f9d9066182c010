"""From a scan to a round's picks: the audit draw, each arm's best without near-duplicates, and the random arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hitl.errors import ConfigError
from hitl.sampling.aims import Aim
from hitl.sampling.candidates import Candidates, rank_within
from hitl.sampling.diversity import Crowd, diversity
from hitl.sampling.diversity.weighted_kmeans import kmeans
from hitl.sampling.fold import Folded, fold, fold_embeddings, join_folds
from hitl.sampling.limits import Cap, least, take_within
from hitl.sampling.picks import Ids, make_picks
from hitl.sampling.plan import Plan
from hitl.sampling.scan import Scan
from hitl.types import Embeddings, Ints, Keys, Pick, Proba, Selection

Texts = Callable[[Ints], list[str]]


@dataclass(frozen=True, eq=False)
class Reading:
    """What can be read of a pool at positions (n,); what is None is not compared.

    `columns` give codes (n,) of the values that `plan.caps` names.
    """

    ids: Ids
    texts: Texts | None = None
    embeddings: Callable[[Ints], Embeddings] | None = None
    proba: Callable[[Ints], Proba] | None = None
    multi_label: bool = False
    columns: Mapping[str, Callable[[Ints], Ints]] = field(default_factory=dict)
    alike: Callable[[Ints, Ints], Folded] | None = None  # of items (n,), and of others that they may repeat (m,)


@dataclass(frozen=True, eq=False)
class Before:
    """What people have been asked about: nothing of the kind is explored again."""

    texts: Sequence[str] = ()
    embeddings: Embeddings | None = None
    positions: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def select(scan: Scan, plan: Plan, read: Reading, rng: np.random.Generator, before: Before | None = None) -> Selection:
    """Choose a round's items: `audit` first, then each aim's, then `random`; no item twice, nor what repeats one.

    An aim takes from the head of its shortlist, in the order of its diversity, within quotas and caps; near-duplicates
    count as one, and what repeats an earlier pick or `before` is not taken. What an aim cannot fill goes to the next,
    and in the end to chance. Every pick is served by its priority, so that its place does not tell its arm. The same
    scan and rng give the same picks, ties going to the smaller draw.

    `pool_stats` holds the scan's figures and: `planned` (picks by arm), `passed_on` (picks an arm left to the next),
    `unfilled`, `folded` (near-duplicates the picks stand for), `asked_before` (candidates dropped as repeats),
    `looked_at` (candidates compared), `quota_missing` (picks by stratum). Time and memory are those of folding and
    spreading some `plan.shortlist` items a pick, whatever the pool. Raises what `read` raises.

    >>> from hitl.sampling.aims import Standing, aims
    >>> from hitl.sampling.scan import Job, ScanBatch, Stakes, scan
    >>> from hitl.sampling.view import example_view
    >>> view, none = example_view([[0.9, 0.1], [0.5, 0.5], [0.3, 0.7]]), np.zeros(3, dtype=np.int64)
    >>> batch = ScanBatch(np.arange(3), view, strata=none, eligible=np.ones(3, dtype=np.bool_))
    >>> plan = Plan(budget=2, audit=0, random=0.5)
    >>> seen = scan([batch], Job(plan, aims(plan, Standing()), ("",), Stakes(1.0, 1.0), seed=1))
    >>> select(seen, plan, Reading(ids=lambda at: [f"item {p}" for p in at]), np.random.default_rng(1))
    Selection(2 picks: uncertain 1, random 1)
    """
    counts = Counter({aim.arm: 0 for aim in scan.aims})
    for aim in scan.aims:
        counts[aim.arm] += aim.count
    planned = {"audit": plan.counts()["audit"], **counts}
    planned["random"] = plan.budget - sum(planned.values()) - plan.counts()["relabel"]
    round_ = _Batch(scan, plan, read, before or Before(), rng)
    audit = scan.audit.items
    round_.keep(audit, make_picks("audit", audit, read.ids, scan.strata, inclusion=scan.audit.inclusion))
    passed_on = {"audit": planned["audit"] - len(audit)}
    left = passed_on["audit"]
    for number in range(len(scan.aims)):
        left = round_.explore(number, left, rng)
        passed_on[scan.aims[number].arm] = left
    round_.chance(planned["random"] + left)
    total = sum(planned.values())
    stats: dict[str, Any] = {
        **scan.stats.as_dict(),
        "planned": planned,
        "passed_on": {arm: count for arm, count in passed_on.items() if count},
        "unfilled": total - len(round_.picks),
        "folded": sum(pick.stands_for - 1 for pick in round_.picks),
        "asked_before": round_.repeats,
        "looked_at": round_.looked_at,
        "quota_missing": round_.quota_missing(),
    }
    return Selection(tuple(round_.picks), stats)


class _Batch:
    """A round's picks under way: what was taken, and what may therefore not be taken any more."""

    def __init__(self, scan: Scan, plan: Plan, read: Reading, before: Before, rng: np.random.Generator) -> None:
        self.scan, self.plan, self.read, self.before = scan, plan, read, before
        self.picks: list[Pick] = []
        self.taken: Ints = np.empty(0, dtype=np.int64)
        self.keys: Keys = np.empty(0, dtype=np.uint64)
        self.repeats = self.looked_at = 0
        total = sum(aim.count for aim in scan.aims)
        self._need = least(plan, scan.strata, total)
        self._explored = np.zeros(len(scan.strata), dtype=np.int64)
        self._columns = {
            **read.columns,
            **({"cluster": topics(scan, plan, read, rng)} if "cluster" in plan.caps else {}),
        }
        self._held: dict[str, Counter[int]] = {column: Counter() for column in plan.caps}
        unknown = [column for column in self._held if column not in self._columns]
        if unknown:
            raise ConfigError(f"caps: the pool has no column {unknown[0]!r}; open it with that column among its facets")

    def keep(self, items: Candidates, picks: list[Pick]) -> None:
        self.picks += picks
        self.taken = np.concatenate([self.taken, items.positions])
        self.keys = np.concatenate([self.keys, items.keys])

    def chance(self, want: int) -> None:
        """Fill the random arm."""
        items = _without(self.scan.random, self.keys)
        items = items.take(np.arange(min(want, len(items)))).ranked()
        self.keep(items, make_picks("random", items, self.read.ids, self.scan.strata))

    def explore(self, number: int, more: int, rng: np.random.Generator) -> int:
        """Fill an aim, with `more` that others left; how many places it leaves."""
        aim, want = self.scan.aims[number], self.scan.aims[number].count + more
        rest = _without(self.scan.shortlists[number], self.keys).ranked()
        need = self._due(number, want)
        ranks, places, depth = rank_within(rest.strata), np.arange(len(rest)), self.plan.shortlist
        while True:
            looked = rest.take((places < depth * want) | (ranks < depth * need[rest.strata]))
            folded = self._fold(looked)
            heads = np.sort(np.unique(folded.group, return_index=True)[1])  # ranked: the first of a group is its best
            heads = heads[~folded.seen[heads]]
            chosen = heads[self._choose(aim, looked.take(heads), want, need, rng)]
            missing = need - np.bincount(looked.strata[chosen], minlength=len(need))
            if (len(chosen) == want and not (missing > 0).any()) or len(looked) == len(rest):
                break
            depth *= 2  # too many were copies or over a cap: look further down
        items = looked.take(chosen)
        sizes = np.bincount(folded.group, minlength=1)[folded.group[chosen]]
        picks = make_picks(aim.arm, items, self.read.ids, self.scan.strata, stands_for=sizes)
        self.keep(items, [replace(pick, label=aim.label) for pick in picks])
        self._explored += np.bincount(items.strata, minlength=len(need))
        for column, held in self._held.items():
            held.update(self._columns[column](items.positions).tolist())
        self.repeats += int(folded.seen.sum())
        self.looked_at += len(looked)
        return want - len(chosen)

    def quota_missing(self) -> dict[str, int]:
        """Picks that quotas still lack, by stratum."""
        short = self._need - self._explored
        return {self.scan.strata[code]: int(short[code]) for code in np.flatnonzero(short > 0)}

    def _due(self, number: int, want: int) -> Ints:
        """What the quotas ask of an aim: their part of all the picks up to it, less what those before it took."""
        sofar, total = sum(aim.count for aim in self.scan.aims[: number + 1]), sum(aim.count for aim in self.scan.aims)
        due: Ints = np.ceil(self._need * sofar / max(total, 1) - 1e-9).astype(np.int64) - self._explored
        due = np.maximum(due, 0)
        while due.sum() > want:
            due[int(due.argmax())] -= 1
        return due

    def _choose(self, aim: Aim, items: Candidates, want: int, need: Ints, rng: np.random.Generator) -> Ints:
        """Rows of the items, ranked and all distinct, that are taken: by the aim's diversity, quotas and caps."""
        if not want:
            return np.empty(0, dtype=np.int64)
        order = self._order(aim, items, want, rng)
        caps = [
            Cap(self.plan.caps[name], self._columns[name](items.positions).tolist(), held)
            for name, held in self._held.items()
        ]
        return take_within(order, items.strata, want, need, caps)

    def _order(self, aim: Aim, items: Candidates, want: int, rng: np.random.Generator) -> Ints:
        """The rows in the order of wanting them: those that the diversity chose, then the rest by score."""
        everything = np.arange(len(items))
        if aim.diversity == "top" or self.read.embeddings is None or self.read.proba is None or len(items) <= want:
            return everything
        head = items.take(everything[: aim.among * want])
        at = head.positions
        crowd = Crowd(self.read.embeddings(at), self.read.proba(at), head.scores, head.draws, self.read.multi_label)
        first = diversity(aim.diversity)(crowd, want, rng)
        return np.concatenate([first, np.delete(everything, first)])

    def _fold(self, items: Candidates) -> Folded:
        """Which items are one, and which repeat what was asked before or is taken by now."""
        foldings = [Folded(np.arange(len(items)), np.zeros(len(items), dtype=np.bool_))]
        if not len(items):
            return foldings[0]
        if self.read.texts is not None and self.plan.fold_at is not None:
            against = [*self.before.texts, *(self.read.texts(self.taken) if len(self.taken) else [])]
            foldings.append(fold(self.read.texts(items.positions), self.plan.fold_at, against))
        if self.read.alike is not None and self.plan.fold_at is not None:
            earlier = np.concatenate([self.before.positions, np.asarray(self.taken, dtype=np.int64)])
            foldings.append(self.read.alike(items.positions, earlier))
        if self.read.embeddings is not None and self.plan.fold_embeddings_at is not None:
            known = [self.before.embeddings] if self.before.embeddings is not None else []
            against_at = np.concatenate([*known, self.read.embeddings(self.taken)])
            mine = self.read.embeddings(items.positions)
            foldings.append(fold_embeddings(mine, self.plan.fold_embeddings_at, against_at))
        return join_folds(*foldings) if len(foldings) > 1 else foldings[0]


def topics(scan: Scan, plan: Plan, read: Reading, rng: np.random.Generator) -> Callable[[Ints], Ints]:
    """Which cluster of embeddings each item of the shortlists is in: twice as many as the cap needs to fill the round.

    Raises `ConfigError` without embeddings. O(shortlists × clusters).
    """
    if read.embeddings is None:
        raise ConfigError("caps: cluster needs embeddings; choose a model that embeds items, e.g. text_linear with lsa")
    at = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *(items.positions for items in scan.shortlists)]))
    clusters = max(2 * sum(aim.count for aim in scan.aims) // plan.caps["cluster"], 2)
    codes = kmeans(read.embeddings(at), np.ones(len(at)), clusters, rng, rounds=4)[0] if len(at) else at
    return lambda positions: codes[np.searchsorted(at, positions)]


def _without(items: Candidates, keys: Keys) -> Candidates:
    return items.take(~np.isin(items.keys, keys))
