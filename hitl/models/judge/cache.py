"""Judgements kept on disk, so that no question is paid for twice: a table that only grows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hitl.errors import ModelError
from hitl.models.judge.answers import Judgement

FILE = "judgements.sqlite"
_AT_ONCE = 500
_TABLE = (
    "CREATE TABLE IF NOT EXISTS judgements"
    " (key TEXT PRIMARY KEY, proba TEXT NOT NULL, rationale TEXT NOT NULL) WITHOUT ROWID"
)


def question_key(*asked: Any) -> str:
    """32 hex digits over everything that an answer depends on, the content among it."""
    return blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=16).hexdigest()


class AnswerCache:
    """Judgements by the key of their question, in a file of `folder`; with None, in memory.

    The content is not in it; a rationale may quote some. Each judgement is committed by itself: a crash loses those
    in flight, and several threads and processes may write. The first answer to a question is the one that stays. That
    there was no answer is known in memory alone, so that the next run asks again. Raises `ModelError` when the file
    cannot be read or written.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else Path(folder) / FILE
        self._memory: dict[str, Judgement] = {}

    def get(self, keys: Sequence[str]) -> dict[str, Judgement]:
        """The judgements that are there; O(keys)."""
        found = {key: self._memory[key] for key in keys if key in self._memory}
        if self._path is None or not keys or not self._path.exists():
            return found
        with _opened(self._path) as connection:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                query = f"SELECT key, proba, rationale FROM judgements WHERE key IN ({marks})"
                for key, proba, rationale in connection.execute(query, some):
                    found[key] = Judgement(tuple(json.loads(proba)), rationale)
        return found

    def put(self, key: str, judgement: Judgement) -> None:
        """Keep a judgement."""
        if self._path is None or judgement.problem:
            self._memory.setdefault(key, judgement)
            return
        with _opened(self._path) as connection:
            row = (key, json.dumps(judgement.proba), judgement.rationale)
            connection.execute("INSERT OR IGNORE INTO judgements VALUES (?, ?, ?)", row)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            connection.execute(_TABLE)
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise ModelError(
            f"{path}: judgements cannot be kept or read ({error}); check disk space and rights, and move the file away "
            "if it is damaged (its questions are then asked again)"
        ) from error
