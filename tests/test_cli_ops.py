"""`hitl ops`: what it says to people and to programs, and how it refuses."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
import yaml

from hitl.demo.stream import demo_policy, generate
from hitl.rounds import findings


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A campaign of one small round, not begun."""
    monkeypatch.setattr(findings, "FINDINGS", {})
    pq.write_table(generate(120, seed=3), tmp_path / "items.parquet")
    (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
    pool = {"path": "items.parquet", **{name: name for name in ("id", "text", "reach", "language", "region")}}
    plan = {"rounds": 0, "seed_budget": 20, "benchmark": 20, "cost_per_hour": 18, "sla_hours": 24}
    written = {"campaign": "trial", "policy": "policy.yaml", "pool": pool, "plan": plan,
               "connect": {"kind": "memory", "truth": "truth"}}  # fmt: skip
    (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(written))
    return tmp_path / "hitl.yaml"


def test_work_is_told_once_there_is_some(command, config, tmp_path):
    refused = command("ops", config)
    assert refused.code == 1
    assert "no round has begun" in refused.err
    assert command("run", config).code == 0
    told = command("ops", config, "--json", "--due", "2999-01-01").told
    assert (told["groups"][0]["by"], told["sla_hours"], told["days"]) == ("all", 24, 14)
    assert told["backlog"][0]["answers"] == 0
    assert told["cost_a_label"]["value"] > 0
    shown = command("ops", config, "--hours", "2")
    assert shown.code == 0
    assert "By person" in shown.out
    assert "Occupancy: no table of shifts" in " ".join(shown.out.split())
    assert "Cost a label" in shown.out
    assert command("ops", config, "--due", "2001-01-01").code == 65
    (tmp_path / "shifts.csv").write_text("worker,start\n")
    bad = command("ops", config, "--shifts", tmp_path / "shifts.csv")
    assert (bad.code, bad.out) == (65, "")
    assert "no column end" in bad.err
