"""Lists of known hashes as they come from others."""

from __future__ import annotations

from pathlib import Path

from bad import Bad, file

from hitl.errors import ConfigError, DataError, HitlError
from hitl.hashes import HashList

HEX = "0f" * 32
HEAD = "kind,hash,label,source\n"


def listed(
    kind: str, content: str | bytes, *words: str, name: str = "l.csv", error: type[HitlError] = DataError
) -> Bad:
    return Bad(f"hashes: {kind}", file(name, content), HashList.load, error, (name, *words))


def lines(kind: str, content: str | bytes, *words: str, error: type[HitlError] = DataError) -> Bad:
    return listed(f"JSONL, {kind}", content, *words, name="l.jsonl", error=error)


CASES = [
    listed("nothing", "", "line 1", "kind is missing"),
    listed("columns of another kind", "hash,label\nx,y\n", "line 1", "kind is missing"),
    listed("a column too many", f"kind,hash,label,source,note\npdq,{HEX},a,b,c\n", "line 1", "'note' is unknown"),
    listed("a column twice", f"kind,hash,label,label\npdq,{HEX},a,b\n", "line 1", "twice"),
    listed("a value too few", f"{HEAD}pdq,{HEX}\n", "line 2", "2 values for 4 columns"),
    listed("a kind not known", f"{HEAD}md5,{HEX},a,b\n", "line 2", "'md5'", "one of sha256"),
    listed("a hash too short", f"{HEAD}pdq,0f0f,a,b\n", "line 2", "4 characters", "64 hex digits"),
    listed("a hash with other letters", f"{HEAD}pdq,{'zz' * 32},a,b\n", "line 2", "64 hex digits"),
    listed("no label", f"{HEAD}pdq,{HEX}, ,b\n", "line 2", "no label"),
    listed("a label that moves the terminal", f"{HEAD}pdq,{HEX},\x1b[2Ja,b\n", "line 2", "invisible"),
    listed("a label too long", f"{HEAD}pdq,{HEX},{'a' * 201},b\n", "line 2", "200 characters at most"),
    listed("a hash twice", f"{HEAD}pdq,{HEX},a,b\npdq,{HEX.upper()},a,b\n", "line 3", "line 2", "keep one"),
    listed("a quote that never closes", f'{HEAD}pdq,"{HEX},a,b\n', "line", "CSV"),
    listed("Latin-1", f"{HEAD}pdq,{HEX},é,b\n".encode("latin-1"), "UTF-8", error=ConfigError),
    listed("a zero", f"{HEAD}pdq,{HEX},a\0,b\n", "line 2"),
    listed("a field as long as a book", f"{HEAD}pdq,{'f' * 200_000},a,b\n", "line 2"),
    listed("a suffix not known", "x", ".csv or .jsonl", name="l.txt", error=ConfigError),
    lines("no JSON", "kind\n", "line 1", "one object a line"),
    lines("a list", "[1]\n", "line 1", "a list stands"),
    lines("a key missing", f'{{"kind": "pdq", "hash": "{HEX}"}}\n', "line 1", "label is missing"),
    lines("a hash as a number", '{"kind": "pdq", "hash": 5, "label": "a"}\n', "line 1", "must be text", "in quotes"),
    lines("nested without end", "[" * 60_000 + "\n", "line 1", "one object a line"),
    lines("half a character", f'{{"kind": "pdq", "hash": "{HEX}", "label": "\\ud800"}}\n', "line 1", "invisible"),
    lines("a line as long as a library", f'{{"kind": "{"x" * (1 << 21)}"}}\n', "line 1", "over"),
    Bad("hashes: no file", lambda where: where / "no.csv", HashList.load, ConfigError, ("no.csv", "check the path")),
    Bad("hashes: a path with a zero", lambda _: "a\0b.csv", HashList.load, ConfigError, ("cannot be read", "check")),
    Bad("hashes: a folder", lambda where: _folder(where / "d.csv"), HashList.load, ConfigError, ("d.csv", "cannot be")),
]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
