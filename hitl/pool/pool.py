"""The pool: items at rest, by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from hitl import markup
from hitl.errors import ConfigError, PoolError
from hitl.pool.checks import describe, ids_of, inspect, quarantine
from hitl.pool.columns import MOST_TEXT, NAMES, Columns, unreadable
from hitl.pool.keys import as_array, as_column, hash_text
from hitl.pool.opening import open_source
from hitl.pool.source import PART_ROWS, ParquetSource, Source
from hitl.types import Floats, Ints, Keys


@dataclass(frozen=True)
class Batch:
    """Consecutive items of a pool: the position of the first, and their columns."""

    start: int
    table: pa.Table

    def __len__(self) -> int:
        return len(self.table)

    @property
    def positions(self) -> Ints:
        """Where these items are in the pool, (b,)."""
        return np.arange(self.start, self.start + len(self), dtype=np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Pool:
    """Items by column, opened and not loaded: n rows, of which memory holds a key and a reach each.

    A position is the number of an item among the rows that were kept, from 0. Tables that the pool gives have the
    columns id, text, media, reach, region, language, modality, received, flags and the facets; what the source lacks
    reads as "", reach 1, flags 0 or no time. Open one with `Pool.open`.
    """

    name: str
    columns: Columns
    keys: Keys  # (n,) hash of the id alone
    reach: Floats  # (n,) views
    _source: Source
    _kept: Ints | None = None  # (n,) rows of the source, None when all
    quarantined: int = 0
    quarantine_file: Path | None = None
    shards: tuple[str, ...] = ()  # Parquet files it was opened from, in the order of its rows; none if from elsewhere
    folder: Path | None = None  # of the file it was opened from, which references to media are relative to

    @classmethod
    def open(
        cls,
        source: Any,
        *,
        text: str | None = None,
        media: str | None = None,
        id: str | None = None,  # noqa: A002
        reach: str | None = None,
        region: str | None = None,
        language: str | None = None,
        modality: str | None = None,
        received: str | None = None,
        flags: str | None = None,
        facets: Sequence[str] = (),
        on_error: Literal["raise", "quarantine"] = "raise",
        quarantine_to: str | Path | None = None,
        name: str | None = None,
    ) -> Pool:
        """Open a pool and check that it can be used, in one pass over its ids, reach and times.

        `source` is a path (Parquet file or folder, CSV, JSONL, Arrow), "hub:NAME" or "hub:NAME:SPLIT", a
        `datasets.Dataset` or a `pa.Table`. The other names are columns of it; `text` and `id` default to columns of
        those names, and the row number is the id where there is none. Raises `PoolError` naming the first rows that
        cannot be used, or with `on_error="quarantine"` writes them to `quarantine_to` (JSONL) and goes on without
        them; raises `ConfigError` for a column that is not there. O(n) time, 16 bytes an item in memory.

        >>> import pyarrow as pa
        >>> items = pa.table({"id": ["a", "b"], "text": ["zonk wub", "plim"], "views": [10, 2]})
        >>> pool = Pool.open(items, reach="views")
        >>> pool
        Pool('table': 2 items, 12 views; id, text, reach='views')
        >>> pool.texts([1]), pool.reach.tolist()
        (['plim'], [10.0, 2.0])
        """
        if on_error not in ("raise", "quarantine"):
            raise ConfigError(f'on_error={on_error!r}: choose "raise" or "quarantine"')
        given = Columns(text, media, id, reach, region, language, modality, received, flags, tuple(facets))
        opened = open_source(source, given)
        columns = given.within(opened.schema, name or opened.name)
        try:
            found = inspect(opened, columns)
        except (pa.ArrowException, OSError) as error:
            raise PoolError(
                f"pool {opened.name!r}: a part of it cannot be read ({type(error).__name__}); write the file again"
            ) from error
        if not found.faults:
            keys, views = _fixed(found.keys), _fixed(found.reach)
            return cls(
                name or opened.name, columns, keys, views, opened, shards=_shards(source), folder=_folder(source)
            )
        if on_error == "raise":
            raise describe(found, opened, columns)
        bad = found.bad_rows
        file = quarantine(found, opened, _quarantine_path(source, quarantine_to))
        kept = np.delete(np.arange(len(found.keys), dtype=np.int64), bad)
        keys, views = _fixed(found.keys[kept]), _fixed(found.reach[kept])
        return cls(
            name or opened.name,
            columns,
            keys,
            views,
            opened,
            _fixed(kept),
            len(bad),
            file,
            _shards(source),
            _folder(source),
        )

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def fingerprint(self) -> str:
        """24 hex digits that change with the ids, the choice of columns and their content.

        Content is told by its hash, or for large Parquet by the statistics in its footer; computed once.
        """
        digest = blake2b(repr((self.columns, len(self))).encode(), digest_size=12)
        digest.update(self.keys.tobytes())
        digest.update(self._source.digest(self.columns.raw(self.columns.names)).encode())
        return digest.hexdigest()

    def ids(self, positions: Sequence[int] | Ints) -> list[str]:
        """The ids at these positions; raises `PoolError` for a position outside the pool."""
        return ids_of(self._source, self.columns, self._rows(positions))

    def texts(self, positions: Sequence[int] | Ints) -> list[str]:
        """The texts at these positions, "" where an item has none."""
        texts: list[str] = self.rows(positions, ["text"])["text"].to_pylist()
        return texts

    def rows(self, positions: Sequence[int] | Ints, columns: Sequence[str] | None = None) -> pa.Table:
        """The items at these positions, in this order, as a table of the pool's columns (or those named).

        Reads only the row groups that hold them. O(rows of those groups) time, one group in memory.
        """
        wanted, rows = self._wanted(columns), self._rows(positions)
        raw = self.columns.raw(wanted)
        return self._sound(self.columns.read(self._source.take(rows, raw) if raw else None, rows, wanted), rows)

    def _sound(self, table: pa.Table, rows: Ints) -> pa.Table:
        """The table; raises `PoolError` for a text that opening did not look at, as statistics proved it present."""
        if "text" in table.column_names and isinstance(self._source, ParquetSource):
            for reason, bad in unreadable(table["text"], MOST_TEXT).items():
                row = int(rows[int(bad.argmax())])
                raise PoolError(f"pool {self.name!r}, row {row:,}: its text {reason}; mend it, or take the row out")
        return table

    def position_of(self, ids: Sequence[str]) -> Ints:
        """Where these ids are in the pool, (m,); raises `PoolError` naming those that it does not hold.

        O(m log n) after the first call, which sorts the keys: 8 more bytes an item.
        """
        asked = hash_text(pa.array(list(ids), pa.string()))
        missing, found = np.ones(len(asked), dtype=np.bool_), np.zeros(len(asked), dtype=np.int64)
        if len(self):
            at = np.searchsorted(self.keys, asked, sorter=self._order)
            found[:] = self._order[np.minimum(at, len(self) - 1)]
            missing = self.keys[found] != asked
        if missing.any():
            named = [ids[at] for at in np.flatnonzero(missing)[:3].tolist()]
            raise PoolError(
                f"pool {self.name!r} does not hold {int(missing.sum()):,} of the {len(asked):,} ids asked for (first: "
                f"{', '.join(map(repr, named))}); check that this is the pool they were taken from"
            )
        return found

    @cached_property
    def _order(self) -> Ints:
        order: Ints = _fixed(np.argsort(self.keys, kind="stable").astype(np.int64))
        return order

    def codes(self, name: str) -> tuple[Ints, tuple[str, ...]]:
        """A naming column as numbers: codes (n,) into the sorted names beside them, "" for what is missing.

        `name` is region, language, modality or a facet; raises `ConfigError` for another. Read once and kept: 8 bytes
        an item.
        """
        if name not in (*NAMES, *self.columns.facets):
            known = ", ".join((*NAMES, *self.columns.facets))
            raise ConfigError(
                f"pool {self.name!r} has no names in {name!r}; choose one of {known}, or add it to facets"
            )
        if name not in self._codes:
            self._codes[name] = self._encode(name)
        return self._codes[name]

    @cached_property
    def _codes(self) -> dict[str, tuple[Ints, tuple[str, ...]]]:
        return {}

    def _encode(self, name: str) -> tuple[Ints, tuple[str, ...]]:
        codes = np.empty(len(self), dtype=np.int64)
        known: dict[str, int] = {}
        for batch in self.batches(PART_ROWS, [name]):
            local = batch.table[name].combine_chunks().dictionary_encode()
            seen = [known.setdefault(value, len(known)) for value in local.dictionary.to_pylist()]
            codes[batch.start : batch.start + len(batch)] = np.array(seen, dtype=np.int64)[
                as_array(local.indices, np.int64)
            ]
        names = sorted(known) or [""]
        place = {value: at for at, value in enumerate(names)}
        rank = np.array([place[value] for value in known], dtype=np.int64)
        return _fixed(rank[codes] if len(codes) else codes), tuple(names)

    def batches(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """All items in order, `size` at a time (the last batch may be smaller), with the pool's columns or those named.

        One streaming pass; O(size) memory beside what one read of the source takes.
        """
        if size < 1:
            raise ConfigError(f"batches of {size} items cannot be made; give a size of 1 or more")
        start, held = 0, pa.table({})
        for table in self._stream(self._wanted(columns)):
            held = pa.concat_tables([held, table]) if len(held) else table
            while len(held) >= size:
                yield Batch(start, held.slice(0, size))
                start, held = start + size, held.slice(size)
        if len(held):
            yield Batch(start, held)

    def _stream(self, wanted: Sequence[str]) -> Iterator[pa.Table]:
        raw = self.columns.raw(wanted)
        bounds = self._source.bounds
        for part, row in enumerate(bounds[:-1].tolist()):
            pieces = self._source.read(part, raw, PART_ROWS) if raw else iter([None])
            for piece in pieces:
                length = len(piece) if piece is not None else int(bounds[part + 1]) - row
                table = self.columns.read(piece, np.arange(row, row + length, dtype=np.int64), wanted)
                rows: Ints = np.arange(row, row + length, dtype=np.int64)
                if self._kept is not None:
                    first, last = np.searchsorted(self._kept, [row, row + length])
                    rows = self._kept[first:last]
                    table = table.take(as_column(rows - row))
                row += length
                yield self._sound(table, rows)

    def _wanted(self, columns: Sequence[str] | None) -> list[str]:
        unknown = [name for name in columns or () if name not in self.columns.names]
        if unknown:
            raise ConfigError(
                f"pool {self.name!r} has no column {unknown[0]!r}; it has {', '.join(self.columns.names)}"
            )
        return list(self.columns.names if columns is None else columns)

    def _rows(self, positions: Sequence[int] | Ints) -> Ints:
        asked = np.asarray(positions, dtype=np.int64).reshape(-1)
        if len(asked) and (asked.min() < 0 or asked.max() >= len(self)):
            worst = int(asked.min() if asked.min() < 0 else asked.max())
            raise PoolError(f"pool {self.name!r} has positions 0 to {len(self) - 1:,}; {worst:,} is none of them")
        return asked if self._kept is None else self._kept[asked]

    def __repr__(self) -> str:
        named = [(part, getattr(self.columns, part)) for part in self.columns.names[:9]]
        told = [part if part == column else f"{part}={column!r}" for part, column in named if column is not None]
        told += [f"facets {', '.join(self.columns.facets)}"] if self.columns.facets else []
        views = f", {self.reach.sum():,.0f} views" if self.columns.reach else ""
        aside = f", {self.quarantined:,} quarantined" if self.quarantined else ""
        return f"Pool({self.name!r}: {len(self):,} items{views}{aside}; {', '.join(told)})"

    def _repr_html_(self) -> str:
        """What the pool is, without its content."""
        rows = [("items", f"{len(self):,}"), ("views", f"{self.reach.sum():,.0f}" if self.columns.reach else "1 each")]
        if self.quarantined:
            rows.append(("quarantined", f"{self.quarantined:,} in {self.quarantine_file}"))
        for part in self.columns.names[:9]:
            column = getattr(self.columns, part)
            rows += [(part, f"column {column}")] if column is not None else []
        rows += [("facets", ", ".join(self.columns.facets))] if self.columns.facets else []
        return markup.table(["", ""], rows, caption=f"Pool {self.name}")


def _fixed(values: Any) -> Any:
    values.setflags(write=False)
    return values


def _shards(source: Any) -> tuple[str, ...]:
    """The Parquet files that a source names, in the order in which they are opened."""
    if not isinstance(source, str | Path) or str(source).startswith("hub:"):
        return ()
    path = Path(source).absolute()
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    return tuple(str(file) for file in files if file.suffix.lower() in (".parquet", ".pq"))


def _folder(source: Any) -> Path | None:
    """The folder of the file that a source names, or the folder itself."""
    if not isinstance(source, str | Path) or str(source).startswith("hub:"):
        return None
    path = Path(source).absolute()
    return path if path.is_dir() else path.parent


def _quarantine_path(source: Any, chosen: str | Path | None) -> Path:
    if chosen is not None:
        return Path(chosen)
    if isinstance(source, str | Path) and not str(source).startswith("hub:"):
        return Path(source).with_suffix(".quarantine.jsonl")
    raise ConfigError('on_error="quarantine" needs a file for the rows set aside; give quarantine_to="FILE.jsonl"')
