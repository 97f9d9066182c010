"""Lists of hashes of content that was judged before, as they are passed from one team to another."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.errors import ConfigError, DataError
from hitl.hashes.bits import NEAR, Hashes, checked, from_hex, to_hex
from hitl.hashes.near import HammingIndex, Pairs
from hitl.markup import inert, live, visible
from hitl.pool.keys import as_array
from hitl.types import Ints

KINDS = {
    "sha256": "a file's bytes",
    "pdq": "a picture, or a frame of a clip",
    "text": "a text as it reads",
    "minhash": "a text and its near copies",
}
"""What the hashes of a list may be of; all are of 256 bits."""

_EXACT = ("sha256", "text")
_KEYS = ("kind", "hash", "label", "source")
_LONGEST, _LONGEST_WORD = 1 << 16, 200


class Entry(NamedTuple):
    """One line of a list: sha256, pdq, text or minhash; 64 hex digits; the label it deserves; who says so."""

    kind: str
    hash: str
    label: str
    source: str = ""


@dataclass(frozen=True, eq=False)
class HashList:
    """Known hashes by column: m kinds, hashes (m, 32), labels and sources. Make one with `of` or `load`."""

    kinds: tuple[str, ...]
    hashes: Hashes
    labels: tuple[str, ...]
    sources: tuple[str, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> HashList:
        """A list of these entries; raises `DataError` naming the first that is wrong or there twice.

        >>> HashList.of([Entry("pdq", "0f" * 32, "zonk", "our own")])
        HashList(1 pdq)
        """
        return _built((f"entry {at}", entry) for at, entry in enumerate(entries))

    @classmethod
    def load(cls, path: str | Path) -> HashList:
        """Read a list: CSV with the columns kind, hash, label and source (may be left out), or JSONL with these keys.

        Raises `ConfigError` when the file cannot be read, `DataError` naming file and line of the first mistake: an
        unknown kind, a hash that is not 64 hex digits, no label, the same kind and hash twice. O(m) time and memory.
        """
        path, read = Path(path), _csv if _suffix(path) == ".csv" else _jsonl
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return _built(read(_lines(file, path), path))
        except FileNotFoundError:
            raise ConfigError(f"{path}: there is no such file; check the path of the hash list") from None
        except (OSError, ValueError) as error:  # a zero in its path is a ValueError, and so are bytes that are no text
            raise ConfigError(
                f"{str(path)!r}: cannot be read ({type(error).__name__}); check the file, it must be UTF-8"
            ) from None

    def save(self, path: str | Path) -> None:
        """Write the list as `load` reads it, CSV or JSONL by the suffix; raises `ConfigError` when it cannot.

        In CSV a word that a spreadsheet would run as a formula has a `'` before it, which `load` takes off again.
        """
        path, suffix = Path(path), _suffix(path)
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                if suffix == ".csv":
                    rows = (
                        [entry.kind, entry.hash, inert(entry.label), inert(entry.source)] for entry in self.entries()
                    )
                    csv.writer(file, lineterminator="\n").writerows([_KEYS, *rows])
                else:
                    file.writelines(json.dumps(entry._asdict(), ensure_ascii=False) + "\n" for entry in self.entries())
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written ({error.strerror}); name another file") from None

    @cached_property
    def held(self) -> tuple[str, ...]:
        """The kinds that the list has entries of."""
        return tuple(kind for kind in KINDS if kind in self.kinds)

    def entries(self) -> Iterator[Entry]:
        """The lines of the list."""
        return map(Entry, self.kinds, to_hex(self.hashes), self.labels, self.sources)

    def find(self, kind: str, hashes: Hashes, within: int = NEAR) -> Pairs:
        """Which of n hashes (n, 32) are in the list as this kind: rows of `hashes`, entries of the list, bits apart.

        `sha256` and `text` must be equal, in O(n); `pdq` and `minhash` may differ in so many bits, see `HammingIndex`.
        Raises `ConfigError` for another kind.
        """
        if kind not in KINDS:
            raise ConfigError(f"the kind {kind!r} is not known; it is one of {', '.join(KINDS)}")
        rows, index = self._indexes[kind]
        if kind in _EXACT:
            place = pc.index_in(_column(hashes), value_set=_column(index.hashes))
            query = np.flatnonzero(as_array(place.is_valid().cast(pa.uint8()), np.uint8))
            pairs = Pairs(query, as_array(place.drop_null(), np.int64), np.zeros(len(query), dtype=np.int64))
        else:
            pairs = index.within(hashes, within)
        return Pairs(pairs.query, rows[pairs.entry], pairs.distance)

    @cached_property
    def _indexes(self) -> dict[str, tuple[Ints, HammingIndex]]:
        kinds = np.array(self.kinds, dtype=object)
        rows = {kind: np.flatnonzero(kinds == kind) for kind in KINDS}
        return {kind: (rows[kind], HammingIndex(self.hashes[rows[kind]])) for kind in KINDS}

    def __len__(self) -> int:
        return len(self.kinds)

    def __repr__(self) -> str:
        counts = [f"{self.kinds.count(kind):,} {kind}" for kind in self.held]
        return f"HashList({', '.join(counts) or 'empty'})"


def _lines(file: IO[str], path: Path) -> Iterator[str]:
    """The lines of a file, each bounded."""
    for number in count(1):
        line = file.readline(_LONGEST)
        if len(line) == _LONGEST:
            raise DataError(f"{path}, line {number}: is over {_LONGEST:,} characters long; no entry is, mend the file")
        if not line:
            return
        yield line


def _suffix(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"{path}: a hash list is a .csv or .jsonl file; name it so")
    return suffix


def _column(hashes: Hashes) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(hashes.shape[1]), len(hashes), [None, pa.py_buffer(checked(hashes))])


def _built(placed: Iterable[tuple[str, Entry]]) -> HashList:
    """A list of checked entries; each comes with where it stands, for the message."""
    seen: dict[tuple[str, str], str] = {}
    labels, sources = [], []
    for where, entry in placed:
        problem = _problem(entry)
        if problem:
            raise DataError(f"{where}: {problem}")
        key = (entry.kind, entry.hash.lower())
        if key in seen:
            raise DataError(f"{where}: the same {entry.kind} hash as {seen[key]}; keep one of them")
        seen[key] = where
        labels.append(entry.label)
        sources.append(entry.source)
    return HashList(
        tuple(kind for kind, _ in seen), from_hex([digits for _, digits in seen]), tuple(labels), tuple(sources)
    )


def _problem(entry: Entry) -> str:
    if not all(isinstance(value, str) for value in entry):
        return "kind, hash, label and source must be text; write them in quotes"
    if entry.kind not in KINDS:
        return f"the kind {entry.kind[:40]!r} is not known; it is one of {', '.join(KINDS)}"
    try:
        from_hex([entry.hash])
    except DataError:
        return f"the hash has {len(entry.hash)} characters; a {entry.kind} hash is 64 hex digits"
    if any(len(word) > _LONGEST_WORD or visible(word) != word or "\n" in word for word in entry[2:]):
        return f"label and source must be one line of {_LONGEST_WORD} characters at most, none of them invisible"
    return "" if entry.label.strip() else "there is no label; name the one that such content deserves"


def _csv(lines: Iterable[str], path: Path) -> Iterator[tuple[str, Entry]]:
    reader = csv.reader(lines, strict=True)
    try:
        head = next(reader, [])
        _check_keys(head, f"{path}, line 1")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(head):
                raise DataError(f"{where}: {len(row)} values for {len(head)} columns; mend the line")
            words = map(live, row)
            yield where, Entry(**dict(zip(head, words, strict=True)))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: this is not CSV ({error}); mend the line") from None


def _jsonl(lines: Iterable[str], path: Path) -> Iterator[tuple[str, Entry]]:
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            read: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{where}: this is not JSON; write one object a line") from None
        if not isinstance(read, dict):
            raise DataError(f"{where}: a {type(read).__name__} stands where an object must be; write one object a line")
        _check_keys(list(read), where)
        yield where, Entry(**read)


def _check_keys(keys: list[str], where: str) -> None:
    missing = [key for key in _KEYS[:3] if key not in keys]
    unknown = [key for key in keys if key not in _KEYS]
    if missing or unknown or len(set(keys)) < len(keys):
        told = (
            f"{missing[0]} is missing"
            if missing
            else f"{str(unknown[0])[:40]!r} is unknown"
            if unknown
            else "one is twice"
        )
        raise DataError(f"{where}: the columns must be kind, hash, label and source, and {told}; mend the file")
