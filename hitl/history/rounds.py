"""Rounds, and the campaign as a whole, as JSON."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from hitl.history.agreement import AgreementRow
from hitl.history.anchoring import AnchoringRow
from hitl.history.calibration import CalibrationRow
from hitl.history.challenge import ChallengeRow
from hitl.history.control import Control
from hitl.history.figures import ComparisonRow, EstimateRow
from hitl.history.gaps import GapsRow
from hitl.history.helped import Helped
from hitl.history.ops import OpsRow
from hitl.history.people import PersonRow, TamperRow, WorkerRow
from hitl.history.prevalence import PrevalenceRow
from hitl.history.qa import QaRow
from hitl.history.routing import RoutingRow
from hitl.history.rulings import QuarantineFinding, RulingsRow
from hitl.history.signals import SignalsRow
from hitl.history.slices import SlicesRow
from hitl.history.thresholds import ThresholdsRow
from hitl.history.transparency import TransparencyFinding
from hitl.history.trends import TrendsRow
from hitl.history.workforce import WorkforceRow


class PickRow(TypedDict):
    """One pick, with what became of it."""

    item_id: str
    arm: str
    text: str  # content from the pool: hostile until escaped
    language: str
    region: str
    reach: float
    score: float
    parts: dict[str, float]
    why: str  # one sentence
    inclusion: float | None
    stands_for: int
    predicted: dict[str, float]
    resolved: list[str] | None  # None: unresolved
    confidence: float
    outs: dict[str, int]
    seconds: float | None  # people's time on it, summed


class Confusion(TypedDict):
    """Weighted counts, rows resolved by people and columns predicted, in the order of `labels`."""

    labels: list[str]
    matrix: list[list[float]]
    n: int


class YieldRow(TypedDict):
    """What one arm of a round brought."""

    picks: int
    resolved: int  # of the picks
    positives: int  # of these, with a violating label


class StabilityRow(TypedDict):
    """The model of a round and the one before on the same random sample of the pool."""

    kappa: EstimateRow  # Cohen's kappa of their decisions; the mean over labels in a multi-label policy
    changed: EstimateRow  # share of items decided otherwise
    by_label: list[EstimateRow]


class LeftRow(TypedDict):
    """What the decisions of the model that picked a round cost in the pool at that time, in policy units."""

    eligible: int  # items not asked before
    expected: float | None  # by the model's own probabilities
    audited: EstimateRow | None  # by what people said of the audit draw


class Findings(TypedDict, total=False):
    """What was found out about a round beyond its figures; what is missing had nothing to tell."""

    helped: Helped  # by label and slice
    control: Control  # what the picks bought over chance
    prevalence: PrevalenceRow  # how much of the pool violates the policy
    slices: SlicesRow  # where the model errs more than elsewhere
    thresholds: ThresholdsRow  # what could be decided without a person
    calibration: list[CalibrationRow]  # whether probabilities can be believed, one a sample
    challenge: list[ChallengeRow]  # one a suite
    transparency: TransparencyFinding  # how right the model that picked the round decides by itself
    gaps: GapsRow  # what the policy and the labels do not cover
    trends: TrendsRow  # what is changing
    signals: SignalsRow  # whose work a lead should look at
    quarantine: QuarantineFinding  # what setting answers aside did to the model
    agreement: AgreementRow  # how far people agree
    anchoring: AnchoringRow  # how far shown predictions pull answers


class RoundRow(TypedDict):
    """One round, told."""

    round: int
    kind: Literal["seed", "active"]
    state: Literal["done", "waiting", "running"]
    policy_version: str
    model_id: str  # the model that this round trained; empty until then
    calibration: dict[str, Any]  # how its probabilities were made honest, as its card says; empty until then
    picked_by_model: str  # the model that picked; empty in the seed round
    seed: int
    started: str
    completed: str | None
    arms: dict[str, int]
    yields: dict[str, YieldRow]  # by arm
    shares: dict[str, float]  # by arm, of the budget as the mix had them; empty where nothing is mixed
    strata: dict[str, int]
    folded: int  # near-duplicates that picks of this round stand for
    tasks: int
    tasks_done: int
    annotations: int
    labels: dict[str, int]  # resolved, by label; "(none)" in a multi-label policy
    resolved: int
    unresolved: int
    outs: dict[str, int]
    training_items: int
    labels_so_far: int
    benchmark: list[EstimateRow]
    audit: list[EstimateRow]  # of the model that had not seen the audit items
    comparison: ComparisonRow | None  # with the model of the round before
    since_seed: ComparisonRow | None  # with the model of the seed round, from round 2 on
    confusion: Confusion | None
    agreement: EstimateRow | None  # Krippendorff's alpha
    stability: StabilityRow | None  # None before the second model
    left: LeftRow | None  # None in the seed round
    findings: Findings
    people: list[WorkerRow]
    seconds_a_task: float | None  # median of people's active seconds an annotation
    seconds_total: float
    cost: float | None  # currency of plan.cost_per_hour
    machine_seconds: dict[str, float]  # step → seconds
    picks: list[PickRow]


class LabelRow(TypedDict):
    """One label of the policy."""

    name: str
    definition: str
    violating: bool
    severity: float
    actions: dict[str, float]


class CurvePoint(TypedDict):
    """The fitted learning curve at one number of labels, with its interval."""

    labels: float
    value: float
    low: float
    high: float


class NeededRow(TypedDict):
    """Labels in all at which the fitted curve comes to a figure; None where it does not come to it."""

    share: float | None  # of the plateau; None for the plan's target
    figure: float
    labels: float | None
    low: float | None
    high: float | None


class NextRound(TypedDict):
    """What another round like the last would bring by the fitted curve, and what the last one took."""

    labels: int
    figure: EstimateRow
    gain: EstimateRow
    seconds: float
    cost: float | None


class Stopping(TypedDict):
    """When to stop: an extrapolation to be read, which decides nothing."""

    target: float | None  # of the headline figure
    why: str  # why the curve is not known; empty where it is
    method: str
    plateau: EstimateRow | None
    curve: list[CurvePoint]
    needed: list[NeededRow]  # the target first
    next_round: NextRound | None
    worth: str  # one sentence
    steady: bool | None  # by the rule of Bloodgood and Vijay-Shanker; None with too few models


class History(TypedDict):
    """A whole campaign, told."""

    campaign: str
    hitl_version: str
    generated: str
    state: Literal["empty", "running", "waiting", "done"]
    status: str  # one sentence
    next_steps: list[str]
    policy: dict[str, Any]  # name, version, multi_label, regions (list)
    labels: list[LabelRow]
    pool: dict[str, Any]  # name, items, views, languages {name: items}, regions {name: items}, fingerprint
    model: dict[str, Any]  # kind and options
    plan: dict[str, Any]
    connector: dict[str, Any]  # kind, url of the project (no secret)
    headline: str  # name of the figure that the learning curve shows, e.g. "macro_f1"
    rounds: list[RoundRow]
    people: list[PersonRow]
    tampering: list[TamperRow]  # the gravest first
    workforce: NotRequired[WorkforceRow]  # where people stand, and how they err; not in a short history
    routing: NotRequired[RoutingRow]  # where items went, and what people had to see; not in a short history
    rulings: NotRequired[RulingsRow]  # what was contested and set aside; not in a short history
    ops: OpsRow | None  # as of `generated`; None before anybody was asked
    qa: NotRequired[QaRow | None]  # quality of all decisions; None where nothing was drawn or opened
    stopping: Stopping
