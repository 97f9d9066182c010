"""Hearing back: what people did is mirrored until they are done, and asked on where they do not agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from hitl.labels.settle import Settlement, settle
from hitl.labels.voices import voices
from hitl.rounds.aid import aided
from hitl.rounds.asking import relabelled
from hitl.rounds.counted import aside, known, places_held, reopened
from hitl.rounds.intents import send_intents
from hitl.rounds.routing import send_on
from hitl.rounds.tabs import show_tabs
from hitl.rounds.walk import Done, Walk
from hitl.types import Annotation, Pull, Task


def in_hand(walk: Walk, number: int) -> list[Task]:
    """The tasks that a round waits for: its own, those under review, and those that are asked again; never the exam."""
    mine = [task for task in walk.ledger.tasks(number) if task.queue != "exam"]
    again = {task.key: task for task in (*relabelled(walk, number), *reopened(walk, number))}
    return [*mine, *again.values()]


def unanswered(walk: Walk, tasks: Sequence[Task]) -> set[str]:
    """Keys of those of the tasks that still need people; O(tasks of their rounds), no answer is read."""
    open_keys = {key for number in {task.round for task in tasks} for key in walk.ledger.unanswered(number)}
    return open_keys & {task.key for task in tasks}


def pull(walk: Walk, number: int) -> Done | None:
    """Mirror what people did; None while they must still work.

    While they do, no more is read than the round's own answers; the whole record is read once it could go on.
    """
    send_intents(walk)
    moved = 0
    while True:
        changed = mirror(walk, walk.connector.pull(walk.ledger.cursor))
        moved += changed
        tasks = in_hand(walk, number)
        open_keys = unanswered(walk, tasks)
        waiting = len(open_keys) > (1 - walk.plan.answered) * len(tasks)
        if changed or send_on(walk, number, tasks, open_keys, partial(settle_all, walk), waiting=waiting):
            continue
        # Only the whole listing tells what was deleted: it is read before going on, and where nothing moves.
        if (not waiting or not moved) and mirror(walk, everything(walk)):
            moved += 1
            continue
        if waiting:
            _look_after(walk, [task for task in tasks if task.key in open_keys], number, moved)
            return None
        return Done({"annotations": len(walk.ledger.annotations(number)), "unanswered": len(open_keys)})


def everything(walk: Walk) -> Pull:
    """All that the project holds; what was pushed under its policy version and is not there was deleted."""
    listed = walk.connector.finish()
    pushed = walk.ledger.server_ids()
    gone = {
        task.key
        for task in walk.ledger.tasks()
        if task.policy_version == walk.policy.version and task.key in pushed and task.key not in listed.seen
    }
    return replace(listed, missing_tasks=tuple(sorted(gone)))


def mirror(walk: Walk, pulled: Pull) -> int:
    """Write what came back and the cursor in one transaction; how many annotations changed."""
    with walk.ledger.transaction() as writer:
        return writer.mirror(pulled)


def settle_all(walk: Walk, tasks: Sequence[Task], annotations: Sequence[Annotation]) -> Settlement:
    """What the answers amount to now, by the plan's resolver, for tasks under the present policy."""
    plan = walk.plan
    settled = settle(
        annotations,
        tasks,
        walk.policy,
        resolver=plan.resolver,
        min_confidence=plan.min_confidence,
        gold=walk.gold.known,
        aided=aided(walk),
    )
    ruled = {item: labels for item, labels in walk.ruled.items() if item not in walk.gold_given.known}
    return replace(settled, resolutions=tuple(known(one, ruled, "ruling") for one in settled.resolutions))


def _look_after(walk: Walk, open_tasks: Sequence[Task], number: int, moved: int) -> None:
    """See to it that people are served what waits, and that those who look after them find it.

    An answer that somebody else touched, or that is set aside, holds a place on the server and counts for nobody: one
    person more is let in.
    Somebody may have closed a task to further people: where nothing moves, they are asked for anew.
    """
    said = [one for at in {task.round for task in open_tasks} for one in walk.ledger.annotations(at)]
    gone = aside(walk, said)
    void = places_held(said, gone)
    again = {task.key: task.overlap + void[task.key] for task in open_tasks if not moved or void[task.key]}
    if again:
        walk.connector.ask_more(again)
    if moved:
        show_tabs(walk, in_hand(walk, number), voices(one for one in said if one.id not in gone))
