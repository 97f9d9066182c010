"""Asking people and hearing back: ask, push, pull."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from hitl.labels.settle import Settlement, settle
from hitl.labels.voices import needs_third, voices
from hitl.ledger import Writer
from hitl.rounds.walk import Done, Walk
from hitl.tasks.task import Asking, make_tasks
from hitl.types import Annotation, Pick, Pull, Task

SKIPS = 3
"""A task that so many people have skipped is let go."""


def ask(walk: Walk, number: int) -> Done:
    """Picks become tasks: rendered for the form, with the model's answer and how many people are asked.

    Those of the arm `relabel` have a task already, which is to be asked of one person more.
    """
    everything = walk.ledger.picks(number)
    picks = [pick for pick in everything if pick.arm != "relabel"]
    again = {task.key: task.overlap + 1 for task in _relabelled(walk, number)}
    positions = np.array([pick.position for pick in picks], dtype=np.int64)
    fitted = walk.fitted(number - 1)
    predicted: list[dict[str, float]] = [{} for _ in picks]
    rows = walk.pool.rows(positions).to_pylist()
    if fitted is not None and picks:
        x = walk.features.take(positions)
        proba = fitted.predict(x).proba
        predicted = [dict(zip(fitted.labels, map(float, row), strict=True)) for row in proba]
        if walk.form.modality == "video":
            # The likeliest harm, whatever is likelier still: that is what a reviewer must look for.
            likeliest = np.where(walk.policy.violating, proba, -1.0).argmax(axis=1)
            rows = [{**row, "moments": at} for row, at in zip(rows, fitted.moments(x, likeliest), strict=True)]
    asking = Asking(campaign=walk.campaign, round=number, form=walk.form, model_id=fitted.model_id if fitted else "")
    tasks = make_tasks(asking, picks, rows, predicted, _people(walk, number, picks))

    def write(writer: Writer) -> None:
        writer.add_tasks(tasks)
        writer.intend("overlap", again)

    return Done({"tasks": len(tasks), "asked_again": len(again)}, write)


def _relabelled(walk: Walk, number: int) -> list[Task]:
    """Tasks of earlier rounds that a round asks somebody else about."""
    again = {pick.item_id for pick in walk.ledger.picks(number) if pick.arm == "relabel"}
    lost, version = walk.ledger.lost_tasks(), walk.policy.version
    tasks = walk.ledger.tasks() if again else []
    return [
        task
        for task in tasks
        if task.item_id in again and task.round < number and task.key not in lost and task.policy_version == version
    ]


def in_hand(walk: Walk, number: int) -> list[Task]:
    """The tasks that a round waits for: its own, and those that it asks again."""
    return [*walk.ledger.tasks(number), *_relabelled(walk, number)]


def _people(walk: Walk, number: int, picks: Sequence[Pick]) -> list[int]:
    rng = walk.rng(number, "overlap")
    free = [rank for rank, pick in enumerate(picks) if pick.arm != "benchmark"]
    doubled = set(rng.choice(free, round(len(free) * walk.plan.overlap), replace=False)) if free else set()
    return [
        walk.plan.benchmark_people if pick.arm == "benchmark" else 2 if rank in doubled else 1
        for rank, pick in enumerate(picks)
    ]


def push(walk: Walk, number: int) -> Done:
    """Send the round's tasks; whatever happened before, each is on the server once afterwards."""
    receipt = walk.connector.push(walk.ledger.tasks(number), walk.progress)
    return Done({"on_server": len(receipt.server_ids)}, lambda writer: writer.set_server_ids(receipt.server_ids))


def pull(walk: Walk, number: int) -> Done | None:
    """Mirror what people did; None while they must still work."""
    _send_intents(walk)
    moved = 0
    while True:
        changed = mirror(walk, walk.connector.pull(walk.ledger.cursor))
        moved += changed
        tasks, annotations = in_hand(walk, number), walk.ledger.annotations()
        open_tasks = set(unanswered(tasks, annotations, walk.ledger.lost_tasks()))
        waiting = len(open_tasks) > (1 - walk.plan.answered) * len(tasks)
        if changed or (not waiting and _ask_more(walk, number)):
            continue
        # Only the whole listing tells what was deleted: it is read before going on, and where nothing moves.
        if (not waiting or not moved) and mirror(walk, _everything(walk)):
            moved += 1
            continue
        if waiting:
            # Somebody may have closed a task to further people: where nothing moves, they are asked for anew.
            if not moved:
                walk.connector.ask_more({task.key: task.overlap for task in tasks if task.key in open_tasks})
            return None
        return Done({"annotations": len(walk.ledger.annotations(number)), "unanswered": len(open_tasks)})


def _everything(walk: Walk) -> Pull:
    """All that the project holds; what was pushed under its policy version and is not there was deleted."""
    everything = walk.connector.finish()
    pushed = walk.ledger.server_ids()
    gone = {
        task.key
        for task in walk.ledger.tasks()
        if task.policy_version == walk.policy.version and task.key in pushed and task.key not in everything.seen
    }
    return replace(everything, missing_tasks=tuple(sorted(gone)))


def mirror(walk: Walk, pulled: Pull) -> int:
    """Write what came back and the cursor in one transaction; how many annotations changed."""
    with walk.ledger.transaction() as writer:
        return writer.mirror(pulled)


def settle_all(walk: Walk, tasks: Sequence[Task], annotations: Sequence[Annotation]) -> Settlement:
    """What the answers amount to now, by the plan's resolver, for tasks under the present policy."""
    return settle(annotations, tasks, walk.policy, resolver=walk.plan.resolver, min_confidence=walk.plan.min_confidence)


def unanswered(tasks: Iterable[Task], annotations: Iterable[Annotation], lost: set[str]) -> list[str]:
    """Keys of tasks that still need people: fewer answers than asked for, and not yet skipped by too many."""
    spoken = voices(annotations)

    def needs_people(task: Task) -> bool:
        skips = sum(one.skipped for one in spoken.get(task.key, ()))
        return len(spoken.get(task.key, ())) - skips < task.overlap and skips < SKIPS

    return [task.key for task in tasks if task.key not in lost and needs_people(task)]


def _ask_more(walk: Walk, number: int) -> bool:
    """Ask one more person where people disagree, or where one word is not enough; whether somebody must work again."""
    if not walk.plan.third_opinion:
        return False
    tasks, lost = in_hand(walk, number), walk.ledger.lost_tasks()
    annotations = walk.ledger.annotations()
    done = {task.key for task in tasks} - set(unanswered(tasks, annotations, lost)) - lost
    wanted = needs_third(annotations, tasks) | _open_after_one(walk, tasks, annotations)
    more = {key: people for key, people in wanted.items() if key in done}
    with walk.ledger.transaction() as writer:
        writer.intend("overlap", more)
    _send_intents(walk)
    return bool(more)


def _open_after_one(walk: Walk, tasks: Sequence[Task], annotations: Sequence[Annotation]) -> dict[str, int]:
    """Tasks with one answer that is not believed, given who gave it: task key → two people."""
    spoken = voices(annotations)
    alone = [task for task in tasks if task.overlap == 1 and any(not one.skipped for one in spoken.get(task.key, ()))]
    known = [task for task in walk.ledger.tasks() if task.policy_version == walk.policy.version]
    settled = {
        task.key: resolution.labels
        for task, resolution in zip(known, settle_all(walk, known, annotations).resolutions, strict=True)
    }
    return {task.key: 2 for task in alone if settled.get(task.key, ()) is None}


def _send_intents(walk: Walk) -> None:
    waiting = walk.ledger.intents("overlap")
    if waiting:
        walk.connector.ask_more(waiting)
        with walk.ledger.transaction() as writer:
            writer.done("overlap")
