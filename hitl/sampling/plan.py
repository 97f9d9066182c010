"""The plan of a campaign: how many people's judgements are bought, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hitl.errors import ConfigError
from hitl.sampling.diversity import diversity
from hitl.sampling.scorers import scorer
from hitl.sampling.why import explain
from hitl.types import Pick

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

FIXED = ("audit", "benchmark", "random", "keyword", "exemplar", "diverse", "relabel", "gold", "escalation")
"""Names that arms of a plan cannot take: those of the seed round, and those with a share of their own."""


class ArmPlan(BaseModel):
    """One way of choosing: by which scores, and how unlike one another its picks shall be.

    Raises `pydantic.ValidationError` for a scorer or diversity that is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    scores: dict[str, Weight]
    """Scorers with their weights; their weighted mean is the priority."""
    weight: Weight = 1.0
    """Its part, beside the other arms, of what audit, random and relabel leave of the budget."""
    each_label: bool = False
    """Whether it serves the starved labels one by one, each by the scores of its own yes-or-no question."""
    diversity: str = "top"
    """How a batch is chosen from the shortlist: `top` by score alone, or a method of `hitl.sampling.diversity`."""
    among: Annotated[int, Field(gt=0)] = 5
    """Items for each pick, the best by score, among which the diversity chooses."""

    @model_validator(mode="after")
    def _is_known(self) -> ArmPlan:
        if not any(self.scores.values()):
            raise ValueError("scores: at least one scorer needs a weight above 0")
        try:
            diversity(self.diversity)
            for name in self.scores:
                scorer(name)
        except ConfigError as unknown:
            raise ValueError(str(unknown)) from None
        if "relabel" in self.scores:
            raise ValueError("relabel scores labelled items, and arms pick from the rest; set the share `relabel`")
        return self

    @property
    def told(self) -> str:
        """Its scores in words."""
        return " + ".join(name for name, weight in self.scores.items() if weight)


ARMS: dict[str, ArmPlan] = {
    "uncertain": ArmPlan(scores={"margin": 1, "impact": 1}, diversity="weighted_kmeans"),
    "contested": ArmPlan(scores={"margin": 1, "impact": 1}, each_label=True),
}
"""The default mix, measured in `benchmarks/label_efficiency.py`: what is uncertain, spread over the pool, and what is
contested between a starved label and its strongest rival."""


class Plan(BaseModel):
    """How a campaign spends its budget; every field has a default that works.

    Raises `pydantic.ValidationError` (told as `ConfigError` by `config`) when shares or names do not add up.

    >>> Plan(budget=50, audit=0.4, random=0.1)
    Plan(4 rounds × 50 items after 50 seed items; 20 audit, 5 random, 13 uncertain, 12 contested a round; benchmark 200)
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
    target: Annotated[float, Field(gt=0, le=1)] | None = None
    """Macro-F1 to be reached: the report extrapolates how many labels that takes."""

    audit: Share = 0.15
    """Share of a round's budget that goes to a probability sample of the whole unlabelled pool."""
    random: Share = 0.05
    """Share of a round's budget that goes to items drawn evenly at random; no other arm takes of it."""
    control: bool = True
    """Whether a model of the labels that chance drew (random and audit) is trained beside, to see what picking buys."""
    relabel: Share = 0.0
    """Share of a round's budget that goes to second opinions on labelled items."""
    gold: Share = 0.0
    """Items with a known label mixed in, as a share of a round's budget and beside it, to see how people do."""
    gold_people: Annotated[int, Field(gt=0)] = 3
    """How many people judge a gold item."""
    gold_column: str | None = None
    """Column with the known labels of gold items, joined by `|`; an empty cell is no gold item."""
    exam: Count = 0
    """Gold items of the onboarding exam, which everybody may sit in a queue of its own."""
    arms: dict[str, ArmPlan] = ARMS
    """What the rest goes to, by name."""
    adapt: bool = True
    """Whether the arms' weights follow what they yielded in the last rounds."""
    least: Share = 0.2
    """Share of the rest that is dealt out evenly when the weights adapt, so that no arm falls to nothing."""
    starved_below: Share = 0.5
    """A violating label with less than this share of the labelled items is starved: arms with `each_label` serve it."""

    impact_scale: Positive | None = None
    """Expected cost at which the impact score counts one half; taken from the pool's mean reach when left out."""
    audit_floor: Positive = 0.25
    """Least weight of an item in the draws of audit and benchmark, relative to the mean: so much of them is even."""
    audit_views: Share = 0.1
    """How far the audit serves shares of views beside shares of items."""

    keyword: Share = 0.3
    """Share of the seed round for items that match the policy's keywords."""
    exemplar: Share = 0.2
    """Share of the seed round for items near the policy's examples of what violates it."""
    diverse: Share = 0.3
    """Share of the seed round for items near the centres of clusters."""

    strata: tuple[str, ...] = ("language",)
    """Columns whose values form the strata of quotas and shortlists."""
    quotas: dict[str, Share] = {}
    """Least share of the arms' picks for a stratum (its values joined by `|`)."""
    caps: dict[str, Annotated[int, Field(gt=0)]] = {}
    """Most picks of the arms in a round with one value of a column, e.g. `author: 2`; `cluster` caps near topics."""
    shortlist: Annotated[int, Field(gt=0)] = 20
    """Items kept for each pick before near-duplicates are folded, a stratum."""
    fold_at: Annotated[float, Field(gt=0, le=1)] | None = 0.5
    """Jaccard similarity of word shingles from which two texts are one; None folds nothing."""
    fold_embeddings_at: Annotated[float, Field(gt=0, le=1)] | None = None
    """Cosine of embeddings from which two items are one; None compares texts alone."""

    overlap: Share = 0.2
    """Share of a round's items that two people judge."""
    benchmark_people: Annotated[int, Field(gt=0)] = 2
    """How many people judge a benchmark item."""
    third_opinion: bool = True
    """Whether items on which two people disagree go to a third."""
    review: bool = False
    """Whether items still open after that, or escalated, go to seniors, in a queue of their own."""
    review_blind: bool = False
    """Whether seniors judge without seeing what others said (it anchors them)."""
    answered: Annotated[float, Field(gt=0, le=1)] = 1.0
    """A round goes on when this share of its tasks has its answers."""
    replay: str | None = None
    """Integer column: an item is in play from the round with this number on, to replay a stream."""
    show_predictions: bool = False
    """Whether reviewers see the model's answer (it anchors them)."""
    hide_predictions: Share = 0.0
    """Share of the tasks that keep it back, by chance, so that the report can tell how far it pulls answers."""
    resolver: Literal["majority", "weighted_majority", "dawid_skene", "one_coin", "median", "ordinal", "with_model"] = (
        "dawid_skene"
    )
    """How answers on one item become a label."""
    min_confidence: Share = 0.5
    """A resolution below this stays unresolved."""
    cost_per_hour: Positive | None = None
    """What an hour of people's work costs, for the report."""
    sla_hours: Positive | None = None
    """Hours within which a task is to have its answers, for the report."""
    seed: Annotated[int, Field(ge=0)] = 0
    """All chance in the campaign comes from it."""

    @model_validator(mode="after")
    def _adds_up(self) -> Plan:
        if self.audit + self.random + self.relabel > 1 + 1e-9:
            raise ValueError(
                f"audit {self.audit:g} + random {self.random:g} + relabel {self.relabel:g} take more than the budget"
            )
        if self.keyword + self.exemplar + self.diverse > 1 + 1e-9:
            raise ValueError(
                f"keyword {self.keyword:g} + exemplar {self.exemplar:g} + diverse {self.diverse:g} take more than the "
                "seed budget"
            )
        if sum(self.quotas.values()) > 1 + 1e-9:
            raise ValueError("quotas take more than the whole of the arms' picks")
        if self.hide_predictions and not self.show_predictions:
            raise ValueError("hide_predictions keeps some of what is shown back; set show_predictions, or leave it out")
        if (self.gold or self.exam) and self.gold_column is None:
            raise ValueError("gold and exam need gold_column, the column that holds the known labels")
        if not any(arm.weight for arm in self.arms.values()):
            raise ValueError("arms: at least one needs a weight above 0")
        taken = [name for name in self.arms if name in FIXED or not name.isidentifier() or len(name) > 20]
        if taken:
            told = f"take one word of up to 20 letters that is none of {', '.join(FIXED)}"
            raise ValueError(f"arms: {taken[0]!r} is no free name; {told}")
        return self

    def shares(self) -> dict[str, float]:
        """The arms' shares of what audit, random and relabel leave, by their weights; they add up to 1."""
        total = sum(arm.weight for arm in self.arms.values())
        return {name: arm.weight / total for name, arm in self.arms.items()}

    def counts(self, shares: Mapping[str, float] | None = None) -> dict[str, int]:
        """How many picks each part of an active round gets, adding up to the budget; `shares` are the arms', adapted.

        >>> Plan(budget=10, audit=0.5, random=0.1).counts({"uncertain": 0.75, "contested": 0.25})
        {'audit': 5, 'random': 1, 'relabel': 0, 'uncertain': 3, 'contested': 1}
        """
        left = self.budget
        counts: dict[str, int] = {}
        for name, share in (("audit", self.audit), ("random", self.random), ("relabel", self.relabel)):
            counts[name] = min(round(self.budget * share), left)
            left -= counts[name]
        return counts | apportion(shares or self.shares(), left)

    def seed_counts(self) -> dict[str, int]:
        """How many picks each arm of the seed round gets; they add up to the seed budget."""
        left = budget = self.seed_budget or self.budget
        counts: dict[str, int] = {}
        for name, share in (("keyword", self.keyword), ("exemplar", self.exemplar), ("diverse", self.diverse)):
            counts[name] = min(round(budget * share), left)
            left -= counts[name]
        return counts | {"random": left}

    def gold_count(self, number: int) -> int:
        """How many gold items are mixed into a round, beside its budget.

        >>> Plan(budget=50, seed_budget=200, gold=0.1, gold_column="known").gold_count(0)
        20
        """
        budget = self.budget if number else self.seed_budget or self.budget
        return round(budget * self.gold)

    def explain(self, pick: Pick) -> str:
        """One sentence that says why this item was picked under this plan; see `hitl.sampling.why.explain`."""
        return explain(pick, self.arms[pick.arm].told if pick.arm in self.arms else "")

    def __repr__(self) -> str:
        told = ", ".join(f"{count} {name}" for name, count in self.counts().items() if count)
        return (
            f"Plan({self.rounds} rounds × {self.budget} items after {self.seed_budget or self.budget} seed items; "
            f"{told} a round; benchmark {self.benchmark})"
        )


def apportion(shares: Mapping[str, Any], total: int) -> dict[str, int]:
    """`total` places shared out in proportion, by largest remainders (Hamilton); ties go to those named first.

    >>> apportion({"a": 0.5, "b": 0.5}, 3)
    {'a': 2, 'b': 1}
    """
    whole = sum(shares.values())
    exact = np.array([total * share / whole if whole else 0.0 for share in shares.values()])
    places = np.floor(exact + 1e-9).astype(np.int64)
    owed = np.argsort(-(exact - places).round(9), kind="stable")
    if whole:
        places[owed[: total - int(places.sum())]] += 1
    return dict(zip(shares, places.tolist(), strict=True))
