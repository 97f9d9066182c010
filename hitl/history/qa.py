"""Quality of the decisions of people, vendors, rules and models, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class StratumRow(TypedDict):
    """One stratum of a draw: how many decisions it held, were drawn, and were looked at again."""

    name: str
    decisions: int
    drawn: int
    checked: int


class QaSampleRow(TypedDict):
    """One draw of decisions."""

    sample: str
    at: str  # ISO 8601
    actor: str
    reason: str
    decisions: int
    drawn: int
    checked: int
    unsure: int  # looked at, and left open by whoever looked
    own: int  # looked at by whoever had decided, which does not count
    sources: dict[str, int]  # decisions by where they came from
    strata: list[StratumRow]


class CardRow(TypedDict):
    """One group's record: rates as found (`raw`) and drawn to its kind's (`shrunk`), all errors first."""

    group: str  # a pseudonym, a vendor, a team, a language or a clause
    kind: str  # what it is drawn towards
    n: int
    decisions: float
    raw: list[EstimateRow]
    shrunk: list[EstimateRow]


class BarRow(TypedDict):
    """One cause of errors, the weightiest first."""

    cause: str
    n: int
    share: EstimateRow
    cumulative: float


class RootRow(TypedDict):
    """Where a cause has another share of the errors than elsewhere."""

    dimension: str
    group: str
    cause: str
    here: EstimateRow
    elsewhere: EstimateRow
    difference: EstimateRow
    adjusted: float | None  # p-value, by Benjamini and Hochberg
    stands: bool


class EffectRow(TypedDict):
    """The figure that an action is about, before it was opened and since it was done."""

    before: EstimateRow
    after: EstimateRow
    difference: EstimateRow
    verdict: Literal["better", "worse", "no evidence", "too early"]


class ActionStepRow(TypedDict):
    """One thing that happened to an action."""

    to: str
    at: str
    actor: str
    reason: str
    evidence: str


class ActionRow(TypedDict):
    """One corrective action."""

    action: str
    title: str  # words of a person: hostile until escaped
    owner: str
    cause: str
    metric: str
    where: dict[str, str]
    target: float
    due: str
    state: Literal["open", "done", "verified", "dropped"]
    overdue: bool
    baseline: EstimateRow | None
    effect: EffectRow | None  # None before it was done
    steps: list[ActionStepRow]


class MissedRow(TypedDict):
    """One clause of a session's key: how often it was left out where it holds, and put in where not."""

    clause: str
    left_out: EstimateRow
    put_in: EstimateRow


class StandingRow(TypedDict):
    """How a session's people stood at one time."""

    people: int
    answers: int
    alpha: EstimateRow
    right: EstimateRow
    by_person: dict[str, EstimateRow]
    missed: list[MissedRow]


class SessionRow(TypedDict):
    """One calibration session."""

    session: str
    title: str
    opened: str
    closed: str  # empty while it is open
    items: int
    before: StandingRow | None
    after: StandingRow | None
    alpha: EstimateRow | None  # how agreement changed
    right: EstimateRow | None  # how the share of right answers changed


class ChartPoint(TypedDict):
    """One period of a control chart."""

    period: str
    n: int
    value: float | None
    low: float
    high: float
    centre: float | None
    signal: str  # above, below, run above, run below, or none


class ChartRow(TypedDict):
    """A control chart: one rate of one part of the decisions, by period."""

    rate: str
    where: dict[str, str]
    target: float | None
    method: str
    dispersion: float | None  # of the periods, over what chance makes
    points: list[ChartPoint]


class QaRow(TypedDict):
    """The QA programme as it stands."""

    samples: list[QaSampleRow]
    rates: list[EstimateRow]  # of all decisions that were drawn from
    cards: dict[str, list[CardRow]]  # by dimension
    errors: int
    without_cause: int
    causes: list[BarRow]
    roots: list[RootRow]  # the surest first
    charts: list[ChartRow]
    actions: list[ActionRow]
    sessions: list[SessionRow]
