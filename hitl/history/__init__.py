"""What is told about a campaign: plain values (JSON), made by `rounds`, read by `report`, the CLI and notebooks."""

from hitl.history.figures import ComparisonRow, EstimateRow, comparison_row, estimate_row, read_estimate
from hitl.history.people import EventRow, LanguageRow, PersonRow, TamperCount, TamperRow, WorkerRow
from hitl.history.rounds import (
    Confusion,
    CurvePoint,
    History,
    LabelRow,
    LeftRow,
    NeededRow,
    NextRound,
    PickRow,
    RoundRow,
    StabilityRow,
    Stopping,
    YieldRow,
)

__all__ = [
    "ComparisonRow",
    "Confusion",
    "CurvePoint",
    "EstimateRow",
    "EventRow",
    "History",
    "LabelRow",
    "LanguageRow",
    "LeftRow",
    "NeededRow",
    "NextRound",
    "PersonRow",
    "PickRow",
    "RoundRow",
    "StabilityRow",
    "Stopping",
    "TamperCount",
    "TamperRow",
    "WorkerRow",
    "YieldRow",
    "comparison_row",
    "estimate_row",
    "read_estimate",
]
