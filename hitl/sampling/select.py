"""From a scan to a round's picks: the audit draw, the best by score without near-duplicates, and the random arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from hitl.sampling.candidates import Candidates, rank_within
from hitl.sampling.fold import Folded, fold
from hitl.sampling.plan import Plan
from hitl.sampling.scan import Scan
from hitl.types import Arm, Floats, Ints, Keys, Pick, Selection

Ids = Callable[[Ints], list[str]]
Texts = Callable[[Ints], list[str]]


def select(scan: Scan, plan: Plan, *, ids: Ids, texts: Texts | None = None, asked: Sequence[str] = ()) -> Selection:
    """Choose a round's items: `audit` first, then `explore` by score, then `random`; no item twice.

    `ids` and `texts` read the pool at positions (n,); without texts nothing is folded. `asked` are texts that
    people have been asked about: what repeats them, or an audit pick, is not explored. What one arm cannot fill goes
    to the next. Every pick is served by its combined score, so that its place does not tell its arm. The same scan
    gives the same picks, ties going to the smaller draw.

    `pool_stats` holds the scan's figures and: `planned` (picks by arm), `passed_on` (picks an arm left to the next),
    `unfilled`, `folded` (near-duplicates the picks stand for), `asked_before` (candidates dropped as repeats),
    `looked_at` (candidates compared), `quota_missing` (picks by stratum). Time and memory are those of folding
    some `plan.shortlist` texts a pick. Raises what `ids` and `texts` raise.

    >>> from hitl.sampling.scan import ScanBatch, Stakes, scan
    >>> from hitl.sampling.view import example_view
    >>> view, none = example_view([[0.9, 0.1], [0.5, 0.5], [0.3, 0.7]]), np.zeros(3, dtype=np.int64)
    >>> batch = ScanBatch(np.arange(3), view, strata=none, eligible=np.ones(3, dtype=np.bool_))
    >>> plan = Plan(budget=2, audit=0, random=0.5)
    >>> seen = scan([batch], plan, strata=("",), stakes=Stakes(1.0, 1.0), seed=1)
    >>> select(seen, plan, ids=lambda positions: [f"item {p}" for p in positions])
    Selection(2 picks: explore 1, random 1)
    """
    planned = plan.arms()
    audit = scan.audit.items
    taken = list(texts(audit.positions)) if texts and len(audit) else []
    want = planned["explore"] + planned["audit"] - len(audit)
    found = _explore(scan, plan, want, texts, [*asked, *taken], audit.keys)
    left = plan.budget - len(audit) - len(found.items)
    random = _without(scan.random, np.concatenate([audit.keys, found.items.keys]))
    random = random.take(np.arange(min(left, len(random))))
    picks = [
        *make_picks("audit", audit, ids, scan.strata, inclusion=scan.audit.inclusion),
        *make_picks("explore", found.items, ids, scan.strata, stands_for=found.stands_for),
        *make_picks("random", random.ranked(), ids, scan.strata),
    ]
    passed_on = {"audit": planned["audit"] - len(audit), "explore": want - len(found.items)}
    stats: dict[str, Any] = {
        **scan.stats.as_dict(),
        "planned": planned,
        "passed_on": {arm: count for arm, count in passed_on.items() if count},
        "unfilled": plan.budget - len(picks),
        **found.stats,
    }
    return Selection(tuple(picks), stats)


@dataclass(frozen=True, eq=False)
class _Found:
    items: Candidates
    stands_for: Ints
    stats: Mapping[str, Any]


def _explore(scan: Scan, plan: Plan, want: int, texts: Texts | None, against: Sequence[str], taken: Keys) -> _Found:
    """The best by score, one for each group of near-duplicates, with the least share of each quota."""
    rest = _without(scan.shortlist, taken).ranked()
    need = _need(plan, scan.strata, want)
    ranks, places = rank_within(rest.strata), np.arange(len(rest))
    depth = plan.shortlist
    while True:
        looked = rest.take((places < depth * want) | (ranks < depth * need[rest.strata]))
        folded = _fold(looked, plan, texts, against)
        heads = np.sort(np.unique(folded.group, return_index=True)[1])  # ranked: the first of a group is its best
        heads = heads[~folded.seen[heads]]
        chosen = _fill_quotas(looked.strata[heads], need, want)
        enough = len(chosen) == want and not _missing(looked.strata[heads[chosen]], need, scan.strata)
        if enough or len(looked) == len(rest):
            break
        depth *= 2  # too many were copies: look further down
    heads = heads[chosen]
    sizes = np.bincount(folded.group, minlength=1)[folded.group[heads]]
    items = looked.take(heads)
    stats = {
        "folded": int(sizes.sum()) - len(heads),
        "asked_before": int(folded.seen.sum()),
        "looked_at": len(looked),
        "quota_missing": _missing(items.strata, need, scan.strata),
    }
    return _Found(items, sizes, stats)


def _need(plan: Plan, strata: tuple[str, ...], want: int) -> Ints:
    shares = np.array([plan.quotas.get(name, 0.0) for name in strata])
    need = np.ceil(shares * want - 1e-9)
    if need.sum() > want:
        need = np.floor(shares * want + 1e-9)
    return need.astype(np.int64)


def _fill_quotas(strata: Ints, need: Ints, want: int) -> Ints:
    """Which of the ranked rows are picked: the best of each stratum up to its need, then the best of all."""
    by_quota = rank_within(strata) < need[strata]
    others = np.flatnonzero(~by_quota)[: max(want - int(by_quota.sum()), 0)]
    return np.sort(np.concatenate([np.flatnonzero(by_quota), others]))


def _missing(strata: Ints, need: Ints, names: tuple[str, ...]) -> dict[str, int]:
    short = need - np.bincount(strata, minlength=len(names))
    return {names[code]: int(short[code]) for code in np.flatnonzero(short > 0)}


def _fold(items: Candidates, plan: Plan, texts: Texts | None, against: Sequence[str]) -> Folded:
    if texts is None or plan.fold_at is None or not len(items):
        return Folded(np.arange(len(items)), np.zeros(len(items), dtype=np.bool_))
    return fold(texts(items.positions), plan.fold_at, against)


def _without(items: Candidates, keys: Keys) -> Candidates:
    return items.take(~np.isin(items.keys, keys))


def make_picks(
    arm: Arm,
    items: Candidates,
    ids: Ids,
    strata: Sequence[str],
    *,
    inclusion: Floats | None = None,
    stands_for: Ints | None = None,
) -> list[Pick]:
    """The candidates as picks of one arm, in their order; O(picks)."""
    if not len(items):
        return []
    rows = zip(
        items.positions.tolist(),
        ids(items.positions),
        items.scores.tolist(),
        repeat(None) if inclusion is None else inclusion.tolist(),
        items.strata.tolist(),
        repeat(1) if stands_for is None else stands_for.tolist(),
        range(len(items)),
        strict=False,  # the repeats have no end
    )
    parts = {name: values.tolist() for name, values in items.parts.items()}
    return [
        Pick(
            position,
            item_id,
            arm,
            score,
            {name: values[row] for name, values in parts.items()},
            chance,
            strata[code],
            n,
        )
        for position, item_id, score, chance, code, n, row in rows
    ]
