"""What could be decided without a person: the latest thresholds that held-out items speak for, for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hitl.history import EstimateRow, History
from hitl.report.latest import latest

View = dict[str, Any]

MOST = 60
"""Rows of the table at most; a policy may have many labels and regions."""

_WORK = {
    "automated": "Items decided without a person",
    "automated_by_views": "Their share of views",
    "precision@act": "Right when limiting or removing",
    "missed": "Violations let through",
}


def automation(history: History) -> View | None:
    """The table of thresholds, with what the whole policy leaves to people; None before there is any."""
    found = latest(history["rounds"], "thresholds")
    if found is None:
        return None
    row, told = found
    sides = [_by_name(told[side]) for side in ("present", "proposed", "checked")]
    rows = [(words, [side.get(name) for side in sides]) for name, words in _WORK.items()]
    return {
        "told": told,
        "round": row,
        "cuts": told["cuts"][:MOST],
        "left_out": max(len(told["cuts"]) - MOST, 0),
        "sliced": any(cut["where"] for cut in told["cuts"]),
        "rows": rows,
        "checked": bool(told["checked"]),
    }


def _by_name(rows: list[EstimateRow]) -> Mapping[str, EstimateRow]:
    return {row["name"]: row for row in rows}
