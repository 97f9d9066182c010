"""Operations: what work takes, how it flows, and what it costs; for planning, and no ranking of people."""

from hitl.metrics.ops.backlog import Flow, a_day, clears_in, daily, daily_target, over
from hitl.metrics.ops.cost import hours_a_label, hours_a_point, priced
from hitl.metrics.ops.round import Operations, operations
from hitl.metrics.ops.shifts import NO_TABLE, Present, Shifts, present
from hitl.metrics.ops.times import (
    AWAY,
    active,
    mean_estimate,
    median_estimate,
    quantile_estimate,
    ratio_estimate,
    waiting,
)
from hitl.metrics.ops.work import OUTS, Grouping, TaskLog, WorkLog, rows_by

__all__ = [
    "AWAY",
    "NO_TABLE",
    "OUTS",
    "Flow",
    "Grouping",
    "Operations",
    "Present",
    "Shifts",
    "TaskLog",
    "WorkLog",
    "a_day",
    "active",
    "clears_in",
    "daily",
    "daily_target",
    "hours_a_label",
    "hours_a_point",
    "mean_estimate",
    "median_estimate",
    "operations",
    "over",
    "present",
    "priced",
    "quantile_estimate",
    "ratio_estimate",
    "rows_by",
    "waiting",
]
