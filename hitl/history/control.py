"""What a round's picks bought over labels drawn by chance, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class ControlPoint(TypedDict):
    """The figure of models that learned from so many labels of the mix."""

    labels: float
    figure: EstimateRow


class Control(TypedDict):
    """A model of the labels drawn by chance against models of as many labels of the whole mix, on the benchmark."""

    why: str  # it cannot be told; empty where it can
    drawn: int  # labels that chance drew, in all rounds
    worth: int  # even random labels that they are worth, given the odds they were drawn with
    labels: int  # that the round's model learned from
    fits: int  # models that were trained for it
    by_chance: EstimateRow | None  # of the model from chance
    by_choice: EstimateRow | None  # of models from as many labels of the mix
    gain: EstimateRow | None
    saved: EstimateRow | None  # labels that the mix needs fewer for what chance reaches
    edge: Literal["", "at least", "at most"]  # which `saved` is, where what was tried ends
    curve: list[ControlPoint]
