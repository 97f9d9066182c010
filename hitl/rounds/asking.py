"""Asking people: picks become tasks, and tasks are pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hitl.errors import CampaignError, DataError
from hitl.ledger import Writer
from hitl.rounds.showing import as_served, hide
from hitl.rounds.walk import UNREADABLE, Done, Walk
from hitl.tasks.content import shown as content
from hitl.tasks.task import Asking, make_tasks
from hitl.types import Pick, Task

Row = Mapping[str, Any]
"""An item as the pool tells of it."""

EVERYBODY = 99
"""How many people may sit the exam."""


def ask(walk: Walk, number: int) -> Done:
    """Picks become tasks: rendered for the form, with the model's answer and how many people are asked.

    Those of the arm `relabel` have a task already, which is to be asked of one person more. What could not be shown is
    not asked, and told. The seed round asks the exam, too. Tasks stand in the order of their keys, which are chance:
    neither their place nor their number on the server tells which of them are gold.
    """
    again = {task.key: task.overlap + 1 for task in relabelled(walk, number)}
    picks, rows, why = _showable(walk, [pick for pick in walk.ledger.picks(number) if pick.arm != "relabel"])
    exam, questions, unfit = _showable(walk, _exam_picks(walk) if number == 0 else [])
    tasks = [*_tasks(walk, number, picks, rows), *_exam(walk, exam, questions)]
    broken = walk.connector.broken(tasks)
    shown = sorted((task for task in tasks if task.key not in broken), key=lambda task: task.key)
    why |= unfit | {task.item_id: broken[task.key] for task in tasks if task.key in broken}
    walk.tell_unreadable({**walk.broken(), **why})
    if why and not shown:
        first = next(iter(why.values()))
        raise CampaignError(
            f"campaign {walk.campaign}, round {number}: none of {len(why):,} items could be shown; the first: "
            f"{first}. {UNREADABLE} names all; mend `connect.media` or the files, and call again"
        )

    def write(writer: Writer) -> None:
        writer.add_tasks(shown)
        writer.intend("overlap", again)

    sat = sum(task.queue == "exam" for task in shown)
    output: dict[str, Any] = {"tasks": len(shown) - sat, "exam": sat, "asked_again": len(again), "broken": why}
    if walk.plan.show_predictions:
        arms = {pick.item_id: pick.arm for pick in picks}
        output["hidden"] = hide(walk, number, [task for task in shown if not task.queue], arms)
    return Done(output, write)


def _showable(walk: Walk, picks: Sequence[Pick]) -> tuple[list[Pick], list[Row], dict[str, str]]:
    """Picks whose content the form can show, with their rows; of the others item id → why not. O(picks)."""
    rows = walk.pool.rows(np.array([pick.position for pick in picks], dtype=np.int64)).to_pylist()
    good, why = list[tuple[Pick, Row]](), dict[str, str]()
    for pick, row in zip(picks, rows, strict=True):
        try:
            content(walk.form.modality, row, pick.item_id)
            good.append((pick, row))
        except DataError as error:
            why[pick.item_id] = str(error)
    return [pick for pick, _ in good], [row for _, row in good], why


def _tasks(walk: Walk, number: int, picks: Sequence[Pick], rows: Sequence[Row]) -> tuple[Task, ...]:
    positions = np.array([pick.position for pick in picks], dtype=np.int64)
    fitted = walk.fitted(number - 1)
    predicted: list[dict[str, float]] = [{} for _ in picks]
    if fitted is not None and picks:
        x = walk.features.take(positions)
        proba = fitted.predict(x).proba
        predicted = [dict(zip(fitted.labels, map(float, row), strict=True)) for row in proba]
        if walk.form.modality == "video":
            # The likeliest harm, whatever is likelier still: that is what a reviewer must look for.
            likeliest = np.where(walk.policy.violating, proba, -1.0).argmax(axis=1)
            rows = [{**row, "moments": at} for row, at in zip(rows, fitted.moments(x, likeliest), strict=True)]
    asking = Asking(campaign=walk.campaign, round=number, form=walk.form, model_id=fitted.model_id if fitted else "")
    return make_tasks(asking, picks, rows, predicted, _people(walk, number, picks))


def _people(walk: Walk, number: int, picks: Sequence[Pick]) -> list[int]:
    rng = walk.rng(number, "overlap")
    fixed = {"benchmark": walk.plan.benchmark_people, "gold": walk.plan.gold_people}
    free = [rank for rank, pick in enumerate(picks) if pick.arm not in fixed]
    doubled = set(rng.choice(free, round(len(free) * walk.plan.overlap), replace=False)) if free else set()
    return [fixed.get(pick.arm, 2 if rank in doubled else 1) for rank, pick in enumerate(picks)]


def _exam_picks(walk: Walk) -> list[Pick]:
    at = walk.exam
    scores = walk.rng(0, "exam order").random(len(at)).tolist()
    return list(map(Pick, at.tolist(), walk.pool.ids(at), ["exam"] * len(at), scores)) if len(at) else []


def _exam(walk: Walk, picks: Sequence[Pick], rows: Sequence[Row]) -> tuple[Task, ...]:
    """The exam's questions; nothing on them says what is right, since every member can read a task."""
    asking = Asking(campaign=walk.campaign, round=0, form=replace(walk.form, queue="exam"), queue="exam")
    return make_tasks(asking, picks, rows, people=[EVERYBODY] * len(picks))


def push(walk: Walk, number: int) -> Done:
    """Send the round's tasks; whatever happened before, each is on the server once afterwards."""
    receipt = walk.connector.push(as_served(walk, walk.ledger.tasks(number)), walk.progress)
    return Done({"on_server": len(receipt.server_ids)}, lambda writer: writer.set_server_ids(receipt.server_ids))


def relabelled(walk: Walk, number: int) -> list[Task]:
    """Tasks of earlier rounds that a round asks somebody else about."""
    again = {pick.item_id for pick in walk.ledger.picks(number) if pick.arm == "relabel"}
    lost, version = walk.ledger.lost_tasks() if again else set(), walk.policy.version
    tasks = walk.ledger.tasks(items=again) if again else []
    return [
        task
        for task in tasks
        if not task.queue and task.round < number and task.key not in lost and task.policy_version == version
    ]
