"""A pool as Parquet shards, on disk or in an object store: its blocks, and how any machine reads one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from hitl.errors import ConfigError, PoolError
from hitl.pool import Columns, Pool
from hitl.pool.source import ParquetSource
from hitl.types import Ints

BLOCK_ROWS = 1 << 18
"""Rows of a block: small row groups are joined up to this many."""

_FOOTERS_AT_ONCE = 16
_SECRET = re.compile(r"://[^/@]*:[^/@]*@|[?&][^=&]*(secret|token|password|key)[^=&]*=", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """Consecutive rows of one shard: those of its row groups `groups[0]` to before `groups[1]`."""

    path: str
    start: int  # of its first row among the rows of all shards
    rows: int
    groups: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ShardSource(ParquetSource):
    """Parquet read through a file system, all row groups or those of one block."""

    filesystem: Any = None
    groups: tuple[int, int] | None = None

    @cached_property
    def _parts(self) -> tuple[tuple[int, int], ...]:
        if self.groups is not None:
            return tuple((0, group) for group in range(*self.groups))
        return tuple((file, group) for file, meta in enumerate(self.metadata) for group in range(meta.num_row_groups))

    def read(self, part: int, columns: Sequence[str], size: int) -> Iterator[pa.Table]:
        """The rows of one part in order; raises `PoolError` naming the shard."""
        file, group = self._parts[part]
        path = str(self.paths[file])
        try:
            with (
                self.filesystem.open_input_file(path) as opened,
                pq.ParquetFile(opened, metadata=self.metadata[file], pre_buffer=True) as reader,
            ):
                for batch in reader.iter_batches(size, row_groups=[group], columns=list(columns), use_threads=False):
                    yield pa.Table.from_batches([batch]).select(list(columns))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, error) from error


@dataclass(frozen=True, eq=False)
class Shards:
    """A pool's shards in the order of their paths, which numbers the rows of all; small enough to be sent about."""

    where: str  # the path or URL that was given, which says the file system
    columns: Columns
    schema: pa.Schema
    blocks: tuple[Block, ...]

    @classmethod
    def open(cls, source: Any, columns: Columns | None = None, *, block_rows: int = BLOCK_ROWS) -> Shards:
        """Find the shards and read their footers; nothing else is read.

        `source` is a Parquet file, a folder of them or a list of files, each a path or the URL of an object store
        (pyarrow's own, or any that `fsspec` knows). Credentials come from the environment of each machine, never from
        the URL. Raises `PoolError` naming the shard that is missing, cannot be read or has other columns, and
        `ConfigError` for a URL with a secret in it. O(shards) time and memory.
        """
        given = [source] if isinstance(source, str | Path) else list(source)
        if not given:
            raise PoolError(
                "a pool needs at least one shard; give a Parquet file, a folder of them, or a list of files"
            )
        where = [absolute(str(path)) for path in given]
        filesystem = located(where[0])[0]
        if any(_store(path) != _store(where[0]) for path in where):
            raise ConfigError("shards must lie in one store, all with the same scheme and options in their URLs")
        paths = sorted({path for one in where for path in _files(one)})
        with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as threads:
            footers = list(threads.map(lambda path: footer(filesystem, path), paths))
        schema = footers[0].schema.to_arrow_schema()
        for path, meta in zip(paths, footers, strict=True):
            if not meta.schema.to_arrow_schema().equals(schema):
                raise PoolError(f"{path}: its columns differ from those of {paths[0]}; write both with one schema")
        settled = (columns or Columns()).within(schema, Path(paths[0]).name)
        return cls(where[0], settled, schema, tuple(_blocks(paths, footers, block_rows)))

    @classmethod
    def of(cls, pool: Pool) -> Shards:
        """The Parquet files that a pool was opened from, row by row as it has them; reads their footers.

        Raises `ConfigError` for a pool from elsewhere or without some of their rows, whose positions would be others,
        and `PoolError` when the files have changed since.
        """
        if not pool.shards:
            raise ConfigError(
                f"pool {pool.name!r} is not of Parquet files, which are what other machines read; write it as Parquet "
                "to a folder that they all see and open that, or take `compute: local`"
            )
        if pool.quarantined:
            raise ConfigError(
                f"pool {pool.name!r} leaves out {pool.quarantined:,} rows of its files (they are in "
                f"{pool.quarantine_file}), and other machines read the files as they are; write them without these "
                "rows, or take `compute: local`"
            )
        shards = cls.open(pool.shards, pool.columns)
        if len(shards) != len(pool):
            raise PoolError(
                f"pool {pool.name!r} was opened with {len(pool):,} rows, and its files have {len(shards):,} now; leave "
                "shards as they are while a campaign runs"
            )
        return shards

    def __len__(self) -> int:
        return sum(block.rows for block in self.blocks)

    def source(self, block: int) -> ShardSource:
        """One block as a source of rows, numbered from 0; opens its file and reads the footer."""
        filesystem, _ = located(self.where)
        chosen = self.blocks[block]
        meta = footer(filesystem, chosen.path)
        if not meta.schema.to_arrow_schema().equals(self.schema) or meta.num_row_groups < chosen.groups[1]:
            raise PoolError(f"{chosen.path}: is another file than when the scan began; leave shards as they are")
        return ShardSource((Path(chosen.path),), (meta,), chosen.path, filesystem, chosen.groups)

    def rows(self, rows: Ints, columns: Sequence[str]) -> pa.Table:
        """The items on these rows, in this order, as a table of the pool's columns; reads their row groups alone."""
        raw = self.columns.raw(columns)
        starts = np.array([block.start for block in self.blocks], dtype=np.int64)
        block_of = np.searchsorted(starts, rows, side="right") - 1
        order = np.argsort(block_of, kind="stable")
        pieces = [pa.schema([self.schema.field(name) for name in raw]).empty_table()]
        touched = np.unique(block_of).tolist()
        pieces += [self.source(block).take(rows[block_of == block] - starts[block], raw) for block in touched]
        found = pa.concat_tables(pieces).take(pa.array(np.argsort(order, kind="stable")))
        return self.columns.read(found, rows, columns)

    def __repr__(self) -> str:
        files = len({block.path for block in self.blocks})
        return f"Shards({len(self):,} rows in {files:,} shards, {len(self.blocks):,} blocks)"


def _blocks(paths: Sequence[str], footers: Sequence[pq.FileMetaData], most: int) -> Iterator[Block]:
    start = 0
    for path, meta in zip(paths, footers, strict=True):
        first, rows = 0, 0
        for group in range(meta.num_row_groups):
            size = meta.row_group(group).num_rows
            if rows and rows + size > most:
                yield Block(path, start, rows, (first, group))
                start, first, rows = start + rows, group, 0
            rows += size
        if rows:
            yield Block(path, start, rows, (first, meta.num_row_groups))
            start += rows


def absolute(path: str) -> str:
    """A path that means the same on every machine that has the folder; raises `ConfigError` for a secret in a URL."""
    if _SECRET.search(path):
        raise ConfigError(
            "a shard's URL holds a password, key or token; take it out, and give every machine the credentials by its "
            "environment or its role"
        )
    return path if "://" in path else str(Path(path).absolute())


def _store(path: str) -> tuple[str, str]:
    scheme, _, rest = path.rpartition("://")
    return scheme, rest.partition("?")[2] if scheme else ""


def located(where: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path on it; raises `ConfigError` for a scheme that nothing serves."""
    if "://" not in where:
        return pafs.LocalFileSystem(), where
    scheme = where.split("://")[0]
    try:
        filesystem, path = pafs.FileSystem.from_uri(where)
        return filesystem, str(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    except OSError as error:
        raise PoolError(f"{scheme}://…: the store cannot be reached ({type(error).__name__})") from error
    import fsspec

    try:
        opened, path = fsspec.core.url_to_fs(where)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"nothing here reads {scheme}:// ({type(error).__name__}); install the fsspec package that does, on every "
            "machine"
        ) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(opened)), str(path)


def _files(where: str) -> list[str]:
    filesystem, path = located(where)
    try:
        found = filesystem.get_file_info(path)
        if found.type == pafs.FileType.NotFound:
            raise PoolError(f"{path}: there is no such file; check the path")
        if found.type == pafs.FileType.File:
            return [path]
        inside = filesystem.get_file_info(pafs.FileSelector(path))
    except OSError as error:
        raise unreadable(path, error) from error
    files = sorted(info.path for info in inside if info.is_file and info.path.endswith(".parquet"))
    if not files:
        raise PoolError(f"{path}: a folder without *.parquet files; give a folder of Parquet files")
    return files


def footer(filesystem: Any, path: str) -> pq.FileMetaData:
    """A shard's footer; raises `PoolError` naming the shard."""
    try:
        with filesystem.open_input_file(path) as opened, pq.ParquetFile(opened) as reader:
            return reader.metadata
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: Exception) -> PoolError:
    """The error of a shard that cannot be read."""
    return PoolError(
        f"{path}: this shard cannot be read ({type(error).__name__}); see that every machine reaches it, and write it "
        "again if it is torn"
    )
