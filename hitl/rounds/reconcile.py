"""Ledger and server, laid side by side: what differs is mended, or told."""

from __future__ import annotations

from collections import Counter

from hitl.rounds.collect import everything, mirror
from hitl.rounds.showing import as_served
from hitl.rounds.walk import Walk
from hitl.types import Difference


def reconcile(walk: Walk, *, mend: bool = True) -> tuple[Difference, ...]:
    """Read the whole project, mirror it, and compare what is there with what the record wants to be there.

    The record is right about what is asked, the server about what was answered. With `mend` what is missing is sent,
    copies without work are taken away, and content, priority, overlap and settings are put back; answers are never
    touched. A task that somebody deleted is told and not made again: that was a decision of theirs, and its answers
    went with it. Tasks of earlier policy versions lie in projects of their own, which are closed, and are left alone.
    O(tasks + annotations) time.
    """
    before = walk.ledger.lost_tasks()
    mirror(walk, everything(walk))
    answers = Counter(a.task_key for a in walk.ledger.annotations() if a.deleted)
    present = [task for task in walk.ledger.tasks() if task.policy_version == walk.policy.version]
    lost = walk.ledger.lost_tasks()
    deleted = [
        Difference("missing", task.key, _told(task.key in before, answers[task.key]))
        for task in present
        if task.key in lost
    ]
    there = walk.connector.reconcile(as_served(walk, [t for t in present if t.key not in lost]), mend=mend)
    if any(one.kind == "settings" and one.mended for one in there):
        # What we put back ourselves is nobody's tampering.
        set_up = walk.connector.finish().settings
        with walk.ledger.transaction() as writer:
            writer.expect_settings(set_up)
    return (*deleted, *there)


def _told(known: bool, answers: int) -> str:
    went = f" with {answers} answers" if answers else ""
    return f"deleted on the server{went}{', as is on record' if known else ', which is on record now'}"
