"""A model on challenge suites, as JSON."""

from __future__ import annotations

from typing import TypedDict

from hitl.history.figures import EstimateRow


class ChangeRow(TypedDict):
    """What changed in the same cases since the round before; see `hitl.metrics.challenge.Change`."""

    won: int
    lost: int
    difference: EstimateRow
    p: float  # McNemar's
    adjusted: float  # for all functionalities of the suite
    regressed: bool


class FunctionRow(TypedDict):
    """One functionality of a suite."""

    name: str
    catch: int  # cases that are violations, and must be caught
    passed: EstimateRow
    change: ChangeRow | None


class GroupRow(TypedDict):
    """The cases about one group; rates of misses and false alarms, and how the model ranks them."""

    facet: str
    group: str
    passed: EstimateRow
    false_positive_rate: EstimateRow
    false_negative_rate: EstimateRow
    aucs: list[EstimateRow]  # subgroup, BPSN, BNSP


class EqualityRow(TypedDict):
    """How far groups are apart in a rate, in all; see `hitl.metrics.identity.Equality`."""

    facet: str
    name: str
    value: float | None
    by_chance: float | None
    p: float | None
    groups: int


class ChallengeRow(TypedDict):
    """A model on one suite."""

    suite: str
    model_id: str
    before: str  # the model that it is compared with; empty for none
    cases: int
    passed: EstimateRow
    change: ChangeRow | None  # in all cases
    functions: list[FunctionRow]
    groups: list[GroupRow]
    equality: list[EqualityRow]
