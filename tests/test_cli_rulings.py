"""`hitl quarantine` and `hitl dispute`: what they say, what goes on record, and how they end."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
import yaml

from hitl.demo.stream import demo_policy, generate
from hitl.ledger import Ledger
from hitl.rounds import findings

CONFIG = {
    "campaign": "trial",
    "policy": "policy.yaml",
    "pool": {"path": "items.parquet", "id": "id", "language": "language", "reach": "reach"},
    "plan": {"rounds": 0, "budget": 10, "benchmark": 20},
    "connect": {"kind": "memory", "truth": "truth"},
}
WHY = ("--reason", "one answer to everything", "--actor", "lea")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(findings, "FINDINGS", {})
    pq.write_table(generate(300, seed=3), tmp_path / "items.parquet")
    (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
    (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


def test_from_an_empty_record_to_a_lifted_quarantine_and_a_ruling(command, place) -> None:
    early = command("quarantine", "list")
    assert (early.code, "call `hitl run hitl.yaml` first" in early.err) == (1, True)
    assert command("run").code == 0
    assert "Nothing was ever set aside.\n→" in command("quarantine", "list").out
    assert "Nothing was ever contested.\n→" in command("dispute", "list").out

    people = sorted({one.worker for one in Ledger(place / "runs/trial/ledger.db", "trial").annotations()})
    begun = command("quarantine", people[0], "--since", "2026-01-01", *WHY, "--evidence", "40 of 40 alike")
    assert begun.code == 0
    assert f"{people[0]} is set aside from 2026-01-01T00:00:00+00:00 on" in begun.out
    told = command("quarantine", "list", "--json").told
    [row] = told["quarantines"]
    assert (row["actor"], row["reason"], row["evidence"], row["lifted"]) == ("lea", WHY[1], "40 of 40 alike", None)
    assert told["set_aside"]["answers"] == row["answers"] > 0
    refused = command("quarantine", people[0], "--since", "2026-02-01", *WHY)
    assert (refused.code, "set aside from" in refused.err) == (1, True)
    assert "is no time" in command("quarantine", people[1], "--since", "soon", *WHY).err
    assert command("quarantine", people[0]).code == 2
    lifted = command("quarantine", "lift", people[0], *WHY, "--json").told
    assert (lifted["set_aside"], lifted["quarantines"][0]["lifted"]["outcome"]) == (None, "lifted")
    assert "every answer counts" in command("quarantine", "list").out

    rounds = command("report", "--json").told["rounds"]
    assert "one answer to everything" in (place / "runs/trial/report.html").read_text()
    settled = next(pick for row in rounds for pick in row["picks"] if pick["resolved"])
    item, held = settled["item_id"], settled["resolved"]
    other = "ok" if held != ["ok"] else "hate"
    claim = ("--about", "decision", "--by", "author-9", "--claim", "it is satire", "--label", other)
    opened = command("dispute", "open", item, *claim, "--json")
    assert (opened.code, opened.told["decided"], opened.told["claimed"]) == (0, held, [other])
    number = opened.told["number"]
    assert "author-9's own claim" in command(
        "dispute", "rule", number, "overturned", "--reason", "so", "--actor", "author-9"
    ).err  # fmt: skip
    assert "no dispute 999" in command("dispute", "rule", 999, "upheld", *WHY).err
    ruled = command("dispute", "rule", number, "overturned", *WHY)
    assert (ruled.code, f"item {item} is {other} from now on" in ruled.out) == (0, True)
    assert "No dispute is open." in command("dispute", "list", "--open").out
    shown = command("dispute", "list").out
    assert "1 of 1 (too few to tell a rate)" in shown
    assert "author-9" not in shown
    assert command("dispute", "list", "--json").told["overturned"]["all"]["value"] == 1.0
    assert command("dispute", "open", "nowhere", *claim).code == 65
