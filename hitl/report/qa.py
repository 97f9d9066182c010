"""What the section on quality shows: draws, scorecards, causes, charts, and what is done about errors."""

from __future__ import annotations

from typing import Any

from hitl.history import History, QaRow
from hitl.history.qa import ActionRow, ChartRow, RootRow
from hitl.report.text import figure, name

MOST_CARDS, MOST_ROOTS, MOST_ACTIONS, MOST_SESSIONS, MOST_MISSED = 40, 8, 30, 12, 5

_TITLES = {
    "decider": "By who or what decided",
    "kind": "By kind of decider",
    "vendor": "By vendor",
    "team": "By team",
    "language": "By language",
    "clause": "By policy clause",
}
_ORDER = ("kind", "vendor", "team", "language", "clause", "decider")
_SIGNALS = {
    "above": "above the limits",
    "below": "below the limits",
    "run above": "a run above the line",
    "run below": "a run below the line",
}


def decided(history: History) -> dict[str, Any] | None:
    """The QA programme; None where nothing was drawn or opened, or the record is older than it. O(groups)."""
    found: QaRow | None = history.get("qa")
    if not found:
        return None
    return {
        "samples": found["samples"],
        "rates": found["rates"],
        "cards": [
            {"title": _TITLES[by], "rows": rows[:MOST_CARDS], "more": len(rows) - MOST_CARDS}
            for by in _ORDER
            if (rows := found["cards"].get(by))
        ],
        "errors": found["errors"],
        "without_cause": found["without_cause"],
        "causes": found["causes"],
        "roots": [_root(one) for one in found["roots"] if one["stands"]][:MOST_ROOTS],
        "compared": len(found["roots"]),
        "chart": charted(found),
        "signals": [signal for chart in found["charts"] for signal in _signals(chart)],
        "actions": [_action(one) for one in found["actions"][:MOST_ACTIONS]],
        "sessions": [
            {"row": one, "missed": ((one["after"] or one["before"]) or {"missed": []})["missed"][:MOST_MISSED]}
            for one in found["sessions"][-MOST_SESSIONS:]
        ],
    }


def charted(found: QaRow | None) -> ChartRow | None:
    """The chart that is drawn: the first with two periods or more."""
    charts = found["charts"] if found else []
    return next((chart for chart in charts if len(chart["points"]) > 1), None)


def _signals(chart: ChartRow) -> list[str]:
    return [f"{name(one['period'], 20)}: {_SIGNALS[one['signal']]}" for one in chart["points"] if one["signal"]]


def _root(one: RootRow) -> dict[str, Any]:
    return {"row": one, "where": f"{name(one['dimension'], 20)} {name(one['group'] or 'none', 30)}"}


def _action(one: ActionRow) -> dict[str, Any]:
    about = ", ".join(f"{name(key, 20)} {name(value, 30)}" for key, value in one["where"].items())
    state = f"{one['state']}, overdue" if one["overdue"] else one["state"]
    return {"row": one, "about": about or "all decisions", "metric": figure(one["metric"]), "state": state}
