"""Drift after a good start: judged well at first, and no more."""

from __future__ import annotations

import numpy as np

from hitl.types import Bools, Floats
from hitl.workforce.signals.at_odds import errors, guessing
from hitl.workforce.signals.evidence import Bet
from hitl.workforce.signals.signal import Evidence, Signal, counted, weigh
from hitl.workforce.signals.stream import PULL, Stream
from hitl.workforce.signals.typical import QUARTER, limit

START = 30
"""Comparable answers that make a start."""


def find(stream: Stream) -> Evidence:
    """Evidence that a person who began as well as others errs, from some time on, far more often than at the start.

    A start is good when errors in the first 30 answers that can be compared stay under the limit of `at_odds`. After
    it an honest person errs at most a quarter of the way from their rate at the start, by what the items are (or from
    the usual rate, if they were better than that: nobody need be better than others), to guessing.
    The change may come at any time: a Shiryaev-Roberts mixture, as e-detectors are made (Shin, Ramdas and Rinaldo 2024,
    New England J. Statist. Data Sci. 2:229), which keeps its false-alarm rate for ever. O(m) time.
    """
    judged, differs, usual = errors(stream)
    place = stream.earlier(judged)
    ratio, good = _start(stream, judged & (place < START), differs, usual)
    own = np.minimum(usual * ratio[stream.worker], guessing(stream))
    active = judged & (place >= START) & good[stream.worker]
    return weigh(stream, [Bet(active, differs, limit(own, guessing(stream), QUARTER))], own, change=True)


def _start(stream: Stream, rows: Bools, differs: Bools, usual: Floats) -> tuple[Floats, Bools]:
    """Of each person (w,): how much more often they erred at the start than is usual, and whether it was a good one."""
    w, worker = len(stream.workers), stream.worker[rows]
    n = np.bincount(worker, minlength=w)
    erred = np.bincount(worker, differs[rows], minlength=w)
    expected = np.bincount(worker, usual[rows], minlength=w)
    most = np.bincount(worker, limit(usual[rows], guessing(stream)), minlength=w)
    pull = PULL * np.divide(expected, n, out=np.full(w, 0.1), where=n > 0)
    ratio = (erred + pull) / np.maximum(expected + pull, 1e-9)
    return np.maximum(ratio, 1.0), (n >= START) & (erred < most)


def told(stream: Stream, evidence: Evidence, worker: int) -> str:
    """The evidence in words."""
    judged, differs, _ = errors(stream)
    rows = np.flatnonzero(judged & (stream.worker == worker))
    start, later = differs[rows[:START]], differs[rows[START:]]
    last = later[-START:]
    return (
        f"Differed from gold or from most others on {int(start.sum())} of the first {START} items that can be "
        f"compared, on {int(later.sum()):,} of the {len(later):,} after them ({int(last.sum())} of the last "
        f"{len(last)}); as at the start it would be {counted(evidence.usual[worker])}."
    )


DRIFT = Signal(
    "drift",
    "Not as good as at the start",
    find,
    told,
    look="Compare answers from the start with recent ones, and what was dealt then and now: hours, queue, language.",
    innocent="Fatigue or distress, a new version of the policy, harder items, or a new queue: ask how the person is "
    "before anything else.",
)
