"""Where judged items went and how long they waited there, who reads what, and what people had to see, as JSON."""

from __future__ import annotations

from typing import TypedDict

from hitl.history.figures import EstimateRow


class RouteRow(TypedDict):
    """One rule, in its order, and how often it fired."""

    name: str
    to: str  # accept, another, senior, legal
    after: str  # whose answers it looks at: reviewers, senior
    conditions: str  # in words
    priority: str
    within: str  # the deadline as it was written; empty without one
    fired: int  # cases that it sent somewhere; what it accepted is not counted


class TurnaroundRow(TypedDict):
    """How long items of one queue and priority class waited, from when they were sent there to their answer."""

    queue: str  # the campaign's own queue is ""; "another" are further opinions in it
    priority: str
    cases: int
    open: int
    overdue: int  # of the open, those whose deadline is past
    let_go: int  # skipped by too many people, or deleted: nobody will answer them
    median: EstimateRow  # seconds
    in_time: EstimateRow  # share answered by the deadline, of those whose deadline is past


class OverdueRow(TypedDict):
    """One case that waits beyond its deadline, or that nobody will answer any more."""

    item_id: str
    task: str
    queue: str
    priority: str
    rule: str
    why: str
    language: str
    since: str  # ISO 8601
    late: float | None  # seconds beyond the deadline; None without one
    let_go: bool


class SpokenRow(TypedDict):
    """One language: what waits in it, who answers in it, and who says to read it."""

    language: str
    open: int  # tasks of all queues but the exam
    answers: int
    people: int  # who answered in it
    readers: int | None  # who are known to read it; None where nobody's languages are known
    foreign: int | None  # of the answers, by people who are known not to read it
    median: EstimateRow  # seconds from asking to having all answers, of the campaign's own queue


class DayRow(TypedDict):
    """What a person saw on one day (UTC)."""

    day: str
    seen: int
    severe: dict[str, int]  # severity → items


class CapRow(TypedDict):
    """One cap, and how a person stands to it."""

    severity_from: float
    per_day: int
    most: int  # on one day
    most_on: str
    reached: int  # days on which it was reached
    over: int  # days on which it was passed
    today: int


class ExposureRow(TypedDict):
    """What one person had to see: a pseudonym, never a name."""

    worker: str
    seen: int
    days: int
    severe: dict[str, int]  # severity → items
    by_day: list[DayRow]  # the latest first
    caps: list[CapRow]


class RoutingRow(TypedDict):
    """Routing and exposure over the whole campaign."""

    routes: list[RouteRow]
    own: bool  # whether the campaign has rules of its own
    turnaround: list[TurnaroundRow]
    overdue: list[OverdueRow]  # the latest first
    overdue_in_all: int
    languages: list[SpokenRow]
    exposure: list[ExposureRow]
