"""The rounds at a glance, from counters, step outputs and figures: no pick, task, answer or resolution is read."""

from __future__ import annotations

from typing import Any

from hitl.history import RoundRow, estimate_row
from hitl.ledger.overview import Counted
from hitl.rounds.walk import Walk


def brief(walk: Walk) -> list[RoundRow]:
    """A row a round, as `history` tells it, with what `rounds_table` shows; the rest is empty. O(rounds).

    People, their time and its cost, arms, strata, labels and single picks are left to the report.
    """
    ledger = walk.ledger
    counted, models = ledger.overview(), ledger.models()
    outputs = {step: ledger.outputs(step) for step in ("pull", "resolve", "fit", "measure")}
    completed = ledger.completed("measure")
    benchmark = ledger.figures("benchmark", "macro_f1", "recall")
    audit = ledger.figures("audit", "macro_f1", "prevalence_by_views")
    alphas = ledger.figures("agreement")
    rows = []
    for row in ledger.rounds():
        number = row["round"]
        told = _row(number, {step: found.get(number) for step, found in outputs.items()}, counted.get(number))
        told["policy_version"], told["seed"], told["started"] = row["policy_version"], row["seed"], row["started"]
        told["completed"] = completed.get(number)
        told["model_id"], told["picked_by_model"] = models.get(number, ""), models.get(number - 1, "")
        told["benchmark"] = list(map(estimate_row, benchmark.get(number, ())))
        told["audit"] = list(map(estimate_row, audit.get(number, ())))
        told["agreement"] = next(map(estimate_row, alphas.get(number, ())), None)
        rows.append(told)
    return rows


def _row(number: int, outputs: dict[str, dict[str, Any] | None], counted: Counted | None) -> RoundRow:
    """What counters and step outputs say of a round; None is the output of a step that is not completed."""
    at = counted or Counted()
    measured, resolved = outputs["measure"] or {}, outputs["resolve"] or {}
    waiting = at.tasks and outputs["pull"] is None
    return RoundRow(
        round=number,
        kind="active" if number else "seed",
        state="done" if measured else "waiting" if waiting else "running",
        policy_version="",
        model_id="",
        calibration={},
        picked_by_model="",
        seed=0,
        started="",
        completed=None,
        arms={},
        yields={},
        shares={},
        strata={},
        folded=0,
        tasks=at.tasks,
        tasks_done=at.tasks - at.waiting,
        annotations=at.answers + at.skips,
        labels={},
        resolved=0,
        unresolved=0,
        outs={},
        training_items=(outputs["fit"] or {}).get("training_items", 0),
        labels_so_far=resolved.get("resolved", 0),
        benchmark=[],
        audit=[],
        comparison=measured.get("comparison"),
        since_seed=measured.get("since_seed"),
        confusion=None,
        agreement=None,
        stability=None,
        left=None,
        findings={},
        people=[],
        seconds_a_task=None,
        seconds_total=0.0,
        cost=None,
        machine_seconds={},
        picks=[],
    )
