"""`hitl people`: rosters in and out, decisions, and one person's data, as a lead does it."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
import yaml

from hitl.demo.stream import demo_policy, generate

HEAD = "worker,status,languages,skills,vendor,team\n"
CONFIG = {
    "campaign": "trial",
    "policy": "policy.yaml",
    "pool": {"path": "items.parquet", "language": "language", "reach": "reach"},
    "plan": {"rounds": 0, "budget": 10, "benchmark": 30},
    "connect": {"kind": "memory", "truth": "truth"},
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(generate(400, seed=3), tmp_path / "items.parquet")
    (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
    (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


def test_a_roster_before_the_first_round_and_decisions_after_it(command, place) -> None:
    called = command("people", "list")
    assert (called.code, called.out) == (1, "")
    assert "call `hitl people import`" in called.err
    assert not (place / "runs").exists()
    roster = place / "mine.csv"
    roster.write_text(HEAD + "w-1,applied,id|en,,Acme,night\nw-2,active,,,,\n")
    brought = command("people", "import", roster, "--actor", "lea", "--json").told
    assert brought == {"listed": 2, "moved": 2, "described": 1}
    roster.write_text(HEAD + "w-2,watch,,,,\nw-1,active,,,,\n")
    refused = command("people", "import", roster, "--actor", "lea")
    assert refused.code == 65
    assert "mine.csv, line 3, column status: w-1 is applied and cannot become active" in refused.err
    listed = command("people", "list", "--json").told
    assert [(row["worker"], row["status"], row["answers"]) for row in listed] == [
        ("w-1", "applied", 0),
        ("w-2", "active", 0),
    ]
    shown = command("people")
    assert (shown.code, len(shown.out.splitlines())) == (0, 3)
    assert "id en" in shown.out
    assert "Acme/night" in shown.out
    why = ("--reason", "copies", "--actor", "lea")
    moved = command("people", "move", "w-2", "suspended", *why, "--evidence", "pairs of March")
    assert moved.out.startswith("w-2 is suspended now, and was active.\n→ take them off the server")
    assert command("people", "move", "w-2", "blacklisted", *why).code == 1
    assert command("people", "move", "w-2", "blacklisted").code == 2
    told = command("people", "history", "w-2", "--json").told
    assert [(row["before"], row["after"], row["actor"]) for row in told] == [
        ("", "active", "lea"),
        ("active", "suspended", "lea"),
    ]
    assert (told[1]["reason"], told[1]["evidence"]) == ("copies", "pairs of March")
    assert "pairs of March" in command("people", "history", "w-2").out
    assert command("people", "history", "w-9").code == 1


def test_what_is_exported_can_be_brought_in_and_a_person_be_erased(command, place) -> None:
    assert command("run").code == 0
    exported = command("people", "export", "--to", "all.csv", "--json").told
    lines = (place / "all.csv").read_text().splitlines()
    assert lines[0] + "\n" == HEAD
    assert exported == {"written": "all.csv", "people": len(lines) - 1}
    assert command("people", "import", "all.csv", "--actor", "lea", "--json").told["moved"] == 0
    worker = lines[1].split(",")[0]
    held = command("people", "data", worker).told
    assert held["annotations"]
    assert {one["worker"] for one in held["annotations"]} == {worker}
    assert command("people", "erase", worker, "--actor", "lea", "--yes", "--json").told["erased"] is True
    assert command("people", "data", worker).code == 1
    assert worker not in {row["worker"] for row in command("people", "list", "--json").told}
