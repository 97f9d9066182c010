"""kill -9 of a run in every step, and at random points of push and pull, on a real Label Studio.

One campaign is left in peace; the same campaign on a second server is killed in every step of every round, after the
step's work and before its record, and before or after random requests of push and pull. In the end both records and
both servers must tell the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import yaml
from common import Goal, finish

from hitl.config import CampaignConfig
from hitl.demo.people import Account
from hitl.demo.server import LabelStudioServer
from hitl.demo.shift import Hand, hire, work_shift
from hitl.demo.stage import TOKEN, Stage, set_stage
from hitl.rounds import STEPS, Campaign
from hitl.types import silent

WAITING = 75
DRAWS = 10
REACH = {"push": (12, 4), "pull": (2, 2)}
"""Requests that the step makes at least, each time it is begun, in the seed round and in the others."""
SAMPLES = ("benchmark", "audit", "agreement")
WHEN = ("before", "after")


def end_here() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def walk(config: Path, kill: str) -> int:
    """One run of the campaign in this process, killed at `ROUND:STEP`, or at `STEP#REQUEST:before|after`."""
    if "#" in kill:
        step, _, rest = kill.partition("#")
        count, _, when = rest.partition(":")
        _kill_at_request(step, int(count), when)
    elif kill:
        number, _, step = kill.partition(":")
        _kill_after_step(int(number), step)
    campaign = CampaignConfig.load(config).open()
    return WAITING if campaign.run().state == "waiting" else 0


def _kill_after_step(number: int, name: str) -> None:
    plain = STEPS[name]

    def step(parts: Any, at: int) -> Any:
        done = plain(parts, at)
        if at == number and done is not None:
            end_here()
        return done

    STEPS[name] = step


def _kill_at_request(name: str, count: int, when: str) -> None:
    plain, send = STEPS[name], httpx.Client.send
    left = [count]

    def counted(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        left[0] -= 1
        if left[0] == 0 and when == "before":
            end_here()
        response = send(client, request, **options)
        if left[0] == 0:
            end_here()
        return response

    def step(parts: Any, at: int) -> Any:
        httpx.Client.send = counted  # type: ignore[method-assign]
        try:
            return plain(parts, at)
        finally:
            httpx.Client.send = send  # type: ignore[method-assign]

    STEPS[name] = step


def run(config: Path, token: str, kill: str = "") -> int:
    """A run in a process of its own; its exit code, -9 when it was killed."""
    command = [sys.executable, __file__, "--walk", str(config), "--kill", kill]
    return subprocess.run(command, env={**os.environ, TOKEN: token}, check=False).returncode


class Scene:
    """A server of its own with a campaign and its reviewers."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self.server = LabelStudioServer(folder / "server").start()
        self.stage: Stage = set_stage(folder, self.server.url)
        config = yaml.safe_load(self.stage.config.read_text())
        config["plan"] |= {"rounds": rounds, "budget": 40, "benchmark": 60}
        self.stage.config.write_text(yaml.safe_dump(config))
        os.environ[TOKEN] = self.server.token
        self.idle = 0
        self.hands: list[Hand] = hire(self.server, folder / "server", silent)

    def campaign(self) -> Campaign:
        os.environ[TOKEN] = self.server.token
        return CampaignConfig.load(self.stage.config).open()

    def people(self) -> None:
        self.idle = 0 if work_shift(self.campaign(), self.hands, self.stage, silent) else self.idle + 1
        if self.idle > 3:
            raise SystemExit(f"{self.campaign().status}, and nobody can answer")

    def go(self, kills: list[str]) -> Counter[str]:
        """Run to the end, killed at each of `kills` in turn, however often people must work before; what was met."""
        met: Counter[str] = Counter()
        while True:
            kill = kills[0] if kills else ""
            code = run(self.stage.config, self.server.token, kill)
            if code == -signal.SIGKILL:
                met[step_of(kills.pop(0))] += 1
            elif code == WAITING:
                if step_of(kill) == "push":
                    kills.append(kills.pop(0))  # this push was shorter than drawn: a later round's may be longer
                self.people()
            elif code == 0:
                return met
            else:
                raise SystemExit(f"a run ended with {code}")


def step_of(kill: str) -> str:
    return kill.split("#")[0] if "#" in kill else kill.partition(":")[2]


def told(scene: Scene) -> dict[str, Any]:
    """The record in terms that do not depend on the server's numbers or the clock."""
    ledger = scene.campaign().ledger
    of = {a.id: f"{a.task_key}/{a.worker}" for a in ledger.annotations()}
    rounds = [row["round"] for row in ledger.rounds()]
    said = [(of[a.id], a.answer, a.skipped, a.deleted, a.seconds) for a in ledger.annotations()]
    return {
        "rounds": rounds,
        "steps": {n: sorted(ledger.steps(n)) for n in rounds},
        "picks": {n: [repr(p) for p in ledger.picks(n)] for n in rounds},
        "tasks": [repr(task) for task in ledger.tasks()],
        "annotations": sorted(map(repr, said)),
        "revisions": len(ledger.revisions()),
        "resolutions": {
            n: [repr((r.item_id, r.labels, round(r.confidence, 9), sorted(of[a] for a in r.annotations), dict(r.outs)))
                for r in ledger.resolutions(n)]
            for n in rounds
        },
        "models": {n: ledger.model(n)["model_id"] for n in rounds},
        "metrics": {n: [repr(e) for s in SAMPLES for e in ledger.metrics(n, s)] for n in rounds},
        "intents": ledger.intents("overlap"),
    }  # fmt: skip


def on_server(scene: Scene) -> tuple[Counter[str], int, int]:
    """How often each key is on the server, tasks without exactly one prediction, and annotations."""
    server = scene.server
    project = int(scene.campaign().ledger.project.rstrip("/").rsplit("/", 1)[-1])
    admin = Account(server.email, server.password, server.token, 0, server.url)
    keys = Counter(task.key for task in admin.tasks(project))
    include = {"project": project, "page_size": 100_000, "fields": "all", "include": "id,predictions,annotations"}
    with httpx.Client(headers={"Authorization": f"Token {server.token}"}, timeout=300) as client:
        rows = client.get(f"{server.url}/api/tasks", params=include).json()["tasks"]
    return keys, sum(len(row["predictions"]) != 1 for row in rows), sum(len(row["annotations"]) for row in rows)


def compare(rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, rough = Scene(Path(folder) / "calm", rounds), Scene(Path(folder) / "rough", rounds)
        try:
            begun = time.monotonic()
            calm.go([])
            in_peace = time.monotonic() - begun
            kills = planned(rounds, chance)
            wanted = Counter(map(step_of, kills))
            met = rough.go(kills)
            one, two = told(calm), told(rough)
            keys, unserved, answers = on_server(rough)
            calm_keys, _, calm_answers = on_server(calm)
        finally:
            calm.server.stop()
            rough.server.stop()
    asked = set(calm_keys)
    different = [part for part in one if one[part] != two[part]]
    killed = sum(met[name] for name in STEPS)
    goals = [
        Goal("steps killed", f"all {sum(wanted.values())}", str(killed), all(met[s] >= wanted[s] for s in STEPS)),
        Goal("tasks twice", "0", str(sum(n > 1 for n in keys.values())), max(keys.values()) == 1),
        Goal("tasks missing", "0", str(len(asked - set(keys))), asked == set(keys)),
        Goal("tasks without one prediction", "0", str(unserved), unserved == 0),
        Goal("annotations lost", "0", str(calm_answers - answers), answers == calm_answers),
        Goal("parts of the record that differ", "none", ", ".join(different) or "none", not different),
    ]
    rows = [[name, str(wanted[name]), str(met[name])] for name in STEPS]
    rows.append(["in peace", "", f"{in_peace:.0f} s, {len(asked)} tasks, {calm_answers} annotations"])
    finish("kills", goals, rows, ["step", "kills wanted", "kills met"])
    if different:
        (Path(__file__).parent / "out" / "kills-diff.json").write_text(
            json.dumps({part: [one[part], two[part]] for part in different}, indent=1, default=str)
        )


def planned(rounds: int, chance: random.Random) -> list[str]:
    """Every step of every round, and before it in push and pull ten random requests, spread over the rounds."""
    kills = []
    for number in range(rounds + 1):
        for name in STEPS:
            share = DRAWS // (rounds + 1) + (number < DRAWS % (rounds + 1)) if name in REACH else 0
            reach = REACH[name][number > 0] if name in REACH else 0
            kills += [f"{name}#{chance.randint(1, reach)}:{chance.choice(WHEN)}" for _ in range(share)]
            kills.append(f"{number}:{name}")
    return kills


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one active round instead of two")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--walk", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kill", default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.walk:
        sys.exit(walk(chosen.walk, chosen.kill))
    compare(rounds=1 if chosen.quick else 2, seed=chosen.seed)
