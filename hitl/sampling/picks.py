"""Candidates that were chosen, as picks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat

from hitl.sampling.candidates import Candidates
from hitl.types import Arm, Floats, Ints, Pick

Ids = Callable[[Ints], list[str]]


def make_picks(
    arm: Arm,
    items: Candidates,
    ids: Ids,
    strata: Sequence[str],
    *,
    inclusion: Floats | None = None,
    stands_for: Ints | None = None,
) -> list[Pick]:
    """The candidates as picks of one arm, in their order; O(picks)."""
    if not len(items):
        return []
    rows = zip(
        items.positions.tolist(),
        ids(items.positions),
        items.scores.tolist(),
        repeat(None) if inclusion is None else inclusion.tolist(),
        items.strata.tolist(),
        repeat(1) if stands_for is None else stands_for.tolist(),
        range(len(items)),
        strict=False,  # the repeats have no end
    )
    parts = {name: values.tolist() for name, values in items.parts.items()}
    return [
        Pick(
            position,
            item_id,
            arm,
            score,
            {name: values[row] for name, values in parts.items()},
            chance,
            strata[code],
            n,
        )
        for position, item_id, score, chance, code, n, row in rows
    ]
