"""How fast tasks reach a real Label Studio and answers come back, beside the SDK's plain calls.

Every measurement runs in a process of its own on one server: its peak memory is the client's, and the server's peak is
read from the system after each. The peer is what a user of the SDK writes: `projects.import_tasks` with all tasks,
`tasks.list` with all fields (as many tasks as `--listed`, as a rate), `projects.exports.download_sync`. `--chunks`
measures bulk sizes of pushing alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from common import Goal, finish

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio import pushing
from hitl.connectors.studio.http import Http
from hitl.demo.server import LabelStudioServer
from hitl.policy import Policy
from hitl.tasks import Form, encode, prediction, render
from hitl.tasks.task import Asking, make_tasks
from hitl.types import Answer, Pick, Task

POLICY = Policy.parse("{name: speed, version: '1', labels: [{name: fine, violating: false}, {name: spam}]}")
FORM = Form(policy=POLICY)
PREDICTED = {"fine": 0.3, "spam": 0.7}
CHUNKS = (100, 200, 300, 500, 1000, 2000)
CHANGED, IDLE_PULLS = 100, 5
HEADERS = ["what", "tasks", "seconds", "tasks/s", "server CPU s", "client MiB", "server MiB"]
SETTLED = 65.0
"""Seconds after which a pull no longer looks back on what was imported."""


@dataclass(frozen=True)
class Place:
    """Where a measurement is taken: server, token, the campaign's name, and how many tasks there are."""

    url: str
    token: str
    campaign: str
    size: int

    def open(self) -> LabelStudio:
        """Our connector, its project open."""
        connector = LabelStudio(self.url, self.token)
        connector.open(self.campaign, FORM, POLICY)
        return connector

    def tasks(self) -> list[Task]:
        """Invented texts of some two hundred characters, each with a prediction."""
        asking = Asking(campaign=self.campaign, round=1, form=FORM, model_id="model-1")
        rows = [{"text": f"text {n} " + "of some length " * 13, "language": "", "region": ""} for n in range(self.size)]
        picks = [Pick(n, f"item-{n}", "uncertain", n / self.size) for n in range(self.size)]
        return list(make_tasks(asking, picks, rows, [PREDICTED] * self.size))

    def sdk(self) -> Any:
        """The SDK's client, as patient as it takes."""
        import label_studio_sdk

        return label_studio_sdk.LabelStudio(base_url=self.url, api_key=self.token, timeout=7200)


Told = dict[str, Any]


def push(place: Place) -> Told:
    import label_studio_sdk.label_interface.interface  # noqa: F401 - importing is not what is timed

    connector, tasks = place.open(), place.tasks()
    return _timed(lambda: connector.push(tasks).sent)


def push_by_sdk(place: Place) -> Told:
    client = place.sdk()
    project = client.projects.create(title=f"{place.campaign} sdk", label_config=render(FORM)).id
    result = prediction(FORM, PREDICTED)
    body = [
        {"data": dict(t.data), "predictions": [{"model_version": "model-1", "score": 1 - t.priority, "result": result}]}
        for t in place.tasks()
    ]
    return _timed(lambda: client.projects.import_tasks(project, request=body).task_count)


def answer(place: Place) -> Told:
    """Not measured: the tasks again, in a project of their own, each with an answer."""
    connector, http = place.open(), Http(place.url, place.token)
    answered = {"result": encode(FORM, Answer(("spam",))), "lead_time": 7.0}
    body = [{"data": dict(task.data), "annotations": [answered]} for task in place.tasks()]
    for start in range(0, len(body), 1000):
        http.write("POST", f"/api/projects/{connector.project_id}/import", body[start : start + 1000])
    return {"count": len(body)}


def pull(place: Place) -> Told:
    return _timed(lambda: len(place.open().pull("").annotations))


def pull_idle(place: Place) -> Told:
    connector = place.open()
    time.sleep(SETTLED)
    cursor = connector.finish().cursor
    told = [_timed(lambda: len(connector.pull(cursor).annotations)) for _ in range(IDLE_PULLS)]
    return sorted(told, key=lambda one: one["seconds"])[IDLE_PULLS // 2]


def pull_changed(place: Place) -> Told:
    connector, http = place.open(), Http(place.url, place.token)
    cursor = connector.finish().cursor
    answered = {"result": encode(FORM, Answer(("fine",))), "lead_time": 9.0}
    params = {"project": connector.project_id, "page_size": CHANGED, "include": "id"}
    for row in http.read("/api/tasks", params)["tasks"]:
        http.write("POST", f"/api/tasks/{row['id']}/annotations/", answered)
    return _timed(lambda: len(connector.pull(cursor).annotations))


def list_by_sdk(place: Place, count: int) -> Told:
    client, project = place.sdk(), place.open().project_id
    return _timed(lambda: sum(1 for _ in islice(client.tasks.list(project=project, fields="all"), count)))


def export_by_sdk(place: Place) -> Told:
    client, project = place.sdk(), place.open().project_id
    read = lambda: b"".join(client.projects.exports.download_sync(project, export_type="JSON"))  # noqa: E731
    return _timed(lambda: len(json.loads(read())))


def _timed(deed: Callable[[], int]) -> Told:
    begun = time.monotonic()
    count = deed()
    return {"count": count, "seconds": time.monotonic() - begun}


MEASURES: dict[str, Callable[..., Told]] = {
    "push": push,
    "push by the SDK": push_by_sdk,
    "answer": answer,
    "pull": pull,
    "list by the SDK": list_by_sdk,
    "export by the SDK": export_by_sdk,
    "pull, nothing new": pull_idle,
    f"pull, {CHANGED} changed": pull_changed,
}


def measured(server: LabelStudioServer, name: str, campaign: str, size: int, *more: int) -> Told:
    """One measurement in a process of its own, with its peak memory and the server's, in MiB."""
    _forget_peak(server)
    spent = _cpu(server)
    place = json.dumps([server.url, campaign, size])
    command = [sys.executable, __file__, "--measure", name, place, *map(str, more)]
    ran = subprocess.run(command, env={**os.environ, "HITL_TOKEN": server.token}, stdout=subprocess.PIPE, check=True)
    told: Told = json.loads(ran.stdout.splitlines()[-1])
    return told | {"name": name, "server": _peak(server), "cpu": _cpu(server) - spent}


def measure(name: str, place: str, more: Sequence[int]) -> None:
    url, campaign, size = json.loads(place)
    if name == "push" and more:
        pushing.CHUNK_TASKS, pushing.CHUNK_BYTES = more[0], 100_000_000
        more = ()
    told = MEASURES[name](Place(url, os.environ["HITL_TOKEN"], campaign, size), *more)
    print(json.dumps(told | {"client": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def compare(size: int, listed: int) -> None:
    told: dict[str, Told] = {}
    with tempfile.TemporaryDirectory() as folder, LabelStudioServer(Path(folder) / "server") as server:
        for name in MEASURES:
            more = [listed] if name == "list by the SDK" else []
            campaign = "pushed" if name.startswith("push") else "answered"
            told[name] = measured(server, name, campaign, size, *more)
            print(f"{name}: {told[name]}", file=sys.stderr, flush=True)
    del told["answer"]
    rows = [_row(one) for one in told.values()]
    rate = {name: one["count"] / one["seconds"] for name, one in told.items()}
    pulling = {peer: rate["pull"] / rate[f"{peer} by the SDK"] for peer in ("list", "export")}
    idle, some = told["pull, nothing new"]["seconds"], told[f"pull, {CHANGED} changed"]["seconds"]
    pushed = rate["push"] / rate["push by the SDK"]
    memory = told["push by the SDK"]["server"] / told["push"]["server"]
    counts = told["push"]["count"] == told["pull"]["count"] == size
    goals = [
        Goal("everything arrived, and came back", f"{size:,}", f"{told['pull']['count']:,}", counts),
        Goal("push with predictions, beside import_tasks", "≥ 0.9 ×", f"{pushed:.2f} ×", pushed >= 0.9),
        Goal("server's memory at import_tasks, beside our push", "≥ 1 ×", f"{memory:.2f} ×", memory >= 1),
        Goal("pull, beside tasks.list", "≥ 3 ×", f"{pulling['list']:.1f} ×", pulling["list"] >= 3),
        Goal("pull, beside an export", "≥ 1 ×", f"{pulling['export']:.2f} ×", pulling["export"] >= 1),
        Goal("pull, nothing new", "< 1 s", f"{idle:.2f} s", idle < 1),
        Goal(f"pull, {CHANGED} changed", "< 5 s", f"{some:.2f} s", some < 5),
    ]
    finish("throughput", goals, rows, HEADERS)


def compare_chunks(size: int) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder, LabelStudioServer(Path(folder) / "server") as server:
        for chunk in CHUNKS:
            told = measured(server, "push", f"pushed by {chunk}", size, chunk)
            rows.append(_row(told | {"name": f"push in chunks of {chunk:,}"}))
            print(rows[-1], file=sys.stderr, flush=True)
    finish("throughput-chunks", [], rows, HEADERS)


def _row(told: Told) -> list[str]:
    rate = f"{told['count'] / told['seconds']:,.0f}"
    figures = [f"{told['cpu']:.1f}", f"{told['client']:.0f}", f"{told['server']:.0f}"]
    return [told["name"], f"{told['count']:,}", f"{told['seconds']:.2f}", rate, *figures]


def _forget_peak(server: LabelStudioServer) -> None:
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")


def _cpu(server: LabelStudioServer) -> float:
    """Processor seconds that the server has used; the whole measurement's, what prepares it included."""
    used = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def _peak(server: LabelStudioServer) -> float:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 tasks instead of 50,000")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--listed", type=int, default=10_000, help="how many tasks the SDK lists")
    parser.add_argument("--chunks", action="store_true", help="measure bulk sizes instead")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen.measure[0], chosen.measure[1], list(map(int, chosen.measure[2:])))
    elif chosen.chunks:
        compare_chunks(chosen.size or (2000 if chosen.quick else 10_000))
    else:
        compare(chosen.size or (2000 if chosen.quick else 50_000), chosen.listed)
