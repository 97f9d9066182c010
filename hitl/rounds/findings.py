"""What is found out about a round beyond its figures: one function a finding, each from what was measured to JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hitl.rounds import (
    agreement,
    anchoring,
    calibrated,
    challenge,
    control,
    gaps,
    helped,
    prevalence,
    quarantine,
    signals,
    slices,
    thresholds,
    transparency,
    trends,
)
from hitl.rounds.judged import Measured
from hitl.rounds.walk import Done, Walk

FINDINGS: dict[str, Callable[[Measured], Any]] = {
    "helped": helped.helped,
    "control": control.control,
    "prevalence": prevalence.prevalence,
    "transparency": transparency.audited,
    "slices": slices.slices,
    "thresholds": thresholds.thresholds,
    "calibration": calibrated.calibrated,
    "challenge": challenge.challenge,
    "gaps": gaps.gaps,
    "trends": trends.trends,
    "signals": signals.signalled,
    "quarantine": quarantine.learned_without,
    "anchoring": anchoring.anchored,
    "agreement": agreement.agreed,
}
"""By the name under which the record and `RoundRow.findings` hold it; None where there is nothing to tell."""


def examine(walk: Walk, number: int) -> Done:
    """Every finding of a round that has something to tell; a step of its own, which `hitl status` need not read."""
    at = Measured.of(walk, number)
    told = {name: find(at) for name, find in FINDINGS.items()}
    return Done({name: found for name, found in told.items() if found is not None})
