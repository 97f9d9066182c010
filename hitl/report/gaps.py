"""What the section on gaps shows: thin cells, the weightiest first, and content that no label fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.history import RoundRow
from hitl.history.gaps import ThemeRow
from hitl.report.latest import latest
from hitl.report.slices import place
from hitl.report.text import name

MOST_CELLS, MOST_THEMES = 15, 8
MOST_TERMS = 4

_MISSING = {"labels": "labels", "recall not known": "recall not known", "low recall": "recall may be low"}
_OUTS = {"no_policy": "no policy fits", "escalate": "escalated", "edge_case": "edge case"}


def uncovered(rounds: Sequence[RoundRow]) -> dict[str, Any] | None:
    """The gaps of the latest round that looked for them; None without any."""
    told = latest(rounds, "gaps")
    if told is None:
        return None
    row, found = told
    return {
        "round": row,
        "found": found,
        "cells": [
            {
                "row": cell,
                "where": place(cell["where"]) or "all of the pool",
                "missing": [_MISSING.get(m, name(m, 20)) for m in cell["missing"]],
            }
            for cell in found["cells"][:MOST_CELLS]
        ],
        "more": found["thin"] - len(found["cells"][:MOST_CELLS]),
        "themes": [_theme(theme) for theme in found["themes"][:MOST_THEMES]],
    }


def terms(words: Sequence[str]) -> str:
    """The words that name a group of items, or that none does."""
    return ", ".join(name(word, 30) for word in words[:MOST_TERMS]) or "no telling words"


def _theme(theme: ThemeRow) -> dict[str, Any]:
    said = ", ".join(f"{_OUTS.get(out, name(out, 20))} {count:,}" for out, count in theme["outs"].items())
    return {"row": theme, "terms": terms(theme["terms"]), "said": said}
