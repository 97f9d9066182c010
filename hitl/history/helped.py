"""Whether a round helped, by label and slice, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class DecisionsRow(TypedDict):
    """McNemar's counts: items that only the new model decides rightly, and only the old one."""

    wins: int
    losses: int
    n: int
    difference: float | None  # of the shares of right decisions in the pool, new less old
    p: float | None  # as it is
    adjusted: float | None  # after Holm's correction over the other labels and slices
    detectable: float | None  # difference found with a power of 80 %
    method: str


class PairedRow(TypedDict):
    """New against old on all items, for one label, or in one slice (`facet` = `value`)."""

    label: str
    facet: str
    value: str  # from the pool: hostile until escaped
    items: int
    verdict: Literal["helped", "no evidence", "hurt"]  # at 5 %, after Holm's correction over labels and slices
    old: EstimateRow
    new: EstimateRow
    difference: EstimateRow
    p: float | None
    adjusted: float | None
    detectable: float | None  # true difference found with a power of 80 %, as large as the correction makes it
    decisions: DecisionsRow


class PairedRows(TypedDict):
    """Two models of consecutive rounds on the same judged items."""

    round: int  # that trained the new one of the two
    old_model: str
    new_model: str
    items: int
    family: int  # labels and slices whose tests were corrected for one another
    rows: list[PairedRow]  # all items first, then labels, then slices


class Helped(TypedDict):
    """A round's model against the one before on the benchmark; the two before it on the audit that neither has seen."""

    benchmark: PairedRows | None
    audit: PairedRows | None
