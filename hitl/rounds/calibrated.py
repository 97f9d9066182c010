"""Whether the probabilities of a round's models can be believed: calibration, label by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from hitl.history import CalibrationRow, LabelCalibration, ReliabilityBin, estimate_row
from hitl.history.figures import finite
from hitl.metrics.calibration import Reliability, calibration, reliability, spiegelhalter
from hitl.metrics.multiplicity import holm
from hitl.metrics.sample import LabelledSample
from hitl.models import Fitted
from hitl.rounds.judged import Judged, Measured
from hitl.types import Estimate


def calibrated(at: Measured) -> list[CalibrationRow] | None:
    """The new model on the benchmark, then the old one on the audit draw that it had not seen; None with neither."""
    told = [*_told("benchmark", at.benchmark, at.new), *_told("audit", at.audit, at.old)]
    return told or None


def _told(
    name: Literal["benchmark", "audit"], judged: Judged | None, fitted: Fitted | None
) -> Sequence[CalibrationRow]:
    if judged is None or fitted is None:
        return []
    labels = _labels(judged.sample)
    return [CalibrationRow(sample=name, model_id=fitted.model_id, items=len(judged.sample), labels=labels)]


def _labels(sample: LabelledSample) -> list[LabelCalibration]:
    tests = [spiegelhalter(sample, column) for column in range(len(sample.labels))]
    adjusted = holm(np.array([p for _, p in tests]))
    figures = calibration(sample)
    return [
        LabelCalibration(
            label=label,
            figures=[estimate_row(one) for one in figures if one.label == label],
            z=finite(z),
            p=finite(p),
            bins=_bins(reliability(sample, column), label),
        )
        for column, (label, (z, _), p) in enumerate(zip(sample.labels, tests, adjusted, strict=True))
    ]


def _bins(found: Reliability, label: str) -> list[ReliabilityBin]:
    columns = (found.proba, found.share, found.low, found.high, found.n, found.mass)
    return [
        ReliabilityBin(
            proba=float(proba),
            share=estimate_row(Estimate("share", float(value), float(low), float(high), int(n), label)),
            mass=float(mass),
        )
        for proba, value, low, high, n, mass in zip(*columns, strict=True)
    ]
