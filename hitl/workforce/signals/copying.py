"""Copying the prediction: giving what the model suggests, also where it is wrong."""

from __future__ import annotations

import numpy as np

from hitl.types import Bools
from hitl.workforce.signals.evidence import Bet
from hitl.workforce.signals.signal import Evidence, Signal, counted, weigh
from hitl.workforce.signals.stream import SOURCES, Stream
from hitl.workforce.signals.typical import limit, typical

TRUST = 1 / 3
"""How far of the way from the usual rate to always an honest person may follow the model: people trust it unalike."""

FEW = 2.0
"""A person's rate on hidden predictions counts beside so many answers at the usual rate."""


def find(stream: Stream) -> Evidence:
    """Evidence that a person gives the shown prediction where gold or most others say that it is wrong.

    Where the model is right, everybody agrees with it, and nothing can be told. An honest person gives a wrong
    prediction at most a third of the way from what is typical (everybody is drawn by it a little, and the others may
    be wrong) to always. Who gives the model's wrong answers as often where they are hidden thinks alike and does not
    copy: the limit starts from their rate there, if that is higher. O(m) time.
    """
    wrong = (stream.predicted >= 0) & (stream.reference >= 0) & (stream.reference != stream.predicted)
    active: Bools = wrong & stream.shown
    given = stream.label == stream.predicted
    source = stream.source
    rates = typical(given[active], stream.worker[active], source[active], SOURCES, len(stream.workers))
    usual = rates[source]
    n, hits = (
        np.bincount(stream.worker[rows], minlength=len(stream.workers))[stream.worker]
        for rows in (wrong & ~stream.shown, wrong & ~stream.shown & given)
    )
    alike = (hits + FEW * usual) / (n + FEW)
    return weigh(stream, [Bet(active, given, limit(np.maximum(usual, alike), part=TRUST))], usual)


def told(stream: Stream, evidence: Evidence, worker: int) -> str:
    """The evidence in words."""
    return (
        f"Gave the shown prediction on {evidence.hits[worker]:,} of {evidence.answers[worker]:,} items on which gold "
        f"or most others say that it is wrong; a typical person would on {counted(evidence.usual[worker])}."
    )


COPYING = Signal(
    "copying",
    "Copies the shown prediction",
    find,
    told,
    look="Hide the prediction from this person for a while, and compare: does their agreement with gold rise?",
    innocent="Trust in a model that is mostly right, a form in which the prediction is already ticked, or a model that "
    "has learned from this very person.",
)
