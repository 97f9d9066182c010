"""What was set aside, contested and ruled, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import ComparisonRow, EstimateRow


class RulingRow(TypedDict):
    """What a named person decided, why, on what, and when."""

    outcome: Literal["upheld", "overturned", "lifted"]
    labels: list[str] | None  # what is right by the ruling; None where it changed no label
    actor: str
    reason: str
    evidence: str
    at: str  # ISO 8601


class DisputeRow(TypedDict):
    """One contested verdict. Of an appeal the claimant, an author and no worker, is told in the ledger alone."""

    number: int
    kind: Literal["gold", "review", "decision"]
    item: str
    language: str
    claimant: str  # a worker's pseudonym; empty in an appeal
    claim: str  # in the claimant's words: hostile until escaped
    claimed: list[str] | None  # labels that should hold by the claim; None where it names none
    decided: list[str]  # labels that held when it was contested
    evidence: str
    at: str  # ISO 8601
    age: float | None  # days from opening to the ruling, or until now; None where the clocks contradict each other
    ruling: RulingRow | None  # None while it is open


class OverturnRow(TypedDict):
    """How often rulings overturned what was contested."""

    all: EstimateRow
    kinds: list[EstimateRow]  # by kind of dispute, as `label`; only those that were ruled
    labels: list[EstimateRow]  # by a label that was contested; of several labels a dispute counts for each
    languages: list[EstimateRow]  # by the item's language, as `label`


class QuarantineRow(TypedDict):
    """One person's answers of a time, set aside by a named person."""

    number: int
    worker: str  # a pseudonym
    since: str  # ISO 8601
    until: str  # ISO 8601, not included; empty while it has no end
    actor: str
    reason: str
    evidence: str
    at: str  # ISO 8601
    answers: int  # that it covers, whether it is in force or was lifted
    items: int  # that these are about
    lifted: RulingRow | None  # None while it is in force


class ChangedItem(TypedDict):
    """One item whose label is another without what is set aside; None where it is unresolved."""

    item: str
    before: list[str] | None
    after: list[str] | None


class SetAsideRow(TypedDict):
    """What all that is set aside now amounts to: the same answers settled with it, and without."""

    workers: list[str]
    answers: int
    items: int  # that these answers are about
    changed: int  # items with another label, those that lost or gained one included
    elsewhere: int  # of these, items that nobody set aside had answered: others are weighed anew
    unresolved: int  # items that had a label and have none
    waiting: int  # tasks that want somebody in place of who was set aside
    shown: list[ChangedItem]  # the first of the changed ones


class QuarantineFinding(TypedDict):
    """A round's model against the same model of all answers, those set aside included, on the benchmark."""

    set_aside: SetAsideRow
    learned: int  # items that the round's model learned from
    learned_with: int  # items that it would have learned from
    comparison: ComparisonRow | None  # new: without what is set aside; None where both learned from the same


class RulingsRow(TypedDict):
    """Everything of a campaign that was contested or set aside."""

    disputes: list[DisputeRow]
    overturned: OverturnRow
    quarantines: list[QuarantineRow]
    set_aside: SetAsideRow | None  # None where nothing is set aside now
