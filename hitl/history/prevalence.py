"""How much of a pool violates the policy, as JSON."""

from __future__ import annotations

from typing import TypedDict

from hitl.history.figures import EstimateRow


class ResponseRow(TypedDict):
    """What became of a draw in one stratum."""

    stratum: str
    drawn: int
    settled: int
    rate: EstimateRow


class PrevalenceRow(TypedDict):
    """What the pool holds, by this round's draw and by all draws that speak of the pool as it is now.

    `prevalence` (items; of a label, too), `prevalence_by_views`, and of all draws together `violative_view_rate` (a
    10,000 views), `violating_items` and `violating_views` of the pool.
    """

    items: int  # of the pool
    views: float
    judged: int  # of the items
    draw: str  # the arm of this round's draw: audit, or benchmark in the seed round
    here: list[EstimateRow]  # by this round's draw, of what was not judged before; empty without one
    combined: list[EstimateRow]  # of the whole pool
    rounds: list[int]  # whose draws are in `combined`; 0 is the benchmark
    naive: EstimateRow | None  # share of the round's actively picked items that violate: no estimate of anything
    responses: list[ResponseRow]  # to this round's draw
