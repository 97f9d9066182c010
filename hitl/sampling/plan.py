"""The plan of a campaign: how many people's judgements are bought, and for what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hitl.errors import ConfigError
from hitl.sampling.scorers import scorer

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Plan(BaseModel):
    """How a campaign spends its budget; every field has a default that works.

    Raises `pydantic.ValidationError` (told as `ConfigError` by `config`) when shares or names do not add up.

    >>> Plan(budget=50, audit=0.4)
    Plan(4 rounds × 50 items after 50 seed items; 20 audit, 5 random, 25 by margin + impact a round; benchmark 200)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    rounds: Count = 4
    """Active rounds after the seed round."""
    budget: Annotated[int, Field(gt=0)] = 100
    """Items asked in an active round, all arms together."""
    seed_budget: Annotated[int, Field(gt=0)] | None = None
    """Items asked in the seed round for training; `budget` when left out."""
    benchmark: Count = 200
    """Items of the frozen benchmark: drawn and asked in the seed round, never trained on."""

    audit: Share = 0.3
    """Share of a round's budget that goes to a probability sample of the whole unlabelled pool."""
    random: Share = 0.1
    """Share of a round's budget that goes to items drawn evenly at random."""
    scores: dict[str, Annotated[float, Field(ge=0)]] = {"margin": 1.0, "impact": 1.0}
    """Scorers of the rest of the budget, with their weights."""
    impact_scale: Positive | None = None
    """Expected cost at which the impact score counts one half; taken from the pool's mean reach when left out."""
    audit_floor: Positive = 0.25
    """Weight in the audit draw of an item that nobody saw, relative to one of mean reach and highest risk."""
    risk_floor: Share = 0.05
    """Risk in the audit draw of an item that the model holds for harmless: viral ones must not be missed."""

    keyword: Share = 0.4
    """Share of the seed round for items that match the policy's keywords."""
    diverse: Share = 0.4
    """Share of the seed round for items near the centres of clusters."""

    strata: tuple[str, ...] = ("language",)
    """Columns whose values form the strata of quotas and shortlists."""
    quotas: dict[str, Share] = {}
    """Least share of the picks by score for a stratum (its values joined by `|`)."""
    shortlist: Annotated[int, Field(gt=0)] = 20
    """Items kept for each pick before near-duplicates are folded, a stratum."""
    fold_at: Annotated[float, Field(gt=0, le=1)] | None = 0.7
    """Jaccard similarity of word shingles from which two texts are one; None folds nothing."""

    overlap: Share = 0.2
    """Share of a round's items that two people judge."""
    benchmark_people: Annotated[int, Field(gt=0)] = 2
    """How many people judge a benchmark item."""
    third_opinion: bool = True
    """Whether items on which two people disagree go to a third."""
    answered: Annotated[float, Field(gt=0, le=1)] = 1.0
    """A round goes on when this share of its tasks has its answers."""
    replay: str | None = None
    """Integer column: an item is in play from the round with this number on, to replay a stream."""
    show_predictions: bool = False
    """Whether reviewers see the model's answer (it anchors them)."""
    resolver: Literal["majority", "dawid_skene"] = "dawid_skene"
    """How answers on one item become a label."""
    min_confidence: Share = 0.5
    """A resolution below this stays unresolved."""
    cost_per_hour: Positive | None = None
    """What an hour of people's work costs, for the report."""
    seed: Annotated[int, Field(ge=0)] = 0
    """All chance in the campaign comes from it."""

    @model_validator(mode="after")
    def _adds_up(self) -> Plan:
        if self.audit + self.random > 1:
            raise ValueError(f"audit {self.audit:g} + random {self.random:g} take more than the whole budget")
        if self.keyword + self.diverse > 1:
            raise ValueError(f"keyword {self.keyword:g} + diverse {self.diverse:g} take more than the seed budget")
        if sum(self.quotas.values()) > 1:
            raise ValueError("quotas take more than the whole of the picks by score")
        if not any(self.scores.values()):
            raise ValueError("scores: at least one scorer needs a weight above 0")
        for name in self.scores:
            _check_scorer(name)
        return self

    def arms(self) -> dict[str, int]:
        """How many picks each arm of an active round gets; they add up to the budget."""
        audit = round(self.budget * self.audit)
        chance = min(round(self.budget * self.random), self.budget - audit)
        return {"audit": audit, "random": chance, "explore": self.budget - audit - chance}

    def seed_arms(self) -> dict[str, int]:
        """How many picks each arm of the seed round gets; they add up to the seed budget."""
        budget = self.seed_budget or self.budget
        keyword = round(budget * self.keyword)
        diverse = min(round(budget * self.diverse), budget - keyword)
        return {"keyword": keyword, "diverse": diverse, "random": budget - keyword - diverse}

    def __repr__(self) -> str:
        arms = self.arms()
        by = " + ".join(name for name, weight in self.scores.items() if weight)
        return (
            f"Plan({self.rounds} rounds × {self.budget} items after {self.seed_budget or self.budget} seed items; "
            f"{arms['audit']} audit, {arms['random']} random, {arms['explore']} by {by} a round; "
            f"benchmark {self.benchmark})"
        )


def _check_scorer(name: str) -> None:
    try:
        scorer(name)
    except ConfigError as unknown:
        raise ValueError(f"scores: {unknown}") from None
