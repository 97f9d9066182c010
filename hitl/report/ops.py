"""What the section on planning shows: what work takes, when what waits is done, and what labels and gains cost."""

from __future__ import annotations

from typing import Any

from hitl.history import BacklogRow, EstimateRow, GainRow, History, OpsGroup, OpsRow
from hitl.report.persons import natural
from hitl.report.text import count, decimal, known

View = dict[str, Any]

MOST_GROUPS, MOST_GAINS = 60, 24

_KINDS = {
    "language": "By language",
    "queue": "By queue",
    "team": "By team",
    "vendor": "By vendor",
    "worker": "By person",
}


def planning(history: History) -> View | None:
    """The work as of the report, all first, then by group in the order of names; None before anybody was asked."""
    told: OpsRow | None = history.get("ops")
    if not told:
        return None
    groups = told["groups"]
    whole = next(row for row in groups if row["by"] == "all")
    parts = [(title, [row for row in groups if row["by"] == by]) for by, title in _KINDS.items()]
    return {
        "told": told,
        "all": _group(whole),
        "parts": [
            {"title": title, "rows": [_group(row) for row in _in_order(rows)[:MOST_GROUPS]], "of": len(rows)}
            for title, rows in parts
            if len(rows) > 1
        ],
        "occupied": any(row["occupancy"] for row in groups),
        "backlog": [_backlog(row) for row in told["backlog"][:MOST_GROUPS]],
        "due": any(row["target"] for row in told["backlog"]),
        "gains": [_gain(row) for row in told["gains"][-MOST_GAINS:]],
        "label": told["cost_a_label"] if known(told["cost_a_label"]["value"]) else told["hours_a_label"],
        "priced": known(told["cost_a_label"]["value"]),
        "hour": history["plan"].get("cost_per_hour"),
    }


def _in_order(rows: list[OpsGroup]) -> list[OpsGroup]:
    return sorted(rows, key=lambda row: natural(row["name"]))


def _group(row: OpsGroup) -> View:
    return {"row": row, **{one["name"]: one for one in [*row["figures"], *row["turnaround"]]}}


def _backlog(row: BacklogRow) -> View:
    clears = row["days_to_clear"]
    if row["clears"] is None:
        said = f"not known: {clears['method']}"
    elif not row["answers"]:
        said = "nothing waits"
    elif not row["clears"]:
        least = clears["low"]
        said = "does not clear at this pace" + (f"; not before {_days(least)}" if least else "")
    else:
        high = clears["high"]
        ends = f"{_days(clears['low'])} to {_days(high)}" if high is not None else f"from {_days(clears['low'])} on"
        said = f"in {_days(clears['value'])} [{ends}]"
    return {"row": row, "clears": said}


def _days(days: float | None) -> str:
    return f"{decimal(days, 1)} days"


def _gain(row: GainRow) -> View:
    cost: EstimateRow = row["cost_a_point"] if known(row["cost_a_point"]["value"]) else row["hours_a_point"]
    when = "all since the seed" if row["round"] is None else f"round {count(row['round'])}"
    return {"row": row, "when": when, "cost": cost}
