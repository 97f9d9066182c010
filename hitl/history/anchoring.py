"""How far predictions that people see pull their answers, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class EffectRow(TypedDict):
    """One share among the tasks that showed the prediction, among those that kept it back, and the difference."""

    about: Literal["all", "model right", "model wrong", "model sure", "model unsure", "label", "right answers"]
    label: str
    shown: EstimateRow
    hidden: EstimateRow
    difference: EstimateRow  # shown less hidden
    detectable: float | None  # difference found with a power of 80 %


class AnchoringRow(TypedDict):
    """The trial of all rounds that showed predictions: by chance some tasks kept theirs back."""

    rounds: list[int]
    shown: int  # tasks dealt to either side
    hidden: int
    answered_shown: int  # of these, with an answer
    answered_hidden: int
    never_shown: int  # tasks outside of the trial: of audit and benchmark
    effects: list[EffectRow]
    seconds_saved: EstimateRow
