"""CSV and JSONL, read once into Arrow with ids and texts kept as they are written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.json as pa_json

from hitl.errors import PoolError
from hitl.pool.columns import Columns

MOST_BYTES = 8 << 30
"""The largest file that comes into memory as a whole."""

MOST_DEPTH = 64
"""How deep an object of a line may nest: Arrow's reader overflows the stack of the process at some thousands."""

_HEADER = 1 << 20
_BLOCK = 1 << 24
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}\n"))
# One object must fit into a block.
_BLOCKS = pa_json.ReadOptions(block_size=_BLOCK)


def read_csv(path: Path, columns: Columns, delimiter: str = ",") -> pa.Table:
    """A CSV file as a table; ids, texts and names stay text ("007", "NA" and "" included).

    Raises `PoolError` with the lines that have the wrong number of fields. O(size) time and memory.
    """
    wrong: list[str] = []

    def refuse(row: Any) -> str:
        wrong.append(f"row {row.number - 2}: {row.actual_columns} fields" if row.number else "a row")
        return "skip"

    _check_size(path)
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
    if _swallowed(path, table):
        raise PoolError(f"{path}: row {len(table) - 1:,}: a quote opens there and never closes; close it, or double it")
    return table


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise PoolError(f"{path}: {size:,} bytes do not come into memory; convert the file to Parquet")


def _header(path: Path, delimiter: str) -> list[str]:
    with path.open("rb") as file:
        line = file.readline(_HEADER)
    if b"\0" in line:
        raise PoolError(f"{path}: its first line holds zero characters, so it is no text in UTF-8; convert the file")
    if len(line) == _HEADER:
        raise PoolError(f"{path}: its first line is over {_HEADER >> 20} MiB long, no header; write the columns' names")
    if not line.strip():
        raise PoolError(f"{path}: begins with an empty line, or is empty; write the columns' names on the first line")
    try:
        return next(csv.reader([line.decode("utf-8-sig")], delimiter=delimiter), [])
    except UnicodeDecodeError:
        raise PoolError(f"{path}: its header is not UTF-8; write the file again in UTF-8") from None
    except csv.Error as error:
        raise PoolError(f"{path}: its first line is no header ({error}); write the columns' names there") from None


def _swallowed(path: Path, table: pa.Table) -> bool:
    """Whether the last value goes on to the end of the file over line breaks: its quote was never closed."""
    last = table.column(table.num_columns - 1)
    value = last[-1].as_py() if len(last) else None
    if not isinstance(value, str) or "\n" not in value:
        return False
    tail = value.replace('"', '""')[-64:].encode()
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(tail), 0))
        return file.read() == tail


def read_jsonl(path: Path, columns: Columns) -> pa.Table:
    """A file of one JSON object a line as a table; texts that look like times stay text.

    Raises `PoolError` naming the line that is not such an object. O(size) time and memory.
    """
    _check_size(path)
    _check_depth(path)
    try:
        table = pa_json.read_json(path, read_options=_BLOCKS)
        guessed = [name for name in columns.textual(table.column_names) if pa.types.is_timestamp(table[name].type)]
        if guessed:
            schema = pa.schema([(name, pa.string()) for name in guessed])
            table = pa_json.read_json(path, _BLOCKS, parse_options=pa_json.ParseOptions(explicit_schema=schema))
    except pa.ArrowInvalid:
        raise PoolError(f"{path}: {_first_bad(path)}; mend it, or convert the file") from None
    return table


def _check_depth(path: Path) -> None:
    """Refuse lines that nest too deep; brackets within texts are counted with the others until a line is suspicious."""
    for number, block in _blocks(path):
        content = np.frombuffer(block.translate(None, _NO_BRACKETS), dtype=np.uint8)
        steps = np.isin(content, (0x5B, 0x7B)).astype(np.int32) - np.isin(content, (0x5D, 0x7D))
        depth = np.cumsum(steps, dtype=np.int32)
        starts = np.flatnonzero(content[:-1] == 0x0A)  # a line break at the end begins no line
        before = np.repeat(np.r_[0, depth[starts]], np.diff(np.r_[0, starts + 1, len(content)]))
        suspicious = np.unique(np.searchsorted(starts, np.flatnonzero(depth - before > MOST_DEPTH)))
        lines = block.split(b"\n") if len(suspicious) else []
        for at in suspicious.tolist():
            if _nesting(lines[at]) > MOST_DEPTH:
                raise PoolError(f"{path}: line {number + at} nests over {MOST_DEPTH} deep; write it flatter")


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """The file in blocks of whole lines, each with the number of its first."""
    number = 1
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            block += file.readline()
            yield number, block
            number += block.count(b"\n")


def _nesting(line: bytes) -> int:
    """How deep a line of JSON nests, outside its texts."""
    deepest = depth = 0
    quoted = escaped = False
    for byte in line:
        if quoted:
            quoted = escaped or byte != 0x22
            escaped = not escaped and byte == 0x5C
        elif byte == 0x22:
            quoted = True
        else:
            depth += (byte in b"[{") - (byte in b"]}")
            deepest = max(deepest, depth)
    return deepest


def _first_bad(path: Path) -> str:
    """What is wrong with the first line that is not as those before it; only looked for when something is."""
    kinds: dict[str, str] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                read = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), object_pairs_hook=_once)
                json.dumps(read, ensure_ascii=False).encode()
            except UnicodeDecodeError:
                return f"line {number} is not UTF-8"
            except UnicodeEncodeError:
                return f"line {number} holds half a character (\\ud800 to \\udfff)"
            except KeyError:
                return f"line {number} holds a key twice"
            except (ValueError, RecursionError):
                return f"line {number} is not one JSON object"
            if not isinstance(read, dict):
                return f"line {number} is a {type(read).__name__} and not one JSON object"
            for name, value in read.items():
                kind = "number" if isinstance(value, int | float) else type(value).__name__
                if value is not None and kinds.setdefault(name, kind) != kind:
                    return f"line {number}: {name[:60]!r} is a {kind}, and a {kinds[name]} above"
    return "its lines differ in their fields" if kinds else "it holds no line"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise KeyError
    return dict(pairs)
