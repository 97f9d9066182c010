"""From what the user names (a file, a folder, a Hub name, a table) to a `Source`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hitl.errors import PoolError
from hitl.pool.columns import Columns
from hitl.pool.source import DatasetSource, ParquetSource, Source, TableSource

SMALL_ROWS, SMALL_BYTES = 1 << 19, 64 << 20
"""Parquet under both is read once and kept in memory; the bytes are those of its encoded columns."""

_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".json": "jsonl", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip


def open_source(source: Any, columns: Columns) -> Source:
    """Open what the user named; raises `PoolError` with what is wrong and what to do.

    `source` is a path (Parquet file or folder of them, CSV, JSONL, Arrow), "hub:NAME" or "hub:NAME:SPLIT", a
    `datasets.Dataset` or a `pa.Table`. Parquet over 64 MB and Arrow files stay on disk; CSV and JSONL come into memory.
    """
    if isinstance(source, pa.Table):
        return TableSource(source)
    if isinstance(source, str) and source.startswith("hub:"):
        return _from_hub(source)
    if isinstance(source, str | Path):
        return _from_path(Path(source), columns)
    kind = type(source)
    if kind.__module__.split(".")[0] == "datasets":
        return _from_dataset(source, "dataset")
    raise PoolError(
        f"a pool cannot be opened from a {kind.__name__}; give a path, 'hub:NAME', a Dataset or a pyarrow.Table"
    )


def _from_dataset(dataset: Any, name: str) -> Source:
    if hasattr(dataset, "keys") and hasattr(dataset, "num_rows"):
        splits = ", ".join(repr(split) for split in dataset)
        raise PoolError(f"{name}: this is a DatasetDict; choose one of its splits: {splits}")
    if not hasattr(dataset, "num_rows") or not hasattr(dataset, "with_format"):
        raise PoolError(
            f"{name}: a streamed {type(dataset).__name__} cannot be read by row; load it without streaming=True"
        )
    return DatasetSource(dataset.with_format("arrow"), name)


def _from_hub(source: str) -> Source:
    _, name, split = [*source.split(":", 2), "train"][:3]
    if not name:
        raise PoolError(f"{source!r}: name the data set, as in 'hub:OWNER/NAME' or 'hub:OWNER/NAME:SPLIT'")
    import datasets

    try:
        dataset = datasets.load_dataset(name, split=split)
    except Exception as error:  # the loader raises whatever its many transports do
        raise PoolError(
            f"Hub data set {name!r}, split {split!r}, cannot be loaded ({type(error).__name__}); check its name, split "
            "and the network, or download it where there is one and give the path of its Parquet files"
        ) from error
    return _from_dataset(dataset, name)


def _from_path(path: Path, columns: Columns) -> Source:
    try:
        if not path.exists():
            raise PoolError(f"{str(path)!r}: there is no such file; check the path")
        if path.is_dir():
            return _from_folder(path)
    except (OSError, ValueError):  # a name too long, or with half a character
        raise PoolError(f"{str(path)[:200]!r}: no file can have this name; check the path") from None
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise PoolError(f"{path}: unknown kind of file; convert it to {', '.join(_SUFFIXES)}")
    try:
        if kind == "parquet":
            return _parquet((path,), path.name)
        if kind == "arrow":
            return TableSource(_arrow(path), path.name)
        from hitl.pool.plain import read_csv, read_jsonl

        table = (
            read_jsonl(path, columns) if kind == "jsonl" else read_csv(path, columns, "\t" if kind == "tsv" else ",")
        )
        return TableSource(table, path.name)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise PoolError(
            f"{path}: {_row(error)}cannot be read as {kind} ({type(error).__name__}); write it again, in UTF-8, or "
            "mend its suffix"
        ) from None


def _row(error: Exception) -> str:
    """Which row Arrow stumbled over, where it says so; its words may hold content, and are not repeated."""
    told = re.search(r"[Rr]ow #?(\d+)", str(error))
    return f"row {told[1]} " if told else ""


def _from_folder(path: Path) -> Source:
    files = tuple(sorted(path.glob("*.parquet")))
    if files:
        try:
            return _parquet(files, path.name)
        except (pa.ArrowException, OSError) as error:
            why = type(error).__name__
            raise PoolError(f"{path}: a Parquet file in it cannot be read ({why}); write it again") from None
    if (path / "dataset_info.json").exists() or (path / "dataset_dict.json").exists():
        import datasets

        try:
            return _from_dataset(datasets.load_from_disk(str(path)), path.name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = type(error).__name__
            raise PoolError(f"{path}: is no data set that was saved whole ({why}); save it again") from None
    raise PoolError(f"{path}: a folder without *.parquet files; give a file, or a folder of Parquet files")


def _parquet(paths: tuple[Path, ...], name: str) -> Source:
    metadata = tuple(pq.read_metadata(path) for path in paths)
    schema = metadata[0].schema.to_arrow_schema()
    for path, meta in zip(paths, metadata, strict=True):
        if not meta.schema.to_arrow_schema().equals(schema):
            raise PoolError(f"{path}: its columns differ from those of {paths[0].name}; write both with one schema")
    unpacked = sum(meta.row_group(group).total_byte_size for meta in metadata for group in range(meta.num_row_groups))
    if unpacked >= SMALL_BYTES or sum(meta.num_rows for meta in metadata) >= SMALL_ROWS:
        return ParquetSource(paths, metadata, name)
    return TableSource(pa.concat_tables([pq.ParquetFile(path).read() for path in paths]), name)


def _arrow(path: Path) -> pa.Table:
    """An Arrow IPC file or stream, memory-mapped."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except pa.ArrowInvalid:
        return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
