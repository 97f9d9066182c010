"""One person in the record: all that is held of them, and making it nobody's."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Engine, RowMapping, Table, Text, cast, or_, select, update

from hitl.ledger import tables
from hitl.ledger.access import Access
from hitl.ledger.columns import pack
from hitl.types import Annotation

ERASED = "erased-"
"""How the pseudonym begins that takes the place of somebody's whose data was erased."""

_NAMED = (
    (tables.annotations, "worker"),
    (tables.annotations, "changed_by"),
    (tables.foreign_annotations, "worker"),
    (tables.drafts, "worker"),
    (tables.intents, "key"),
    (tables.metrics, "label"),
)
"""Columns that may name a person, or hold the name in words."""

_TOLD = ((tables.events, "detail"), (tables.steps, "output"))
"""Columns of JSON that may name a person anywhere."""


@dataclass(frozen=True)
class Held:
    """What the record holds of one person, as plain rows; of steps and figures only what names them."""

    annotations: list[dict[str, Any]]  # every revision, as mirrored
    touched: list[dict[str, Any]]  # others' annotations that they changed last
    foreign_annotations: list[dict[str, Any]]
    drafts: list[dict[str, Any]]
    events: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    steps: list[dict[str, Any]]

    def __bool__(self) -> bool:
        return any(vars(self).values())


def held(rows: Access, worker: str) -> Held:
    """All that names a person, in fixed order; one pass over events and steps."""
    said, strange, begun = tables.annotations, tables.foreign_annotations, tables.drafts
    told = []
    for row in _naming(rows, tables.steps, "output", worker):
        about = list(_parts(row["output"], _whole(worker)))
        told += [{"round": row["round"], "step": row["step"], "completed": row["completed"], "about": about}]
    return Held(
        annotations=_plain(_rows(rows, said, said.c.worker == worker), "id", "revision"),
        touched=_plain(_rows(rows, said, said.c.changed_by == worker, said.c.worker != worker), "id", "revision"),
        foreign_annotations=_plain(_rows(rows, strange, strange.c.worker == worker), "id"),
        drafts=_plain(_rows(rows, begun, begun.c.worker == worker), "task_key"),
        events=_plain(_naming(rows, tables.events, "detail", worker), "number"),
        figures=_plain(_naming(rows, tables.metrics, "label", worker), "round", "sample", "rank"),
        steps=sorted(told, key=lambda one: (one["round"], one["completed"])),
    )


@dataclass(frozen=True)
class Erasure:
    """Whose data is erased, and what comes in its place.

    `fresh` is the new pseudonym, random and begun with `ERASED`. `forget` takes the words of people out of the detail
    of an event by its kind; `quoted` is how a task shows a note to others.
    """

    worker: str
    fresh: str
    forget: Callable[[str, Mapping[str, Any]], dict[str, Any]]
    quoted: Callable[[str], str]


def erase(rows: Access, erasure: Erasure) -> bool:
    """Put the new pseudonym in place of the old one everywhere, and take free text out; whether anything was there.

    Answers stay, with their times; notes go, and so do those that tasks quote to seniors. Names in text are found as
    whole words. One pass over events and steps, O(what names the person) written.
    """
    quoted = _take_notes(rows, erasure)
    renamed = [_rename_rows(rows, table, column, erasure) for table, column in (*_NAMED, *_TOLD)]
    return bool(quoted or any(renamed))


def kept(held: Annotation | None, told: Annotation) -> Annotation:
    """An annotation as the server tells of it now, with what was erased of the one that is `held` staying erased.

    The server knows its author still, or has made them nobody: neither may come back as an edit.
    """
    if held is None or not (held.worker.startswith(ERASED) or held.changed_by.startswith(ERASED)):
        return told
    worker, answer, by = told.worker, told.answer, told.changed_by
    if held.worker.startswith(ERASED):
        worker, answer = held.worker, replace(answer, note="") if answer else None
    same = (answer, told.skipped, told.problem) == (held.answer, held.skipped, held.problem)
    if by == told.worker:
        by = worker
    elif held.changed_by.startswith(ERASED) and (same or not by):
        by = held.changed_by
    return replace(told, worker=worker, answer=answer, changed_by=by)


def vacuum(engine: Engine) -> bool:
    """Give the pages back that held what was erased; whether that was done: others may be reading, or it is no SQLite.

    PostgreSQL lets go of old rows by itself, in time; its log, its copies and backups are their keeper's.
    """
    if engine.dialect.name != "sqlite":
        return False
    connection = engine.raw_connection()
    try:
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            connection.cursor().execute(statement)
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def _take_notes(rows: Access, erasure: Erasure) -> bool:
    """Empty the notes of somebody's answers, and where tasks on the same items quote them; whether there were any."""
    notes, keys = set[str](), set[str]()
    for table in (tables.annotations, tables.foreign_annotations):
        for row in list(_rows(rows, table, table.c.worker == erasure.worker)):
            keys.add(row["task_key"])
            if row["answer"] and row["answer"].get("note"):
                notes.add(erasure.quoted(row["answer"]["note"]))
                _write(rows, table, row, {"answer": {**row["answer"], "note": ""}})
    items = {row["item_id"] for row in rows.among(tables.tasks, "key", keys if notes else ())}
    for row in list(rows.among(tables.tasks, "item_id", items)):
        said = row["data"].get("opinions")
        if isinstance(said, str):
            for note in notes:
                said = said.replace(f"“{note}”", "“erased”")
            if said != row["data"]["opinions"]:
                _write(rows, tables.tasks, row, {"data": {**row["data"], "opinions": said}})
    return bool(notes)


def _rename_rows(rows: Access, table: Table, column: str, erasure: Erasure) -> bool:
    """Put the new pseudonym into one column; whether the old one was there."""
    old = erasure.worker
    if column in ("worker", "changed_by"):
        exact = update(table).where(rows.mine(table), table.c[column] == old).values({column: erasure.fresh})
        return bool(rows.connection.execute(exact).rowcount)
    naming = _naming(rows, table, column, old)
    for row in naming:
        now = _renamed(row[column], _whole(old), erasure.fresh)
        _write(rows, table, row, {column: erasure.forget(row["kind"], now) if table is tables.events else now})
    return bool(naming)


def _naming(rows: Access, table: Table, column: str, name: str) -> list[RowMapping]:
    """The rows whose column has the name as a whole word, anywhere in it."""
    # JSON is kept in ASCII, words as they are.
    likely = (cast(table.c[column], Text).contains(word, autoescape=True) for word in {name, pack(name)[1:-1]})
    whole = _whole(name)
    return [row for row in _rows(rows, table, or_(*likely)) if _renamed(row[column], whole, "") != row[column]]


def _whole(name: str) -> re.Pattern[str]:
    """A name as a whole word: no part of another, nor of an id that is made of it."""
    return re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")


def _renamed(value: Any, old: re.Pattern[str], fresh: str) -> Any:
    if isinstance(value, str):
        return old.sub(fresh, value)
    if isinstance(value, Mapping):
        return {_renamed(key, old, fresh): _renamed(held, old, fresh) for key, held in value.items()}
    return [_renamed(held, old, fresh) for held in value] if isinstance(value, list) else value


def _parts(value: Any, name: re.Pattern[str]) -> Iterator[Any]:
    """The innermost mappings and entries that the name stands in."""
    if isinstance(value, list):
        for one in value:
            yield from _parts(one, name)
    elif isinstance(value, Mapping):
        if any(isinstance(one, str) and name.search(one) for one in value.values()):
            yield dict(value)
            return
        for key, one in value.items():
            yield from [{key: one}] if name.search(key) else _parts(one, name)
    elif isinstance(value, str) and name.search(value):
        yield value


def _plain(found: Iterable[RowMapping], *order: str) -> list[dict[str, Any]]:
    rows = [{name: value for name, value in row.items() if name != "campaign"} for row in found]
    return sorted(rows, key=lambda row: tuple(row[name] for name in order))


def _rows(rows: Access, table: Table, *where: ColumnElement[bool]) -> Iterator[RowMapping]:
    yield from rows.connection.execute(select(table).where(rows.mine(table), *where)).mappings()


def _write(rows: Access, table: Table, row: RowMapping, values: Mapping[str, Any]) -> None:
    key = (column == row[column.name] for column in table.primary_key)
    rows.connection.execute(update(table).where(*key).values(dict(values)))
