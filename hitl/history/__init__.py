"""What is told about a campaign: plain values (JSON), made by `rounds`, read by `report`, the CLI and notebooks."""

from hitl.history.agreement import AgreementGroup, AgreementLabel, AgreementPair, AgreementPart, AgreementRow
from hitl.history.anchoring import AnchoringRow, EffectRow
from hitl.history.believed import BelievedRow
from hitl.history.calibration import CalibrationRow, LabelCalibration, ReliabilityBin
from hitl.history.challenge import ChallengeRow, ChangeRow, EqualityRow, FunctionRow, GroupRow
from hitl.history.control import Control, ControlPoint
from hitl.history.figures import ComparisonRow, EstimateRow, comparison_row, estimate_row, read_estimate
from hitl.history.gaps import CellRow, ExampleRow, GapsRow, ThemeRow
from hitl.history.helped import DecisionsRow, Helped, PairedRow, PairedRows
from hitl.history.ops import BacklogRow, GainRow, OpsGroup, OpsRow, TargetRow
from hitl.history.people import EventRow, LanguageRow, PersonRow, TamperCount, TamperRow, WorkerRow
from hitl.history.prevalence import PrevalenceRow, ResponseRow
from hitl.history.qa import QaRow
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
from hitl.history.routing import CapRow, DayRow, ExposureRow, OverdueRow, RouteRow, RoutingRow, SpokenRow, TurnaroundRow
from hitl.history.rulings import (
    ChangedItem,
    DisputeRow,
    OverturnRow,
    QuarantineFinding,
    QuarantineRow,
    RulingRow,
    RulingsRow,
    SetAsideRow,
)
from hitl.history.signals import ProposalRow, SignalRow, SignalsRow
from hitl.history.slices import GapRow, SliceRow, SlicesRow, WorstRow
from hitl.history.thresholds import CutRow, ThresholdsRow, WorkPoint
from hitl.history.transparency import AuditedCell, LogRow, TransparencyFinding, TransparencyRow, TransparencyTable
from hitl.history.trends import CopiesRow, DriftRow, FallRow, GrowthRow, TrendsRow

__all__ = [
    "AgreementGroup",
    "AgreementLabel",
    "AgreementPair",
    "AgreementPart",
    "AgreementRow",
    "AnchoringRow",
    "AuditedCell",
    "BacklogRow",
    "BelievedRow",
    "CalibrationRow",
    "CapRow",
    "CellRow",
    "ChallengeRow",
    "ChangeRow",
    "ChangedItem",
    "ComparisonRow",
    "Confusion",
    "Control",
    "ControlPoint",
    "CopiesRow",
    "CurvePoint",
    "CutRow",
    "DayRow",
    "DecisionsRow",
    "DisputeRow",
    "DriftRow",
    "EffectRow",
    "EqualityRow",
    "EstimateRow",
    "EventRow",
    "ExampleRow",
    "ExposureRow",
    "FallRow",
    "Findings",
    "FunctionRow",
    "GainRow",
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
    "OpsGroup",
    "OpsRow",
    "OverdueRow",
    "OverturnRow",
    "PairedRow",
    "PairedRows",
    "PersonRow",
    "PickRow",
    "PrevalenceRow",
    "ProposalRow",
    "QaRow",
    "QuarantineFinding",
    "QuarantineRow",
    "ReliabilityBin",
    "ResponseRow",
    "RoundRow",
    "RouteRow",
    "RoutingRow",
    "RulingRow",
    "RulingsRow",
    "SetAsideRow",
    "SignalRow",
    "SignalsRow",
    "SliceRow",
    "SlicesRow",
    "SpokenRow",
    "StabilityRow",
    "Stopping",
    "TamperCount",
    "TamperRow",
    "TargetRow",
    "ThemeRow",
    "ThresholdsRow",
    "TransparencyFinding",
    "TransparencyRow",
    "TransparencyTable",
    "TrendsRow",
    "TurnaroundRow",
    "WorkPoint",
    "WorkerRow",
    "WorstRow",
    "YieldRow",
    "comparison_row",
    "estimate_row",
    "read_estimate",
]
