"""Which thresholds could be promised, and what would be left to people, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class CutRow(TypedDict):
    """One action of one label: its threshold now and as proposed, and what may be promised at the latter."""

    label: str
    action: Literal["review", "limit", "remove"]
    where: str  # region or language; empty for all that have no threshold of their own
    present: float | None  # None: never taken
    proposed: float | None
    risk: EstimateRow  # precision of limit and remove, missed of review, at the proposed threshold: a one-sided bound
    share: EstimateRow  # of items: what review lets through, what limit or remove takes, without a person
    promised: bool  # whether the promise holds there
    pooled: bool  # the threshold of all stands, for want of items here
    needed: int | None  # judged items that would do, where nothing can be promised; None: no number would
    why: str  # one sentence; empty where there is nothing to explain


class WorkPoint(TypedDict):
    """One threshold, were it set for all violating labels: how much would be decided there, and how well."""

    at: float
    acted: EstimateRow
    acted_by_views: EstimateRow
    precision: EstimateRow
    kept: EstimateRow
    kept_by_views: EstimateRow
    missed: EstimateRow


class ThresholdsRow(TypedDict):
    """The thresholds that held-out items speak for."""

    chosen_by: Literal["promise", "cost"]
    judged_on: Literal["benchmark", "audit"]
    model_id: str  # that they are for
    policy_version: str
    precision: float
    missed: float
    confidence: float
    by: str  # "", "region" or "language"
    items: int  # judged
    cuts: list[CutRow]
    present: list[EstimateRow]  # the whole policy: automated, automated_by_views, precision@act, missed
    proposed: list[EstimateRow]
    checked: list[EstimateRow]  # the proposed ones with the model before on the audit draw; empty without one
    savings: list[EstimateRow]  # an item, by label and in all; empty unless chosen by cost
    curve: list[WorkPoint]
