"""Which annotations count: the last revision of each, one voice a person on a task, and who should be asked next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hitl.types import Annotation, Task

MOST_OPINIONS = 3
"""After so many different people a disagreement is no longer settled by asking one more."""


def latest(annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """The last revision of each annotation id, deleted ones left out, in an order of their own. O(m log m).

    >>> first = Annotation("7", "t1", "ana", None, "2025-01-01T10:00:00Z", 4.0, skipped=True)
    >>> gone = Annotation("7", "t1", "ana", None, "2025-01-01T10:05:00Z", 4.0, revision=2, deleted=True)
    >>> latest([gone, first]), len(latest([first]))
    ((), 1)
    """
    last: dict[str, Annotation] = {}
    for annotation in annotations:
        held = last.get(annotation.id)
        if held is None or _recency(annotation) > _recency(held):
            last[annotation.id] = annotation
    return tuple(sorted((one for one in last.values() if not one.deleted), key=_place))


def out_of(annotation: Annotation) -> str:
    """Why an annotation gives no label: `skip`, `unreadable`, or the out that was chosen; empty where it gives one."""
    if annotation.problem:
        return "unreadable"
    if annotation.skipped:
        return "skip"
    return "unreadable" if annotation.answer is None else annotation.answer.out


def voices(annotations: Iterable[Annotation]) -> Mapping[str, tuple[Annotation, ...]]:
    """Task key → what each person says of it now, one annotation a person.

    Of several annotations by one person on one task the last submitted counts; a skip counts only where that person
    gave no answer.
    """
    said: dict[tuple[str, str], Annotation] = {}
    for annotation in latest(annotations):
        at = annotation.task_key, annotation.worker
        if at not in said or _weight(annotation) >= _weight(said[at]):
            said[at] = annotation
    grouped: dict[str, list[Annotation]] = {}
    for (key, _), annotation in said.items():
        grouped.setdefault(key, []).append(annotation)
    return {key: tuple(group) for key, group in grouped.items()}


def needs_third(annotations: Iterable[Annotation], tasks: Sequence[Task]) -> dict[str, int]:
    """Tasks that deserve another opinion: task key → how many different people in all, in the tasks' order.

    That is where all the planned people have answered and either two of them disagree (their labels differ, or one gave
    labels and the other an out), or nobody gave a label (all unsure, escalated, no policy fits or unreadable). Skips
    are no answers. One more person is asked at a time, and nobody after the third: what is then still open goes on to
    an expert and not to a vote. Asking again before the answer came gives the same.

    >>> from hitl.types import Answer
    >>> task = Task("t1", 1, "item", 0, "classify", "1", "", {}, overlap=2)
    >>> told = [Annotation(who, "t1", who, Answer((label,)), "", 3.0) for who, label in (("ana", "ok"), ("bo", "spam"))]
    >>> needs_third(told, [task]), needs_third(told[:1], [task])
    ({'t1': 3}, {})
    """
    spoken = voices(annotations)
    wanted: dict[str, int] = {}
    for task in tasks:
        answers = [one for one in spoken.get(task.key, ()) if out_of(one) != "skip"]
        if not max(task.overlap, 1) <= len(answers) < MOST_OPINIONS:
            continue
        stances = {(out_of(one), frozenset(one.answer.labels if one.answer else ())) for one in answers}
        if len(stances) > 1 or all(out_of(one) for one in answers):
            wanted[task.key] = len(answers) + 1
    return wanted


def _recency(annotation: Annotation) -> tuple[int, str, bool, str]:
    return annotation.revision, annotation.submitted, annotation.deleted, repr(annotation)


def _place(annotation: Annotation) -> tuple[str, str, str, str]:
    return annotation.task_key, annotation.worker, annotation.submitted, annotation.id


def _weight(annotation: Annotation) -> tuple[bool, str, str]:
    return out_of(annotation) != "skip", annotation.submitted, annotation.id
