"""Where records are kept in tests: SQLite files, and a throw-away PostgreSQL where there is one."""

import itertools
import os
import secrets

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool
from throwaway import binary, throwaway

from hitl.ledger import Ledger

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres():
    """The URL of a PostgreSQL, password and all; HITL_POSTGRES_URL, or one that is started for the session."""
    pytest.importorskip("psycopg", reason="the extra hitl[postgres] is not installed")
    if os.environ.get("HITL_POSTGRES_URL"):
        yield os.environ["HITL_POSTGRES_URL"]
        return
    if not (binary("initdb") and binary("pg_ctl")):
        pytest.skip("no PostgreSQL here: initdb and pg_ctl are not installed, and HITL_POSTGRES_URL names none")
    with throwaway("fsync=off") as url:
        yield url


@pytest.fixture
def on_postgres(postgres):
    """The URL of an empty place in the PostgreSQL, which is gone afterwards."""
    name = f"hitl_{secrets.token_hex(4)}_{next(NUMBERS)}"
    _say(postgres, f"CREATE SCHEMA {name}")
    yield make_url(postgres).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(False)
    _say(postgres, f"DROP SCHEMA {name} CASCADE")


def _say(url, statement):
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """An empty database by URL, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    return request.getfixturevalue("on_postgres")


@pytest.fixture
def opened():
    """Open ledgers, and let go of them all at the end."""
    ledgers = []

    def open_one(where, campaign="trial", **more):
        ledgers.append(Ledger(where, campaign, **more))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()
