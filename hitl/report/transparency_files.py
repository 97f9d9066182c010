"""The table for a regulator as files: CSV (its rows) and JSON (all of it)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from hitl.errors import ConfigError, DataError
from hitl.history import TransparencyRow, TransparencyTable
from hitl.markup import inert, live
from hitl.report import render_json, replace_file

COLUMNS = tuple(TransparencyRow.__annotations__)
"""The columns of the CSV: the dimensions of a cell, a measure and its value, and what is said of it."""

_NUMBERS = {"period": int, "value": float, "low": float, "high": float, "level": float, "n": int}


def render_csv(rows: Iterable[TransparencyRow]) -> str:
    """Rows as CSV (RFC 4180: commas, quotes where needed, CRLF) with a header; what is not known is an empty cell.

    Words that a spreadsheet would run have a `'` before them, which `read_csv` takes off again.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row.get(name)) for name in COLUMNS] for row in rows)
    return out.getvalue()


def read_csv(text: str) -> list[TransparencyRow]:
    """The rows that `render_csv` wrote; raises `DataError` for other text."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if tuple(next(lines, ())) != COLUMNS:
            raise DataError("the header is not that of a table for a regulator; give a file that `hitl` wrote")
        return [_read(line) for line in lines]
    except (csv.Error, ValueError) as error:
        raise DataError(f"line {lines.line_num}: no row of a table for a regulator ({error}); mend the file") from None


def write_table(table: TransparencyTable, path: str | Path) -> Path:
    """Write the table to a .csv file (the rows) or a .json file (all of it), whole or not at all; the path.

    Raises `ConfigError` for another suffix, or where it cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".json"):
        raise ConfigError(f"{path}: the table is written as .csv or .json; name the file so")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, render_csv(table["rows"]) if suffix == ".csv" else render_json(cast(Any, table)))
    except OSError as error:
        why = error.strerror or error.__class__.__name__
        raise ConfigError(f"{path}: cannot be written ({why}); name another file") from None
    return path


def _cell(value: object) -> str:
    if value is None:
        return ""
    return inert(value) if isinstance(value, str) else repr(value)  # the shortest text that reads as the same number


def _read(line: list[str]) -> TransparencyRow:
    read: dict[str, Any] = {}
    for name, cell in zip(COLUMNS, line, strict=True):
        if name in _NUMBERS:
            read[name] = _NUMBERS[name](cell) if cell else None
        else:
            read[name] = None if name == "end" and not cell else live(cell)
    row: TransparencyRow = read  # type: ignore[assignment]
    return row
