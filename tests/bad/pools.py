"""Content that cannot be read, or rows of it that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from bad import Bad, file

from hitl.errors import ConfigError, HitlError, PoolError
from hitl.pool import Pool

GOOD = {"id": ["a", "b"], "text": ["zonk", "wub"]}
BROKEN = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])


def opened(**columns: Any) -> Callable[[Any], object]:
    return lambda source: Pool.open(source, **columns)


def written(kind: str, name: str, content: str | bytes, *words: str, **columns: Any) -> Bad:
    """A file that is refused as a whole."""
    return Bad(f"pool: {kind}", file(name, content), opened(**columns), PoolError, (name.split("/")[0], *words))


def column(kind: str, values: dict[str, Any], *words: str, error: type[HitlError] = ConfigError, **named: Any) -> Bad:
    """A table with a column of the wrong kind."""

    def make(folder: Path) -> Path:
        pq.write_table(pa.table(values), folder / "t.parquet")
        return folder / "t.parquet"

    return Bad(f"pool: {kind}", make, opened(**named), error, ("t.parquet", *words))


def row(kind: str, line: str, *words: str, **columns: Any) -> Bad:
    """A CSV file of which one row cannot be used."""
    content = f"id,text,reach,at,kind\ni0,zonk,5,2026-01-01,text\n{line}\n"
    return Bad(
        f"row: {kind}", file("rows.csv", content), opened(**columns), PoolError, ("1 of 2 rows", "row 1", *words)
    )


def nowhere(kind: str, source: object, *words: str) -> Bad:
    return Bad(f"pool: {kind}", lambda _: source, opened(), PoolError, words)


def folder(kind: str, files: dict[str, dict[str, Any] | bytes | None], *words: str) -> Bad:
    def make(where: Path) -> Path:
        (where / "pool").mkdir()
        for name, content in files.items():
            path = where / "pool" / name
            if content is None:
                path.mkdir()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                pq.write_table(pa.table(content), path)
        return where / "pool"

    return Bad(f"pool: {kind}", make, opened(), PoolError, ("pool", *words))


def _loop(where: Path) -> Path:
    (where / "loop.csv").symlink_to(where / "loop.csv")
    return where / "loop.csv"


def _aside(name: str) -> Callable[[Path], Any]:
    def call(path: Path) -> object:
        return Pool.open(path, on_error="quarantine", quarantine_to=path.parent / name)

    return call


def aside(kind: str, name: str, *words: str) -> Bad:
    made = file("rows.csv", "id,text\ni,zonk\ni,wub\n")
    return Bad(f"pool: {kind}", made, _aside(name), ConfigError, ("1 bad rows", "name another file", *words))


CASES: list[Bad] = [
    written("CSV of nothing", "a.csv", "", "first line"),
    written("CSV that begins with blank lines", "a.csv", "\n\nid,text\n", "first line"),
    written("CSV in Latin-1", "a.csv", "id,text\n1,café\n".encode("latin-1"), "row 2", "UTF-8"),
    written("CSV in UTF-16", "a.csv", "id,text\n1,x\n".encode("utf-16"), "zero characters", "UTF-8"),
    written("CSV with a header in Latin-1", "a.csv", "id,text,café\n".encode("latin-1"), "header is not UTF-8"),
    written("CSV with half a character", "a.csv", "id,text\n1,\ud800\n", "row 2", "UTF-8"),
    written("CSV with rows of too many fields", "a.csv", "id,text\n1,x,y\n2\n", "row 0: 3", "row 1: 1", "quote"),
    written("CSV with a quote that never closes", "a.csv", 'id,text\n1,"x\n2,y\n', "row 0", "never closes"),
    written("CSV with a header as long as a book", "a.csv", f"id,text,{'x' * 200_000}\n1,x,y\n", "no header"),
    written("CSV without a line break", "a.csv", "x" * (2 << 20), "over 1 MiB", "columns' names"),
    written("Parquet called CSV", "a.csv", b"PAR1\x15\x04\0\0", "zero characters", "convert"),
    Bad(
        "pool: CSV with a column twice",
        file("a.csv", "id,text,text\n1,x,y\n"),
        opened(),
        ConfigError,
        ("'text'", "twice"),
    ),
    Bad("pool: CSV without content", file("a.csv", "id,body\n1,x\n"), opened(), ConfigError, ("'body'", "text=")),
    Bad("pool: tabs called CSV", file("a.csv", "id\ttext\n1\tx\n"), opened(), ConfigError, ("a.csv", "text=")),
    written("JSONL of nothing", "a.jsonl", "", "no line"),
    written("JSONL in brackets", "a.jsonl", '[{"id": 1, "text": "x"}]\n', "line 1", "a list"),
    written("JSONL that ends in mid-line", "a.jsonl", '{"id": 1, "text": "x"}\n{"id": 2\n', "line 2", "mend"),
    written("JSONL of numbers", "a.jsonl", "3\n4\n", "line 1", "a int"),
    written("JSONL of two minds", "a.jsonl", '{"id": 1, "text": "x"}\n{"id": "b", "text": "y"}\n', "line 2", "'id'"),
    written("JSONL with a key twice", "a.jsonl", '{"id": 1, "text": "x", "text": "y"}\n', "line 1", "twice"),
    written("JSONL with half a character", "a.jsonl", '{"id": 1, "text": "\\ud800"}\n', "line 1", "half a character"),
    written("JSONL in UTF-16", "a.jsonl", '{"id": 1, "text": "x"}\n'.encode("utf-16"), "line 1", "UTF-8"),
    written("JSONL nested without end", "a.jsonl", f'{{"id": 1, "z": {"[" * 100_000}\n', "line 1", "64 deep"),
    written(
        "JSONL nested on its second line",
        "a.jsonl",
        f'{{"id": 1, "text": "x"}}\n{{"a":{"[" * 900}\n',
        "line 2",
        "flatter",
    ),
    written(
        "JSONL nested on a last line without an end", "a.jsonl", f'{{"id": 1}}\n{{"a":{"[" * 900}', "line 2", "64 deep"
    ),
    written("Parquet cut off", "a.parquet", b"PAR1\x15\x04\x15", "parquet", "write it again"),
    written("Parquet of nothing", "a.parquet", b"", "parquet", "write it again"),
    written("a text called Parquet", "a.parquet", b"id,text\n1,x\n", "parquet", "mend its suffix"),
    written("a text called Arrow", "a.arrow", b"id,text\n1,x\n", "arrow", "write it again"),
    written("Arrow of nothing", "a.arrow", b"", "arrow", "write it again"),
    written("a spreadsheet", "a.xlsx", b"PK\x03\x04", "unknown kind of file", "convert it"),
    written("CSV in gzip", "a.csv.gz", b"\x1f\x8b", "unknown kind of file", "convert it"),
    written("a file without a suffix", "content", b"x", "unknown kind of file", "convert it"),
    column("text in bytes", {"id": ["a"], "text": [b"x"]}, "'text'", "binary", "must be text"),
    column("text in lists", {"id": ["a"], "text": [["x"]]}, "'text'", "list", "must be text"),
    column("text in numbers", {"id": ["a"], "text": [1]}, "'text'", "int64", "must be text"),
    column("ids in days", {"id": [date(2026, 1, 1)], "text": ["x"]}, "'id'", "whole numbers"),
    column("ids in fractions", {"id": [1.5], "text": ["x"]}, "'id'", "whole numbers"),
    column("reach in lists", {**GOOD, "n": [[1], [2]]}, "'n'", "numbers", reach="n"),
    column("reach in truth values", {**GOOD, "n": [True, False]}, "'n'", "numbers", reach="n"),
    column("reach in times", {**GOOD, "n": [datetime(2026, 1, 1)] * 2}, "'n'", "numbers", reach="n"),
    column("times in numbers", {**GOOD, "at": [1, 2]}, "'at'", "ISO 8601", received="at"),
    column("regions in lists", {**GOOD, "r": [["a"], ["b"]]}, "'r'", "names must be", region="r"),
    column("languages in records", {**GOOD, "r": [{"a": 1}] * 2}, "'r'", "names must be", language="r"),
    column("facets in bytes", {**GOOD, "r": [b"\xff", b"b"]}, "'r'", "names must be", facets=["r"]),
    column("no columns", {}, "name the column"),
    column("a column misspelt", GOOD, "'txt'", "'text'", text="txt"),
    column("a column without a name", GOOD, "text=''", "did you mean", text=""),
    column("a facet called as a part", {**GOOD, "reach": [1, 2]}, "'reach'", "rename", facets=["reach"]),
    column("text that is not UTF-8", {"id": ["a"], "text": BROKEN}, "row 0", "not UTF-8", error=PoolError),
    column("nothing but nulls", {"id": pa.nulls(2), "text": pa.nulls(2)}, "row 0", "id is missing", error=PoolError),
    row("an id twice", "i0,wub,1,,", "stands on an earlier row", "(id 'i0')", "Mend them"),
    row("no id", ",wub,1,,", "id is missing or blank"),
    row("an id of blanks", "   ,wub,1,,", "id is missing or blank"),
    row("an id as long as a page", f"{'i' * 1001},wub,1,,", "id is over 1,000 bytes"),
    row("an id with a zero", "i\0j,wub,1,,", "id holds a zero"),
    row("no text", "i1,,1,,", "text missing or blank", "(id 'i1')"),
    row("a text of blanks", "i1,   ,1,,", "text missing or blank"),
    row("a text with a zero", "i1,a\0b,1,,", "text holds a zero"),
    row("a text as long as a library", f"i1,{'x' * 1_100_000},1,,", "text is over 1,048,576 bytes"),
    row("reach below zero", "i1,wub,-1,,", "reach is missing, negative", reach="reach"),
    row("no reach", "i1,wub,,,", "reach is missing", reach="reach"),
    row("reach in words", "i1,wub,many,,", "reach is missing", reach="reach"),
    row("reach that is no number", "i1,wub,nan,,", "not finite", reach="reach"),
    row("reach without end", "i1,wub,1e400,,", "not finite", reach="reach"),
    row("reach of more people than there are", "i1,wub,1e300,,", "reach is above 1e+15", reach="reach"),
    row("a time in words", "i1,wub,1,yesterday,", "received is no time", received="at"),
    row("a day that never was", "i1,wub,1,2026-02-31,", "received is no time", received="at"),
    row("a kind of content not known", "i1,wub,1,,hologram", "kind is none of text, image", modality="kind"),
    folder("a folder of nothing", {}, "*.parquet", "give a file"),
    folder(
        "files of different columns",
        {"a.parquet": GOOD, "b.parquet": {"id": ["c"], "body": ["x"]}},
        "b.parquet",
        "one schema",
    ),
    folder("a folder with a broken file", {"a.parquet": GOOD, "b.parquet": b"x"}, "write it again"),
    folder("a folder called as a file", {"a.parquet": None}, "write it again"),
    folder("an id in two files", {"a.parquet": GOOD, "b.parquet": GOOD}, "2 of 4 rows", "row 2 (id 'a')"),
    folder("half a saved data set", {"dataset_info.json": b"{}"}, "saved whole", "save it again"),
    nowhere("nothing", None, "NoneType", "give a path"),
    nowhere("a list of records", [GOOD], "list", "give a path"),
    nowhere("a file that is not there", "nowhere.csv", "'nowhere.csv'", "check the path"),
    nowhere("a path with a zero", "a\0b.csv", "check the path"),
    nowhere("a path too long", "a" * 4000 + ".csv", "no file can have this name"),
    nowhere("a path with half a character", "\ud800.csv", "check the path"),
    nowhere("a data set at the Hub without a name", "hub:", "'hub:OWNER/NAME'"),
    Bad("pool: a link to itself", _loop, opened(), PoolError, ("loop.csv", "check the path")),
    Bad(
        "pool: rows to be skipped",
        lambda _: pa.table(GOOD),
        opened(on_error="skip"),
        ConfigError,
        ("'skip'", '"raise"'),
    ),
    Bad(
        "pool: rows set aside from no file",
        lambda _: pa.table({"id": ["i", "i"], "text": ["x", "y"]}),
        opened(on_error="quarantine"),
        ConfigError,
        ("quarantine_to",),
    ),
    aside("rows set aside into a folder", "."),
    aside("rows set aside below a file", "rows.csv/aside.jsonl"),
    aside("rows set aside under a name with a zero", "a\0b"),
    aside("rows set aside under a name too long", "a" * 300),
]
