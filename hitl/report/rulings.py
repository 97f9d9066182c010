"""What the page says of what was set aside and contested: the decisions, who took them, and what they changed."""

from __future__ import annotations

from typing import Any

from hitl.history import DisputeRow, History, RulingsRow
from hitl.report.latest import latest
from hitl.report.text import NONE, duration

View = dict[str, Any]

MOST_DISPUTES, MOST_QUARANTINES, MOST_CHANGED = 40, 40, 12

_KINDS = {"gold": "gold label", "review": "senior’s word", "decision": "decision, by its author"}


def set_aside(history: History) -> View | None:
    """Quarantines, what they amount to now, and what the last model was spared; None where there never were any."""
    told = history.get("rulings")
    if not told or not told["quarantines"]:
        return None
    found = latest(history["rounds"], "quarantine")
    return {
        "rows": told["quarantines"][-MOST_QUARANTINES:],
        "of": len(told["quarantines"]),
        "now": told["set_aside"],
        "changed": told["set_aside"]["shown"][:MOST_CHANGED] if told["set_aside"] else [],
        "model": found[1] if found else None,
        "round": found[0] if found else None,
    }


def contested(history: History) -> View | None:
    """Disputes, open ones first, and how often a verdict was overturned; None where there never were any."""
    told = history.get("rulings")
    if not told or not told["disputes"]:
        return None
    waiting = [row for row in told["disputes"] if row["ruling"] is None]
    ruled = [row for row in reversed(told["disputes"]) if row["ruling"] is not None]
    return {
        "rows": [_dispute(row) for row in [*waiting, *ruled][:MOST_DISPUTES]],
        "of": len(told["disputes"]),
        "open": len(waiting),
        "oldest": _age(max((row["age"] for row in waiting if row["age"] is not None), default=None)),
        "rates": _rates(told),
    }


def _dispute(row: DisputeRow) -> View:
    right = row["ruling"]["labels"] if row["ruling"] else None
    return {
        "row": row,
        "about": _KINDS[row["kind"]],
        "decided": ", ".join(row["decided"]) or "no label",
        "claimed": "another label" if row["claimed"] is None else ", ".join(row["claimed"]) or "no label",
        "age": _age(row["age"]),
        "right": "" if right is None else ", ".join(right) or "no label",
    }


def _age(days: float | None) -> str:
    if days is None:
        return NONE
    return f"{days:.0f} days" if days >= 2 else duration(days * 86_400)


def _rates(told: RulingsRow) -> list[tuple[str, str, Any]]:
    """Where, which and how often, all first; a part alone says nothing that all does not."""
    over = told["overturned"]
    parts = (("kind", over["kinds"]), ("label", over["labels"]), ("language", over["languages"]))
    found = [(by, _KINDS.get(row["label"], row["label"]), row) for by, rows in parts if len(rows) > 1 for row in rows]
    return [("", "all", over["all"]), *found] if over["all"]["n"] else []
