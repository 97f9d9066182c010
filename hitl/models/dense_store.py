"""Rows on disk as they are made: they grow, go on after a crash, and are found again by the hash of their content."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hitl.errors import ModelError
from hitl.types import Bools, Embeddings, Ints, Keys, Unreadable

META = "meta.json"
"""Written last: a folder that has it is whole."""


class Held:
    """Rows that grow at their end, in memory or in the files of a folder; opened again they go on."""

    def __init__(self, width: int, folder: Path | None = None) -> None:
        self._width, self._folder, self._length = width, folder, 0
        self._keys: list[Keys] = []
        self._parts: list[Embeddings] = []
        self._reasons: list[tuple[int, str]] = []
        self._files: dict[str, BinaryIO] = {}
        if folder is not None:
            self._files = {name: (folder / name).open("a+b") for name in ("keys.bin", "rows.bin", "unreadable.jsonl")}
            self._resume()

    def _resume(self) -> None:
        """Go back to the last row that is whole in all files, and of which it is known whether it could be read."""
        sizes = {name: file.seek(0, os.SEEK_END) for name, file in self._files.items()}
        told, upto = self._told()
        self._length = min(sizes["keys.bin"] // 8, sizes["rows.bin"] // (2 * self._width), upto)
        self._files["keys.bin"].truncate(8 * self._length)
        self._files["rows.bin"].truncate(2 * self._width * self._length)
        self._reasons = [(at, why) for at, why in told if at < self._length]
        self._files["unreadable.jsonl"].truncate(0)
        self._write("unreadable.jsonl", _lines(self._reasons, self._length))

    def _told(self) -> tuple[list[tuple[int, str]], int]:
        """What could not be read, and up to which row that is all: a line without a reason says so."""
        told: list[tuple[int, str]] = []
        upto = 0
        self._files["unreadable.jsonl"].seek(0)
        for line in self._files["unreadable.jsonl"].read().splitlines():
            try:
                at, why = json.loads(line)
            except ValueError:  # the line in which it was interrupted; its rows come again
                break
            if why:
                told.append((at, why))
            else:
                upto = at
        return told, upto

    def _write(self, name: str, body: bytes) -> None:
        self._files[name].write(body)
        self._files[name].flush()

    def __len__(self) -> int:
        return self._length

    def append(self, keys: Keys, rows: Embeddings, reasons: list[str]) -> None:
        """Add rows with the hashes of their content; what cannot be read first, so that no row lacks its reason."""
        bad = [(self._length + at, why) for at, why in enumerate(reasons) if why]
        self._reasons += bad
        if self._folder is None:
            self._keys.append(keys)
            self._parts.append(rows)
        else:
            self._write("unreadable.jsonl", _lines(bad, self._length + len(keys)))
            self._write("rows.bin", np.ascontiguousarray(rows).tobytes())
            self._write("keys.bin", np.ascontiguousarray(keys).tobytes())
        self._length += len(keys)

    def rows(self) -> Embeddings:
        """All rows (n, d)."""
        if self._folder is None:
            return np.concatenate([np.zeros((0, self._width), dtype=np.int16), *self._parts])
        if not self._length:
            return np.zeros((0, self._width), dtype=np.int16)
        return np.memmap(self._folder / "rows.bin", dtype=np.int16, mode="r", shape=(self._length, self._width))

    def unreadable(self) -> Unreadable:
        """The rows that could not be read, and why."""
        told = dict(self._reasons)
        return Unreadable(np.array(sorted(told), dtype=np.int64), tuple(told[at] for at in sorted(told)))

    def close(self) -> None:
        """Let go of the files, when the disk has them."""
        for file in self._files.values():
            os.fsync(file.fileno())
            file.close()


def _lines(bad: list[tuple[int, str]], upto: int) -> bytes:
    return "".join(f"{json.dumps([at, why])}\n" for at, why in [*bad, (upto, "")]).encode()


@dataclass(frozen=True, eq=False)
class Known:
    """What other features of the same encoder hold: sorted hashes (s,), and the file and row of each."""

    keys: Keys
    files: Ints
    rows: Ints
    stores: tuple[Embeddings, ...]

    @classmethod
    def nothing(cls) -> Known:
        """Nothing is known."""
        none = np.zeros(0, dtype=np.int64)
        return cls(np.zeros(0, dtype=np.uint64), none, none, ())

    @classmethod
    def beside(cls, folder: Path, encoder: str, width: int) -> Known:
        """What the finished features beside a folder hold; those that are damaged are passed over."""
        keys, files, rows = [], [], []
        stores: list[Embeddings] = []
        for meta in sorted(folder.parent.glob(f"*/{META}")):
            try:
                told = json.loads(meta.read_text(encoding="utf-8"))
                if told["encoder"] != encoder:
                    continue
                found = np.fromfile(meta.parent / "keys.bin", dtype=np.uint64)
                at = np.setdiff1d(np.arange(len(found)), [row for row, _ in told["unreadable"]])
                if not len(found):
                    continue
                store = np.memmap(meta.parent / "rows.bin", dtype=np.int16, mode="r").reshape(len(found), width)
            except (OSError, ValueError, KeyError, TypeError):
                continue
            keys.append(found[at])
            rows.append(at)
            files.append(np.full(len(at), len(stores)))
            stores.append(store)
        if not stores:
            return cls.nothing()
        every = np.concatenate(keys)
        order = np.argsort(every, kind="stable")
        return cls(every[order], np.concatenate(files)[order], np.concatenate(rows)[order], tuple(stores))

    def copy(self, keys: Keys, rows: Embeddings) -> Bools:
        """Fill in the rows (n, d) that are known; which they are (n,)."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.bool_)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        found: Bools = np.asarray(self.keys[at] == keys)
        for file, store in enumerate(self.stores):
            here = np.flatnonzero(found & (self.files[at] == file))
            rows[here] = store[self.rows[at[here]]]
        return found


class alone:  # noqa: N801 - a context, read as a word
    """Hold a folder, so that two processes do not encode into it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._lock = (self._folder / "lock").open("w")
        try:
            import fcntl

            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except OSError:
            self._lock.close()
            raise ModelError(f"{self._folder}: another process makes these features; wait for it, or stop it") from None

    def __exit__(self, *_: object) -> None:
        self._lock.close()
