"""One answer to everything: the same label whatever the item is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hitl.types import Bools, Floats
from hitl.workforce.signals.evidence import Bet, possible, strongest
from hitl.workforce.signals.signal import Evidence, Signal, counted, weigh
from hitl.workforce.signals.stream import SOURCES, Stream
from hitl.workforce.signals.typical import limit, typical


def find(stream: Stream) -> Evidence:
    """Evidence that a person gives one label where gold or the others say something else, or more than the mix allows.

    Held against the items that the person got: of those with a reference only what the reference says to be another
    label tells anything; those that nobody else judged are held against how often people give the label to items of
    the same group. An honest person gives it at most half-way between the typical share and always. Every label is
    tried, and told of is the one with the strongest evidence. O(m k) time.
    """
    w, labels = len(stream.workers), range(len(stream.labels))
    always = [_always(stream, label) for label in labels]
    bets = [bet for bet, _ in always]
    each = np.stack([strongest([bet], stream.worker, w) for bet in bets])
    favourite = np.where(each.max(axis=0) > 0, each.argmax(axis=0), -1)
    mine = [stream.worker[stream.label == label] for label in labels]
    common = np.stack([np.bincount(rows, minlength=w) for rows in mine]).argmax(axis=0)
    shown = np.where(favourite >= 0, favourite, common)[stream.worker]
    active = np.select([shown == label for label in labels], [bet.active for bet in bets], False)
    usual = np.select([shown == label for label in labels], [one for _, one in always], 0.0)
    told_of = weigh(stream, [Bet(active, stream.label == shown, limit(usual))], usual)
    return replace(
        told_of,
        log_e=np.maximum(each.max(axis=0) - np.log(len(bets)), 0.0),
        possible=possible(bets, stream.worker, w),
        about=favourite,
    )


def _always(stream: Stream, label: int) -> tuple[Bet, Floats]:
    """The suspicion that a person says `label` to everything, and how often it is usual (m,)."""
    given = stream.label == label
    against = (stream.reference >= 0) & (stream.reference != label)
    active: Bools = against | stream.alone
    cell = np.where(against, stream.source, SOURCES + stream.group[stream.task])
    cells = SOURCES + int(stream.group.max(initial=0)) + 1
    rates = typical(given[active], stream.worker[active], cell[active], cells, len(stream.workers))
    usual = rates[np.where(active, cell, 0)]
    return Bet(active, given, limit(usual)), usual


def told(stream: Stream, evidence: Evidence, worker: int) -> str:
    """The evidence in words."""
    label = stream.labels[evidence.about[worker]]
    return (
        f"Said “{label}” to {evidence.hits[worker]:,} of {evidence.answers[worker]:,} items that gold or most others "
        f"call something else, or that nobody else judged; a typical person would to "
        f"{counted(evidence.usual[worker])}."
    )


ONE_ANSWER = Signal(
    "one_answer",
    "One answer to everything",
    find,
    told,
    look="Read items that others call something else: is the label overlooked, or is the policy read more leniently?",
    innocent="A stretch of items that are alike, a key that sticks, a page that shows no content, or a lenient reading "
    "of the policy.",
)
