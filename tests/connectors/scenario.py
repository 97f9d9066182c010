"""A small campaign on a real Label Studio, played in peace or over a line that fails; what came of it, in plain values.

Everything on our side runs in a process of its own, begun anew whenever it dies or gives up. Annotators work
directly on the server meanwhile: they answer, skip, change their minds and take answers back, each of it decided by
the names of script, task and person alone. So both plays must end alike.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
from annotators import LABELS, POLICY, chance, work
from faulty import FAULTS, Line
from outcome import Outcome, Told, compare, record, there
from sqlalchemy import event
from sqlalchemy.engine import Engine
from weather import Weather

from hitl import Campaign, MemoryConnector, Plan, Pool, TextLinear
from hitl.connectors import Connector
from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio import http, tasks
from hitl.connectors.studio.http import Http
from hitl.demo.people import Account
from hitl.demo.server import LabelStudioServer
from hitl.errors import ConnectorError

KINDS = (*(kind for kind in FAULTS if kind != "kill server"), "kill commit", "mixed", "kill server")
LINE = tuple(kind for kind in FAULTS if not kind.startswith("kill"))
SCRIPTS = 8
WORDS = ["lamp", "river", "stone", "cloud", "green", "table", "winter", "market", "paper", "window", "garden", "button"]
PATIENCE = 2.5
TURNS, TRIES = 10, 25
WAITING, DONE, AGAIN, BROKEN = 75, 0, 69, 70


def brisk(folder: Path) -> None:
    """Waiting for a dead line is not what scenarios are about, nor importing: processes inherit what is here."""
    http.WRITE_SECONDS, http.CONNECT_SECONDS = 4.0, 2.0
    tasks.SETTLE_SECONDS = (0.1, 0.2, 0.4, 0.8)
    campaign(folder / "warm", 3, MemoryConnector(lambda task: (LABELS[chance(task.key) % 3],))).run()


@dataclass
class Place:
    """A server with its annotators, for one scenario after the other."""

    server: LabelStudioServer
    people: tuple[Account, ...]
    folder: Path
    _calm: dict[int, Told] = field(default_factory=dict)

    def calm(self, script: int) -> Told:
        """What comes of a script in peace; played once."""
        if script not in self._calm:
            with Line(self.server.url) as line:
                self._calm[script] = Play(self, script, line).told()
        return self._calm[script]

    def kill_server(self) -> None:
        """kill -9 of the server; the next start goes on from its data."""
        if pid := self.server.pid:
            os.killpg(pid, signal.SIGKILL)

    def await_server(self) -> None:
        """Start the server when it is not there."""
        self.server.start()


def run(place: Place, seed: int) -> Outcome:
    """Play the scenario of this seed, and compare it with its script in peace."""
    begun = time.monotonic()
    kind, script = KINDS[seed % len(KINDS)], seed // len(KINDS) % SCRIPTS
    calm = place.calm(script)
    kinds = {"mixed": LINE, "kill commit": ()}.get(kind, (kind,))
    weather = Weather(seed, kinds, most=1 if kind == "kill server" else 2 if kinds else 0)
    play: Play | None = None
    with Line(place.server.url, weather) as line:
        try:
            play = Play(place, script, line, commits=_commits(seed) if kind == "kill commit" else ())
            told, broke = play.told(), ()
        except Stalled as stalled:
            told, broke = Told({}, {}), (str(stalled),)
    injected = sum(line.injected.values()) + (play.commits_met if play else 0)
    return compare(seed, kind, calm, told, injected, broke, tuple(line.trace), time.monotonic() - begun)


class Stalled(Exception):  # noqa: N818 - a state, read aloud as one
    """The scenario did not end by itself."""


class Play:
    """One play of a script over a line."""

    def __init__(self, place: Place, script: int, line: Line, commits: Iterable[int] = ()) -> None:
        self.place, self.script, self.line = place, script, line
        self.folder = place.folder / f"play-{script}"
        self._commits = list(commits)
        self.commits_met = 0
        self._child = 0
        line.deeds |= {"kill": self._kill, "kill server": place.kill_server}

    def told(self) -> Told:
        """Play to the end, look, and clear up."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            for turn in range(TURNS):
                state = self._until_done("run")
                if state["state"] == "done":
                    break
                looking = self._start("pull")
                self.place.await_server()
                work(self.place.people, int(state["project"]), self.script, amend=turn == 0)
                if self._ended(looking) != DONE:
                    self._until_done("pull")
            else:
                raise Stalled(f"{TURNS} turns did not end it: {state['state']}")
            self.line.calm()
            state = self._until_done("tell")
            return Told(state["record"], there(self.place.server, int(state["project"])))
        finally:
            self._clear()

    def _until_done(self, what: str) -> dict[str, Any]:
        for _ in range(TRIES):
            self.place.await_server()
            code = self._ended(self._start(what))
            if code in (DONE, WAITING):
                return dict(json.loads((self.folder / "state.json").read_text()))
            if code == BROKEN:
                raise Stalled((self.folder / "broken.txt").read_text())
        raise Stalled(f"{what}: {TRIES} tries did not get through")

    def _start(self, what: str) -> int:
        commit = self._commits.pop(0) if self._commits and what == "run" else 0
        self.folder.mkdir(parents=True, exist_ok=True)
        self._child = os.fork()
        if self._child == 0:
            code = BROKEN
            try:
                code = self._walk(what, commit)
            except ConnectorError:
                code = AGAIN
            except BaseException:
                (self.folder / "broken.txt").write_text(traceback.format_exc())
            finally:
                os._exit(code)
        return self._child

    def _ended(self, child: int) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == -signal.SIGUSR1:
            self.commits_met += 1
        return code

    def _kill(self) -> None:
        os.kill(self._child, signal.SIGKILL)

    def _walk(self, what: str, commit: int) -> int:
        """In the child: the campaign's own part."""
        if commit:
            _die_at_commit(commit)
        connector = LabelStudio(self.line.url, self.place.server.token, timeout=PATIENCE)
        mine = campaign(self.folder, self.script, connector)
        state = mine.run().state if what == "run" else ""
        if what != "run":
            mine.pull()
        told = {"state": state, "project": mine.ledger.project.rstrip("/").rsplit("/", 1)[-1]}
        told |= {"record": record(mine)} if what == "tell" else {}
        (self.folder / "state.json").write_text(json.dumps(told))
        return WAITING if state == "waiting" else DONE

    def _clear(self) -> None:
        self.place.await_server()
        admin = Http(self.place.server.url, self.place.server.token)
        try:
            for row in admin.read("/api/projects/", {"page_size": 1000})["results"]:
                if f"hitl:faults {self.script}:" in str(row["description"]):
                    admin.rewrite("DELETE", f"/api/projects/{row['id']}/", None)
        except ConnectorError:
            pass
        finally:
            admin.close()


def campaign(folder: Path, script: int, connector: Connector) -> Campaign:
    """The campaign of a script: forty invented texts; every fourth has an active round after the seed round."""
    turn = chance(script) % 7
    texts = [f"{WORDS[n % 12]} {WORDS[(n * 5 + turn) % 12]} {WORDS[n * 7 % 12]} number {n}" for n in range(40)]
    plan = Plan(rounds=script % 4 == 3, budget=4, seed_budget=4, benchmark=2, benchmark_people=2, overlap=0.5, seed=7)
    pool = Pool.open(datasets.Dataset.from_dict({"text": texts}), text="text")
    name = f"faults {script}"
    return Silent(name, policy=POLICY, pool=pool, model=TextLinear(), plan=plan, connector=connector, folder=folder)


class Silent(Campaign):
    """A campaign that draws no report."""

    def report(self) -> Path:
        """Where the report would be."""
        return self.folder / "report.html"


def _commits(seed: int) -> tuple[int, ...]:
    return (1 + chance(seed, "first") % 12, 1 + chance(seed, "second") % 4)


def _die_at_commit(number: int) -> None:
    left = [number]

    def committing(_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            # A signal of its own tells the parent where the end came; nothing handles it, so it ends like kill -9.
            os.kill(os.getpid(), signal.SIGUSR1)

    event.listen(Engine, "commit", committing)
