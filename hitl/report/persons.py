"""What the page says of people: each one's record, what the plan could add to it, and who touched another's work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hitl.history import EstimateRow, History, PersonRow, RoundRow, WorkerRow

View = dict[str, Any]

FEW = 10
"""A share of fewer answers is shown as a count: at nine of ten its interval is still 46 points wide."""

MOST_PEOPLE = 100
MOST_SECTIONS = 24
MOST_ROUNDS = 5
MOST_TOUCHED = 60

_SHARES = (
    ("agreement", "Sided with the result"),
    ("gold", "Right on gold"),
    ("exam", "Exam passed"),
    ("overruled", "Overruled in review"),
)


def people(history: History) -> View | None:
    """Everybody by pseudonym, in alphabetical order: no ranking, least of all by speed. O(people × rounds)."""
    everybody = sorted(history["people"], key=lambda person: natural(person["worker"]))
    if not everybody:
        return None
    by_round = [(row, {person["worker"]: person for person in row["people"]}) for row in history["rounds"]]
    return {
        "rows": [_person(person, by_round[-MOST_ROUNDS:]) for person in everybody[:MOST_PEOPLE]],
        "sections": MOST_SECTIONS,
        "of": len(everybody),
        "few": FEW,
        "waited": any(person["turnaround"]["n"] for person in everybody),
        "gold": any(person["gold"]["n"] for person in everybody),
        "exam": any(person["exam"]["n"] for person in everybody),
        "review": any(person["overruled"]["n"] for person in everybody),
    }


def _person(person: PersonRow, by_round: Sequence[tuple[RoundRow, dict[str, WorkerRow]]]) -> View:
    shares: list[EstimateRow] = [person["agreement"], person["gold"], person["exam"], person["overruled"]]
    remarks = []
    if person["unconfirmed"]:
        remarks.append(f"{person['unconfirmed']:,} not counted: touched by another")
    if person.get("set_aside"):
        remarks.append(f"{person['set_aside']:,} set aside: by a quarantine, or given when stopped")
    if person["reviews"]:
        remarks.append(f"{person['reviews']:,} as a senior")
    return {
        "person": person,
        "remarks": remarks,
        "outs": {out.replace("_", " "): count for out, count in person["outs"].items()},
        "shares": [(title, row) for (_, title), row in zip(_SHARES, shares, strict=True) if row["n"]],
        "rounds": [(row, mine[person["worker"]]) for row, mine in by_round if person["worker"] in mine],
    }


def hints(history: History) -> list[str]:
    """What the plan could add to people's records, and is not asked for."""
    plan, told = history["plan"], []
    if not plan.get("gold"):
        told.append(
            "No gold in the stream: name a `gold_column` of known labels and a share `gold` in the plan, and each "
            "person’s record says how often they are right."
        )
    if not plan.get("exam"):
        told.append("No exam: with `exam` in the plan, new people show what they know on gold items before they start.")
    elif history["people"] and not any(person["exam"]["n"] for person in history["people"]):
        told.append("Nobody has sat the exam yet: it waits in the project’s exam queue.")
    routed = history.get("routing")
    if not plan.get("review") and not (routed and routed["own"]):
        told.append(
            "No review: with `review: true` in the plan, what stays open goes to seniors, and their word settles it."
        )
    return told


def tampering(history: History) -> View | None:
    """What was done to people's work by others, in the order that it is told in: the gravest first."""
    rows = history["tampering"]
    return {"rows": rows[:MOST_TOUCHED], "of": len(rows)} if rows else None


def natural(text: str) -> list[tuple[int, str]]:
    """By which names sort as people read them: `worker-2` before `worker-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,9})", text)]
