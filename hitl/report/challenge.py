"""What the section on challenge suites shows: functionalities, what regressed first, and groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.history import ChallengeRow, ChangeRow, EqualityRow, FunctionRow, RoundRow
from hitl.report.slices import chance, words
from hitl.report.text import change, count, decimal

MOST_FUNCTIONS, MOST_GROUPS, MOST_ROUNDS = 60, 30, 24

_AUCS = {"subgroup_auc": "AUC within", "bpsn_auc": "AUC, its harmless cases", "bnsp_auc": "AUC, its violations"}


def suites(rounds: Sequence[RoundRow]) -> dict[str, Any] | None:
    """The suites of the latest round that ran any, each with its pass rate in the rounds before; None without any."""
    ran = [row for row in rounds if row["findings"].get("challenge")]
    if not ran:
        return None
    told = ran[-1]["findings"]["challenge"]
    return {"round": ran[-1], "suites": [_suite(one, ran[-MOST_ROUNDS:]) for one in told]}


def _suite(one: ChallengeRow, ran: Sequence[RoundRow]) -> dict[str, Any]:
    functions = one["functions"]
    groups = sorted(one["groups"], key=lambda row: -(row["false_positive_rate"]["value"] or 0.0))
    regressed = [row for row in functions if row["change"] and row["change"]["regressed"]]
    return {
        "row": one,
        "regressed": len(regressed),
        "verdict": _verdict(len(regressed), one["before"]),
        "functions": [_function(row) for row in functions[:MOST_FUNCTIONS]],
        "more_functions": max(len(functions) - MOST_FUNCTIONS, 0),
        "groups": groups[:MOST_GROUPS],
        "more_groups": max(len(groups) - MOST_GROUPS, 0),
        "aucs": list(_AUCS.values()),
        "equality": [_equality(row) for row in one["equality"] if row["value"] is not None],
        "earlier": [
            (row, found["passed"])
            for row in ran
            for found in row["findings"]["challenge"]
            if found["suite"] == one["suite"]
        ],
    }


def _verdict(regressed: int, before: str) -> dict[str, str]:
    if not before:
        return {"tone": "none", "mark": "○", "title": "nothing to compare with yet"}
    if regressed:
        return {"tone": "bad", "mark": "▼", "title": f"functionalities that regressed: {count(regressed)}"}
    return {"tone": "flat", "mark": "●", "title": "no functionality regressed beyond chance"}


def _function(row: FunctionRow) -> dict[str, Any]:
    n, catch = row["passed"]["n"], row["catch"]
    must = "be caught" if catch == n else "be let be" if not catch else f"be caught: {count(catch)} of {count(n)}"
    return {"row": row, "must": must, "change": _change(row["change"])}


def _change(row: ChangeRow | None) -> dict[str, str] | None:
    if row is None:
        return None
    better = row["adjusted"] <= 0.05 and row["won"] > row["lost"]
    tone = "bad" if row["regressed"] else "good" if better else "flat"
    return {
        "tone": tone,
        "mark": {"bad": "▼", "good": "▲", "flat": "●"}[tone],
        "title": {"bad": "regressed", "good": "gained", "flat": "no evidence"}[tone],
        "detail": change(row["difference"]),
        "cases": f"{count(row['won'])} won, {count(row['lost'])} lost, p {chance(row['adjusted'])}",
    }


def _equality(row: EqualityRow) -> dict[str, str]:
    return {
        "rate": words(row["name"]),
        "facet": row["facet"],
        "value": decimal(row["value"]),
        "by_chance": decimal(row["by_chance"]),
        "p": chance(row["p"]),
        "groups": count(row["groups"]),
    }
