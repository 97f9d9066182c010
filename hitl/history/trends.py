"""What is changing between rounds, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow
from hitl.history.gaps import ExampleRow


class GrowthRow(TypedDict):
    """One kind of content that comes more often than before."""

    kind: Literal["phrase", "cluster"]
    terms: list[str]  # words that tell it from the rest
    before: int  # distinct items of the sample
    new: int
    ratio: EstimateRow  # of the shares, new over before; no value where there was none before
    adjusted: float  # p-value, allowing for how many kinds were looked at
    views_before: float  # share of the period's views
    views_new: float
    course: list[float]  # share of the distinct items that came by round; empty where rounds do not say when
    also: int  # further phrases and clusters that are mostly the same items
    examples: list[ExampleRow]


class CopiesRow(TypedDict):
    """Near copies of one item that came together; they are no sample, so there is no test."""

    before: int
    new: int
    examples: list[ExampleRow]  # one, or none where it is not for reading


class FallRow(TypedDict):
    """Where the model is less confident, or people agree less, than before."""

    kind: Literal["confidence", "agreement"]
    terms: list[str]  # empty for all content
    everywhere: bool
    before: float
    new: float
    n_before: int
    n_new: int
    difference: EstimateRow
    effect: float  # Cohen's d of confidence, h of agreement
    adjusted: float
    examples: list[ExampleRow]


class DriftRow(TypedDict):
    """Whether one distribution moved: a test and effect sizes."""

    kind: Literal["inputs", "scores", "labels"]
    label: str
    test: str
    n_before: int
    n_new: int
    p: float
    adjusted: float  # allowing for the other labels
    changed: bool
    psi: float | None  # population stability index
    by_chance: float | None  # what the index comes to on average without change
    distance: float | None  # energy coefficient of inputs, mean move of scores
    difference: EstimateRow | None  # of the prevalence of labels
    before: EstimateRow | None
    now: EstimateRow | None
    examples: list[ExampleRow]


class TrendsRow(TypedDict):
    """What grows, falls and drifts in one round, against all that came before."""

    why: str  # one sentence where old and new could not be told apart; empty where they could
    compared: str  # which items with which, in words
    before: int  # distinct items looked at
    new: int
    folded: int  # near copies among them, each family counted once
    looked_at: int  # phrases and clusters
    growing: list[GrowthRow]
    copies: list[CopiesRow]
    falling: list[FallRow]
    drift: list[DriftRow]
