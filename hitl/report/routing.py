"""What the page says of routing: the rules and where they sent items, waiting, languages, and exposure by person."""

from __future__ import annotations

from typing import Any

from hitl.history import ExposureRow, History, OverdueRow, RoutingRow
from hitl.report.persons import natural
from hitl.report.text import duration

View = dict[str, Any]

MOST_LINES = 60

_TO = {"accept": "accepted", "another": "another reviewer", "senior": "seniors", "legal": "legal"}
_QUEUES = {"": "campaign’s own", "another": "further opinions", "review": "seniors", "legal": "legal"}


def sent(history: History) -> View | None:
    """Where items went and how long they waited there; None for a record that does not tell."""
    told = history.get("routing")
    if told is None or not history["rounds"]:
        return None
    return {
        "own": told["own"],
        "rules": [{"row": row, "to": _TO.get(row["to"], row["to"])} for row in told["routes"][:MOST_LINES]],
        "fired": sum(row["fired"] for row in told["routes"]),
        "waits": [{"row": row, "queue": _QUEUES.get(row["queue"], row["queue"])} for row in told["turnaround"]],
        "overdue": [_overdue(row) for row in told["overdue"][:MOST_LINES]],
        "overdue_in_all": told["overdue_in_all"],
        "languages": told["languages"][:MOST_LINES],
        "skilled": any(row["readers"] is not None for row in told["languages"]),
        "unread": [row["language"] for row in told["languages"] if row["readers"] == 0 and row["open"]],
    }


def seen(history: History) -> View | None:
    """What each person had to see, in alphabetical order; None where nobody has seen anything, or nothing is told."""
    told: RoutingRow | None = history.get("routing")
    if told is None or not told["exposure"]:
        return None
    people = sorted(told["exposure"], key=lambda row: natural(row["worker"]))
    caps = people[0]["caps"]
    return {
        "rows": [_person(row) for row in people[:MOST_LINES]],
        "of": len(people),
        "caps": caps,
        "levels": sorted({level for row in people for level in row["severe"]}, key=float, reverse=True)[:8],
    }


def _overdue(row: OverdueRow) -> View:
    late = "nobody will answer it: skipped by too many people, or deleted" if row["let_go"] else ""
    return {
        "row": row,
        "queue": _QUEUES.get(row["queue"], row["queue"]),
        "late": late or f"{duration(row['late'])} late",
    }


def _person(row: ExposureRow) -> View:
    """A person's row, with whether a cap was passed, and the days on which there was most."""
    return {
        "row": row,
        "severe": sum(row["severe"].values()),
        "over": any(cap["over"] for cap in row["caps"]),
        "full": any(cap["today"] >= cap["per_day"] for cap in row["caps"]),
        "days": [day for day in row["by_day"] if day["severe"]],
    }
