"""The main figures of the table for a regulator, as the page shows them."""

from __future__ import annotations

from typing import Any

from hitl.history import AuditedCell, EstimateRow, History
from hitl.history.transparency import ALL
from hitl.report.latest import latest

MOST_CELLS = 40
_SHARES = ("accuracy", "precision", "recall", "false_positive_rate")


def for_the_regulator(history: History) -> dict[str, Any] | None:
    """The audited figures of the latest round that has them, a line a cell; None before the first audit."""
    told = latest(history["rounds"], "transparency")
    if told is None:
        return None
    row, found = told
    cells = sorted(found["cells"], key=_place)
    lines = [(_title(cell), _figures(cell)) for cell in cells]
    return {"round": row, "model": found["model_id"], "columns": _SHARES, "lines": lines[:MOST_CELLS],
            "left_out": max(len(lines) - MOST_CELLS, 0)}  # fmt: skip


def _place(cell: AuditedCell) -> tuple[bool, bool, str, str]:
    return cell["language"] != ALL, cell["category"] != ALL, cell["language"], cell["category"]


def _title(cell: AuditedCell) -> dict[str, str]:
    if cell["language"] != ALL:
        return {"kind": "language", "name": cell["language"]}
    if cell["category"] != ALL:
        return {"kind": "category", "name": cell["category"]}
    return {"kind": "", "name": ""}


def _figures(cell: AuditedCell) -> dict[str, EstimateRow]:
    return {figure["name"]: figure for figure in cell["figures"]}
