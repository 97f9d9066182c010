"""The counters of tasks: how many people answered and skipped, by what counts now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import or_, select

from hitl.history import EventRow
from hitl.labels.voices import is_answer, out_of, voices
from hitl.ledger import tables
from hitl.ledger.access import Access
from hitl.ledger.rows import read_annotation
from hitl.types import Annotation
from hitl.workforce.counting import uncounted


def events(rows: Access, *kinds: str) -> list[EventRow]:
    """What happened of these kinds, in order, as the transaction sees it."""
    table = tables.events.c
    query = select(table.number, table.at, table.kind, table.detail).where(rows.mine(tables.events))
    query = query.where(or_(*(table.kind == kind for kind in kinds))).order_by(table.number)
    return [cast(EventRow, dict(row)) for row in rows.connection.execute(query).mappings()]


def count_voices(rows: Access, keys: set[str], current: Iterable[Annotation], fresh: Sequence[EventRow] = ()) -> None:
    """Bring the counters of tasks up to what people say of them now, without what does not count.

    `current` are all annotations of these tasks at their last revisions; `fresh` what happened and is not written yet.
    """

    def so_far(*kinds: str) -> list[EventRow]:
        return [*events(rows, *kinds), *(event for event in fresh if event["kind"] in kinds)]

    said = [one for one in current if one.task_key in keys]
    gone = uncounted(said, so_far)
    heard, counted = voices(one for one in said if one.id not in gone), []
    for key in sorted(keys):
        mine = heard.get(key, ())
        skips = sum(out_of(one) == "skip" for one in mine)
        counted.append({"key": key, "answers": sum(map(is_answer, mine)), "skips": skips})
    rows.change(tables.tasks, ("key",), counted)


def recount(rows: Access, worker: str) -> set[str]:
    """Count anew the tasks that somebody answered; which. One pass over the annotations."""
    table = tables.annotations.c
    query = select(table.task_key).where(rows.mine(tables.annotations), table.worker == worker, table.latest).distinct()
    keys = set(rows.connection.execute(query).scalars())
    there = rows.among(tables.annotations, "task_key", keys, table.latest)
    count_voices(rows, keys, [read_annotation(row) for row in there])
    return keys
