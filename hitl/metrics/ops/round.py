"""What a round took: seconds, cost, and each person's part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from hitl.history import WorkerRow, estimate_row
from hitl.metrics.ops.times import AWAY, median_estimate
from hitl.types import Annotation, Estimate, Resolution


@dataclass(frozen=True)
class Operations:
    """Time and people of some annotations: `seconds` is the median an answer, `cost` that of all people's time."""

    annotations: int
    skips: int
    seconds: Estimate
    seconds_total: float
    cost: float | None
    people: tuple[WorkerRow, ...]


def operations(
    annotations: Sequence[Annotation],
    resolutions: Sequence[Resolution],
    *,
    accuracy: Mapping[str, Estimate] | None = None,
    cost_per_hour: float | None = None,
) -> Operations:
    """Sum up people's work, from the current annotations (`labels.voices.latest`) and what they were resolved to.

    Seconds are active time, at most `AWAY` an annotation; skips take time, too, but are no answers. `agreement` of a
    person is the share of items judged by two or more people, and resolved, on which they gave the resolved labels.
    `accuracy` are estimates by worker. People come in the order of their pseudonyms. O(m log m) time.

    >>> from hitl.types import Answer
    >>> said = [Annotation(who, "t1", who, Answer(("ok",)), "", spent) for who, spent in (("ana", 4.0), ("bo", 8.0))]
    >>> told = operations(said, [Resolution("i", 0, ("ok",), 1.0, "majority", "1", ("ana", "bo"))], cost_per_hour=30)
    >>> told.seconds.value, told.cost, [(row["worker"], row["agreement"]) for row in told.people]
    (6.0, 0.1, [('ana', 1.0), ('bo', 1.0)])
    """
    sided = _sided(annotations, resolutions)
    spent = sum(_seconds(one) for one in annotations)
    by_worker: dict[str, list[Annotation]] = {}
    for one in annotations:
        by_worker.setdefault(one.worker, []).append(one)
    people = [_row(worker, by_worker[worker], sided, (accuracy or {}).get(worker)) for worker in sorted(by_worker)]
    return Operations(
        annotations=len(annotations),
        skips=sum(one.skipped for one in annotations),
        seconds=median_estimate([_seconds(one) for one in annotations if not one.skipped], "seconds_an_annotation"),
        seconds_total=spent,
        cost=None if cost_per_hour is None else spent / 3600 * cost_per_hour,
        people=tuple(people),
    )


def _seconds(annotation: Annotation) -> float:
    return min(max(annotation.seconds, 0.0), AWAY)


def _sided(annotations: Sequence[Annotation], resolutions: Sequence[Resolution]) -> dict[str, bool]:
    """Annotation id → whether it gave the resolved labels, for resolved items that two or more people judged."""
    labels = {
        one.id: (one.worker, frozenset(one.answer.labels))
        for one in annotations
        if one.answer is not None and not (one.skipped or one.problem or one.answer.out)
    }
    sided: dict[str, bool] = {}
    for resolution in resolutions:
        judged = [key for key in resolution.annotations if key in labels]
        if resolution.labels is not None and len({labels[key][0] for key in judged}) > 1:
            sided |= {key: labels[key][1] == frozenset(resolution.labels) for key in judged}
    return sided


def _row(worker: str, work: Sequence[Annotation], sided: Mapping[str, bool], accuracy: Estimate | None) -> WorkerRow:
    answers = [one for one in work if not one.skipped]
    judged = [sided[one.id] for one in work if one.id in sided]
    return WorkerRow(
        worker=worker,
        answers=len(answers),
        skips=len(work) - len(answers),
        median_seconds=median(_seconds(one) for one in answers) if answers else None,
        agreement=sum(judged) / len(judged) if judged else None,
        accuracy=None if accuracy is None else estimate_row(accuracy),
        note="" if judged else "nobody else judged the same items",
    )
