"""Too fast: answers in less time than others need for such items, and wrong more often for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hitl.types import Bools
from hitl.workforce.signals.at_odds import errors, wrong
from hitl.workforce.signals.evidence import Bet, possible, strongest
from hitl.workforce.signals.signal import Evidence, Signal, counted, weigh
from hitl.workforce.signals.stream import Stream
from hitl.workforce.signals.typical import limit, typical

RUSHED = 0.5
"""An answer is rushed in less than this part of the time that is usual for such an item."""

SIZES = 10
"""Groups of items by their length."""


def rushed(stream: Stream) -> Bools:
    """(m,) whether each answer took less than half the time that others typically take for such an item.

    What an item usually takes is the middle of all answers to items of about its length, times how much longer the
    *others* took for this very one, drawn to 1 as they are few (n / (n + 2) of it, on a log scale).
    """
    taken = np.isfinite(stream.seconds) & (stream.seconds > 0)
    if not taken.any():
        return np.zeros(len(stream), dtype=np.bool_)
    spent = np.log(np.where(taken, stream.seconds, 1.0))
    size = stream.size[stream.task]
    known = np.isfinite(size) & taken
    cuts = np.unique(np.quantile(size[known], np.arange(1, SIZES) / SIZES)) if known.any() else np.zeros(0)
    kind = np.where(known, 1 + np.searchsorted(cuts, np.where(known, size, 0.0)), 0)
    off = np.zeros(len(stream))
    for one in np.unique(kind[taken]).tolist():
        rows = taken & (kind == one)
        off[rows] = spent[rows] - np.median(spent[rows])
    tasks = len(stream.truth)
    n = np.bincount(stream.task[taken], minlength=tasks)[stream.task] - taken
    others = np.bincount(stream.task, np.where(taken, off, 0.0), minlength=tasks)[stream.task] - off
    return np.asarray(taken & (off - others / (n + 2) < np.log(RUSHED)))


def find(stream: Stream) -> Evidence:
    """Evidence that a person rushes *and* that what they rush is at odds with gold or the others: the weaker of both.

    Being fast is no fault: an honest person rushes at most half-way between the typical share and all answers, or, if
    more, errs in rushed answers no more than `at_odds` allows; there is evidence against either only. O(m k) time.
    """
    w = len(stream.workers)
    fast, timed = rushed(stream), np.isfinite(stream.seconds)
    share = typical(fast[timed], stream.worker[timed], np.zeros(int(timed.sum()), dtype=np.int64), 1, w)
    pace = [Bet(timed, fast, np.full(len(stream), limit(share)[0]))]
    judged, differs, usual = errors(stream)
    found = weigh(stream, pace, np.full(len(stream), share[0]))
    mistaken = strongest(wrong(stream, judged & fast, differs, usual), stream.worker, w)
    # had they rushed everything, all answers that can be compared would count
    reach = possible(wrong(stream, judged, differs, usual), stream.worker, w)
    return replace(found, log_e=np.minimum(found.log_e, mistaken), possible=np.minimum(found.possible, reach))


def told(stream: Stream, evidence: Evidence, worker: int) -> str:
    """The evidence in words."""
    mine = stream.worker == worker
    judged, differs, usual = errors(stream)
    rows = mine & judged & rushed(stream)
    return (
        f"{evidence.hits[worker]:,} of {evidence.answers[worker]:,} answers took less than half the time that others "
        f"take for such items (typically {counted(evidence.usual[worker])} would); of these, "
        f"{int((rows & differs).sum()):,} of {int(rows.sum()):,} that can be compared differ from gold or from most "
        f"others, where {counted(float(usual[rows].sum()))} would be usual."
    )


TOO_FAST = Signal(
    "too_fast",
    "Too fast to be right",
    find,
    told,
    look="Watch a few of the rushed items being judged, and compare their errors with those of the slower answers.",
    innocent="Items seen before, a clock that stops while the page is in the background, or a day under pressure: ask "
    "what the daily target was.",
)
