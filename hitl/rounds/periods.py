"""Which items of the pool are new and which came before, and an even sample of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from hitl.labels.voices import disagree, is_answer, voices
from hitl.metrics.prevalence import Drawn
from hitl.pool.keys import as_array
from hitl.rounds.counted import answers
from hitl.rounds.walk import Walk
from hitl.sampling.fold import fold
from hitl.sampling.uniforms import draws
from hitl.types import Bools, Floats, Ints, Pick

SAMPLE = 20_000
"""Items of the pool that are looked at, half of them new."""

COPY = 0.8
"""Jaccard similarity of word shingles from which two texts are copies of one another."""

LATEST = 0.2
"""Share of a pool with times and without rounds that counts as new."""

_FIRST, _AUDITED, _PICKED, _LAST = range(4)


@dataclass(frozen=True, eq=False)
class Periods:
    """Which items are new and which came before, both (N,); or why that cannot be told. `compared` says it in words."""

    new: Bools
    before: Bools
    compared: str
    why: str = ""


def periods(walk: Walk, number: int) -> Periods:
    """New items are those that came into play in the round, or without replay the latest fifth by `received`.

    O(N), and one read of the times where there are no rounds.
    """
    nothing = np.zeros(len(walk.pool), dtype=bool)
    if walk.wave is not None:
        new, before = walk.wave == number, walk.wave < number
        if new.any() and before.any():
            return Periods(new, before, f"items that came into play in round {number}, and those that came before")
        why = "Nothing came before the first round." if not number else f"Nothing new came into play in round {number}."
        return Periods(nothing, nothing, "", why)
    if walk.pool.columns.received is None:
        return Periods(
            nothing,
            nothing,
            "",
            "The pool has neither times nor a column to replay, so it does not change: only the shares of labels among "
            "what was drawn by chance are compared from round to round.",
        )
    times, known = _received(walk)
    if known.any() and times[known].min() < times[known].max():
        cut = np.quantile(times[known], 1 - LATEST, method="lower")
        new, before = known & (times > cut), known & (times <= cut)
        if new.any():
            return Periods(
                new, before, "the latest fifth of the items by the time they were received, and those before"
            )
    return Periods(nothing, nothing, "", "All items were received at one time, so none are newer than others.")


def _received(walk: Walk) -> tuple[Ints, Bools]:
    """When each item was received, in microseconds, and whether that is known; both (N,)."""
    times = np.zeros(len(walk.pool), dtype=np.int64)
    known = np.zeros(len(walk.pool), dtype=bool)
    for batch in walk.pool.batches(1 << 16, ["received"]):
        column, rows = batch.table["received"].combine_chunks(), batch.positions
        known[rows] = ~np.asarray(column.is_null().to_numpy(zero_copy_only=False))
        times[rows] = as_array(column.cast("int64").fill_null(0), np.int64)
    return times, known


@dataclass(frozen=True, eq=False)
class Sampled:
    """n distinct items, evenly drawn: where they stand, their texts, and whether they are new, each (n,).

    `copies` (n, 2) counts the items of the sample that each stands for, before and new, itself included.
    """

    positions: Ints
    texts: tuple[str, ...]  # empty in a pool without texts
    new: Bools
    copies: Ints

    def __len__(self) -> int:
        return len(self.positions)


def sampled(walk: Walk, found: Periods, size: int = SAMPLE) -> Sampled:
    """An even draw of both periods, near copies folded: whatever comes in floods is no sample of independent items.

    Of a family of copies the one of the lowest draw stands for all, whenever it came. O(N), one read of the texts.
    """
    drawn = draws(walk.pool.keys, walk.seed(0, "trends"))
    half = [_lowest(drawn, period, size // 2) for period in (found.before, found.new)]
    positions = np.concatenate(half)
    positions = positions[np.argsort(drawn[positions], kind="stable")]
    texts = walk.pool.texts(positions) if walk.has_text else []
    group = fold(texts, COPY).group if texts else np.arange(len(positions))
    new = found.new[positions]
    first = np.unique(group, return_index=True)[1]
    copies = np.stack([np.bincount(group, ~new), np.bincount(group, new)], axis=1).astype(np.int64)
    order = np.argsort(first)
    first = first[order]
    return Sampled(
        positions[first], tuple(texts[at] for at in first.tolist()) if texts else (), new[first], copies[order]
    )


def _lowest(drawn: Floats, among: Bools, size: int) -> Ints:
    rows = np.flatnonzero(among)
    if len(rows) <= size:
        return rows
    return rows[np.argpartition(drawn[rows], size - 1)[:size]]


def by_chance(walk: Walk, number: int) -> tuple[list[Drawn], list[Drawn]]:
    """What audits and random arms drew and people settled: in the rounds before, and in this one.

    Each draw speaks for the pool in play at its time, without gold: what had been settled by then is known. A round
    draws its audit first, then picks, and at last fills the random arm evenly from what all that left, so that to the
    random arm the round's own picks are known, too: they took from it what they sought. The benchmark is no draw here:
    more people judge each of its items, so that it errs less, which would pass for a change.
    """
    gold = set(walk.gold.known)
    settled = {r.item_id: r for r in walk.ledger.resolutions(number) if r.labels is not None and r.item_id not in gold}
    asked: set[str] = set()
    told: list[list[Drawn]] = [[], []]
    for earlier in range(number + 1):
        here = walk.in_play(earlier)
        here[walk.gold.positions] = False
        fresh = [pick for pick in walk.ledger.picks(earlier) if pick.item_id not in asked and pick.item_id not in gold]
        for turn, arms in groupby(sorted(fresh, key=_turn), key=_turn):
            picks = list(arms)
            mine = [pick for pick in picks if pick.item_id in settled]
            if turn in (_AUDITED, _LAST) and mine:
                known = [settled[item] for item in asked if item in settled]
                even = len(picks) / max(int(here.sum()) - len(asked), 1)
                inclusion = np.array([min(pick.inclusion or even, 1.0) for pick in mine])
                y = walk.one_hot([settled[pick.item_id] for pick in mine])
                told[earlier == number].append(
                    Drawn(y, inclusion, walk.one_hot(known).sum(axis=0), len(known), int(here.sum()))
                )
            asked |= {pick.item_id for pick in picks}
    return told[0], told[1]


def _turn(pick: Pick) -> int:
    """When in its round a pick is made."""
    return {"benchmark": _FIRST, "audit": _AUDITED, "random": _LAST}.get(pick.arm, _PICKED)


def judged_twice(walk: Walk, number: int) -> Iterator[tuple[str, bool, bool]]:
    """Each item that two people or more judged: its id, whether they all agreed, and whether this round asked."""
    spoken, gold = voices(answers(walk)), walk.gold.known
    for task in walk.ledger.tasks():
        if task.queue or task.policy_version != walk.policy.version or task.round > number:
            continue
        heard = [one for one in spoken.get(task.key, ()) if is_answer(one)]
        if len(heard) > 1 and task.item_id not in gold:
            yield task.item_id, not disagree(heard), task.round == number
