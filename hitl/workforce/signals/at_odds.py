"""At odds with everybody: answers that have little to do with gold or with what the others say."""

from __future__ import annotations

import numpy as np

from hitl.types import Bools, Floats
from hitl.workforce.signals.evidence import Bet
from hitl.workforce.signals.signal import Evidence, Signal, counted, weigh
from hitl.workforce.signals.stream import SOURCES, Stream
from hitl.workforce.signals.typical import limit, typical


def errors(stream: Stream) -> tuple[Bools, Bools, Floats]:
    """Of each answer (m,): whether it can be judged, whether it differs from its reference, how often that is usual.

    Usual by the label of the reference and by where that is from. Where people typically do no better than
    by guessing among the labels, nothing can be judged.
    """
    k, judged = len(stream.labels), stream.reference >= 0
    cell = stream.reference * SOURCES + stream.source
    differs = stream.label != stream.reference
    rates = typical(differs[judged], stream.worker[judged], cell[judged], k * SOURCES, len(stream.workers))
    usual = np.where(judged, rates[np.where(judged, cell, 0)], 1.0)
    return judged & (usual < guessing(stream)), differs, usual


def find(stream: Stream) -> Evidence:
    """Evidence that a person's answers are nearer to guessing than to what people typically make of the same items.

    An honest person errs at most half-way between the typical rate and that of guessing evenly among k labels; over all
    labels of the reference, and of each: who overlooks one rare harm does so in few answers. O(m k) time.
    """
    judged, differs, usual = errors(stream)
    return weigh(stream, wrong(stream, judged, differs, usual), usual)


def wrong(stream: Stream, rows: Bools, differs: Bools, usual: Floats) -> list[Bet]:
    """That `rows` (m,) differ from their references more often than honest ones: all of them, and of each label."""
    most = limit(usual, guessing(stream))
    each = [Bet(rows & (stream.reference == label), differs, most) for label in range(len(stream.labels))]
    return [Bet(rows, differs, most), *each]


def guessing(stream: Stream) -> float:
    """How often somebody errs who guesses evenly among the labels."""
    return 1 - 1 / max(len(stream.labels), 1)


def told(stream: Stream, evidence: Evidence, worker: int) -> str:
    """The evidence in words."""
    return (
        f"Differs from gold or from most others on {evidence.hits[worker]:,} of {evidence.answers[worker]:,} items; a "
        f"typical person would on {counted(evidence.usual[worker])}."
    )


AT_ODDS = Signal(
    "at_odds",
    "At odds with gold and the others",
    find,
    told,
    look="Read twenty of the answers in question beside the policy, with the person: is it one label, one language, or "
    "all?",
    innocent="Another reading of the policy, a language that the person does not know, labels mixed up on the "
    "keyboard, or the others being wrong together.",
)
