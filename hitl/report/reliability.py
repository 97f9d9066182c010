"""What the section on calibration shows: a reliability diagram of each label, and the figures it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.history import CalibrationRow, LabelCalibration, RoundRow
from hitl.report.latest import latest

View = dict[str, Any]

MOST_LABELS = 40
_SURE = 0.05
_SAMPLES = {"benchmark": "the frozen benchmark", "audit": "the audit draw"}


def believable(rounds: Sequence[RoundRow]) -> View | None:
    """The latest round whose models' probabilities were looked at, a table a sample; None where none was."""
    told = latest(rounds, "calibration")
    if told is None:
        return None
    row, found = told
    return {"round": row, "samples": [_sample(one, row) for one in found]}


def drawn(rounds: Sequence[RoundRow]) -> CalibrationRow | None:
    """The sample that the diagrams show: the benchmark where there is one, of the latest round."""
    told = latest(rounds, "calibration")
    return told[1][0] if told else None


def _sample(found: CalibrationRow, row: RoundRow) -> View:
    lines = [_line(one) for one in found["labels"]]
    return {
        "found": found,
        "title": _SAMPLES[found["sample"]],
        "model": row if found["sample"] == "benchmark" else None,
        "lines": lines[:MOST_LABELS],
        "left_out": max(len(lines) - MOST_LABELS, 0),
    }


def _line(one: LabelCalibration) -> View:
    return {**one, "figures": {figure["name"]: figure for figure in one["figures"]}, "verdict": verdict(one)}


def verdict(one: LabelCalibration) -> str:
    """What may be said of a label's probabilities: believed unless the sample says otherwise.

    By the interval of their bias, then by Spiegelhalter's test.
    """
    bias = next((figure for figure in one["figures"] if figure["name"] == "calibration_bias"), None)
    if bias is None or bias["value"] is None or bias["low"] is None or bias["high"] is None:
        return "not known yet"
    if bias["low"] > 0:
        return "too high"
    if bias["high"] < 0:
        return "too low"
    if one["p"] is not None and one["p"] < _SURE:
        return "too sure" if (one["z"] or 0) > 0 else "not sure enough"
    return "not refuted"
