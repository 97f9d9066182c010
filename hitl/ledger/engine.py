"""Opening the database: SQLite in WAL mode with full sync by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from hitl.errors import ConfigError, HitlError, LedgerError
from hitl.ledger import forward, tables
from hitl.ledger.columns import pack
from hitl.ledger.failures import told
from hitl.ledger.looking import look, ours, too_new

PATIENCE = 30
"""Seconds that a writer waits for another."""

_SECRETS = ("password", "sslpassword")
_URL = "write sqlite:///path or postgresql+psycopg://user:password@host/database"
_OPENING = 0x6869746C
"""The lock under which tables are made and brought forward in PostgreSQL."""


def open_engine(where: str | Path | SecretStr, campaign: str) -> tuple[Engine, str]:
    """Open the database and create its tables when it is empty; the engine, and the place in words without secrets.

    `where` is a path, which holds one campaign, or a URL, which may hold several. Raises `LedgerError` when it cannot
    be reached, is not ours, or was written by a newer `hitl`; `ConfigError` when the driver of a URL is not installed.
    """
    found = _parse(where)
    if isinstance(found, HitlError):
        raise found
    url, secrets = found
    name = _name(url)
    if url.get_backend_name() == "sqlite":
        # A SQLite path that stands alone is one campaign's; what a URL names may be shared.
        _make_room(url, None if _is_url(where) else campaign, name)
    try:
        engine = create_engine(url, json_serializer=pack, hide_parameters=True, **_options(url, secrets))
    except ImportError:
        raise ConfigError(
            f"{name}: the driver {url.get_driver_name()!r} is not installed; "
            "call `pip install 'hitl[postgres]'`, and write postgresql+psycopg://"
        ) from None
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine)
    with told(name):
        _ensure_schema(engine, name)
    return engine, name


def _plain(where: str | Path | SecretStr) -> str:
    return where.get_secret_value() if isinstance(where, SecretStr) else str(where)


def _is_url(where: str | Path | SecretStr) -> bool:
    return "://" in _plain(where)


def _options(url: URL, secrets: Mapping[str, SecretStr]) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {}
    # A connection that went away since it was last used is found before it is used again.
    given = {name: secret.get_secret_value() for name, secret in secrets.items()}
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10, **given}}


def _parse(where: str | Path | SecretStr) -> tuple[URL, dict[str, SecretStr]] | HitlError:
    """The URL without its secrets, and these: nothing made of the URL can tell them.

    An error is handed back, for the caller to raise: what stands in this frame is in no traceback.
    """
    plain = _plain(where)
    if "://" not in plain:
        return URL.create("sqlite", database=None if plain == ":memory:" else plain), {}
    try:
        url = make_url(plain)
        backend = url.get_backend_name()
        url.get_dialect()
    except ImportError:
        return ConfigError(
            f"ledger: the driver of the URL is not known; call `pip install 'hitl[postgres]'`, and {_URL}"
        )
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        return LedgerError(f"ledger: the URL cannot be used ({error.__class__.__name__}); {_URL}")
    if backend not in ("sqlite", "postgresql"):
        return LedgerError(f"ledger: a record is not kept in {backend!r}; {_URL}")
    secrets = {key: SecretStr(str(value)) for key, value in url.query.items() if key in _SECRETS}
    if url.password is not None:
        secrets["password"] = SecretStr(str(url.password))
    bare = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    return bare.update_query_dict({key: value for key, value in url.query.items() if key not in _SECRETS}), secrets


def _name(url: URL) -> str:
    """The place in words: the file, or server and database."""
    if url.get_backend_name() == "sqlite":
        return f"ledger {url.database or ':memory:'}"
    port = f":{url.port}" if url.port else ""
    return f"ledger postgresql://{url.host or 'localhost'}{port}/{url.database or ''}"


def _make_room(url: URL, campaign: str | None, name: str) -> None:
    if not url.database or url.database == ":memory:" or url.query.get("uri"):
        return
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"{name}: its folder cannot be made ({error.strerror}); name another place") from None
    look(path, campaign)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions itself: `_begin` does, and takes the write lock at once.
        connection.isolation_level = None
        for pragma in (f"busy_timeout={PATIENCE}000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _ensure_schema(engine: Engine, name: str) -> None:
    """Make the tables, or bring them forward, unless they are as they should be: then nothing is locked."""
    with engine.execution_options(reading=True).connect() as connection:
        if _version(connection, name) == tables.SCHEMA_VERSION:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _OPENING})
        version = _version(connection, name)
        if version is None:
            tables.metadata.create_all(connection)
            connection.execute(insert(tables.schema).values(version=tables.SCHEMA_VERSION))
            return
        for step in range(version, tables.SCHEMA_VERSION):
            for statement in forward.FORWARD[step][engine.dialect.name]:
                connection.exec_driver_sql(statement)
            connection.execute(update(tables.schema).values(version=step + 1))


def _version(connection: Connection, name: str) -> int | None:
    """The schema that the database has; None where it has no tables of ours."""
    held = set(inspect(connection).get_table_names())
    if "schema" not in held or "campaigns" not in held:
        taken = sorted(held & ours())
        if taken:
            raise LedgerError(
                f"{name}: its tables {', '.join(taken)} are another program's; create a database of its own for hitl"
            )
        return None
    version: int = connection.execute(select(tables.schema.c.version)).scalar_one()
    if version > tables.SCHEMA_VERSION:
        raise LedgerError(f"{name}: {too_new(version)}")
    return version
