"""What work takes, how it flows and what it costs, as JSON; for planning, and no ranking of people."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow

GroupedBy = Literal["all", "worker", "team", "vendor", "language", "queue"]


class OpsGroup(TypedDict):
    """The work of one group; seconds are active ones, at most 900 a piece."""

    by: GroupedBy
    name: str  # a pseudonym, or from the pool: hostile until escaped
    people: int
    answers: int
    skips: int
    hours: float  # productive, skips included
    away: int  # pieces of work that were cut at 900 seconds
    figures: list[EstimateRow]  # seconds_mean, seconds_median, seconds_p90, answers_an_hour, skipped, unsure, escalated
    turnaround: list[EstimateRow]  # of tasks: turnaround_median and _p90 (seconds), in_time; empty for people and teams
    occupancy: EstimateRow | None  # of people and teams; None without a table of shifts, and elsewhere


class TargetRow(TypedDict):
    """What a day must bring for the backlog to be gone by a date; time is shared out evenly among those at work."""

    due: str  # ISO 8601
    days: float
    answers_a_day: EstimateRow
    hours_a_day: EstimateRow
    hours_a_person: EstimateRow  # a day


class BacklogRow(TypedDict):
    """What waits in one language or queue, or in all, and when that clears at the pace of the days of work seen."""

    by: GroupedBy
    name: str
    tasks: int
    answers: int  # still wanted
    done_a_day: EstimateRow
    asked_a_day: EstimateRow  # beyond what rounds begin with: further opinions, review
    days_to_clear: EstimateRow
    clears: bool | None  # False where it grows as fast as it is worked off; None where that is not known
    target: TargetRow | None


class GainRow(TypedDict):
    """What a round's work bought on the benchmark: hours, and cost, of a point (0.01) of a figure."""

    round: int | None  # None: all rounds since the seed round
    hours: float
    gain: EstimateRow
    hours_a_point: EstimateRow
    cost_a_point: EstimateRow


class OpsRow(TypedDict):
    """The work of a campaign as of a moment."""

    at: str  # ISO 8601
    sla_hours: float | None
    days: int  # how far back pace is looked at
    whole_days: int  # of these, whole ones on which work waited
    at_work: int  # people who worked in these
    groups: list[OpsGroup]  # all first
    backlog: list[BacklogRow]  # all first
    hours_a_label: EstimateRow
    cost_a_label: EstimateRow
    gains: list[GainRow]
    no_occupancy: str  # why none is told; empty where it is
    outside_shifts: int  # pieces of work sent outside of their person's shifts
