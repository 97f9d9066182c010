"""What the section on whether the latest round helped shows: by label and slice, and against labels drawn by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.history import Control, DecisionsRow, PairedRow, PairedRows, RoundRow
from hitl.report.story import VERDICTS, Told
from hitl.report.text import change, count, decimal, figure, inside, known, name, needed

MOST_ROWS = 40

SURE = 0.05


def did_it_help(rounds: Sequence[RoundRow]) -> dict[str, Any] | None:
    """The latest round whose model was compared with the one before, or with chance; None without any."""
    for row in reversed(rounds):
        helped, control = row["findings"].get("helped"), row["findings"].get("control")
        if helped or control:
            return {
                "round": row,
                "benchmark": _compared(helped["benchmark"] if helped else None, row),
                "audit": _compared(helped["audit"] if helped else None, None),
                "control": control and _control(control),
            }
    return None


def _compared(found: PairedRows | None, told: RoundRow | None) -> dict[str, Any] | None:
    if not found:
        return None
    whole, *others = found["rows"]
    labels = [row for row in others if row["label"]]
    slices = [row for row in others if not row["label"]]
    shown = [("All items", [_line(whole, told)]), ("By label", [_line(row) for row in labels[:MOST_ROWS]])]
    shown += [("By slice", [_line(row) for row in slices[:MOST_ROWS]])] if slices else []
    left = max(len(labels) - MOST_ROWS, 0) + max(len(slices) - MOST_ROWS, 0)
    return {"found": found, "groups": shown, "left_out": left, "whole": whole}


def _line(row: PairedRow, told: RoundRow | None = None) -> dict[str, Any]:
    """One row in words; `told` is the round whose own comparison says it already, in the table of rounds."""
    said = told["comparison"] if told else None
    one: Any = said if said and said["difference"]["name"] == row["difference"]["name"] else row
    tone, title = VERDICTS.get(one["verdict"], ("none", name(one["verdict"])))
    title = "No evidence" if tone == "flat" else title
    if not known(one["difference"]["value"]):
        tone, title = "none", "Not known"
    about = row["label"] or (f"{row['facet']} {row['value'] or 'unknown'}" if row["facet"] else "")
    return {
        "about": name(about, 48) if about else "",
        "figure": figure(row["difference"]["name"]),
        "items": row["items"],
        "old": one["old"],
        "new": one["new"],
        "change": change(one["difference"]),
        "why": "" if known(one["difference"]["value"]) else one["difference"]["method"],
        "verdict": Told(tone, title),
        "detectable": _least(row["detectable"]),
        "decisions": _decisions(row["decisions"]),
    }


def _decisions(row: DecisionsRow) -> dict[str, Any]:
    adjusted = row["adjusted"]
    sure = adjusted is not None and adjusted <= SURE
    p = "–" if adjusted is None else "< 0.001" if adjusted < 0.001 else decimal(adjusted, 3)
    return {**row, "sure": sure, "p": p, "detectable": _least(row["detectable"])}


def _least(value: float | None) -> str:
    return f"±{decimal(value)}" if known(value) else "none"


def _control(found: Control) -> dict[str, Any]:
    return {**found, "sentence": _sentence(found), "points": _points(found)}


def _points(found: Control) -> list[dict[str, Any]]:
    """The figure by numbers of labels, as words; the last is of all of them."""
    every = len(found["curve"]) - 1
    return [
        {"labels": "all " * (at == every) + count(point["labels"]), "figure": point["figure"]}
        for at, point in enumerate(found["curve"])
    ]


def _sentence(found: Control) -> str:
    """What the picks bought over chance, in one or two sentences."""
    chance, choice, gain, saved = found["by_chance"], found["by_choice"], found["gain"], found["saved"]
    if not (chance and choice and gain and saved):
        return f"It cannot be told yet: {name(found['why'], 300)}."
    metric, worth = inside(figure(gain["name"])), count(found["worth"])
    first = (
        f"With {worth} labels of the mix the model reaches a {metric} of {decimal(choice['value'])}, with as many by "
        f"chance {decimal(chance['value'])}: {change(gain)}."
    )
    value, low, high = (saved[key] or 0.0 for key in ("value", "low", "high"))
    about = {"at least": "at least ", "at most": "more than "}.get(found["edge"], "about ")
    bounds = f"[{_whole(low)}, {_whole(high)}]"
    if low > 0:
        return f"{first} The picks saved {about}{needed(value)} of these {worth} labels {bounds}."
    if high < 0:
        return f"{first} The picks cost {about}{needed(-value)} labels over chance {bounds}."
    return f"{first} Labels saved: {_whole(value)} {bounds}: no evidence that picking beats chance, or loses to it."


def _whole(value: float) -> str:
    return f"+{count(value)}" if value > 0.5 else count(value).replace("-", "−")
