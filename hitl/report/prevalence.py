"""What the section on prevalence shows: how much of the pool violates the policy, a line a round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.history import EstimateRow, PrevalenceRow, RoundRow
from hitl.report.text import known

View = dict[str, Any]

LATEST = 24
MOST_LABELS = 40
_STEPS = (1.0, 0.75, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001)


def how_much(rounds: Sequence[RoundRow]) -> View | None:
    """The pool's shares and totals by the latest round that tells them, and a line for each; None where none does."""
    told = [(row, found) for row in rounds if (found := row["findings"].get("prevalence"))]
    if not told:
        return None
    row, last = told[-1]
    lines = [_line(row, found) for row, found in told[-LATEST:]]
    labels = [one for one in last["combined"] if one["label"] and one["name"] == "prevalence"]
    return {
        "round": row,
        "found": last,
        "items": _of(last["combined"], "violating_items"),
        "views": _of(last["combined"], "violating_views"),
        "rate": _of(last["combined"], "violative_view_rate"),
        "lines": lines,
        "scale": _scale([one for line in lines for one in (line["items"], line["views"])]),
        "labels": labels[:MOST_LABELS],
        "label_scale": _scale(labels),
        "answered": [one for one in last["responses"] if one["settled"] < one["drawn"]],
        "drawn": sum(one["drawn"] for one in last["responses"]),
        "settled": sum(one["settled"] for one in last["responses"]),
    }


def _line(row: RoundRow, found: PrevalenceRow) -> View:
    return {
        "row": row,
        "here": _of(found["here"], "prevalence"),
        "items": _of(found["combined"], "prevalence"),
        "views": _of(found["combined"], "prevalence_by_views"),
        "naive": found["naive"],
    }


def _of(rows: Sequence[EstimateRow], name: str) -> EstimateRow | None:
    return next((row for row in rows if row["name"] == name and not row["label"]), None)


def _scale(rows: Sequence[EstimateRow | None]) -> float:
    """The round share that all intervals lie below."""
    highest = max((row["high"] for row in rows if row and row["high"] is not None and known(row["high"])), default=1.0)
    return min((step for step in _STEPS if step >= highest), default=1.0)
