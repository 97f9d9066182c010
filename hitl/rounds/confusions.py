"""How each person errs: confusion matrices as the answers that count speak of them now."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hitl.history import estimate_row
from hitl.history.workforce import MixedUpRow
from hitl.labels.worth import Confusion
from hitl.rounds.learn import people_now
from hitl.rounds.walk import Walk
from hitl.types import Estimate

MOST = 5
"""Ways of erring that are told of a person, the likeliest first."""

SURELY = 0.02
"""An error is told where even the lower bound says that it is made so often."""


def confusions(walk: Walk) -> dict[str, tuple[Confusion, ...]]:
    """Worker → their matrices; empty where the plan's resolver has none. One settlement of the whole campaign."""
    return {one.worker: one.confusions for one in people_now(walk) if one.confusions}


def mixed_up(walk: Walk) -> dict[str, list[MixedUpRow]]:
    """Worker → the errors that they surely make, of everybody who makes any; as `confusions`."""
    found = {worker: _errors(matrices) for worker, matrices in confusions(walk).items()}
    return {worker: rows for worker, rows in found.items() if rows}


def matrix_rows(matrices: tuple[Confusion, ...]) -> list[MixedUpRow]:
    """Every cell of some matrices, the truth in rows."""
    return [_row(one, *cell) for one in matrices for cell in np.ndindex(one.value.shape)]


def _errors(matrices: tuple[Confusion, ...]) -> list[MixedUpRow]:
    found = [_row(one, *cell) for one in matrices for cell in _sure(one)]
    return sorted(found, key=lambda row: -(row["share"]["value"] or 0.0))[:MOST]


def _sure(one: Confusion) -> Iterator[tuple[int, int]]:
    apart = ~np.eye(len(one.labels), dtype=np.bool_)
    yield from map(tuple, np.argwhere(apart & (one.low >= SURELY)).tolist())


def _row(one: Confusion, truth: int, answer: int) -> MixedUpRow:
    value, low, high = (float(part[truth, answer]) for part in (one.value, one.low, one.high))
    share = Estimate("answered_so", value, low, high, 0, one.about, method="posterior, equal-tailed")
    return MixedUpRow(about=one.about, truth=one.labels[truth], answer=one.labels[answer], share=estimate_row(share))
