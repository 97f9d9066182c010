"""Collusion: two people who give the same answers where one of them at least is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.types import Bools, Floats, Ints
from hitl.workforce.signals.evidence import Bet, possible, strongest
from hitl.workforce.signals.signal import Evidence, Signal, counted
from hitl.workforce.signals.stream import SOURCES, Stream
from hitl.workforce.signals.typical import QUARTER, limit, typical

FEWEST = 10
"""Items with an error that two people must share before they are looked at."""


@dataclass(frozen=True, eq=False)
class Shared:
    """Items that two people share and on which one at least is at odds with all others: q rows in order of time."""

    same: Bools  # (q,) whether both gave the same answer
    usual: Floats  # (q,) how often two people do
    pair: Ints  # (q,) code into `pairs`
    pairs: Ints  # (p,) the one's code × workers + the other's


def shared(stream: Stream) -> Shared:
    """Every two answers to one task of which one at least differs from gold, or from what the rest says without both.

    Where the rest are bad judges, two good ones look as if they erred alike: these items are left out. For the same
    reason, and because items are hard for everybody, the usual rate is that of the pairs of the middle person, by where
    the reference is from. O(Σ n² + q log q) for tasks of n answers.
    """
    w = len(stream.workers)
    first, second = _pairs(stream.task)
    a, b = stream.label[first], stream.label[second]
    reference, source = stream.without(first, second)
    kept = np.flatnonzero((reference >= 0) & ((a != reference) | (b != reference)))
    kept = kept[np.argsort(np.maximum(first, second)[kept], kind="stable")]
    people = np.sort(np.stack([stream.worker[first[kept]], stream.worker[second[kept]]]), axis=0)
    same = (a == b)[kept]
    rates = typical(np.tile(same, 2), people.ravel(), np.tile(source[kept], 2), SOURCES, w)
    pairs, pair = np.unique(people[0] * w + people[1], return_inverse=True)
    return Shared(same, rates[source[kept]], pair.ravel(), pairs)


def find(stream: Stream) -> Evidence:
    """Evidence that a person gives the answers of another on items where one of both at least is wrong.

    Of what two people share, only errors tell: those who judge rightly agree, too. An honest pair gives the same answer
    there at most a quarter of the way from what is typical of pairs to always. A person's evidence is that with the
    partner of the most, divided by how many partners were looked at (Bonferroni). O(Σ n²) time for tasks of n answers.
    """
    w, seen = len(stream.workers), shared(stream)
    size = len(seen.pairs)
    bets = [Bet(np.ones(len(seen.same), dtype=np.bool_), seen.same, limit(seen.usual, part=QUARTER))]
    n = np.bincount(seen.pair, minlength=size)
    looked = np.flatnonzero(n >= FEWEST)
    log_e, most = strongest(bets, seen.pair, size)[looked], possible(bets, seen.pair, size)[looked]
    hits = np.bincount(seen.pair, seen.same, minlength=size)[looked]
    usual = np.bincount(seen.pair, seen.usual, minlength=size)[looked]
    ends = np.stack(np.divmod(seen.pairs[looked], w))
    worker, partner, row = ends.ravel(), ends[::-1].ravel(), np.tile(np.arange(len(looked)), 2)
    partners = np.maximum(np.bincount(worker, minlength=w), 1)
    order = np.lexsort((-log_e[row], worker))
    who, at = np.unique(worker[order], return_index=True)
    best = order[at]
    found = [np.zeros(w) for _ in range(5)]
    about = np.full(w, -1)
    for column, values in zip(found, (log_e, most, n[looked], hits, usual), strict=True):
        column[who] = values[row[best]]
    np.maximum.at(found[1], worker, most[row])
    about[who] = partner[best]
    spent = np.log(partners)
    return Evidence(
        log_e=np.maximum(found[0] - spent, 0.0),
        possible=np.maximum(found[1] - spent, 0.0),
        answers=found[2].astype(np.int64),
        hits=found[3].astype(np.int64),
        usual=found[4],
        about=about,
    )


def _pairs(task: Ints) -> tuple[Ints, Ints]:
    """Rows (q,) and (q,) of every two answers to the same task."""
    order = np.argsort(task, kind="stable")
    sorted_ = task[order]
    most = int(np.bincount(task).max(initial=0)) if len(task) else 0
    near = [np.flatnonzero(sorted_[step:] == sorted_[: len(sorted_) - step]) for step in range(1, most)]
    first = np.concatenate([np.zeros(0, dtype=np.int64), *near])
    second = np.concatenate([np.zeros(0, dtype=np.int64), *(rows + step for step, rows in enumerate(near, 1))])
    return order[first], order[second]


def told(stream: Stream, evidence: Evidence, worker: int) -> str:
    """The evidence in words."""
    partner = stream.workers[evidence.about[worker]]
    return (
        f"Gave the same answer as {partner} on {evidence.hits[worker]:,} of {evidence.answers[worker]:,} shared items "
        f"on which one of both at least differs from gold or from the rest; two people would typically on "
        f"{counted(evidence.usual[worker])}."
    )


COLLUSION = Signal(
    "collusion",
    "Errs as one other person does",
    find,
    told,
    look="Put the shared errors side by side with their times: who answered first, and would the item mislead anybody?",
    innocent="Trained together, a habit of asking each other, the same misreading of one clause, or one person with "
    "two accounts by mistake.",
)
