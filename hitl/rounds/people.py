"""What the record says of each person, over the whole campaign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hitl.history import PersonRow, read_estimate
from hitl.labels.settle import rulings
from hitl.labels.voices import out_of, voices
from hitl.metrics.people import Work, records
from hitl.rounds.counted import aside
from hitl.rounds.learn import settle_now
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Estimate, Resolution, Task
from hitl.types.times import seconds_since_1970


def people(walk: Walk, annotations: Sequence[Annotation]) -> list[PersonRow]:
    """A row a person, from all the annotations at their last revisions. O(annotations + tasks).

    What is set aside stays in the record of whoever gave it; it sides with nobody, and nobody is held against it.
    """
    tasks = walk.ledger.tasks()
    heard = voices(annotations)
    present = [task for task in tasks if task.policy_version == walk.policy.version]
    gone, known = aside(walk, annotations), walk.ruled
    counted = heard if not gone else voices(one for one in annotations if one.id not in gone)
    seniors = {item: _labels(one) for item, one in rulings(counted, present, walk.policy).items()}
    ruled = seniors | {item: frozenset(labels) for item, labels in known.items() if item in seniors}
    settled = {one.item_id: one for one in settle_now(walk)} if gone or known else _settled(walk)
    judging = _Judging(walk.gold.known, settled, ruled, gone)
    pushed = pushed_at(walk)
    return records(
        (
            _work(task, one, seconds_between(pushed.get(task.round, ""), one.submitted), judged, one.id in gone)
            for task in tasks
            for one, judged in judging.of(task, heard.get(task.key, ()), task.policy_version == walk.policy.version)
        ),
        _accuracy(walk),
    )


Labels = frozenset[str]


@dataclass(frozen=True)
class _Judged:
    """How one answer stands beside what is known, what was resolved and what a senior said; None where unknown."""

    gold: bool | None = None
    sided: bool | None = None
    overruled: bool | None = None


@dataclass(frozen=True)
class _Judging:
    """What answers are held against, by item: known labels, resolutions, and seniors' rulings (None: no label).

    `gone` are ids of annotations that are set aside.
    """

    gold: Mapping[str, tuple[str, ...]]
    settled: Mapping[str, Resolution]
    ruled: Mapping[str, Labels | None]
    gone: frozenset[str]

    def of(self, task: Task, said: Sequence[Annotation], current: bool) -> Iterator[tuple[Annotation, _Judged]]:
        """Each voice on a task, judged; what was asked under an earlier policy is counted and not judged."""
        together = sum(_labels(one) is not None for one in said if one.id not in self.gone) > 1
        for one in said:
            yield one, self._judged(task, one, together and one.id not in self.gone) if current else _Judged()

    def _judged(self, task: Task, one: Annotation, together: bool) -> _Judged:
        labels, known = _labels(one), self.gold.get(task.item_id)
        if known is not None:
            right = labels == frozenset(known)
            return _Judged(gold=right if labels is not None or task.queue == "exam" else None)
        if labels is None or task.queue:
            return _Judged()
        resolution, ruling = self.settled.get(task.item_id), self.ruled.get(task.item_id)
        resolved = None if resolution is None or resolution.labels is None else frozenset(resolution.labels)
        return _Judged(
            sided=labels == resolved if together and resolved is not None else None,
            overruled=None if ruling is None else labels != ruling,
        )


def _work(task: Task, one: Annotation, waited: float | None, judged: _Judged, gone: bool) -> Work:
    return Work(
        worker=one.worker,
        queue=task.queue,
        out=out_of(one),
        seconds=one.seconds,
        waited=None if task.queue else waited,
        language=str(task.data.get("language", "")),
        aside=gone,
        gold=judged.gold,
        sided=judged.sided,
        overruled=judged.overruled,
    )


def _labels(annotation: Annotation) -> Labels | None:
    """The labels that an answer gives; None where it gives none."""
    return None if out_of(annotation) or annotation.answer is None else frozenset(annotation.answer.labels)


def _settled(walk: Walk) -> dict[str, Resolution]:
    """The resolutions of the last round that has any."""
    for row in reversed(walk.ledger.rounds()):
        found = walk.ledger.resolutions(row["round"])
        if found:
            return {resolution.item_id: resolution for resolution in found}
    return {}


def _accuracy(walk: Walk) -> dict[str, Estimate]:
    """What the resolver made of each person when a round was last resolved."""
    for row in reversed(walk.ledger.rounds()):
        output = walk.ledger.step(row["round"], "resolve")
        if output:
            return {told["worker"]: read_estimate(told["accuracy"]) for told in output["workers"]}
    return {}


def pushed_at(walk: Walk) -> dict[int, str]:
    """When each round's tasks were on the server."""
    numbers = [row["round"] for row in walk.ledger.rounds()]
    steps = {number: walk.ledger.steps(number).get("push") for number in numbers}
    return {number: str(step["completed"]) for number, step in steps.items() if step is not None}


def seconds_between(start: str, end: str) -> float | None:
    """Seconds from one ISO 8601 time to another; None where one is missing, or the clocks contradict each other."""
    seconds = seconds_since_1970(end) - seconds_since_1970(start)
    return seconds if seconds >= 0 else None
