"""What counts of people's answers: all but what a quarantine sets aside, and what was answered by who was stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from hitl.labels.voices import is_answer, out_of, voices
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Resolution, Task
from hitl.workforce.counting import concerned, uncounted
from hitl.workforce.quarantine import EDITED, KINDS, Quarantine, fold, last_edits, set_aside


def answers(walk: Walk, number: int | None = None) -> list[Annotation]:
    """The annotations that count, at their last revisions; of a round, or of all. O(annotations)."""
    said = walk.ledger.annotations(number)
    gone = aside(walk, said)
    return [one for one in said if one.id not in gone] if gone else said


def aside(walk: Walk, annotations: Sequence[Annotation]) -> frozenset[str]:
    """Ids of those of the annotations that count for nothing now. O(annotations) where anybody's may."""
    return uncounted(annotations, walk.ledger.events)


def covered(walk: Walk, annotations: Sequence[Annotation], among: Sequence[Quarantine]) -> frozenset[str]:
    """Ids of those of the annotations that some quarantines cover, whether they are in force or lifted."""
    return set_aside(annotations, among, last_edits(walk.ledger.events(*EDITED))) if among else frozenset()


def quarantines(walk: Walk) -> tuple[Quarantine, ...]:
    """All that was ever set aside, in the order in which it was."""
    return fold(walk.ledger.events(*KINDS))


def places_held(annotations: Iterable[Annotation], gone: Container[str]) -> Counter[str]:
    """Task key → people who hold a place on the server and count for nothing: set aside, or touched by another."""
    return Counter(
        one.task_key
        for said in voices(annotations).values()
        for one in said
        if out_of(one) == "unconfirmed" or (one.id in gone and is_answer(one))
    )


def known(resolution: Resolution, labels: Mapping[str, tuple[str, ...]], method: str) -> Resolution:
    """The resolution, or where the labels of its item are known, these."""
    mine = labels.get(resolution.item_id)
    return resolution if mine is None else replace(resolution, labels=mine, confidence=1.0, method=method)


def reopened(walk: Walk, number: int) -> list[Task]:
    """Tasks of rounds before this one with an answer that is set aside: they are asked of somebody else."""
    workers = concerned(walk.ledger.events)
    if not workers:
        return []
    said = [one for one in walk.ledger.annotations(workers=workers) if not one.deleted and is_answer(one)]
    gone = aside(walk, said)
    keys = {one.task_key for one in said if one.id in gone}
    lost, version = walk.ledger.lost_tasks(), walk.policy.version
    return [task for task in _earlier(walk, number) if task.key in keys - lost and task.policy_version == version]


def _earlier(walk: Walk, number: int) -> Iterable[Task]:
    begun = (row["round"] for row in walk.ledger.rounds())
    return (task for one in begun if one < number for task in walk.ledger.tasks(one) if task.queue != "exam")
