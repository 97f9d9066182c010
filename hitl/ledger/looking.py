"""Looking at a SQLite file before it is opened for good: what is not ours is left as it is.

SQLite alone opens the file, never `open`: POSIX takes all locks of a process from a file as soon as the process closes
any descriptor of it, and those of another connection here would be gone with it (https://sqlite.org/howtocorrupt.html,
section 2.2).
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hitl.errors import LedgerError
from hitl.ledger.tables import SCHEMA_VERSION, metadata

_LOOKS = 3
"""Others may be at work on it: what looks wrong for a moment is looked at again."""

_ANEW = "put a copy in its place, or move it away to start anew"


def look(path: Path, campaign: str | None) -> None:
    """Refuse a file that is no ledger, is damaged or newer, or is of another campaign than the one given.

    Reads three small tables; writes nothing. Raises `LedgerError`.
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
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"it cannot be read ({error.strerror}); give it read permission"
    if not size:
        return ""
    if size == 1:
        return f"this is no SQLite file; {_ANEW}"  # which SQLite would take for an empty one
    if not os.access(path, os.R_OK):
        return "it cannot be read; give it read permission"
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return "it, or its folder, cannot be written to; give write permission, or move it where you have that"
    aside = [Path(f"{path}{ending}") for ending in ("-wal", "-journal")]
    still = not any(other.exists() and other.stat().st_size for other in aside)
    # A file that nobody is at is read without a lock, which would leave traces.
    name = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if still else ''}"
    try:
        with closing(sqlite3.connect(name, uri=True)) as raw:
            return _foreign(raw, campaign)
    except sqlite3.OperationalError:
        return ""  # somebody is at it: opening waits for that, and says what is wrong
    except sqlite3.DatabaseError as error:
        none = error.sqlite_errorcode == sqlite3.SQLITE_NOTADB
        return f"{'this is no SQLite file' if none else 'it is damaged, or was cut short'}; {_ANEW}"


def _foreign(raw: sqlite3.Connection, campaign: str | None) -> str:
    """What the tables say against it."""
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
    if campaign is not None and others and campaign not in others:
        return (
            f"it is the record of campaign {others[0]!r}, not of {campaign!r}; give each campaign a folder of its own, "
            "or correct the name"
        )
    return ""


def ours() -> frozenset[str]:
    """The names of our tables."""
    return frozenset(metadata.tables)
