"""What the page says of where people stand: their status, what their record proposes, and what was decided."""

from __future__ import annotations

from typing import Any

from hitl.history import EstimateRow, History
from hitl.history.workforce import StandingRow
from hitl.report.text import percent

View = dict[str, Any]

MOST_PEOPLE, MOST_DECISIONS = 100, 40


def standing(history: History) -> View | None:
    """Everybody on the roster or with an answer, in the order of their pseudonyms; None without anybody."""
    told = history.get("workforce")
    if not told or not told["people"]:
        return None
    moves = [(row["worker"], move) for row in told["people"] for move in row["moves"]]
    moves.sort(key=lambda pair: pair[1]["at"], reverse=True)
    return {
        "rows": [_person(row) for row in told["people"][:MOST_PEOPLE]],
        "of": len(told["people"]),
        "listed": any(row["status"] for row in told["people"]),
        "homes": any(row["vendor"] or row["team"] for row in told["people"]),
        "moves": moves[:MOST_DECISIONS],
        "moves_of": len(moves),
    }


def errors(history: History) -> dict[str, list[tuple[str, str, EstimateRow]]]:
    """Worker → the errors that they surely make: what is true, what they answer, and how often."""
    told = history.get("workforce")
    return {
        worker: [(row["truth"], row["answer"], row["share"]) for row in rows]
        for worker, rows in (told["mixed_up"] if told else {}).items()
    }


def _person(row: StandingRow) -> View:
    return {
        "row": row,
        "home": " / ".join(filter(None, (row["vendor"], row["team"]))),
        "reads": ", ".join(row["languages"]),
        "audit": percent(row["audit_rate"]),
    }
