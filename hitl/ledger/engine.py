"""Opening the database: SQLite in WAL mode with full sync by default, anything that SQLAlchemy knows by URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hitl.errors import LedgerError
from hitl.ledger import tables


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def open_engine(url: str) -> Engine:
    """Open the database at `url` and create its tables when it is empty.

    Raises `LedgerError` when it cannot be reached or was written by a newer `hitl`; the URL may hold a password and is
    never repeated.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ImportError, OSError) as error:
        raise LedgerError(
            f"ledger: the URL cannot be used ({error.__class__.__name__}); write it as sqlite:///path or "
            "postgresql+psycopg://user:password@host/database"
        ) from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    try:
        _ensure_schema(engine)
    except SQLAlchemyError as error:
        raise LedgerError(
            f"ledger: the {engine.dialect.name} database cannot be opened ({error.__class__.__name__}); "
            "check that it is reachable, writable and not another program's"
        ) from None
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions itself: `_begin` does, and takes the write lock at once.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _ensure_schema(engine: Engine) -> None:
    with engine.begin() as connection:
        if not inspect(connection).has_table("schema"):
            tables.metadata.create_all(connection)
            connection.execute(insert(tables.schema).values(version=tables.SCHEMA_VERSION))
            return
        version = connection.execute(select(tables.schema.c.version)).scalar_one()
        for step in range(version, tables.SCHEMA_VERSION):
            for statement in tables.FORWARD[step]:
                connection.exec_driver_sql(statement)
            connection.execute(update(tables.schema).values(version=step + 1))
            version = step + 1
    if version != tables.SCHEMA_VERSION:
        raise LedgerError(
            f"ledger: the database has schema {version}, this hitl knows {tables.SCHEMA_VERSION}; "
            "use the release that wrote it, or a newer one"
        )
