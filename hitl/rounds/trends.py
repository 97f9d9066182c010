"""What is changing: content that grows, where the model or people become less sure, and distributions that drift."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hitl.history import estimate_row
from hitl.history.trends import CopiesRow, FallRow, GrowthRow, TrendsRow
from hitl.metrics.multiplicity import benjamini_hochberg
from hitl.metrics.trends import LEVEL, Falls, falls_of_means, falls_of_shares, rate_ratios
from hitl.rounds import drift
from hitl.rounds.judged import Measured
from hitl.rounds.periods import Periods, Sampled, judged_twice, periods, sampled
from hitl.rounds.themes import (
    Words,
    clusters,
    examples,
    members,
    most_typical,
    nearest_centre,
    one_hot,
    phrases,
    places,
)
from hitl.types import Bools, Embeddings, Estimate, Floats, Ints

LEAST = 5
"""Distinct items that a phrase or cluster needs to be looked at."""

TOLD = 12
MOST_CLUSTERS = 128
_A_CLUSTER = 40  # distinct items, about
_CONSIDERED = 300
_FLOOD = 5  # new copies
_SAME = 0.5


def trends(at: Measured) -> TrendsRow | None:
    """What grows, falls and drifts in a round, against all that came before; None in the seed round.

    Clusters and phrases are made of old and new items together, blind to when these came, so that each is a fair test.
    The pool's texts are read once, for 20,000 items; O(N) time to draw them, memory of the sample.
    """
    if not at.number:
        return None
    found = periods(at.walk, at.number)
    told = TrendsRow(
        why=found.why,
        compared=found.compared,
        before=0,
        new=0,
        folded=0,
        looked_at=0,
        growing=[],
        copies=[],
        falling=[],
        drift=drift.labels(at),
    )
    return told if found.why else _compared(at, found, told)


def _compared(at: Measured, found: Periods, told: TrendsRow) -> TrendsRow:
    seen = Seen.of(at, found)
    sample = seen.sample
    told["before"], told["new"] = int((~sample.new).sum()), int(sample.new.sum())
    told["folded"] = int(sample.copies.sum()) - len(sample)
    if told["before"] and told["new"]:
        told["looked_at"], told["growing"] = _growing(seen)
        told["copies"] = _copies(seen)
        told["falling"] = _falling(seen)
        moved = drift.inputs(at, seen.sample, seen.lies, seen.code) + drift.scores(at, seen.sample, seen.unasked)
        told["drift"] = moved + told["drift"]
    return told


@dataclass(frozen=True, eq=False)
class Seen:
    """The sample with where its items lie, their clusters (n,), and those of the items that two people judged (m,)."""

    at: Measured
    sample: Sampled
    words: Words | None
    lies: Embeddings | None
    code: Ints
    clusters: int
    twice: tuple[tuple[str, bool, bool], ...]
    twice_code: Ints

    @classmethod
    def of(cls, at: Measured, found: Periods) -> Seen:
        walk, rng = at.walk, at.rng("trends")
        sample = sampled(walk, found)
        twice = tuple(judged_twice(walk, at.number))
        positions = np.concatenate([sample.positions, walk.positions(item for item, _, _ in twice)])
        words = Words.of([*sample.texts, *walk.pool.texts(positions[len(sample) :])]) if walk.has_text else None
        lies = places(walk, positions, words, rng)
        if lies is None:
            nowhere = np.full(len(positions), -1, dtype=np.int64)
            return cls(at, sample, words, None, nowhere[: len(sample)], 0, twice, nowhere[len(sample) :])
        count = int(np.clip(len(sample) // _A_CLUSTER, 2, MOST_CLUSTERS))
        code, centres = clusters(lies[: len(sample)], count, rng)
        theirs = nearest_centre(lies[len(sample) :], centres)
        return cls(at, sample, words, lies[: len(sample)], code, len(centres), twice, theirs)

    @cached_property
    def unasked(self) -> Bools:
        """(n,) whether nobody was asked about the item: no model has learned from it."""
        return ~np.isin(self.sample.positions, self.at.walk.asked_positions())

    def terms(self, rows: Ints) -> list[str]:
        """The words that tell these rows from the others."""
        return self.words.telling(rows) if self.words is not None else []

    def shown(self, rows: Ints) -> Any:
        """The new ones of these rows that are most typical of them, as examples."""
        new = rows[self.sample.new[rows]]
        return examples(self.at.walk, self.sample.positions[most_typical(self.lies, new)])


def _growing(seen: Seen) -> tuple[int, list[GrowthRow]]:
    """How many phrases and clusters were looked at, and those that come more often, most items gained first."""
    from scipy.sparse import csc_matrix, hstack

    sample = seen.sample
    sets = one_hot(seen.code, seen.clusters)
    if sample.texts:
        sets = csc_matrix(hstack([sets, phrases(sample.texts, LEAST)]))
    total, new = (np.asarray(w @ sets).ravel().astype(np.int64) for w in (np.ones(len(sample)), sample.new * 1.0))
    of_new, of_before = int(sample.new.sum()), int((~sample.new).sum())
    rates = rate_ratios(total - new, new, of_before, of_new)
    tested = np.where(total >= LEAST, rates.p, np.nan)
    adjusted = benjamini_hochberg(tested)
    alarms = np.flatnonzero(np.nan_to_num(adjusted, nan=1.0) <= LEVEL)
    alarms = alarms[np.argsort(rates.p[alarms], kind="stable")][:_CONSIDERED]
    gained = new - (total - new) * of_new / of_before
    leads = sorted(_merged(sets, alarms), key=lambda pair: -gained[pair[0]])[:TOLD]
    rows = []
    for lead, also in leads:
        mine = members(sets, lead)
        value, low, high = (float(part[lead]) for part in (rates.value, rates.low, rates.high))
        ratio = Estimate("rate_ratio", value, low, high, int(total[lead]), method="exact, Clopper and Pearson")
        views = [_part(seen.at.walk.pool.reach[sample.positions], mine, side) for side in (~sample.new, sample.new)]
        rows.append(
            GrowthRow(
                kind="cluster" if lead < seen.clusters else "phrase",
                terms=seen.terms(mine),
                before=int(total[lead] - new[lead]),
                new=int(new[lead]),
                ratio=estimate_row(ratio),
                adjusted=float(adjusted[lead]),
                views_before=views[0],
                views_new=views[1],
                course=_course(seen, mine),
                also=also,
                examples=seen.shown(mine),
            )
        )
    return int((total >= LEAST).sum()), rows


def _merged(sets: Any, alarms: Ints) -> list[tuple[int, int]]:
    """Alarms that are not mostly the items of a stronger one, and how many were mostly of each."""
    leads: list[tuple[int, set[int]]] = []
    also: dict[int, int] = {}
    for alarm in alarms.tolist():
        mine = set(members(sets, alarm).tolist())
        for lead, its in leads:
            if len(mine & its) >= _SAME * min(len(mine), len(its)):
                also[lead] += 1
                break
        else:
            leads.append((alarm, mine))
            also[alarm] = 0
    return [(lead, also[lead]) for lead, _ in leads]


def _part(reach: Floats, rows: Ints, side: Bools) -> float:
    """The share of a side's views that these rows have."""
    return float(reach[rows][side[rows]].sum() / max(reach[side].sum(), 1e-300))


def _course(seen: Seen, rows: Ints) -> list[float]:
    """The share of these rows among the distinct items that came by each round."""
    wave = seen.at.walk.wave
    if wave is None:
        return []
    came = np.clip(wave[seen.sample.positions], 0, None)
    size = seen.at.number + 1
    all_of = np.bincount(came, minlength=size)
    return [float(share) for share in np.bincount(came[rows], minlength=size) / np.maximum(all_of, 1)]


def _copies(seen: Seen) -> list[CopiesRow]:
    """The largest families of near copies that mostly came now."""
    before, new = seen.sample.copies.T
    large = np.flatnonzero((new >= _FLOOD) & (new > before))
    large = large[np.argsort(-new[large], kind="stable")][:3]
    rows = []
    for family in large.tolist():
        shown = examples(seen.at.walk, seen.sample.positions[[family]])
        rows.append(CopiesRow(before=int(before[family]), new=int(new[family]), examples=shown))
    return rows


def _falling(seen: Seen) -> list[FallRow]:
    """Where the model that picked the round, or people, are less sure of what is new; everywhere first."""
    rows: list[FallRow] = []
    for kind, values, code, new, shown in (_confidence(seen), _agreement(seen)):
        if not len(values):
            continue
        # the whole counts as one more group
        groups = np.concatenate([code, np.full(len(code), seen.clusters)])
        twice = [np.concatenate([part, part]) for part in (values, new)]
        compare = falls_of_means if kind == "confidence" else falls_of_shares
        found: Falls = compare(twice[0], groups, twice[1], seen.clusters + 1)
        adjusted = benjamini_hochberg(found.p)
        alarms = np.flatnonzero(np.nan_to_num(adjusted, nan=1.0) <= LEVEL)
        everywhere = alarms == seen.clusters
        ordered = alarms[np.lexsort((found.effect[alarms], ~everywhere))][:TOLD]
        rows += [_fall(seen, kind, group, found, float(adjusted[group]), shown) for group in ordered.tolist()]
    return rows


def _fall(seen: Seen, kind: Any, group: int, found: Falls, adjusted: float, shown: Ints) -> FallRow:
    whole = group == seen.clusters
    mine = np.flatnonzero(seen.code == group)
    value, low, high = (float(part[group]) for part in (found.value, found.low, found.high))
    n = int(found.n_before[group] + found.n_new[group])
    how = "Welch" if kind == "confidence" else "Newcombe"
    typical = shown if whole else shown[np.isin(shown, mine)]
    return FallRow(
        kind=kind,
        terms=[] if whole else seen.terms(mine),
        everywhere=whole,
        before=float(found.before[group]),
        new=float(found.new[group]),
        n_before=int(found.n_before[group]),
        n_new=int(found.n_new[group]),
        difference=estimate_row(Estimate(kind, value, low, high, n, method=how)),
        effect=float(found.effect[group]),
        adjusted=adjusted,
        examples=examples(seen.at.walk, seen.sample.positions[typical]),
    )


def _confidence(seen: Seen) -> tuple[str, Any, Ints, Bools, Ints]:
    """How sure the model that picked the round is of items that nobody was asked about, the new ones least sure first.

    Sure of one label, the highest probability; of several, the mean of how far each is on one side.
    """
    nothing = np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero(seen.unasked)
    if seen.at.old is None or not len(rows):
        return "confidence", nothing, nothing, nothing.astype(bool), nothing
    proba = drift.believed(seen.at, seen.sample.positions[rows])
    several = seen.at.walk.policy.multi_label
    sure = np.maximum(proba, 1 - proba).mean(axis=1) if several else proba.max(axis=1)
    new = seen.sample.new[rows]
    order = np.argsort(sure, kind="stable")
    return "confidence", sure, seen.code[rows], new, rows[order[new[order]]]


def _agreement(seen: Seen) -> tuple[str, Any, Ints, Bools, Ints]:
    """Whether the people who judged an item agreed; this round's answers against earlier ones."""
    agreed, new = (np.array([one[part] for one in seen.twice], dtype=bool) for part in (1, 2))
    apart = seen.at.walk.positions([item for item, agree, now in seen.twice if now and not agree])
    return "agreement", agreed, seen.twice_code, new, np.flatnonzero(np.isin(seen.sample.positions, apart))
