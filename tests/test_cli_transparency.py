"""`hitl transparency`: what it writes, where, and how it ends."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
import yaml

from hitl.demo.stream import demo_policy, generate
from hitl.report.transparency_files import read_csv

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


def test_before_the_first_round_it_says_what_to_do(command, place) -> None:
    called = command("transparency")
    assert (called.code, called.out) == (1, "")
    assert "no round has begun; call `hitl run hitl.yaml` first" in called.err
    assert not (place / "runs").exists()


def test_from_a_campaign_to_the_files(command, place) -> None:
    assert command("run").code == 0
    written = command("transparency")
    assert written.code == 0
    assert "give a log with --decisions" in written.out
    folder = place / "runs/trial"
    rows = read_csv((folder / "transparency.csv").read_bytes().decode())
    told = command("transparency", "--json").told
    assert told["rows"] == rows
    assert command("transparency", "--to", "mine.csv", "--period", 1).code == 0
    assert {row["period"] for row in read_csv((place / "mine.csv").read_bytes().decode())} == {1}
    log = place / "log.jsonl"
    log.write_text(
        '{"item": "a", "decided_at": "2020-01-01", "action": "remove", "decider": "automated"}\n'
        '{"item": "b", "decided_at": "soon", "action": "remove", "decider": "automated"}\n'
    )
    called = command("transparency", "--decisions", log)
    assert called.code == 0
    assert "log.jsonl: 0 of 2 decisions are counted." in called.out
    assert "It has no columns about appeals" in called.out
    assert "Set aside: 1 rows (1) — decided_at: is before the campaign began." in called.out
    log.write_text('{"item": "a"}\n')
    refused = command("transparency", "--decisions", log)
    assert refused.code == 65
    assert "'decided_at' is missing" in refused.err
    assert command("transparency", "--to", "table.xlsx").code == 78
    assert command("transparency", "--period", 9).code == 1
