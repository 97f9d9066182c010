"""Looking at a SQLite file before it is opened for good: what is not ours is left as it is."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hitl.errors import LedgerError
from hitl.ledger.tables import SCHEMA_VERSION, metadata

_HEAD = b"SQLite format 3\x00"
_LOOKS = 3
"""Others may be at work on it: what looks wrong for a moment is looked at again."""

_ANEW = "put a copy in its place, or move it away to start anew"


def look(path: Path, campaign: str | None) -> None:
    """Refuse a file that is no ledger, is damaged or newer, or is of another campaign than the one given.

    Reads the head and three small tables; writes nothing. Raises `LedgerError`.
    """
    if path.is_dir():
        raise LedgerError(f"ledger {path}: this is a folder; name the file in it")
    for turn in range(_LOOKS):
        wrong = _wrong(path, campaign)
        if not wrong:
            return
        if turn < _LOOKS - 1:
            time.sleep(0.05)
    raise LedgerError(f"ledger {path}: {wrong}")


def too_new(version: int) -> str:
    """Why a schema is refused."""
    return (
        f"it has schema {version}, this hitl knows {SCHEMA_VERSION}; use the release that wrote it, or a newer one, "
        "and leave the file as it is"
    )


def _wrong(path: Path, campaign: str | None) -> str:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"it cannot be read ({error.strerror}); give it read permission"
    if not size:
        return ""
    if not head.startswith(_HEAD):
        return f"this is no SQLite file; {_ANEW}"
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return "it, or its folder, cannot be written to; give write permission, or move it where you have that"
    aside = [Path(f"{path}{ending}") for ending in ("-wal", "-journal")]
    busy = any(other.exists() and other.stat().st_size for other in aside)
    if not busy and size < _written(head):
        return f"it is cut short ({size:,} bytes of {_written(head):,}); {_ANEW}"
    return _foreign(path, campaign, still=not busy)


def _written(head: bytes) -> int:
    """How long the file should be, by its own head; 0 where that does not say."""
    page = int.from_bytes(head[16:18]) or 1
    pages = int.from_bytes(head[28:32]) if head[24:28] == head[92:96] else 0
    return (65536 if page == 1 else page) * pages


def _foreign(path: Path, campaign: str | None, *, still: bool) -> str:
    """What the tables say against it; a file that nobody is at is read without a lock, which would leave traces."""
    name = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if still else ''}"
    try:
        with closing(sqlite3.connect(name, uri=True)) as raw:
            held = {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not held:
                return ""
            if not {"schema", "campaigns", "steps"} <= held:
                return f"this is another program's database ({len(held)} tables); name another file"
            versions = [row[0] for row in raw.execute("SELECT version FROM schema")]
            if len(versions) != 1 or not isinstance(versions[0], int):
                return f"its schema has no version; {_ANEW}"
            if versions[0] > SCHEMA_VERSION:
                return too_new(versions[0])
            others = [row[0] for row in raw.execute("SELECT campaign FROM campaigns ORDER BY started")]
    except sqlite3.OperationalError:
        return ""  # somebody is at it: opening waits for that, and says what is wrong
    except sqlite3.DatabaseError:
        return f"it is damaged; {_ANEW}"
    if campaign is not None and others and campaign not in others:
        return (
            f"it is the record of campaign {others[0]!r}, not of {campaign!r}; give each campaign a folder of its own, "
            "or correct the name"
        )
    return ""


def ours() -> frozenset[str]:
    """The names of our tables."""
    return frozenset(metadata.tables)
