"""Which columns of the source play which part, and the source's rows read in those parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.errors import ConfigError
from hitl.pool.keys import as_array, as_column, as_mask, as_text, holds_zero
from hitl.types import Bools, Ints

PARTS = ("id", "text", "media", "reach", "region", "language", "modality", "received", "flags")
"""What the columns of a pool are called, whatever they are called in the source."""

NAMES = ("region", "language", "modality")
MODALITIES = ("text", "image", "video", "audio", "conversation", "pair", "")
"""What an item can be; a blank is what its columns say."""

MOST_TEXT, MOST_NAME = 1 << 20, 1_000
"""Bytes of a text, and of an id, a reference or a name: more is no post, and no page shows it."""

_VIDEO = r"(?i)\.(mp4|mov|webm|mkv|avi|m4v)([?#].*)?$"
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Columns:
    """Column of the source for each part of an item; None where the source has none. `facets` keep their names."""

    text: str | None = None
    media: str | None = None
    id: str | None = None
    reach: str | None = None
    region: str | None = None
    language: str | None = None
    modality: str | None = None
    received: str | None = None
    flags: str | None = None
    facets: tuple[str, ...] = ()

    def within(self, schema: pa.Schema, where: str) -> Columns:
        """These columns with the defaults of this source; raises `ConfigError` naming the nearest of its columns.

        `text` and `id` default to columns of those names; all else is used only when named.
        """
        for part, column in self._named():
            if column not in schema.names:
                near = get_close_matches(column, schema.names, n=3, cutoff=0.5) or schema.names
                told = ", ".join(repr(name) for name in near[:12])
                raise ConfigError(f"{where}: {part}={column!r} is no column of it; did you mean {told}?")
        taken = [facet for facet in self.facets if facet in PARTS]
        if taken:
            raise ConfigError(f"{where}: facet {taken[0]!r} has the name of a part of every item; rename the column")
        settled = replace(self, facets=tuple(dict.fromkeys(self.facets)))
        if self.text is None and self.media is None and "text" in schema.names:
            settled = replace(settled, text="text")
        if self.id is None and "id" in schema.names:
            settled = replace(settled, id="id")
        if settled.text is None and settled.media is None:
            told = ", ".join(repr(name) for name in schema.names[:12])
            raise ConfigError(f"{where}: name the column that holds the content, text=... or media=... (it has {told})")
        doubled = [name for name in settled.raw(settled.names) if schema.names.count(name) > 1]
        if doubled:
            raise ConfigError(f"{where}: the column {doubled[0]!r} stands there twice; rename one of them")
        _check_types(settled, schema, where)
        return settled

    def _named(self) -> list[tuple[str, str]]:
        named = [(part, getattr(self, part)) for part in PARTS if getattr(self, part) is not None]
        return named + [("facets", facet) for facet in self.facets]

    def textual(self, available: Iterable[str]) -> list[str]:
        """Those columns of a source that hold text, whatever they look like."""
        parts = [self.id or "id", self.text or "text", self.media, self.region, self.language, self.modality]
        return [name for name in available if name in {*parts, self.received, *self.facets}]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the pool's own tables."""
        return (*PARTS, *self.facets)

    def raw(self, wanted: Sequence[str]) -> list[str]:
        """The columns of the source that the pool's columns `wanted` are read from."""
        found: dict[str, None] = {}
        for name in wanted:
            column = name if name in self.facets else getattr(self, name)
            if name == "modality" and column is None:
                column = self.media
            if column is not None:
                found[column] = None
        return list(found)

    def read(self, raw: pa.Table, rows: Ints, wanted: Sequence[str]) -> pa.Table:
        """Rows of the source as the pool's columns; a part that the source lacks reads as its default.

        `rows` (n,) numbers them in the source. Defaults: the row number for id, "" for names and content, reach 1,
        flags 0, no time.
        """
        return pa.table({name: self._column(name, raw, rows) for name in wanted})

    def _column(self, name: str, raw: pa.Table, rows: Ints) -> Any:
        column = name if name in self.facets else getattr(self, name)
        if name == "modality" and column is None:
            return _modality(None if self.media is None else _filled(raw[self.media]), len(rows))
        if column is None:
            return _default(name, rows)
        values = raw[column]
        if name == "text":
            return _filled(values, pa.large_string())
        if name in ("reach", "flags"):
            read = numbers(values)
            return as_column(np.nan_to_num(read) if name == "flags" else read)
        if name == "received":
            return times(values)
        return as_text(values) if name == "id" else _filled(values)


def _check_types(columns: Columns, schema: pa.Schema, where: str) -> None:
    """Refuse columns whose type can never be read as their part."""
    readable = {
        "id": (_is_text, pa.types.is_integer), "text": (_is_text,), "media": (_is_text,),
        "reach": (_is_number, _is_text), "flags": (_is_number, _is_text),
        "received": (pa.types.is_timestamp, pa.types.is_date, _is_text),
    }  # fmt: skip
    wanted = {"id": "text or whole numbers", "received": "timestamps or ISO 8601 text", "reach": "numbers"}
    for part, tests in readable.items():
        name = getattr(columns, part)
        if name is not None:
            kind = schema.field(name).type
            if not pa.types.is_null(kind) and not any(test(kind) for test in tests):
                told = wanted.get(part, "numbers" if part == "flags" else "text")
                raise ConfigError(f"{where}: column {name!r} ({part}) is of type {kind}; it must be {told}")
    for name in (*filter(None, (columns.region, columns.language, columns.modality)), *columns.facets):
        kind = schema.field(name).type
        if pa.types.is_nested(kind) or _is_bytes(kind):
            raise ConfigError(f"{where}: column {name!r} is of type {kind}; names must be text, or numbers")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view())


def _is_bytes(kind: pa.DataType) -> bool:
    fixed = pa.types.is_fixed_size_binary(kind)
    return bool(fixed or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or kind == pa.binary_view())


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _filled(values: pa.ChunkedArray, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    read = values.cast(kind or pa.string())
    return pc.fill_null(read, "") if read.null_count else read


def unreadable(values: pa.ChunkedArray, most: int) -> dict[str, Bools]:
    """What is wrong with some texts of a column, and which, (n,): too long, not UTF-8, or with a zero character."""
    found: dict[str, Bools] = {}
    lengths = as_array(pc.fill_null(pc.binary_length(values), 0), np.int64)
    if len(lengths) and int(lengths.max()) > most:
        found[f"is over {most:,} bytes"] = lengths > most
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        told = [each is None or _is_utf8(each) for each in values.cast(pa.large_binary()).to_pylist()]
        found["is not UTF-8"] = ~np.array(told, dtype=np.bool_)
    if any(holds_zero(chunk) for chunk in values.chunks):
        found["holds a zero character"] = as_mask(
            pc.fill_null(pc.match_substring(values.cast(pa.large_binary()), b"\0"), False)
        )
    return found


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _default(name: str, rows: Ints) -> Any:
    if name == "id":
        return as_column(rows).cast(pa.string())
    if name == "received":
        return pa.nulls(len(rows), _TIME)
    if name in ("reach", "flags"):
        return as_column(np.full(len(rows), float(name == "reach")))
    return pa.repeat(pa.scalar("", pa.large_string() if name == "text" else pa.string()), len(rows))


def _modality(media: pa.ChunkedArray | None, rows: int) -> Any:
    """Text where there is no media; video or image by the reference's suffix."""
    if media is None:
        return pa.repeat("text", rows)
    seen = pc.if_else(pc.match_substring_regex(media, _VIDEO), "video", "image")
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(media), ""), "text", seen)


def numbers(values: pa.ChunkedArray) -> Any:
    """A column as float64 (n,): nulls, and text that is no number, read as NaN."""
    if _is_text(values.type):
        import pandas as pd

        return pd.to_numeric(values.cast(pa.large_string()).to_pandas(), errors="coerce").to_numpy(dtype=np.float64)
    read = values.cast(pa.float64())
    return as_array(pc.fill_null(read, np.nan) if read.null_count else read, np.float64)


def times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as UTC timestamps (n,): nulls, and text that is no ISO 8601 time, read as null.

    A time without a zone is taken as UTC.
    """
    kind = values.type
    if _is_text(kind):
        import pandas as pd

        read = pd.to_datetime(values.cast(pa.large_string()).to_pandas(), format="ISO8601", errors="coerce", utc=True)
        return pa.chunked_array([pa.array(read, type=_TIME, from_pandas=True)])
    if (pa.types.is_timestamp(kind) and kind.tz is None) or pa.types.is_date(kind):
        return values.cast(pa.timestamp("us"), safe=False).cast(_TIME)
    return values.cast(_TIME, safe=False)
