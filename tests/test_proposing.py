"""`hitl thresholds`: what it prints, what it writes, and what it refuses."""

import pyarrow.parquet as pq
import pytest
import yaml

from hitl.demo.stream import demo_policy, generate
from hitl.policy import Policy

CONFIG = {
    "campaign": "trial",
    "policy": "policy.yaml",
    "pool": {"path": "items.parquet", **{name: name for name in ("id", "text", "reach", "language", "region")}},
    "plan": {"rounds": 0, "budget": 60, "benchmark": 150},
    "connect": {"kind": "memory", "truth": "truth"},
}
EASY = ("--precision", 0.5, "--missed", 0.5, "--confidence", 0.6)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(generate(500, seed=3), "items.parquet")
    (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
    (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


def test_thresholds_from_the_command_line(command, place):
    before = command("thresholds")
    assert before.code == 1
    assert "no round has begun" in before.err
    assert command("run").code == 0
    shown = command("thresholds")
    assert shown.code == 0, shown.err
    assert "would do" in shown.out
    assert "Nothing is changed" in shown.out
    told = command("thresholds", "--json").told
    assert (told["precision"], told["missed"], told["confidence"], told["written"]) == (0.95, 0.05, 0.95, None)
    assert told["judged_on"] == "benchmark"

    made = command("thresholds", *EASY, "--write", "new.yaml")
    assert made.code == 0, made.err
    assert "Wrote new.yaml" in made.out
    written = (place / "new.yaml").read_text()
    assert Policy.load("new.yaml").version == "1-thresholds"
    assert (place / "policy.yaml").read_text() == demo_policy().to_yaml()

    for taken in ("new.yaml", "policy.yaml"):
        again = command("thresholds", *EASY, "--write", taken)
        assert again.code == 78
        assert "is there already" in again.err
        assert again.out == ""
    assert (place / "new.yaml").read_text() == written
    assert command("thresholds", *EASY, "--write", "no/such/folder.yaml").code == 78

    nothing = command("thresholds", "--precision", 0.9999, "--missed", 0.0001, "--write", "same.yaml", "--json")
    assert (nothing.code, nothing.told["written"]) == (0, None)
    assert not (place / "same.yaml").exists()

    (place / "hitl.yaml").write_text(yaml.safe_dump({**CONFIG, "policy": "new.yaml"}))
    assert command("doctor").code == 0
    assert command("thresholds", "--by", "language").code == 0
    assert "saving" in command("thresholds", "--cost", "--review-cost", 0.1).out.lower()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--precision", 1.2),
        ("--confidence", 95),
        ("--by", "colour"),
        ("--cost", "--by", "region"),
        ("--review-cost", 1),
        ("--by", "language", "--write", "x.yaml"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(command, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    called = command("thresholds", *wrong)
    assert called.code == 2
    assert "Traceback" not in called.err
