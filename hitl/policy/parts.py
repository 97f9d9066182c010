"""What a policy is made of: labels with costs, thresholds at which something is done, regions, a rubric."""

from __future__ import annotations

from typing import Annotated, Any
from unicodedata import normalize

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from hitl.markup import visible

ACTIONS = ("keep", "review", "limit", "remove")
"""From mildest to strictest; an action's code is its index."""

OUTS = ("unsure", "escalate", "no_policy")
"""Answers that every form offers beside the labels; no label may take their names."""

NONE = "(none)"
"""What a form calls the answer that no label applies, where several may."""


def _line(text: str) -> str:
    if text.strip() != text or "\n" in text or visible(text) != text:
        raise ValueError(f"{text[:60]!r}: no blanks at its ends, no line breaks, no invisible characters")
    return text


def _version(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
    return str(value) if number else value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
Prose = Annotated[str, Field(max_length=20_000)]
Words = Annotated[str, Field(max_length=2_000, pattern=r"\S")]
Probability = Annotated[float, Field(ge=0, le=1)]
Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Version = Annotated[str, BeforeValidator(_version), Field(min_length=1, max_length=60), AfterValidator(_line)]


def as_read(name: str) -> str:
    """A name as people tell it from others: without case, and whatever way its letters are put together."""
    return normalize("NFKC", name).casefold()


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Thresholds(Strict):
    """Probabilities from which an action is taken; an action without one is never taken."""

    remove: Probability | None = None
    limit: Probability | None = None
    review: Probability | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Thresholds:
        steps = [value for value in (self.review, self.limit, self.remove) if value is not None]
        if steps != sorted(steps):
            raise ValueError("thresholds must rise with the action: review <= limit <= remove")
        return self


class Label(Strict):
    """One class of the policy: what it means, what leaving it up costs per view, what acting wrongly costs per view."""

    name: Annotated[Line, Field(max_length=60)]
    definition: Prose = ""
    examples: tuple[Words, ...] = ()
    counter_examples: tuple[Words, ...] = ()
    violating: bool = True
    severity: Cost = 1.0
    wrong_action_cost: Cost = 1.0
    actions: Thresholds = Thresholds()
    keywords: tuple[Words, ...] = ()
    note_required: bool = False

    @field_validator("name")
    @classmethod
    def _stands_on_a_page(cls, name: str) -> str:
        if "," in name or name.startswith("$"):
            raise ValueError(f"label {name!r}: no commas, and no $ in front; rename it")
        if name in (*OUTS, NONE):
            raise ValueError(f"label {name!r}: this name is kept for an answer that every form offers")
        return name

    @model_validator(mode="before")
    @classmethod
    def _harmless_costs_nothing(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("violating") is False:
            wrong = [key for key in ("severity", "actions") if values.get(key)]
            if wrong:
                raise ValueError(f"a label that violates nothing has no {' and no '.join(wrong)}")
            return {**values, "severity": 0.0}
        return values


class LabelOverride(Strict):
    """What a region says differently about a label; what is left out stays as it is."""

    definition: Prose | None = None
    examples: tuple[Words, ...] | None = None
    counter_examples: tuple[Words, ...] | None = None
    severity: Cost | None = None
    wrong_action_cost: Cost | None = None
    actions: Thresholds | None = None
    keywords: tuple[Words, ...] | None = None
    note_required: bool | None = None


class Region(Strict):
    """What a region says differently about the policy's labels."""

    labels: dict[str, LabelOverride] = {}


class Criterion(Strict):
    """One thing that answers are marked on in a rubric, from 1 to `scale`."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    question: Annotated[Words, Field(max_length=500)]
    scale: Annotated[int, Field(ge=2, le=10)] = 5


class Migration(Strict):
    """How labels of an earlier version read in this one: renamed (one), merged (several to one), split (a list)."""

    from_version: Version
    labels: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = {}
