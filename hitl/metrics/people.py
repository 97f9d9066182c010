"""Each person's record: time, agreement, gold, exam and review, with intervals; figures to talk about, no ranking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.history import EstimateRow, LanguageRow, PersonRow, estimate_row
from hitl.metrics.intervals import shares
from hitl.metrics.ops import AWAY, median_estimate
from hitl.types import SETTLING, Estimate, Queue

NO_ANSWER = ("skip", "unconfirmed")
"""What is no answer: a skip, and what somebody else wrote or changed in a person's name."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one person did with one task.

    `out` says why it gave no label (`skip`, `unsure`, ...), empty where it gave one; `waited` are the seconds from the
    push to the answer; what is `aside` a quarantine sets aside. `gold` (right on a known label), `sided` (with the
    resolution, where others judged, too) and `overruled` (by a senior) are None where they do not apply. Of an exam
    `gold` is False for an out, too.
    """

    worker: str
    queue: Queue = ""
    out: str = ""
    seconds: float = 0.0
    waited: float | None = None
    language: str = ""
    aside: bool = False
    gold: bool | None = None
    sided: bool | None = None
    overruled: bool | None = None


def records(works: Iterable[Work], accuracy: Mapping[str, Estimate] | None = None) -> list[PersonRow]:
    """A row a person, in the order of their pseudonyms; `accuracy` are a resolver's estimates by worker.

    Times are medians of answers outside the exam, active time at most `AWAY` each. O(m log m) time for m works.

    >>> done = [Work(worker="ana", seconds=4.0, gold=True), Work(worker="ana", queue="exam", gold=False)]
    >>> [(row["worker"], row["answers"], row["gold"]["value"], row["exam"]["value"]) for row in records(done)]
    [('ana', 1, 1.0, 0.0)]
    """
    by_worker: dict[str, list[Work]] = {}
    for work in works:
        by_worker.setdefault(work.worker, []).append(work)
    return [_record(worker, by_worker[worker], (accuracy or {}).get(worker)) for worker in sorted(by_worker)]


def share(flags: Sequence[bool], name: str) -> Estimate:
    """The share of True with its 95 % interval: Wilson's, t-corrected for small n, one-sided where all are alike.

    >>> print(share([True] * 9 + [False], "gold"))
    gold 0.900 [0.523, 0.987] (n=10)
    """
    n = len(flags)
    if not n:
        return Estimate(name, float("nan"), 0.0, 1.0, 0, method="there are no such answers")
    ones = np.ones((n, 1))
    found = shares(np.array(flags, dtype=np.float64)[:, None], ones, ones[:, 0], ones[:, 0])
    return Estimate(name, float(found.value[0]), float(found.low[0]), float(found.high[0]), n, method="Wilson")


def _record(worker: str, works: Sequence[Work], accuracy: Estimate | None) -> PersonRow:
    daily = [work for work in works if work.queue != "exam"]
    answers = [work for work in daily if work.out not in NO_ANSWER]
    outs = Counter(work.out for work in answers if work.out)
    languages = sorted({work.language for work in answers if work.language})
    return PersonRow(
        worker=worker,
        answers=len(answers),
        reviews=sum(work.queue in SETTLING for work in answers),
        skips=sum(work.out == "skip" for work in daily),
        set_aside=sum(work.aside for work in answers),
        unconfirmed=sum(work.out == "unconfirmed" for work in works),
        outs=dict(sorted(outs.items())),
        seconds=_median([work.seconds for work in answers], "seconds_an_answer"),
        turnaround=_median([work.waited for work in answers if work.waited is not None], "turnaround", most=None),
        agreement=_share(answers, "sided"),
        accuracy=None if accuracy is None else estimate_row(accuracy),
        gold=_share(answers, "gold"),
        exam=_share([work for work in works if work.queue == "exam" and work.out not in NO_ANSWER], "gold", "exam"),
        overruled=_share(answers, "overruled"),
        languages=[_language(name, [work for work in answers if work.language == name]) for name in languages],
    )


def _language(name: str, answers: Sequence[Work]) -> LanguageRow:
    return LanguageRow(
        language=name,
        answers=len(answers),
        seconds=_median([work.seconds for work in answers], "seconds_an_answer"),
        agreement=_share(answers, "sided"),
        gold=_share(answers, "gold"),
    )


def _share(works: Iterable[Work], about: str, name: str = "") -> EstimateRow:
    flags = [flag for work in works if (flag := getattr(work, about)) is not None]
    return estimate_row(share(flags, name or about))


def _median(seconds: Sequence[float], name: str, most: float | None = AWAY) -> EstimateRow:
    bounded = [max(spent, 0.0) if most is None else min(max(spent, 0.0), most) for spent in seconds]
    return estimate_row(median_estimate(bounded, name))
