"""Figures with their intervals, and comparisons, as JSON."""

from __future__ import annotations

import math
from typing import Literal, TypedDict

from hitl.types import Comparison, Estimate


class EstimateRow(TypedDict):
    """An `Estimate` as JSON; NaN becomes None."""

    name: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    level: float
    method: str


class ComparisonRow(TypedDict):
    """A `Comparison` as JSON."""

    verdict: Literal["helped", "no evidence", "hurt"]
    difference: EstimateRow
    old: EstimateRow
    new: EstimateRow


def estimate_row(estimate: Estimate) -> EstimateRow:
    """An `Estimate` as JSON-ready values; NaN and infinities become None."""
    return EstimateRow(
        name=estimate.name,
        label=estimate.label,
        value=finite(estimate.value),
        low=finite(estimate.low),
        high=finite(estimate.high),
        n=estimate.n,
        level=estimate.level,
        method=estimate.method,
    )


def finite(number: float) -> float | None:
    """A number as JSON has it; None for NaN and infinities."""
    return float(number) if math.isfinite(number) else None


def comparison_row(comparison: Comparison) -> ComparisonRow:
    """A `Comparison` as JSON-ready values."""
    return ComparisonRow(
        verdict=comparison.verdict,
        difference=estimate_row(comparison.difference),
        old=estimate_row(comparison.old),
        new=estimate_row(comparison.new),
    )


def read_estimate(row: EstimateRow) -> Estimate:
    """The `Estimate` that a row tells of; None reads as NaN.

    >>> round_trip = read_estimate(estimate_row(Estimate("recall", float("nan"), 0.0, 1.0, 0, label="hate")))
    >>> round_trip.name, round_trip.value, round_trip.high
    ('recall', nan, 1.0)
    """
    value, low, high = (math.nan if number is None else number for number in (row["value"], row["low"], row["high"]))
    return Estimate(
        row["name"], value, low, high, row["n"], label=row["label"], level=row["level"], method=row["method"]
    )
