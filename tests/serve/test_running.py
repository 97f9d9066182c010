"""The command: what it refuses to begin with, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
import yaml

from hitl.demo.server import free_port
from hitl.demo.stream import demo_policy, generate
from hitl.errors import ConfigError
from hitl.serve import Serving
from hitl.serve import running as serve_running
from hitl.serve.auth import FILE, USER, VARIABLE

CALL = [sys.executable, "-c", "from hitl.cli import main; main()", "serve", "hitl.yaml"]


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    told = {
        "campaign": "trial",
        "policy": "policy.yaml",
        "pool": {"path": "items.parquet"},
        "plan": {"rounds": 0, "budget": 10, "benchmark": 20},
        "connect": {"kind": "memory", "truth": "truth"},
    }
    Path("hitl.yaml").write_text(yaml.safe_dump(told))
    Path("policy.yaml").write_text(demo_policy().to_yaml())
    pq.write_table(generate(200, seed=3), "items.parquet")
    return Path("hitl.yaml")


def wait_until(happens, process):
    for _ in range(1200):
        assert process.poll() is None, Path("told").read_text()
        try:
            if happens():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError("nothing came of it")


@pytest.fixture
def served(config):
    """The command in a process of its own: how to reach it, the process, and what it has told so far."""
    port = free_port()
    with Path("told").open("w") as told:
        process = subprocess.Popen([*CALL, "--port", str(port)], stderr=told)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        wait_until(lambda: client.get("/health").status_code == 200, process)
        yield client, process, lambda: Path("told").read_text().splitlines()
    process.kill()
    process.wait()


def test_it_answers_until_it_is_asked_to_end(served):
    client, process, told = served
    wait_until(lambda: "The seed round is completed, the only one" in told(), process)
    secret = Path("runs/trial", FILE).read_text()
    task = {"data": {"text": "zonk"}}
    assert client.post("/predict", json={"tasks": [task]}, auth=(USER, secret)).json()["results"][0]["result"]
    assert client.post("/predict", json={"tasks": [task]}).status_code == 401
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert [line.partition(":")[0] for line in told()] == [
        "Answering at http", "Round 0 (seed)", "The seed round is completed, the only one",
    ]  # fmt: skip
    assert secret not in "".join(told())


def test_it_is_interrupted_after_the_step_in_hand(served):
    _, process, told = served
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert told()[-1].startswith("hitl: interrupted; nothing is lost")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--url"),
        (["--host", "0.0.0.0", "--url", "http://models.example"], VARIABLE),
        (["--host", "no.such.host.invalid"], VARIABLE),
        (["--url", "ftp://here"], "--url"),
        (["--url", "http://user:pw@here"], "--url"),
        (["--url", "http://["], "--url"),
    ],
)
def test_what_cannot_be_served_safely_is_refused(options, said, config, command):
    ended = command("serve", config, *options)
    assert ended.code == 78
    assert said in ended.err
    assert "pw" not in ended.err


def test_a_port_that_is_taken_is_named(config, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("serve", config, "--port", port)
    assert ended.code == 78
    assert f"127.0.0.1:{port}" in ended.err
    assert "--port" in ended.err


def test_a_missing_extra_is_named(config, command, monkeypatch):
    monkeypatch.setattr(serve_running, "find_spec", lambda name: None)
    assert "pip install 'hitl[serve]'" in command("serve", config).err


def test_the_names_it_goes_by():
    assert Serving().names == {"127.0.0.1", "localhost", "::1"}
    assert Serving(host="10.1.2.3", url="https://Models.example/x").names == {"10.1.2.3", "models.example"}
    assert Serving(host="::1").address(7) == "http://[::1]:7"
    assert Serving(url="https://models.example/x/").address(7) == "https://models.example/x"
    with pytest.raises(ConfigError):
        Serving(url="http://models.example?x=1")


def test_nothing_of_it_is_imported_with_the_command_line():
    code = "import sys, hitl.cli; print([name for name in sys.modules if 'starlette' in name or 'uvicorn' in name])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert told.stdout.strip() == "[]"
