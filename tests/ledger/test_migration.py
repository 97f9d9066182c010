"""Databases of earlier schemas: opened, brought forward whole or not at all, and used as any other."""

import multiprocessing
import os
import sqlite3

import pytest

from hitl.errors import LedgerError
from hitl.ledger import Ledger, tables
from hitl.types import Pick

OLD = Pick(5, "item-5", "explore", 0.7, {"margin": 0.9}, stratum="de", stands_for=4)
NEW = Pick(6, "item-6", "contested", 0.6, {"margin": 0.6}, label="hate")


@pytest.fixture
def old(tmp_path):
    """A database as schema 1 wrote it: picks without the label that they serve."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(path, "trial")
    with ledger.transaction() as writer:
        writer.begin_round(0, seed=1, config={}, policy_version="1")
        writer.add_picks(0, [OLD])
        writer.complete(0, "select", {"picks": 1}, 0.1)
    ledger.close()
    raw = sqlite3.connect(path)
    with raw:
        raw.execute("ALTER TABLE picks DROP COLUMN label")
        raw.execute("UPDATE schema SET version = 1")
    assert "label" not in columns(raw)
    raw.close()
    return path


def columns(raw):
    return [row[1] for row in raw.execute("PRAGMA table_info(picks)")]


def version(path):
    raw = sqlite3.connect(path)
    (found,) = raw.execute("SELECT version FROM schema").fetchall()
    held = columns(raw)
    raw.close()
    return found[0], "label" in held


def test_a_database_of_schema_1_is_brought_forward_and_goes_on(old):
    ledger = Ledger(old, "trial")
    assert ledger.picks(0) == [OLD]
    assert ledger.picks(0)[0].label == ""
    assert ledger.step(0, "select") == {"picks": 1}
    with ledger.transaction() as writer:
        writer.add_picks(1, [NEW])
    assert ledger.picks(1) == [NEW]
    ledger.close()
    assert version(old) == (2, True)
    again = Ledger(old, "trial")
    assert (again.picks(0), again.picks(1)) == ([OLD], [NEW])


def test_a_brought_forward_database_has_the_columns_of_a_new_one(old, tmp_path):
    Ledger(old, "trial").close()
    Ledger(tmp_path / "new.db", "trial").close()
    forward, new = (sqlite3.connect(path) for path in (old, tmp_path / "new.db"))
    assert sorted(columns(forward)) == sorted(columns(new)) == sorted(column.name for column in tables.picks.columns)


def test_every_earlier_schema_has_a_way_forward():
    assert sorted(tables.FORWARD) == list(range(1, tables.SCHEMA_VERSION))


def test_a_failure_in_mid_migration_changes_nothing(old, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(tables, "FORWARD", {1: (*tables.FORWARD[1], "UPDATE nowhere SET nothing = 1")})
        with pytest.raises(LedgerError, match="cannot be opened"):
            Ledger(old, "trial")
    assert version(old) == (1, False)
    assert Ledger(old, "trial").picks(0) == [OLD]


class _Deadly(tuple):
    """Statements after which the process is gone, as by a power cut."""

    def __iter__(self):
        yield from super().__iter__()
        os._exit(9)


def _open_and_die(path):
    tables.FORWARD[1] = _Deadly(tables.FORWARD[1])
    Ledger(path, "trial")


def test_a_process_killed_in_mid_migration_leaves_the_old_database(old):
    process = multiprocessing.get_context("fork").Process(target=_open_and_die, args=(old,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert version(old) == (1, False)
    ledger = Ledger(old, "trial")
    assert ledger.picks(0) == [OLD]
    with ledger.transaction() as writer:
        writer.add_picks(1, [NEW])
    assert ledger.picks(1) == [NEW]
