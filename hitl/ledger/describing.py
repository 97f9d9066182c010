"""Telling what happened to an annotation, without content: for events that anybody may read."""

from __future__ import annotations

from typing import Any

from hitl.types import Annotation

Event = tuple[str, dict[str, Any]]
"""What kind of thing happened, and its detail."""


def begun(one: Annotation, earlier: Annotation | None) -> list[Event]:
    """What is to be told of a new annotation, `earlier` being the same person's there; nothing of a plain answer."""
    events = []
    if one.changed_by not in ("", one.worker):
        events.append(("annotation in another's name", detail(one, None, one)))
    if earlier is not None:
        events.append(("annotated again", detail(one, earlier, one)))
    elif one.skipped:
        events.append(("task skipped", detail(one, None, one)))
    return events


def detail(one: Annotation, before: Annotation | None, after: Annotation | None) -> dict[str, Any]:
    """Which annotation it is, whose, who touched it last, and how it was and is."""
    return {
        "annotation": one.id,
        "task": one.task_key,
        "worker": one.worker,
        "changed_by": after.changed_by if after else "",
        "before": None if before is None else said(before),
        "after": None if after is None else said(after),
    }


def said(one: Annotation) -> dict[str, Any]:
    """What was chosen and how long it took; that a note is there, not the note."""
    answer = one.answer
    return {
        "id": one.id,
        "task": one.task_key,
        "worker": one.worker,
        "labels": list(answer.labels) if answer else None,
        "out": answer.out if answer else "",
        "note": bool(answer and answer.note),
        "spans": len(answer.spans) if answer else 0,
        "ratings": [list(rating) for rating in answer.ratings] if answer else [],
        "seconds": one.seconds,
        "skipped": one.skipped,
        "deleted": one.deleted,
        "unreadable": bool(one.problem),
        "changed_by": one.changed_by,
    }


def differing(before: Annotation, now: Annotation) -> list[str]:
    """The names of what differs between two revisions, the number of the revision aside."""
    first, second = ({**vars(one), **(vars(one.answer) if one.answer else {}), "answer": None} for one in (before, now))
    names = sorted((first.keys() | second.keys()) - {"revision"})
    return [name for name in names if first.get(name) != second.get(name)]
