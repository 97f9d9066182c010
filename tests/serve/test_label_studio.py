"""A real Label Studio: it asks the newest model, tells of answers, and the next round begins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import SecretStr

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio.backend import Backend, Tie
from hitl.connectors.studio.http import Http
from hitl.demo import server as demo_server
from hitl.demo.server import LabelStudioServer, free_port
from hitl.demo.stream import demo_policy, generate
from hitl.serve.auth import VARIABLE
from hitl.tasks import Form

SECRET = "a-secret-of-the-tests"
CALL = [sys.executable, "-c", "from hitl.cli import main; main()", "serve", "hitl.yaml"]
NEVER = "3600"


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """A Label Studio that may call this machine."""
    closed = demo_server.options
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_server, "options", lambda *told: closed(*told) | {"ML_BLOCK_LOCAL_IP": "false"})
        made = LabelStudioServer(tmp_path_factory.mktemp("label-studio"), webhooks_to_loopback=True)
    with made as running:
        yield running


class Studio:
    """The server as a person's browser sees it, and the command that serves it."""

    def __init__(self, server: LabelStudioServer, folder: Path) -> None:
        self.http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Token {server.token}"}, trust_env=False, timeout=60
        )
        self.port = free_port()
        self.log = folder / "serve.log"
        environment = {**os.environ, "LABEL_STUDIO_TOKEN": server.token, VARIABLE: SECRET}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*CALL, "--port", str(self.port), "--every", NEVER], cwd=folder, env=environment, stderr=log
            )

    def get(self, path: str, **params: Any) -> Any:
        return self.http.get(path, params=params).json()

    def next_task(self, project: int) -> Any:
        return self.http.post("/api/dm/actions", params={"id": "next_task", "project": project}, json={}).json()

    def answer(self, task: int, label: str) -> None:
        result = {"from_name": "label", "to_name": "content", "type": "choices", "value": {"choices": [label]}}
        self.http.post(f"/api/tasks/{task}/annotations/", json={"result": [result]}).raise_for_status()

    def wait_for(self, seen: Callable[[], Any]) -> Any:
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            found = seen()
            if found:
                return found
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def told(self, part: str) -> bool:
        return part in self.log.read_text()


@pytest.fixture
def studio(reaching: LabelStudioServer, tmp_path: Path) -> Iterator[Studio]:
    plan = {"rounds": 1, "budget": 6, "benchmark": 6, "answered": 0.7, "overlap": 0, "benchmark_people": 1}
    config = {
        "campaign": "answered by hints",
        "policy": "policy.yaml",
        "pool": {"path": "items.parquet"},
        "plan": {**plan, "third_opinion": False, "show_predictions": True},
        "connect": {"kind": "label_studio", "url": reaching.url},
    }
    (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
    pq.write_table(generate(200, seed=3), tmp_path / "items.parquet")
    served = Studio(reaching, tmp_path)
    yield served
    served.process.kill()
    served.process.wait()
    served.http.close()


def test_the_server_asks_the_newest_model_and_its_hints_begin_the_next_round(studio):
    studio.wait_for(lambda: studio.told("Round 0 of 1 waits"))
    (project,) = (row["id"] for row in studio.get("/api/projects/")["results"] if row["task_number"] == 12)
    (backend,) = studio.get("/api/ml/", project=project)
    assert (backend["state"], backend["title"], backend["url"]) == ("CO", "seed-1", f"http://127.0.0.1:{studio.port}")
    (hook,) = studio.get("/api/webhooks/", project=project)
    assert hook["is_active"]
    assert not hook["send_payload"]
    assert SECRET not in str(hook)
    assert studio.get(f"/api/projects/{project}/")["show_collab_predictions"]

    # nine of twelve are enough, and nothing is looked at without a hint
    tasks = studio.get("/api/tasks", project=project, page_size=50)["tasks"]
    for at, task in enumerate(tasks[:9]):
        studio.answer(task["id"], ["ok", "harassment"][at % 2])
    left = {task["id"] for task in tasks[9:]}
    studio.wait_for(lambda: studio.told("Round 1 of 1 waits"))
    studio.wait_for(lambda: studio.get("/api/ml/", project=project)[0]["title"] != "seed-1")
    model = studio.get(f"/api/projects/{project}/")["model_version"]
    (backend,) = studio.get("/api/ml/", project=project)
    assert model.startswith("text_linear-")
    assert (backend["title"], backend["model_version"]) == (model, model)

    # the new round's tasks first, then those of before, which the new model is asked about as they are opened
    served, shown = [], 0
    while "predictions" in (task := studio.next_task(project)):
        assert [one["model_version"] for one in task["predictions"]] == [model]
        shown += bool(task["predictions"][0]["result"])
        served.append(task["id"])
        studio.answer(task["id"], "ok")
        if len(served) == 9:
            break
    assert set(served[-3:]) == left
    assert 0 < shown < len(served)  # where the model is measured its answer is kept back
    studio.wait_for(lambda: studio.told("All 2 rounds are completed"))

    studio.process.send_signal(signal.SIGTERM)
    assert studio.process.wait(60) == 0
    assert studio.get("/api/ml/", project=project) == studio.get("/api/webhooks/", project=project) == []
    assert studio.get(f"/api/projects/{project}/")["model_version"] == model
    assert SECRET not in studio.log.read_text()
    assert "Traceback" not in studio.log.read_text()


def test_a_server_that_may_not_call_here_says_so_and_shows_nothing(server):
    policy = demo_policy()
    connector = LabelStudio(server.url, server.token)
    connector.open("called by nobody", Form(policy=policy), policy)
    backend = Backend("http://127.0.0.1:9", "hitl", SecretStr(SECRET), SecretStr("a-hint"))
    http = Http(server.url, server.token)
    tie = Tie(http, connector.project_id, backend)
    refused = tie.attach("kind-1", show=True)
    assert [line.partition(":")[0] for line in refused] == [
        "no webhooks, so that answers are found by looking now and then", "no predictions by request",
    ]  # fmt: skip
    assert "SSRF_PROTECTION_ENABLED=false" in refused[0]
    assert "ML_BLOCK_LOCAL_IP=false" in refused[1]
    assert SECRET not in " ".join(refused)
    assert not http.read(f"/api/projects/{connector.project_id}/")["show_collab_predictions"]
    tie.detach()
    http.close()
    connector.close()
