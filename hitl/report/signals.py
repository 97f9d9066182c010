"""What the part on signals shows: whose work a lead should look at, what at, and what else could explain it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.history import RoundRow, SignalsRow
from hitl.report.latest import latest
from hitl.report.text import percent

MOST_PROPOSALS = 40


def proposed(rounds: Sequence[RoundRow]) -> dict[str, Any] | None:
    """The signals of the latest round that has them, people in alphabetical order; None without any."""
    told = latest(rounds, "signals")
    if told is None:
        return None
    row, found = told
    return {
        "round": row,
        "found": found,
        "level": percent(found["level"]),
        "rows": [{**one, "chance": chance(one["adjusted"])} for one in found["proposals"][:MOST_PROPOSALS]],
        "of": len(found["proposals"]),
        "people": len({one["worker"] for one in found["proposals"]}),
        "lacks": _lacks(found),
    }


def chance(p: float) -> str:
    """How likely it is, at most, that so much comes of an honest person's work.

    >>> chance(0.004), chance(3e-9)
    ('1 in 250', 'under 1 in a million')
    """
    return "under 1 in a million" if p < 1e-6 else f"1 in {round(1 / p):,}"


def _lacks(found: SignalsRow) -> str:
    """What the signals would need to tell more; empty where they have it."""
    if not found["compared"]:
        return (
            "Nobody’s answers can be compared yet: ask two people about some items (`overlap`), or serve gold, and "
            "the signals have something to go by."
        )
    few = [one for one in found["signals"] if one["few"] and one["signal"] != "copying"]
    if few:
        return "Where there is too little to tell, nobody is named: more answers, gold or second opinions change that."
    return ""
