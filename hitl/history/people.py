"""People's records and what happened to their work, as JSON."""

from __future__ import annotations

from typing import Any, TypedDict

from hitl.history.figures import EstimateRow


class WorkerRow(TypedDict):
    """One person's round: a pseudonym, never a name."""

    worker: str
    answers: int
    skips: int
    median_seconds: float | None
    agreement: float | None  # share of doubly judged items on which this person sided with the resolution
    accuracy: EstimateRow | None  # Dawid-Skene estimate
    note: str


class LanguageRow(TypedDict):
    """One person's answers in one language."""

    language: str
    answers: int
    seconds: EstimateRow
    agreement: EstimateRow
    gold: EstimateRow


class PersonRow(TypedDict):
    """One person's record over the whole campaign: a pseudonym, never a name. Shares of nothing have n = 0."""

    worker: str
    answers: int  # labels or an out; the exam's are apart
    reviews: int  # of these, given as a senior
    skips: int
    set_aside: int  # of these, in quarantine, or given while work was stopped: they count for nothing
    unconfirmed: int  # written or changed by somebody else, and not counted
    outs: dict[str, int]
    seconds: EstimateRow  # median of active seconds an answer
    turnaround: EstimateRow  # median of seconds from push to answer
    agreement: EstimateRow  # share of the labels given, where others judged, too, that were resolved so
    accuracy: EstimateRow | None  # the resolver's estimate
    gold: EstimateRow  # share of the labels given to gold items that are right
    exam: EstimateRow  # share of the exam's questions answered rightly
    overruled: EstimateRow  # share of the labels given to reviewed items that a senior did not give
    languages: list[LanguageRow]


class EventRow(TypedDict):
    """One thing that happened, as the ledger tells it; `detail` has `before` and `after` where something changed."""

    number: int
    at: str  # ISO 8601, when it was mirrored
    kind: str
    detail: dict[str, Any]


class TamperRow(TypedDict):
    """Somebody's work that another changed, made or took away, or the frame that was changed behind our back."""

    severity: int  # 3: another's word stands in somebody's name; 2: answers are gone; 1: the frame was changed
    kind: str
    at: str
    by: str  # a pseudonym, empty where the place does not tell
    whose: str  # a pseudonym, empty where it was nobody's
    task: str
    annotation: str
    counted: bool  # the work had gone into a resolution before
    answers: int  # how many answers it is about
    told: str  # one sentence


class TamperCount(TypedDict):
    """How often a person did, or suffered, one kind of it on a day."""

    by: str
    whose: str
    day: str
    kind: str
    n: int
    counted: int
