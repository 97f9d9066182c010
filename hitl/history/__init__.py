"""What is told about a campaign: plain values (JSON), made by `rounds`, read by `report`, the CLI and notebooks."""

from hitl.history.believed import BelievedRow
from hitl.history.calibration import CalibrationRow, LabelCalibration, ReliabilityBin
from hitl.history.challenge import ChallengeRow, ChangeRow, EqualityRow, FunctionRow, GroupRow
from hitl.history.control import Control, ControlPoint
from hitl.history.figures import ComparisonRow, EstimateRow, comparison_row, estimate_row, read_estimate
from hitl.history.gaps import CellRow, ExampleRow, GapsRow, ThemeRow
from hitl.history.helped import DecisionsRow, Helped, PairedRow, PairedRows
from hitl.history.people import EventRow, LanguageRow, PersonRow, TamperCount, TamperRow, WorkerRow
from hitl.history.prevalence import PrevalenceRow, ResponseRow
from hitl.history.rounds import (
    Confusion,
    CurvePoint,
    Findings,
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
from hitl.history.slices import GapRow, SliceRow, SlicesRow, WorstRow
from hitl.history.thresholds import CutRow, ThresholdsRow, WorkPoint
from hitl.history.transparency import AuditedCell, LogRow, TransparencyFinding, TransparencyRow, TransparencyTable
from hitl.history.trends import CopiesRow, DriftRow, FallRow, GrowthRow, TrendsRow

__all__ = [
    "AuditedCell",
    "BelievedRow",
    "CalibrationRow",
    "CellRow",
    "ChallengeRow",
    "ChangeRow",
    "ComparisonRow",
    "Confusion",
    "Control",
    "ControlPoint",
    "CopiesRow",
    "CurvePoint",
    "CutRow",
    "DecisionsRow",
    "DriftRow",
    "EqualityRow",
    "EstimateRow",
    "EventRow",
    "ExampleRow",
    "FallRow",
    "Findings",
    "FunctionRow",
    "GapRow",
    "GapsRow",
    "GroupRow",
    "GrowthRow",
    "Helped",
    "History",
    "LabelCalibration",
    "LabelRow",
    "LanguageRow",
    "LeftRow",
    "LogRow",
    "NeededRow",
    "NextRound",
    "PairedRow",
    "PairedRows",
    "PersonRow",
    "PickRow",
    "PrevalenceRow",
    "ReliabilityBin",
    "ResponseRow",
    "RoundRow",
    "SliceRow",
    "SlicesRow",
    "StabilityRow",
    "Stopping",
    "TamperCount",
    "TamperRow",
    "ThemeRow",
    "ThresholdsRow",
    "TransparencyFinding",
    "TransparencyRow",
    "TransparencyTable",
    "TrendsRow",
    "WorkPoint",
    "WorkerRow",
    "WorstRow",
    "YieldRow",
    "comparison_row",
    "estimate_row",
    "read_estimate",
]
