"""Hearing back: what people did is mirrored until they are done, and asked on where they do not agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hitl.labels.settle import Settlement, settle
from hitl.labels.voices import is_answer, needs_third, out_of, voices
from hitl.rounds.asking import relabelled
from hitl.rounds.intents import send_intents
from hitl.rounds.review import Heard, send_to_review
from hitl.rounds.tabs import show_tabs
from hitl.rounds.walk import Done, Walk
from hitl.types import Annotation, Pull, Resolution, Task


def in_hand(walk: Walk, number: int) -> list[Task]:
    """The tasks that a round waits for: its own, those under review, and those that it asks again; never the exam."""
    mine = [task for task in walk.ledger.tasks(number) if task.queue != "exam"]
    return [*mine, *relabelled(walk, number)]


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
        if changed or (not waiting and _ask_on(walk, number, tasks, open_keys)):
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
    return settle(
        annotations,
        tasks,
        walk.policy,
        resolver=plan.resolver,
        min_confidence=plan.min_confidence,
        gold=walk.gold.known,
    )


def _look_after(walk: Walk, open_tasks: Sequence[Task], number: int, moved: int) -> None:
    """See to it that people are served what waits, and that those who look after them find it.

    An answer that somebody else touched holds a place on the server and counts for nobody: one person more is let in.
    Somebody may have closed a task to further people: where nothing moves, they are asked for anew.
    """
    heard = _heard(walk, open_tasks)
    void = {key: sum(out_of(one) == "unconfirmed" for one in said) for key, said in heard.items()}
    again = {task.key: task.overlap + void.get(task.key, 0) for task in open_tasks if not moved or void.get(task.key)}
    if again:
        walk.connector.ask_more(again)
    if moved:
        show_tabs(walk, in_hand(walk, number), heard)


def _heard(walk: Walk, tasks: Iterable[Task]) -> Heard:
    """What people say of the tasks of these tasks' rounds."""
    return voices(one for number in {task.round for task in tasks} for one in walk.ledger.annotations(number))


def _ask_on(walk: Walk, number: int, tasks: Sequence[Task], open_keys: set[str]) -> bool:
    """Ask one person more, or a senior, where the answers do not settle it; whether somebody must work again."""
    if not (walk.plan.third_opinion or walk.plan.review):
        return False
    closed = open_keys | walk.ledger.lost_tasks()
    done = [task for task in tasks if task.key not in closed and not task.queue and task.item_id not in walk.gold.known]
    known = [task for task in walk.ledger.tasks() if task.policy_version == walk.policy.version]
    annotations = walk.ledger.annotations()
    settled = {r.item_id: r for r in settle_all(walk, known, annotations).resolutions}
    if walk.plan.third_opinion and _ask_another(walk, done, annotations, settled):
        return True
    reviewed = {task.item_id for task in known if task.queue == "review"}
    fresh = [task for task in done if task.item_id not in reviewed]
    return walk.plan.review and send_to_review(walk, number, fresh, settled, voices(annotations))


def _ask_another(
    walk: Walk, tasks: Sequence[Task], annotations: Sequence[Annotation], settled: Mapping[str, Resolution]
) -> bool:
    """Ask one person more where people disagree, or where one word is not believed, given who gave it."""
    heard = voices(annotations)
    alone = [task for task in tasks if task.overlap == 1 and any(map(is_answer, heard.get(task.key, ())))]
    more = needs_third(annotations, tasks) | {task.key: 2 for task in alone if settled[task.item_id].labels is None}
    with walk.ledger.transaction() as writer:
        writer.intend("overlap", more)
    send_intents(walk)
    return bool(more)
