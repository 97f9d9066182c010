"""What databases say when they fail, in our words: where, why, and what to do; never a URL, a statement or a value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from hitl.errors import LedgerError

_SQLITE = {
    "SQLITE_BUSY": "another run holds it; wait for that, and call again",
    "SQLITE_LOCKED": "another run holds it; wait for that, and call again",
    "SQLITE_READONLY": "it cannot be written to; give it write permission, or move it where it has",
    "SQLITE_PERM": "it cannot be written to; give it write permission, or move it where it has",
    "SQLITE_CANTOPEN": "it cannot be opened; check that its folder is there and may be written to",
    "SQLITE_FULL": "the disk is full; make room, and call again: nothing that was recorded is lost",
    "SQLITE_IOERR": "the disk does not answer; check it, and call again",
    "SQLITE_CORRUPT": "it is damaged; put a copy in its place",
    "SQLITE_NOTADB": "it is no SQLite file; put a copy in its place, or move it away to start anew",
}
_POSTGRESQL = {
    "55P03": "another run holds it; wait for that, and call again",
    "42501": "the user may not do that there; grant it the right to create and write tables",
    "25006": "it is read-only; name the primary server",
    "53100": "its disk is full; make room, and call again: nothing that was recorded is lost",
}


@contextmanager
def told(place: str) -> Iterator[None]:
    """Whatever the database raises inside becomes a `LedgerError` about `place`."""
    try:
        yield
    except (SQLAlchemyError, UnicodeEncodeError, OverflowError) as error:
        failure = _failure(place, error)
        _forget(error)
        raise failure from None


def _forget(error: Exception) -> None:
    """Empty an error of a driver: it holds values, the statement and the connection, and stays chained to ours."""
    error.__cause__ = error.__context__ = error.__traceback__ = None
    error.args = ()
    if isinstance(error, StatementError):
        error.statement = error.params = error.orig = None
        error.detail = []
    elif isinstance(error, UnicodeEncodeError):
        error.object = ""


def _failure(place: str, error: Exception) -> LedgerError:
    cause = getattr(error, "orig", None) if isinstance(error, StatementError) else None
    if isinstance(cause, LedgerError):
        return cause
    if isinstance(error, UnicodeEncodeError | OverflowError | DataError):
        return LedgerError(
            f"{place}: a text that is no Unicode, or a number beyond 64 bits, cannot be kept "
            f"({error.__class__.__name__}); nothing was written: correct the data, and call again"
        )
    if isinstance(error, IntegrityError):
        return LedgerError(
            f"{place}: another run wrote the same at the same time; nothing was written twice: call again to go on"
        )
    why = _SQLITE.get("_".join(str(getattr(cause, "sqlite_errorname", "")).split("_")[:2]))
    why = why or _POSTGRESQL.get(str(getattr(cause, "sqlstate", "")))
    if why:
        return LedgerError(f"{place}: {why}")
    if isinstance(error, DBAPIError) and (error.connection_invalidated or not getattr(cause, "sqlstate", True)):
        return LedgerError(
            f"{place}: the database cannot be reached, refuses the user, or went away; what was recorded is there: "
            "look whether it runs and the URL is right, and call again to go on"
        )
    name = (cause or error).__class__.__name__
    return LedgerError(f"{place}: the database failed ({name}); check that it is reachable and writable, call again")
