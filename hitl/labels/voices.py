"""Which annotations count: the last revision of each, one voice a person on a task, and who should be asked next.

What happens to an annotation on the server means this for labels. An edit by its author replaces the answer; so does a
second annotation by the same person. A deletion takes the answer away, and the task wants a person again. A skip is no
answer; a draft is not even an annotation. An answer that somebody else wrote or changed is nobody's word: the author
has not said it, and whoever did may have been asked already or not at all. It counts for nobody until its author saves
it, and the task wants a person meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hitl.types import Annotation, Task

MOST_OPINIONS = 3
"""After so many different people a disagreement is no longer settled by asking one more."""

SKIPS = 3
"""A task that so many people have skipped is let go."""


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
    """Why an annotation gives no label; empty where it gives one.

    `unconfirmed` (somebody else wrote it, or touched it last), `unreadable`, `skip`, or the out that was chosen.
    """
    if annotation.changed_by not in ("", annotation.worker):
        return "unconfirmed"
    if annotation.problem:
        return "unreadable"
    if annotation.skipped:
        return "skip"
    return "unreadable" if annotation.answer is None else annotation.answer.out


def is_answer(annotation: Annotation) -> bool:
    """Whether it stands for one of the people whom its task is asked of; a skip, and another's hand, do not."""
    return out_of(annotation) not in ("skip", "unconfirmed")


def wants_people(task: Task, heard: Sequence[Annotation]) -> bool:
    """Whether a task still needs somebody, by its voices: fewer answers than asked for, and not skipped by too many.

    >>> task = Task("t1", 1, "item", 0, "classify", "1", "", {})
    >>> wants_people(task, ()), wants_people(task, [Annotation("7", "t1", "ana", None, "", 4.0, problem="empty")])
    (True, False)
    """
    skips = sum(out_of(one) == "skip" for one in heard)
    return sum(map(is_answer, heard)) < task.overlap and skips < SKIPS


def disagree(heard: Sequence[Annotation]) -> bool:
    """Whether people took different stances: their labels differ, or one gave labels and the other an out."""
    return len({(out_of(one), frozenset(one.answer.labels if one.answer else ())) for one in heard}) > 1


def voices(annotations: Iterable[Annotation]) -> Mapping[str, tuple[Annotation, ...]]:
    """Task key → what each person says of it now, one annotation a person.

    Of several annotations by one person on one task the last submitted counts; a skip counts only where that person
    gave no answer, and what another wrote in their name only where they did neither.
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
        answers = [one for one in spoken.get(task.key, ()) if is_answer(one)]
        if not max(task.overlap, 1) <= len(answers) < MOST_OPINIONS:
            continue
        if disagree(answers) or all(map(out_of, answers)):
            wanted[task.key] = len(answers) + 1
    return wanted


def _recency(annotation: Annotation) -> tuple[int, str, bool, str]:
    return annotation.revision, annotation.submitted, annotation.deleted, repr(annotation)


def _place(annotation: Annotation) -> tuple[str, str, str, str]:
    return annotation.task_key, annotation.worker, annotation.submitted, annotation.id


def _weight(annotation: Annotation) -> tuple[int, str, str]:
    return {"unconfirmed": 0, "skip": 1}.get(out_of(annotation), 2), annotation.submitted, annotation.id
