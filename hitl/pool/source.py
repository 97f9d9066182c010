"""Where items lie at rest: Parquet read part by part, an Arrow table, or a `datasets.Dataset`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hitl.pool.keys import as_column, hash_text
from hitl.types import Ints

PART_ROWS = 1 << 18
"""Rows of one part of a source that has no row groups of its own."""


class Source(Protocol):
    """Rows of columns, cut into parts that can be read one by one and side by side."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def schema(self) -> pa.Schema:
        """The columns as they are called in the source."""

    @property
    def bounds(self) -> Ints:
        """First row of each part, and the number of rows at the end, (p + 1,)."""

    def read(self, part: int, columns: Sequence[str], size: int) -> Iterator[pa.Table]:
        """The rows of one part in order, in tables of at most about `size` rows."""

    def take(self, rows: Ints, columns: Sequence[str]) -> pa.Table:
        """The rows asked for, in the order asked for; only the parts that hold them are read."""

    def surely_filled(self, part: int, column: str) -> bool:
        """Whether statistics alone prove that a text column has no null and no blank in this part."""

    def digest(self, columns: Sequence[str]) -> str:
        """A hash that changes when the columns' content does."""


@dataclass(frozen=True, eq=False)
class TableSource:
    """An Arrow table, in memory or memory-mapped."""

    table: pa.Table
    name: str = "table"

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    @cached_property
    def bounds(self) -> Ints:
        return _even_bounds(len(self.table))

    def read(self, part: int, columns: Sequence[str], size: int) -> Iterator[pa.Table]:
        chosen = self.table.select(list(columns))
        stop = int(self.bounds[part + 1])
        for start in range(int(self.bounds[part]), stop, size):
            yield chosen.slice(start, min(size, stop - start))

    def take(self, rows: Ints, columns: Sequence[str]) -> pa.Table:
        return _take(self.table.select(list(columns)), rows)

    def surely_filled(self, part: int, column: str) -> bool:
        return False

    def digest(self, columns: Sequence[str]) -> str:
        return _content_digest(self, columns)


@dataclass(frozen=True, eq=False)
class DatasetSource:
    """A `datasets.Dataset`: its Arrow rows through its own index (after `select`, `shuffle` or `filter`)."""

    dataset: Any  # with format "arrow"
    name: str = "dataset"

    @cached_property
    def schema(self) -> pa.Schema:
        return self.dataset.features.arrow_schema

    @cached_property
    def bounds(self) -> Ints:
        return _even_bounds(len(self.dataset))

    def read(self, part: int, columns: Sequence[str], size: int) -> Iterator[pa.Table]:
        chosen = self.dataset.select_columns(list(columns))
        stop = int(self.bounds[part + 1])
        for start in range(int(self.bounds[part]), stop, size):
            yield chosen[start : min(start + size, stop)]

    def take(self, rows: Ints, columns: Sequence[str]) -> pa.Table:
        if not len(rows):
            return self.schema.empty_table().select(list(columns))
        return self.dataset.select_columns(list(columns))[rows]

    def surely_filled(self, part: int, column: str) -> bool:
        return False

    def digest(self, columns: Sequence[str]) -> str:
        return _content_digest(self, columns)


@dataclass(frozen=True, eq=False)
class ParquetSource:
    """One or more Parquet files with the same columns, read by row group and never as a whole."""

    paths: tuple[Path, ...]
    metadata: tuple[pq.FileMetaData, ...]
    name: str = "parquet"

    @cached_property
    def schema(self) -> pa.Schema:
        return self.metadata[0].schema.to_arrow_schema()

    @cached_property
    def _parts(self) -> tuple[tuple[int, int], ...]:
        return tuple((file, group) for file, meta in enumerate(self.metadata) for group in range(meta.num_row_groups))

    @cached_property
    def bounds(self) -> Ints:
        rows = [self.metadata[file].row_group(group).num_rows for file, group in self._parts]
        return np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)

    def read(self, part: int, columns: Sequence[str], size: int) -> Iterator[pa.Table]:
        file, group = self._parts[part]
        # A reader of its own: readers are not to be shared between threads, and with the footer known it costs nothing.
        with pq.ParquetFile(self.paths[file], metadata=self.metadata[file], memory_map=True) as reader:
            for batch in reader.iter_batches(size, row_groups=[group], columns=list(columns), use_threads=False):
                yield pa.Table.from_batches([batch]).select(list(columns))

    def take(self, rows: Ints, columns: Sequence[str]) -> pa.Table:
        part_of = np.searchsorted(self.bounds, rows, side="right") - 1
        order = np.argsort(part_of, kind="stable")
        pieces = []
        for part in np.unique(part_of).tolist():
            wanted = rows[part_of == part] - self.bounds[part]
            low, high = int(wanted.min()), int(wanted.max())
            pieces.append(_take(self._rows(part, columns, low, high + 1), wanted - low))
        if not pieces:
            return pa.schema([self.schema.field(name) for name in columns]).empty_table()
        return _take(pa.concat_tables(pieces), np.argsort(order, kind="stable"))

    def _rows(self, part: int, columns: Sequence[str], start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop` of one part; what lies behind them is not decoded."""
        pieces, seen = [], 0
        for piece in self.read(part, columns, PART_ROWS):
            pieces.append(piece.slice(max(start - seen, 0), max(stop - max(start, seen), 0)))
            seen += len(piece)
            if seen >= stop:
                break
        return pa.concat_tables(pieces)

    def surely_filled(self, part: int, column: str) -> bool:
        file, group = self._parts[part]
        chunk = self._chunk(file, group, column)
        found = chunk.statistics if chunk is not None and chunk.is_stats_set else None
        if found is None or not found.has_null_count or found.null_count or not found.has_min_max:
            return False
        # Text sorts by bytes: when the first one begins above every ASCII blank, none is empty or blank.
        return isinstance(found.min, str) and found.min[:1] > " "

    def digest(self, columns: Sequence[str]) -> str:
        """The footers tell: sizes, counts, least and greatest value of each column in each row group."""
        told: list[Any] = []
        for file, group in self._parts:
            for column in columns:
                chunk = self._chunk(file, group, column)
                found = chunk.statistics if chunk is not None and chunk.is_stats_set else None
                ends = [repr(found.min), repr(found.max), found.null_count] if found and found.has_min_max else []
                told.append([column, chunk and [chunk.total_compressed_size, chunk.total_uncompressed_size], *ends])
        return _hash([[meta.num_rows for meta in self.metadata], told])

    def _chunk(self, file: int, group: int, column: str) -> Any:
        at = self._leaves.get(column)
        return None if at is None else self.metadata[file].row_group(group).column(at)

    @cached_property
    def _leaves(self) -> dict[str, int]:
        group = self.metadata[0]
        return {group.schema.column(at).path: at for at in range(group.num_columns)}


def _take(table: pa.Table, rows: Ints) -> pa.Table:
    """`Table.take` by way of wide offsets: joined 32-bit text offsets overflow at 2 GB."""
    if table.nbytes > 1 << 30:
        wide = [
            field.with_type(pa.large_string()) if pa.types.is_string(field.type) else field for field in table.schema
        ]
        table = table.cast(pa.schema(wide))
    return table.take(as_column(rows))


def _even_bounds(rows: int) -> Ints:
    return np.append(np.arange(0, rows, PART_ROWS), rows).astype(np.int64)


def _content_digest(source: Source, columns: Sequence[str]) -> str:
    """Hash every value of the columns, in order; one streaming pass, O(content) time, O(part) memory."""
    digest = blake2b(digest_size=16)
    for part in range(len(source.bounds) - 1):
        for table in source.read(part, columns, PART_ROWS):
            for column in table.columns:
                digest.update(hash_text(_told(column)).tobytes())
    return digest.hexdigest()


def _told(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Any column as text; lists and records by their validity alone, for they are no column of a pool."""
    if pa.types.is_nested(column.type):
        return pc.cast(column.is_null(), pa.string())
    return column.cast(pa.large_string())


def _hash(values: Any) -> str:
    return blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()
