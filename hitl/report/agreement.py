"""What the section on agreement shows: how far people agree beyond chance, and on which items that rests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from hitl.history import AgreementGroup, AgreementPart, AgreementRow, EstimateRow, RoundRow
from hitl.report.latest import latest
from hitl.report.text import arm, count, name

View = dict[str, Any]

MOST_LABELS, MOST_GROUPS, MOST_PAIRS, MOST_ROUNDS = 40, 30, 60, 24

TITLES = {
    "krippendorff_alpha": "Krippendorff’s alpha",
    "gwet_ac1": "Gwet’s AC1",
    "fleiss_kappa": "Fleiss’ kappa",
}
"""Coefficients that correct for chance, in the order in which they are shown."""


def agreeing(rounds: Sequence[RoundRow]) -> View | None:
    """The agreement of the latest round that tells of it; None without any. O(rounds + labels + groups + pairs)."""
    told = latest(rounds, "agreement")
    if told is None:
        return None
    row, found = told[0], cast(AgreementRow, told[1])
    parts = [part for part in (_part(found["chance"], None), _part(found["here"], row)) if part]
    names = [title for title in TITLES if any(title in part["figures"] for part in parts)]
    return {
        "round": row,
        "found": found,
        "parts": parts,
        "columns": [(title, TITLES[title]) for title in names],
        "rounds": _by_round(rounds),
        "labels": [{**one, "figures": _by_name(one["figures"])} for one in found["labels"][:MOST_LABELS]],
        "more_labels": max(len(found["labels"]) - MOST_LABELS, 0),
        "scales": found["scales"],
        "languages": _groups(found["languages"]),
        "homes": _groups(found["homes"]),
        "pairs": found["pairs"][:MOST_PAIRS],
        "more_pairs": found["pairs_of"] - found["pairs_few"] - len(found["pairs"][:MOST_PAIRS]),
    }


def _part(part: AgreementPart | None, row: RoundRow | None) -> View | None:
    if part is None:
        return None
    arms = ", ".join(f"{arm(one)} {count(items)}" for one, items in part["arms"].items())
    return {**part, "asked": row, "of": name(arms, 200), "figures": _by_name(part["figures"])}


def _groups(groups: Sequence[AgreementGroup]) -> View:
    shown = [{**one, "figures": _by_name(one["figures"])} for one in groups[:MOST_GROUPS]]
    said = {title for one in groups[:MOST_GROUPS] for title in _by_name(one["figures"])}
    names = [title for title in TITLES if title in said]
    return {"rows": shown, "columns": [(title, TITLES[title]) for title in names], "more": len(groups) - len(shown)}


def _by_round(rounds: Sequence[RoundRow]) -> list[tuple[RoundRow, View]]:
    """What each round asked, where there are several that tell."""
    told = ((row, cast(Mapping[str, Any], row["findings"]).get("agreement")) for row in rounds)
    parts = [(row, part) for row, found in told if found and (part := _part(found["here"], row))]
    return parts[-MOST_ROUNDS:] if len(parts) > 1 else []


def _by_name(figures: Sequence[EstimateRow]) -> dict[str, EstimateRow]:
    return {figure["name"]: figure for figure in figures}
