"""What is looked at when a pool opens: ids unique, content present, reach possible, times readable."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.errors import ConfigError, PoolError
from hitl.pool.columns import MODALITIES, MOST_NAME, MOST_TEXT, Columns, times, unreadable
from hitl.pool.keys import as_array, as_mask, hash_text, repeated
from hitl.pool.source import Source
from hitl.types import Bools, Floats, Ints, Keys

READ_ROWS = 1 << 17
_SHOWN = 3
_MOST_REACH = 1e15  # sums of such numbers stay finite and exact


@dataclass(frozen=True, eq=False)
class Fault:
    """One thing wrong with some rows of the source, numbered from 0, ascending."""

    reason: str
    rows: Ints


@dataclass(frozen=True, eq=False)
class Inspection:
    """What one pass over the source found: keys and reach of every row, and what is wrong with some."""

    keys: Keys
    reach: Floats
    faults: tuple[Fault, ...]

    @property
    def bad_rows(self) -> Ints:
        """All rows with a fault, ascending."""
        found = [fault.rows for fault in self.faults]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


@dataclass(eq=False)
class _Pass:
    """The arrays that the parts of a source, read side by side, fill each in its own place."""

    source: Source
    columns: Columns
    keys: Keys
    reach: Floats
    faults: dict[str, list[Ints]] = field(default_factory=dict)

    def note(self, reason: str, bad: Bools, start: int) -> None:
        if bad.any():
            self.faults.setdefault(reason, []).append(np.flatnonzero(bad) + start)


def inspect(source: Source, columns: Columns) -> Inspection:
    """Check every row in one streaming pass on all cores; nothing is raised, faults are told.

    Reads the columns id, reach and received; content only in the parts whose statistics do not prove it present.
    O(n) time, two 8-byte numbers a row in memory.
    """
    total = int(source.bounds[-1])
    counted = columns.reach is not None
    reach = np.empty(total) if counted else np.broadcast_to(np.float64(1.0), total)
    seen = _Pass(source, columns, np.empty(total, dtype=np.uint64), reach)
    with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1))) as threads:
        for _ in threads.map(lambda part: _inspect_part(seen, part), range(len(source.bounds) - 1)):
            pass
    faults = [Fault(reason, np.sort(np.concatenate(rows))) for reason, rows in sorted(seen.faults.items())]
    without_id = next((fault.rows for fault in faults if fault.reason == _NO_ID), np.empty(0, dtype=np.int64))
    doubled = _doubled(source, columns, np.setdiff1d(repeated(seen.keys), without_id, assume_unique=True))
    if len(doubled):
        faults.append(Fault("id stands on an earlier row already", doubled))
    return Inspection(seen.keys, seen.reach, tuple(faults))


_NO_ID = "id is missing or blank"


def _inspect_part(seen: _Pass, part: int) -> None:
    source, columns = seen.source, seen.columns
    content = [name for name in (columns.text, columns.media) if name is not None]
    unproven = [] if any(source.surely_filled(part, name) for name in content) else content
    check_ids = columns.id is not None and not source.surely_filled(part, columns.id)
    known = [columns.modality] if columns.modality is not None else []
    raw = dict.fromkeys([*columns.raw(("id", "reach", "received")), *unproven, *known])
    for start, table, length in _pieces(source, part, list(raw)):
        rows = np.arange(start, start + length, dtype=np.int64)
        place = slice(start, start + length)
        read = columns.read(table, rows, ["id"] if columns.reach is None else ["id", "reach"])
        seen.keys[place] = hash_text(read["id"])
        if check_ids:
            seen.note(_NO_ID, _blank(read["id"]), start)
            for reason, bad in unreadable(read["id"], MOST_NAME).items():
                seen.note(f"id {reason}", bad, start)
        for name in known:
            here = pc.is_in(pc.fill_null(table[name].cast(pa.string()), ""), value_set=pa.array(MODALITIES))
            seen.note(f"{name} is none of {', '.join(filter(None, MODALITIES))}", ~as_mask(here), start)
        if columns.reach is not None:
            views = as_array(read["reach"], np.float64)
            seen.reach[place] = views
            seen.note("reach is missing, negative or not finite", ~(np.isfinite(views) & (views >= 0)), start)
            seen.note(f"reach is above {_MOST_REACH:g}", np.isfinite(views) & (views > _MOST_REACH), start)
        if columns.received is not None:
            seen.note("received is no time", _no_time(table[columns.received]), start)
        if unproven:
            empty = np.logical_and.reduce([_blank(table[name]) for name in unproven])
            seen.note(f"{' and '.join(unproven)} missing or blank", empty, start)
            for name in unproven:
                most = MOST_TEXT if name == columns.text else MOST_NAME
                for reason, bad in unreadable(table[name].cast(pa.large_string()), most).items():
                    seen.note(f"{name} {reason}", bad, start)


def _pieces(source: Source, part: int, raw: Sequence[str]) -> Iterator[tuple[int, pa.Table, int]]:
    start, stop = int(source.bounds[part]), int(source.bounds[part + 1])
    if not raw:
        yield start, None, stop - start
        return
    for table in source.read(part, raw, READ_ROWS):
        yield start, table, len(table)
        start += len(table)


def _blank(column: pa.ChunkedArray) -> Bools:
    """Null, empty, or ASCII blanks only."""
    trimmed = pc.ascii_trim_whitespace(column.cast(pa.large_string()))
    lengths = pc.binary_length(trimmed)
    blank: Bools = as_array(pc.fill_null(lengths, 0) if lengths.null_count else lengths, np.int64) == 0
    return blank


def _no_time(column: pa.ChunkedArray) -> Bools:
    """Something stands there, and it is no time; a time that is not known is no fault."""
    if not pa.types.is_temporal(column.type) and not pa.types.is_null(column.type):
        unread = as_mask(times(column).is_null())
        return unread & ~_blank(column)
    return np.zeros(len(column), dtype=np.bool_)


def _doubled(source: Source, columns: Columns, rows: Ints) -> Ints:
    """Of rows with equal keys, those whose id truly stands on an earlier row."""
    if columns.id is None or not len(rows):
        return np.empty(0, dtype=np.int64)
    ids = columns.read(source.take(rows, [columns.id]), rows, ["id"])["id"].combine_chunks()
    codes = as_array(ids.dictionary_encode().indices, np.int64)
    _, first = np.unique(codes, return_index=True)
    later = np.ones(len(rows), dtype=np.bool_)
    later[first] = False
    return rows[later]


def describe(found: Inspection, source: Source, columns: Columns) -> PoolError:
    """The faults as one error: how many rows, the first of each kind, and what to do."""
    parts = []
    for fault in found.faults:
        first = fault.rows[:_SHOWN]
        ids = _ids_as_they_are(source, columns, first)
        shown = ", ".join(f"row {row} (id {_short(name)})" for row, name in zip(first.tolist(), ids, strict=True))
        more = ", …" if len(fault.rows) > _SHOWN else ""
        parts.append(f"{fault.reason}: {len(fault.rows):,} — {shown}{more}")
    return PoolError(
        f"pool {source.name!r}: {len(found.bad_rows):,} of {len(found.keys):,} rows cannot be used (rows are counted "
        f'from 0). {"; ".join(parts)}. Mend them, or open with on_error="quarantine" to set them aside in a file'
    )


def _ids_as_they_are(source: Source, columns: Columns, rows: Ints) -> list[str]:
    """The ids on these rows, whatever bytes they hold."""
    if columns.id is None:
        return [str(row) for row in rows.tolist()]
    held = _bytewise(source.take(rows, [columns.id]).cast(pa.schema([(columns.id, pa.large_string())])))
    return [(each or b"").decode("utf-8", "backslashreplace") for each in held[columns.id].to_pylist()]


def ids_of(source: Source, columns: Columns, rows: Ints) -> list[str]:
    """The ids on these rows of the source, "" where there is none."""
    raw = source.take(rows, [columns.id]) if columns.id is not None else None
    return [name or "" for name in columns.read(raw, rows, ["id"])["id"].to_pylist()]


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:39] + "…")


def quarantine(found: Inspection, source: Source, path: Path) -> Path:
    """Write each bad row to a JSONL file with its row number, reasons and content; the file that holds them.

    A file that is already there is kept: when it holds the same rows it is the answer, else the new one gets a number.
    Raises `ConfigError` when it cannot be written. O(bad rows).
    """
    rows = found.bad_rows
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False) as file:
            for start in range(0, len(rows), READ_ROWS):
                file.writelines(_bad_lines(found.faults, source, rows[start : start + READ_ROWS]))
        return _place(Path(file.name), path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise ConfigError(
            f"{str(path)!r}: the {len(rows):,} bad rows cannot be written there ({why}); name another file"
        ) from None


def _bad_lines(faults: Sequence[Fault], source: Source, rows: Ints) -> Iterator[str]:
    reasons: list[list[str]] = [[] for _ in rows]
    for fault in faults:
        for at in np.flatnonzero(np.isin(rows, fault.rows)).tolist():
            reasons[at].append(fault.reason)
    taken = source.take(rows, list(dict.fromkeys(source.schema.names)))
    for row, why, item in zip(rows.tolist(), reasons, _bytewise(taken).to_pylist(), strict=True):
        kept = {key: _plain(value) for key, value in item.items()}
        # In ASCII: no control, bidirectional or broken character of a bad row reaches whoever opens the file.
        yield json.dumps({"row": row, "reasons": why, "item": kept}, default=str) + "\n"


def _bytewise(table: pa.Table) -> pa.Table:
    """The table with its texts as bytes, which may be anything."""
    kinds = [
        field.with_type(pa.large_binary()) if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        else field
        for field in table.schema
    ]  # fmt: skip
    return table.cast(pa.schema(kinds))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        text = value[:MOST_TEXT].decode("utf-8", "backslashreplace")
        return text if len(value) <= MOST_TEXT else f"{text}… ({len(value):,} bytes)"
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _place(written: Path, path: Path) -> Path:
    """Give a finished file its name without taking anyone else's; the name it got."""
    try:
        for attempt in range(1, 1000):
            target = path if attempt == 1 else path.with_name(f"{path.stem}-{attempt}{path.suffix}")
            try:
                os.link(written, target)  # unlike a rename, refuses to replace
            except FileExistsError:
                if target.read_bytes() == written.read_bytes():
                    return target
            else:
                return target
        raise PoolError(f"{path}: 999 quarantine files of this name are there already; move them away")
    finally:
        written.unlink(missing_ok=True)
