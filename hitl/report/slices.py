"""What the section on fairness shows: rates by facet and pair, with gaps that are no accident, and the worst slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hitl.history import EstimateRow, GapRow, RoundRow, SliceRow, SlicesRow, WorstRow
from hitl.report.latest import latest
from hitl.report.text import change, decimal, figure, name

MOST_VALUES, MOST_PAIRS, MOST_WORST = 16, 20, 12

RATES = {
    "false_positive_rate": "Wrongly flagged",
    "false_negative_rate": "Missed",
    "precision": "Right when flagged",
    "prevalence": "Violating",
    "acted_on": "Acted on",
    "wrong": "Wrong labels",
}
"""Rates in the words of the page."""

_SUBTITLES = {"acted_on": "limited or removed"}
_BETTER_HIGH = ("precision",)
_SURE = 0.05


def fair(rounds: Sequence[RoundRow]) -> dict[str, Any] | None:
    """The latest round with slices: tables by facet, pairs that stand out first, and the worst; None without any."""
    told = latest(rounds, "slices")
    if told is None:
        return None
    row, found = told
    singles = [one for one in found["slices"] if len(one["where"]) == 1]
    overall = found["overall"]
    pairs = [one for one in found["slices"] if len(one["where"]) > 1]
    return {
        "round": row,
        "found": found,
        "columns": [(words(one["name"]), _SUBTITLES.get(one["name"]) or figure(one["name"])) for one in overall],
        "overall": overall,
        "facets": [_facet(facet, singles, found) for facet in found["facets"]],
        "pairs": [_line(one) for one in pairs[:MOST_PAIRS]],
        "more_pairs": max(len(pairs) - MOST_PAIRS, 0) + found["left_out"],
        "worst": [_worst(one) for one in found["worst"][:MOST_WORST]],
        "searched": sum(found["searched"].values()),
    }


def words(rate: str) -> str:
    """A rate in the words of the page."""
    return RATES.get(rate) or figure(rate)


def place(where: Mapping[str, str]) -> str:
    """A slice in words, each part short: `language en, region US`."""
    return ", ".join(f"{name(facet, 24)} {value(told)}" for facet, told in where.items())


def value(told: str) -> str:
    """A facet's value, or that there is none."""
    return name(told, 40) if told else "not given"


def _facet(facet: str, singles: Sequence[SliceRow], found: SlicesRow) -> dict[str, Any]:
    mine = [one for one in singles if facet in one["where"]]
    return {
        "name": facet,
        "lines": [_line(one) for one in mine[:MOST_VALUES]],
        "more": max(len(mine) - MOST_VALUES, 0),
        "small": found["small"].get(facet, 0),
    }


def _line(one: SliceRow) -> dict[str, Any]:
    return {
        "name": place(one["where"]),
        "value": value(next(iter(one["where"].values()))),
        "items": one["items"],
        "cells": [{"row": rate, "gap": _gap(rate["name"], one["gaps"].get(rate["name"]))} for rate in one["rates"]],
    }


def _gap(rate: str, gap: GapRow | None) -> dict[str, str] | None:
    """A gap that stands after the correction, in words."""
    if gap is None or gap["adjusted"] > _SURE:
        return None
    worse = ((gap["difference"]["value"] or 0.0) > 0) != (rate in _BETTER_HIGH)
    return {
        "tone": "bad" if worse else "good",
        "mark": "▼" if worse else "▲",
        "title": "worse than the rest" if worse else "better than the rest",
        "detail": change(gap["difference"]),
    }


def _worst(one: WorstRow) -> dict[str, Any]:
    inside: EstimateRow = one["inside"]
    return {
        "name": place(one["where"]),
        "rate": words(inside["name"]),
        "inside": inside,
        "outside": one["outside"],
        "difference": change(one["difference"]),
        "p": chance(one["p"]),
    }


def chance(p: float | None) -> str:
    """A p-value as it is written."""
    return "< 0.001" if p is not None and p < 0.001 else decimal(p, 3)
