"""Who changed or deleted whose work, from the record's events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hitl.history import EventRow, TamperCount, TamperRow

CHANGED = "answer changed by another"
FORGED = "answer in another's name"
DELETED = "answer deleted"
TASK_DELETED = "task deleted with answers"
SETTING = "setting changed"

KINDS = (
    "annotation edited",
    "annotation restored",
    "annotation in another's name",
    "annotation deleted",
    "task deleted on the server",
    "setting changed",
)
"""The events that it is read from: `Ledger.events(*KINDS)`."""


def tampering(events: Iterable[EventRow]) -> list[TamperRow]:
    """What was done to people's work by others, the gravest first, what had been counted before the rest.

    An edit is told where somebody else than the worker touched the annotation last (`changed_by`, which the server
    keeps honestly even where `completed_by` is forged); people's edits of their own work are none of it. The community
    server does not tell who deleted an answer or task, nor who changed a setting: `by` is then empty, and a person may
    have taken back an answer of their own. Answers that went with their task are told with the task, once. O(e log e)
    time for e events.

    >>> detail = {"worker": "ana", "changed_by": "bo", "changed": ["labels"], "counted": True}
    >>> [row] = tampering([EventRow(number=1, at="", kind="annotation edited", detail=detail)])
    >>> row["severity"], row["told"]
    (3, "bo changed labels of ana's answer after it was counted")
    """
    rows = [(event["number"], row) for event in events for row in _rows(event)]
    order = sorted(rows, key=lambda pair: (-pair[1]["severity"], not pair[1]["counted"], pair[1]["at"], pair[0]))
    return [row for _, row in order]


def tamper_counts(rows: Sequence[TamperRow]) -> list[TamperCount]:
    """How often it happened by who did it, whose work it was, day and kind; the latest day first. O(r log r) time."""
    every: Counter[tuple[str, str, str, str]] = Counter()
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for row in rows:
        at = row["at"][:10], row["by"], row["whose"], row["kind"]
        every[at] += 1
        counted[at] += row["counted"]
    ordered = sorted(sorted(every, key=lambda at: at[1:]), key=lambda at: at[0], reverse=True)
    return [
        TamperCount(by=at[1], whose=at[2], day=at[0], kind=at[3], n=every[at], counted=counted[at]) for at in ordered
    ]


def _rows(event: EventRow) -> Iterator[TamperRow]:
    detail, kind = event["detail"], event["kind"]
    by, whose = str(detail.get("changed_by", "")), str(detail.get("worker", ""))
    after = " after it was counted" if detail.get("counted") else ""
    if kind in ("annotation edited", "annotation restored") and by not in ("", whose):
        what = ", ".join(detail.get("changed", ())) or "nothing visible"
        yield _row(event, 3, CHANGED, by, whose, f"{by} changed {what} of {whose}'s answer{after}")
    elif kind == "annotation in another's name":
        yield _row(event, 3, FORGED, by, whose, f"{by} made an answer in the name of {whose}")
    elif kind == "annotation deleted" and not detail.get("with_task"):
        told = f"{whose}'s answer was deleted{after}; the server does not tell by whom"
        yield _row(event, 2, DELETED, "", whose, told)
    elif kind == "task deleted on the server":
        lost = _lost(detail)
        if lost:
            told = (
                f"a task was deleted with {lost} annotation{'s' * (lost > 1)}{after}; the server does not tell by whom"
            )
            yield _row(event, 2, TASK_DELETED, "", "", told, lost)
    elif kind == "setting changed":
        told = f"{detail['setting']} was changed, and not by us; the server does not tell by whom"
        yield _row(event, 1, SETTING, "", "", told, 0)


def _lost(detail: dict[str, Any]) -> int:
    return int((detail.get("before") or {}).get("annotations", 0))


def _row(event: EventRow, severity: int, kind: str, by: str, whose: str, told: str, answers: int = 1) -> TamperRow:
    detail = event["detail"]
    return TamperRow(
        severity=severity,
        kind=kind,
        at=event["at"],
        by=by,
        whose=whose,
        task=str(detail.get("task", "")),
        annotation=str(detail.get("annotation", "")),
        counted=bool(detail.get("counted", False)),
        answers=answers,
        told=told,
    )
