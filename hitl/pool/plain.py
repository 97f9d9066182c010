"""CSV and JSONL, read once into Arrow with ids and texts kept as they are written."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.json as pa_json

from hitl.errors import PoolError
from hitl.pool.columns import Columns

# One object must fit into a block.
_BLOCKS = pa_json.ReadOptions(block_size=1 << 24)


def read_csv(path: Path, columns: Columns, delimiter: str = ",") -> pa.Table:
    """A CSV file as a table; ids, texts and names stay text ("007", "NA" and "" included).

    Raises `PoolError` with the lines that have the wrong number of fields. O(size) time and memory.
    """
    wrong: list[str] = []

    def refuse(row: Any) -> str:
        wrong.append(f"row {row.number - 2}: {row.actual_columns} fields" if row.number else "a row")
        return "skip"

    header = _header(path, delimiter)
    table = pc_csv.read_csv(
        path,
        read_options=pc_csv.ReadOptions(use_threads=False),
        parse_options=pc_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse),
        convert_options=pc_csv.ConvertOptions(
            column_types={name: pa.string() for name in columns.textual(header)}, strings_can_be_null=False
        ),
    )
    if wrong:
        raise PoolError(
            f"{path}: {len(wrong):,} rows do not have the {len(header)} fields of the header ({'; '.join(wrong[:5])}); "
            "quote the fields that hold the separator"
        )
    return table


def _header(path: Path, delimiter: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        raise PoolError(f"{path}: its header is not UTF-8; write the file again in UTF-8") from error


def read_jsonl(path: Path, columns: Columns) -> pa.Table:
    """A file of one JSON object a line as a table; texts that look like times stay text.

    Raises `PoolError` naming the row that is not such an object. O(size) time and memory.
    """
    try:
        table = pa_json.read_json(path, read_options=_BLOCKS)
        guessed = [name for name in columns.textual(table.column_names) if pa.types.is_timestamp(table[name].type)]
        if guessed:
            schema = pa.schema([(name, pa.string()) for name in guessed])
            table = pa_json.read_json(path, _BLOCKS, parse_options=pa_json.ParseOptions(explicit_schema=schema))
    except pa.ArrowInvalid as error:
        row = re.search(r"in row (\d+)", str(error))
        where = f"row {row[1]} of the block" if row else "a row"
        raise PoolError(
            f"{path}: {where} is not one JSON object of the same fields a line; mend or convert it"
        ) from error
    return table
