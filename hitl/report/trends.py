"""What the section on change shows: what grows, where the model or people become less sure, and what drifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.history import EstimateRow, RoundRow
from hitl.history.trends import DriftRow, FallRow, GrowthRow
from hitl.report.gaps import terms
from hitl.report.latest import latest
from hitl.report.slices import chance
from hitl.report.text import NONE, UNKNOWN, count, decimal, known, name, percent

MOST_ROWS, MOST_LABELS, MOST_ROUNDS = 10, 12, 12

_KINDS = {"inputs": "Content", "scores": "Scores", "labels": "Share of the label"}
_LITTLE, _MUCH = 0.1, 0.25


def changing(rounds: Sequence[RoundRow]) -> dict[str, Any] | None:
    """What changed in the latest round that was compared with those before; None without any."""
    told = latest(rounds, "trends")
    if told is None:
        return None
    row, found = told
    return {
        "round": row,
        "found": found,
        "growing": [_growth(one) for one in found["growing"][:MOST_ROWS]],
        "falling": [_fall(one) for one in found["falling"][:MOST_ROWS]],
        "drift": [_drift(one) for one in _first(found["drift"])],
        "changed": sum(one["changed"] for one in found["drift"]),
    }


def times(row: EstimateRow) -> tuple[str, str]:
    """A ratio of rates and its interval: `6.0 times`, `[1.8, 25.5]`; one that never came before is `only now`."""
    high = decimal(row["high"], 1) if known(row["high"]) else "∞"
    return (
        f"{decimal(row['value'], 1)} times" if known(row["value"]) else "only now",
        f"[{decimal(row['low'], 1)}, {high}]",
    )


def points(row: EstimateRow) -> str:
    """A difference of shares with its interval: `+1.2 points [+0.5, +2.0]`, of percent."""
    parts = (row["value"], row["low"], row["high"])
    told = [f"{100 * part:+.1f}".replace("-", "−") if part is not None and known(part) else NONE for part in parts]
    return f"{told[0]} points [{told[1]}, {told[2]}]" if known(row["value"]) else UNKNOWN


def size(psi: float | None, by_chance: float | None) -> str:
    """A stability index in words, beside what chance alone would make it."""
    if psi is None:
        return ""
    word = "little" if psi < _LITTLE else "some" if psi < _MUCH else "much"
    return f"stability index {decimal(psi, 2)} ({word}; {decimal(by_chance, 2)} by chance)"


def _growth(one: GrowthRow) -> dict[str, Any]:
    ratio, interval = times(one["ratio"])
    return {
        "row": one,
        "terms": terms(one["terms"]),
        "ratio": ratio,
        "interval": interval,
        "p": chance(one["adjusted"]),
        "views": f"{percent(one['views_before'])} → {percent(one['views_new'])}",
        "course": " · ".join(percent(share) for share in one["course"][-MOST_ROUNDS:]),
    }


def _fall(one: FallRow) -> dict[str, Any]:
    return {
        "row": one,
        "terms": "all content" if one["everywhere"] else terms(one["terms"]),
        "what": "The model’s confidence" if one["kind"] == "confidence" else "Agreement of people",
        "measure": "d" if one["kind"] == "confidence" else "h",
        "p": chance(one["adjusted"]),
    }


def _first(rows: Sequence[DriftRow]) -> list[DriftRow]:
    """Inputs, then what changed, then the rest; of many labels the first."""
    ranked = sorted(rows, key=lambda one: (one["kind"] != "inputs", not one["changed"]))
    return ranked[: 1 + 2 * MOST_LABELS]


def _drift(one: DriftRow) -> dict[str, Any]:
    return {
        "row": one,
        "what": _KINDS.get(one["kind"], name(one["kind"], 20)),
        "p": chance(one["adjusted"]),
        "n": f"{count(one['n_before'])} and {count(one['n_new'])}",
        "points": points(one["difference"]) if one["difference"] is not None else "",
        "effect": _effect(one),
    }


def _effect(one: DriftRow) -> list[str]:
    told = []
    if one["distance"] is not None:
        what = "energy coefficient" if one["kind"] == "inputs" else "moved on average by"
        told.append(f"{what} {decimal(one['distance'], 3)}")
    return [*told, *filter(None, [size(one["psi"], one["by_chance"])])]
