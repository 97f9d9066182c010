"""What a kind of bad input is, and what must hold of every one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hitl.errors import HitlError


@dataclass(frozen=True)
class Bad:
    """One kind of bad input: made in an empty folder, handed over, and refused in words that help.

    `make` puts it there and gives what `call` is given. `words` are the place (file, line, row, key or item) and the
    remedy that the message must hold.
    """

    kind: str
    make: Callable[[Path], Any]
    call: Callable[[Any], object]
    error: type[HitlError]
    words: tuple[str, ...]


def refuse(bad: Bad, folder: Path) -> str:
    """The message with which this is refused: the right error, its words, and all that was there is there still."""
    given = bad.make(folder)
    before = contents(folder)
    with pytest.raises(HitlError) as told:
        bad.call(given)
    message = str(told.value)
    assert type(told.value) is bad.error, f"{bad.kind}: {type(told.value).__name__}: {message}"
    missing = [word for word in bad.words if word not in message]
    assert not missing, f"{bad.kind}: {missing} not in: {message}"
    assert len(message) < 2500
    after = contents(folder)
    lost = [name for name, content in before.items() if after.get(name) != content]
    assert not lost, f"{bad.kind}: changed or lost: {lost}"
    return message


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder that was written by people or the library; what SQLite keeps beside its own is not."""
    found: dict[str, bytes] = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            if path.is_file() and not name.endswith(("-wal", "-shm", "run.lock")):
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def file(name: str, content: str | bytes) -> Callable[[Path], Path]:
    """Makes a file of this content."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    return make
