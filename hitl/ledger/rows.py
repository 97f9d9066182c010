"""Rows of the record as the values that travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from hitl.types import Annotation, Answer, Pick, Resolution, Span, Task


def read_pick(row: RowMapping) -> Pick:
    """The pick that a row tells of."""
    return Pick(
        position=row["position"],
        item_id=row["item_id"],
        arm=row["arm"],
        score=row["score"],
        parts=row["parts"],
        inclusion=row["inclusion"],
        stratum=row["stratum"],
        stands_for=row["stands_for"],
        label=row["label"],
    )


def read_resolution(row: RowMapping) -> Resolution:
    """The resolution that a row tells of."""
    return Resolution(
        item_id=row["item_id"],
        position=row["position"],
        labels=None if row["labels"] is None else tuple(row["labels"]),
        confidence=row["confidence"],
        method=row["method"],
        policy_version=row["policy_version"],
        annotations=tuple(row["annotations"]),
        outs=row["outs"],
    )


def read_task(row: RowMapping) -> Task:
    """The task that a row tells of, with the people asked by now."""
    return Task(
        key=row["key"],
        round=row["round"],
        item_id=row["item_id"],
        position=row["position"],
        form=row["form"],
        policy_version=row["policy_version"],
        region=row["region"],
        data=row["data"],
        priority=row["priority"],
        overlap=row["asked"],
        predicted=row["predicted"],
        model_id=row["model_id"],
        queue=row["queue"],
    )


def read_annotation(row: RowMapping) -> Annotation:
    """The annotation that a row tells of."""
    return Annotation(
        id=row["id"],
        task_key=row["task_key"],
        worker=row["worker"],
        answer=None if row["answer"] is None else read_answer(row["answer"]),
        submitted=row["submitted"],
        seconds=row["seconds"],
        revision=row["revision"],
        skipped=row["skipped"],
        deleted=row["deleted"],
        problem=row["problem"],
        changed_by=row["changed_by"],
    )


def read_answer(told: Mapping[str, Any]) -> Answer:
    """The answer that JSON tells of; schemas 1 and 2 knew neither spans nor ratings."""
    return Answer(
        labels=tuple(told["labels"]),
        out=told["out"],
        note=told["note"],
        spans=tuple(Span(**span) for span in told.get("spans", ())),
        ratings=tuple((name, stars) for name, stars in told.get("ratings", ())),
    )
