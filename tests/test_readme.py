"""The README does what it says: its commands exist, its files are there, and its script runs as printed."""

import contextlib
import io
import os
import re
import shlex
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tiny import tiny_text_encoder

import hitl
from hitl.demo.shift import hire, work_shift
from hitl.demo.stage import Stage
from hitl.demo.stream import demo_policy, generate
from hitl.hashes import Entry, HashList, text_hashes, to_hex
from hitl.types import Targets, silent
from hitl.workforce.simulated import TEAM

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line, comments=True) for line in re.findall(r"^    ((?:make|hitl) .*)$", README, re.MULTILINE)]
PEOPLE = [replace(reviewer, languages=(), careless=False, skip_rate=0.0) for reviewer in TEAM]
MEMORY = {
    "campaign": "trial",
    "policy": "policy.yaml",
    "pool": {"path": "items.parquet", "language": "language"},
    "plan": {"rounds": 1, "budget": 10, "benchmark": 20},
    "connect": {"kind": "memory", "truth": "truth"},
}


def test_every_make_command_has_its_target_and_its_variables():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    called = [command[1:] for command in COMMANDS if command[0] == "make"]
    called += [words.split() for words in re.findall(r"`make ([^`]+)`", README)]
    assert len(called) >= 6
    for target, *settings in called:
        assert target in targets
        for setting in settings:
            assert f"$({setting.split('=')[0]})" in makefile


def stop_when_it_answers(port=9090):
    while True:
        time.sleep(0.1)
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200:
                return os.kill(os.getpid(), signal.SIGTERM)


def test_every_hitl_command_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    called = [arguments[1:] for arguments in COMMANDS if arguments[0] == "hitl"]
    assert [arguments[0] for arguments in called] == [
        *["init", "doctor", "run", "status", "pull", "rescore", "report"],
        *["tampering", "people", "quarantine", "dispute", "qa", "ops"],
        *["thresholds", "transparency", "doctor", "serve", "match", "export"],
    ]
    encoder = tiny_text_encoder(tmp_path / "encoder")
    for arguments in called:
        if arguments[0] == "match":
            HashList.of([Entry("text", to_hex(text_hashes(["plim zonk"]))[0], "known")]).save(tmp_path / "known.csv")
        if arguments[0] == "export":
            pool = hitl.Pool.open(pa.table({"text": ["zonk", "blip"]}))
            model = hitl.TextTransformer(str(encoder), device="cpu")
            targets = Targets(np.arange(2), np.eye(2), ("ok", "bad"), np.ones(2))
            features = model.features(pool, None)
            model.fit(features, targets, np.random.default_rng(0), multi_label=False).save("final-model")
        if arguments[0] == "serve":
            threading.Thread(target=stop_when_it_answers, daemon=True).start()
        ended = command(*arguments)
        if arguments[0] == "rescore":
            # The reviewers in memory answer at once.
            assert "no task of round 1 waits" in ended.err
        else:
            assert ended.code == 0, ended.err
        if arguments[0] == "init":
            (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(MEMORY))
            (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
            pq.write_table(generate(300, seed=3), tmp_path / "items.parquet")


def test_the_table_of_exit_codes_is_that_of_the_command_line(command):
    listed = re.findall(r"^\| (\d+) \|", README, re.MULTILINE)
    assert len(listed) == 9
    assert re.findall(r"(?<![\w-])\d+(?= )", command("--help").out.partition("Exit codes:")[2]) == listed


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link):
    assert (ROOT / link).exists()


def test_the_script_walks_a_campaign_on_a_real_server(server, tmp_path, monkeypatch):
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert script.count("http://127.0.0.1:8080") == 1
    script = script.replace("http://127.0.0.1:8080", server.url)
    monkeypatch.chdir(tmp_path)
    content = generate(400, seed=3)
    pq.write_table(content, "posts.parquet")
    Path("policy.yaml").write_text(demo_policy().to_yaml(), encoding="utf-8")
    people = hire(server, tmp_path, silent, PEOPLE)
    truth = hitl.Pool.open(content.select(["id", "text", "truth"]), facets=("truth",))

    printed = [run(script, server.token)]
    for _ in range(12):
        name, told = printed[-1]
        if name["campaign"].status.state == "done":
            break
        assert told.splitlines()[-1].startswith("waiting: round ")
        assert told.splitlines()[-1].endswith("runs/spring/report.html")
        campaign = name["campaign"]
        campaign.walk = replace(campaign.walk, pool=truth)
        work_shift(campaign, people, Stage(tmp_path, "truth", {}), silent)
        printed.append(run(script, server.token))

    told = printed[-1][1]
    for number, kind in enumerate(["seed", "active", "active"]):
        assert f"Round {number} ({kind}): {130 if number == 0 else 30} asked, macro_f1 0." in told
    assert len(re.findall(r"^macro_f1 0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\]", told, re.MULTILINE)) == 3
    assert len(re.findall(r"^(?:helped|no evidence|hurt): macro_f1 [+-]\d", told, re.MULTILINE)) == 2
    assert "done: all 3 rounds are completed" in told
    assert (tmp_path / "runs/spring/report.html").exists()
    assert all(server.token not in said for _, said in printed)
    for person in people:
        person.account.close()


def run(script, token):
    """One run of the script as a process would do it: the names it leaves, and what it printed."""
    names, out = {"token": token}, io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(script, "README.md", "exec"), names)
    return names, out.getvalue()
