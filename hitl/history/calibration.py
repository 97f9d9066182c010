"""Whether a model's probabilities can be believed, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class ReliabilityBin(TypedDict):
    """Items whose probability of a label lies close together."""

    proba: float  # mean
    share: EstimateRow  # that has the label
    mass: float  # share of the pool in the bin


class LabelCalibration(TypedDict):
    """One label's probabilities against what people found."""

    label: str
    figures: list[EstimateRow]  # see `hitl.metrics.calibration.calibration`
    z: float | None  # Spiegelhalter's test
    p: float | None  # for all labels told: Holm's adjustment
    bins: list[ReliabilityBin]


class CalibrationRow(TypedDict):
    """What a probability sample says of one model's probabilities."""

    sample: Literal["benchmark", "audit"]
    model_id: str
    items: int
    labels: list[LabelCalibration]
