"""A model's mistakes by slice, as JSON."""

from __future__ import annotations

from typing import TypedDict

from hitl.history.figures import EstimateRow


class GapRow(TypedDict):
    """A rate of a slice less that of all other items; see `hitl.metrics.slices.Gap`."""

    difference: EstimateRow
    together: EstimateRow  # its interval holds for all gaps of the rate at once
    p: float
    adjusted: float  # for all gaps told


class SliceRow(TypedDict):
    """One slice."""

    where: dict[str, str]  # facet → value
    items: int
    rates: list[EstimateRow]
    gaps: dict[str, GapRow]  # by the rate's name


class WorstRow(TypedDict):
    """A slice that is worse than the rest, whatever number of slices was looked at."""

    where: dict[str, str]
    inside: EstimateRow
    outside: EstimateRow
    difference: EstimateRow
    p: float  # for all slices and rates that were looked at


class SlicesRow(TypedDict):
    """What a probability sample says of a model's mistakes by slice."""

    sample: str  # benchmark or audit
    model_id: str
    items: int
    facets: dict[str, int]  # facet → values
    least: int  # items of a slice that is told
    small: dict[str, int]  # facet → values with fewer
    overall: list[EstimateRow]
    slices: list[SliceRow]  # single values first, then pairs; the largest first
    left_out: int  # pairs beyond those told
    worst: list[WorstRow]
    searched: dict[str, int]  # rate → slices that were looked at for the worst
