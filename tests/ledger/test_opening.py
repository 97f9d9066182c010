"""What is opened and what is not: every refusal names place and remedy, and leaves the disk as it was."""

import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hitl.errors import LedgerError
from hitl.ledger import Ledger


def traces(folder):
    """Every file below, by name and content."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def refused(path, campaign="trial"):
    """What is said of a file that cannot be opened; nothing may have changed on disk."""
    before = traces(path.parent)
    with pytest.raises(LedgerError) as caught:
        Ledger(path, campaign)
    assert traces(path.parent) == before
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def good(path):
    """A ledger with something in it, closed."""
    ledger = Ledger(path, "trial")
    with ledger.transaction() as writer:
        for number in range(300):
            writer.save_policy(str(number), "name: p" * 40)
    ledger.close()
    return path


def test_a_folder(path):
    path.mkdir()
    assert "this is a folder; name the file in it" in refused(path)


@pytest.mark.parametrize("content", [b"a text\n", b"{}", b"\x00" * 4096, b"SQLite format 2\x00" * 99, b"S"])
def test_something_else_than_sqlite(path, content):
    path.write_bytes(content)
    assert "no SQLite file; put a copy in its place, or move it away" in refused(path)


def test_an_empty_file_is_a_new_ledger(path, opened):
    path.touch()
    assert opened(path).counts()["rounds"] == 0


@pytest.mark.parametrize("keep", [100, 4096, 20_000])
def test_a_file_that_was_cut_short(good, keep):
    os.truncate(good, keep)
    assert "damaged, or was cut short; put a copy in its place" in refused(good)


def test_a_file_with_garbage_in_its_tables(good):
    with good.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)
    assert "damaged, or was cut short; put a copy in its place" in refused(good)


def test_damage_further_on_is_told_when_it_is_read(good):
    size = good.stat().st_size
    with good.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))
    ledger = Ledger(good, "trial")
    with pytest.raises(LedgerError, match=r"ledger\.db: it is damaged; put a copy in its place"):
        ledger.policies()
    ledger.close()


def test_another_program_s_database(path):
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE tasks (id INTEGER)")
    raw.close()
    assert "another program's database (1 tables); name another file" in refused(path)


def test_opening_it_again_takes_no_lock_from_who_has_it_open(good):
    # Another process that closes the file last may empty and remove the log: it must see that it is not the last.
    first = Ledger(good, "trial")
    assert len(first.policies()) == 300
    Ledger(good, "trial").close()
    other = f"import sqlite3; raw = sqlite3.connect({str(good)!r}); raw.execute('SELECT * FROM schema'); raw.close()"
    subprocess.run([sys.executable, "-c", other], check=True)
    assert Path(f"{good}-wal").exists()
    with first.transaction() as writer:
        writer.save_policy("one more", "name: p")
    first.close()
    assert len(Ledger(good, "trial").policies()) == 301


def test_a_ledger_without_a_version(good):
    with sqlite3.connect(good) as raw:
        raw.execute("DELETE FROM schema")
    raw.close()
    assert "its schema has no version" in refused(good)


def test_a_newer_schema(good):
    with sqlite3.connect(good) as raw:
        raw.execute("UPDATE schema SET version = 99")
    raw.close()
    assert "schema 99, this hitl knows 3; use the release that wrote it" in refused(good)


def test_another_campaign_s_file(good):
    assert "the record of campaign 'trial', not of 'spring'; give each campaign a folder" in refused(good, "spring")


def test_by_url_a_file_may_hold_several(good, opened):
    assert opened(f"sqlite:///{good}", "spring").policies() == {}
    assert len(opened(good).policies()) == 300


def test_a_folder_that_cannot_be_made(path):
    path.write_text("a file")
    with pytest.raises(LedgerError, match="its folder cannot be made"):
        Ledger(path / "below" / "ledger.db", "trial")


def _as_nobody(path):
    """What somebody without rights is told, in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            Ledger(path, "trial")
            said = "opened"
        except LedgerError as error:
            said = str(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as told:
        return told.read()


@pytest.mark.parametrize(("mode", "why"), [(0o444, "cannot be written to; give write permission"), (0o000, "be read")])
def test_a_file_without_permission(mode, why):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        Ledger(folder / "ledger.db", "trial").close()
        (folder / "ledger.db").chmod(mode)
        before = traces(folder) if os.geteuid() == 0 else None
        said = _as_nobody(folder / "ledger.db")
        assert why in said
        assert str(folder / "ledger.db") in said
        assert before in (None, traces(folder))


def test_a_ledger_that_becomes_read_only(good):
    ledger = Ledger(f"sqlite:///file:{good}?mode=ro&uri=true", "trial")
    with (
        pytest.raises(LedgerError, match="cannot be written to; give it write permission"),
        ledger.transaction() as writer,
    ):
        writer.set_cursor("x")
    assert len(ledger.policies()) == 300
    ledger.close()


def test_a_writer_that_waits_in_vain_is_told_so(good, monkeypatch):
    monkeypatch.setattr("hitl.ledger.engine.PATIENCE", 0)
    ledger, other = Ledger(good, "trial"), sqlite3.connect(good, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another run holds it; wait for that, and call again"), ledger.transaction():
        pass
    assert len(ledger.policies()) == 300
    other.execute("ROLLBACK")
    with ledger.transaction() as writer:
        writer.set_cursor("x")
    assert ledger.cursor == "x"
    other.close()
    ledger.close()


@pytest.mark.parametrize("where", ["nonsense://", "mysql://me:s3cret@host/db", "sqlite:////proc/none/l.db", "://"])
def test_an_unusable_url_is_told_without_its_password(where):
    with pytest.raises(LedgerError) as caught:
        Ledger(where, "trial")
    assert "s3cret" not in str(caught.value)
