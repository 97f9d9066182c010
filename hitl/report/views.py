"""What each section of the page shows, prepared from a `History`: the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hitl.history import Confusion, EstimateRow, History, PickRow, RoundRow
from hitl.report.agreement import agreeing
from hitl.report.anchoring import pulled
from hitl.report.challenge import suites
from hitl.report.gaps import uncovered
from hitl.report.helped import did_it_help
from hitl.report.ops import planning
from hitl.report.persons import hints, people, tampering
from hitl.report.prevalence import how_much
from hitl.report.qa import decided
from hitl.report.reliability import believable
from hitl.report.routing import seen, sent
from hitl.report.rulings import contested, set_aside
from hitl.report.signals import proposed
from hitl.report.slices import fair
from hitl.report.standing import errors, standing
from hitl.report.story import find, headline, next_steps, verdict
from hitl.report.text import figure, known
from hitl.report.thresholds import automation
from hitl.report.transparency import for_the_regulator
from hitl.report.trends import changing

View = dict[str, Any]

TOP_PICKS = 12
MOST_LABELS = 15
MOST_ARMS = 8
MOST_LINES = 40
LATEST_ROUNDS = 60
LATEST_LINES = 24
_ORDER = ("precision", "recall", "f1", "average_precision", "ap")
_BY_CHANCE = ("audit", "random", "benchmark")
_ACTIONS = ("review", "limit", "remove")


def view(history: History) -> View:
    """Everything that the template needs, by section. O(rounds × (labels + people + picks))."""
    rounds = history["rounds"]
    latest = rounds[-LATEST_ROUNDS:]
    return {
        "history": history,
        "told": headline(history),
        "steps": next_steps(history),
        "metric": figure(history["headline"]),
        "facts": facts(rounds),
        "rounds": _told_rounds(history)[-LATEST_ROUNDS:],
        "hidden_rounds": len(rounds) - len(latest),
        "versions": list(dict.fromkeys(row["policy_version"] for row in rounds)),
        "quality": quality(rounds),
        "audit": next((grid(row) for row in reversed(rounds) if row["audit"]), None),
        "confusion": next((confusion(row) for row in reversed(rounds) if row["confusion"]), None),
        "believable": believable(rounds),
        "helped": did_it_help(rounds),
        "fair": fair(rounds),
        "prevalence": how_much(rounds),
        "suites": suites(rounds),
        "automation": automation(history),
        "gaps": uncovered(rounds),
        "trends": changing(rounds),
        "picked": picked(rounds),
        "yields": yields(latest),
        "stop": stop(history, latest),
        "answers": answers(history, latest),
        "people": people(history),
        "hints": hints(history),
        "standing": standing(history),
        "errors": errors(history),
        "signals": proposed(rounds),
        "tampering": tampering(history),
        "routing": sent(history),
        "exposure": seen(history),
        "set_aside": set_aside(history),
        "contested": contested(history),
        "totals": totals(rounds),
        "ops": planning(history),
        "anchoring": pulled(history),
        "agreement": agreeing(rounds),
        "qa": decided(history),
        "regulator": for_the_regulator(history),
    }


def facts(rounds: Sequence[RoundRow]) -> View:
    """The few figures that stand under the headline; the latest known ones."""
    sums = totals(rounds)
    prevalence = [found for row in rounds if (found := find(row["audit"], "prevalence_by_views"))]
    agreement = [row["agreement"] for row in rounds if row["agreement"]]
    return {
        "labels": rounds[-1]["labels_so_far"] if rounds else 0,
        "seconds": sums["seconds"],
        "cost": sums["cost"],
        "prevalence": prevalence[-1] if prevalence else None,
        "agreement": agreement[-1] if agreement else None,
    }


def _told_rounds(history: History) -> list[View]:
    before, told = 0, []
    for row in history["rounds"]:
        told.append({
            "row": row,
            "bought": row["labels_so_far"] - before,
            "quality": find(row["benchmark"], history["headline"]),
            "prevalence": find(row["audit"], "prevalence_by_views"),
            "verdict": verdict(row, history["headline"]),
        })  # fmt: skip
        before = row["labels_so_far"]
    return told


def quality(rounds: Sequence[RoundRow]) -> View | None:
    """The benchmark figures of the latest round that has them, as grids of labels by figures."""
    for row in reversed(rounds):
        if row["benchmark"]:
            plain = [found for found in row["benchmark"] if "@" not in found["name"]]
            acting = [found for found in row["benchmark"] if "@" in found["name"]]
            return {
                "round": row,
                "all": [found for found in plain if not found["label"]],
                "labels": _grid(plain),
                "acting": _grid(acting),
            }
    return None


def grid(row: RoundRow) -> View:
    """The audit figures of one round: those over all labels, and a grid of labels by figures."""
    return {"round": row, "all": [found for found in row["audit"] if not found["label"]], "labels": _grid(row["audit"])}


def _grid(rows: Sequence[EstimateRow]) -> View | None:
    told = [row for row in rows if row["label"]]
    if not told:
        return None
    columns = sorted(dict.fromkeys(row["name"] for row in told), key=_place)
    cells: dict[str, dict[str, EstimateRow]] = {}
    for row in told:
        cells.setdefault(row["label"], {})[row["name"]] = row
    lines = [(label, [found.get(name) for name in columns]) for label, found in cells.items()]
    return {"columns": columns, "rows": lines[:MOST_LINES], "left_out": max(len(lines) - MOST_LINES, 0)}


def _place(name: str) -> tuple[int, int, str]:
    base, _, action = name.partition("@")
    return (
        _ACTIONS.index(action) if action in _ACTIONS else -1,
        _ORDER.index(base) if base in _ORDER else len(_ORDER),
        name,
    )


def confusion(row: RoundRow) -> View:
    """The confusion matrix with each cell's share of its row; of many labels the heaviest stay."""
    full: Confusion = row["confusion"] or Confusion(labels=[], matrix=[], n=0)
    matrix, labels = full["matrix"], full["labels"]
    weight = [sum(matrix[at]) + sum(line[at] for line in matrix) for at in range(len(labels))]
    kept = sorted(sorted(range(len(labels)), key=lambda at: -weight[at])[:MOST_LABELS])
    lines = []
    for at in kept:
        total = sum(matrix[at])
        cells = [
            {"value": matrix[at][to], "share": matrix[at][to] / total if total else 0.0, "same": at == to}
            for to in kept
        ]
        lines.append((labels[at], cells, total))
    return {"round": row, "labels": [labels[at] for at in kept], "lines": lines, "left_out": len(labels) - len(kept)}


def picked(rounds: Sequence[RoundRow]) -> View | None:
    """The picks of the latest round that has any: those chosen by score first, highest on top, then chance picks."""
    for row in reversed(rounds):
        if row["picks"]:
            ranked = sorted(row["picks"], key=lambda pick: (pick["arm"] in _BY_CHANCE, -pick["score"]))
            top = [{"pick": pick, "guess": _guess(pick), "missed": _missed(pick)} for pick in ranked[:TOP_PICKS]]
            return {"round": row, "top": top, "of": len(row["picks"])}
    return None


def yields(rounds: Sequence[RoundRow]) -> View | None:
    """What each arm of the latest round brought, and the shares of positives by arm in the rounds before."""
    rounds = [row for row in rounds if row["yields"]]
    if not rounds:
        return None
    *earlier, last = rounds
    arms = list(dict.fromkeys(arm for row in earlier for arm in row["yields"]))
    return {
        "round": last,
        "rows": [(arm, found, last["shares"].get(arm)) for arm, found in last["yields"].items()][:MOST_LINES],
        "mixed": bool(last["shares"]),
        "arms": arms[:MOST_ARMS],
        "more": len(arms) > MOST_ARMS,
        "earlier": [(row, [row["yields"].get(arm) for arm in arms[:MOST_ARMS]]) for row in earlier[-LATEST_LINES:]],
    }


def stop(history: History, rounds: Sequence[RoundRow]) -> View:
    """The extrapolated curve in figures, and a row a round of how steady the model is and what mistakes still cost."""
    told = history["stopping"]
    bought = history["rounds"][-1]["labels_so_far"] if history["rounds"] else 0
    needed = [{**row, "reached": row["labels"] is not None and row["labels"] <= bought} for row in told["needed"]]
    return {
        **told,
        "needed": needed,
        "lines": [row for row in rounds if row["stability"] or row["left"]][-LATEST_LINES:],
        "audited": any(row["left"] and row["left"]["audited"] for row in rounds),
    }


def _guess(pick: PickRow) -> list[tuple[str, float]]:
    return sorted(pick["predicted"].items(), key=lambda pair: -pair[1])[:2]


def _missed(pick: PickRow) -> bool:
    guess = _guess(pick)
    return bool(guess and pick["resolved"] and guess[0][0] not in pick["resolved"])


def answers(history: History, rounds: Sequence[RoundRow]) -> View | None:
    """How many items people resolved to each label, a row a round, with what stayed open."""
    rounds = [row for row in rounds if row["labels"] or row["unresolved"] or row["outs"]]
    if not rounds:
        return None
    told = [label["name"] for label in history["labels"]]
    labels = list(dict.fromkeys([*told, *(name for row in rounds for name in row["labels"])]))
    outs = list(dict.fromkeys(name for row in rounds for name in row["outs"]))
    counts = [(row, [row["labels"].get(name, 0) for name in labels]) for row in rounds]
    lines = [(row, found[:MOST_LABELS], sum(found[MOST_LABELS:])) for row, found in counts]
    return {"labels": labels[:MOST_LABELS], "more": len(labels) > MOST_LABELS, "outs": outs[:8], "lines": lines}


def totals(rounds: Sequence[RoundRow]) -> View:
    """Sums over the campaign: tasks done, annotations, resolved items, people's and machine's seconds, cost."""
    costs = [row["cost"] for row in rounds if row["cost"] is not None and known(row["cost"])]
    return {
        "tasks_done": sum(row["tasks_done"] for row in rounds),
        "annotations": sum(row["annotations"] for row in rounds),
        "resolved": sum(row["resolved"] for row in rounds),
        "seconds": sum(row["seconds_total"] for row in rounds),
        "machine": sum(machine(row["machine_seconds"]) for row in rounds),
        "cost": sum(costs) if costs else None,
    }


def machine(steps: Mapping[str, float]) -> float:
    """All the seconds of a round's steps."""
    return sum(seconds for seconds in steps.values() if known(seconds))
