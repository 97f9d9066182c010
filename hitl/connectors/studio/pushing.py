"""Pushing tasks: what is missing is sent until nothing is, copies are taken away, predictions are mended.

Nothing on the server removes duplicates, an import whose answer is lost may still take place, and an import during
labeling may lose its predictions. So a push is a loop: ask which keys are there, send the missing, ask again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.project import Project
from hitl.connectors.studio.storage import Storage
from hitl.connectors.studio.tasks import Held, Size, Tasks
from hitl.errors import ConnectorError, ServerUnreachable
from hitl.tasks import prediction, render, served_by
from hitl.types import Progress, Receipt, Task

CHUNK_TASKS = 300
CHUNK_BYTES = 4_000_000
ROUNDS = 4


@dataclass(frozen=True)
class Pushing:
    """The way of tasks into one project. O(tasks) time, a chunk at a time in memory."""

    http: Http
    project: Project
    media: Storage

    @property
    def server(self) -> Tasks:
        """The project's tasks."""
        return Tasks(self.http, self.project.id)

    def push(self, tasks: Sequence[Task], progress: Progress) -> Receipt:
        """Afterwards each task is there once, with one prediction; raises `ServerUnreachable` when some are not."""
        wanted = {task.key: task for task in tasks}
        # Counted before it is listed: what arrives in between, from a push long given up, would be there twice unseen.
        before, held = self.server.size(), self.server.held(wanted)
        missing = _missing(wanted, held)
        if missing:
            self._check_predictions(missing)
            held = self._send(wanted, held, before, progress)
        there = self.fold(held)
        self.predict(wanted, there)
        self.serve(wanted, there)
        self.open({task.key: task.overlap for task in wanted.values() if task.overlap > 1}, there)
        progress("pushing tasks", len(wanted), len(wanted))
        return Receipt({key: str(there[key].id) for key in wanted}, sent=len(missing))

    def ask_more(self, overlap: Mapping[str, int]) -> None:
        """Open tasks to more people; a task that is gone, or has as many answers, is left alone. One request a task."""
        self.open(overlap, firsts(self.server.held(overlap)))

    def refresh(self, tasks: Sequence[Task]) -> None:
        """Give what is still open its present prediction, then serve by those: at no time is the order empty."""
        wanted = {task.key: task for task in tasks}
        there = {key: row for key, row in self.fold(self.server.held(wanted)).items() if not row.closed}
        wanted = {key: wanted[key] for key in there}
        self._check_predictions(wanted.values())
        self.predict(wanted, there)
        self.serve(wanted, there)

    def fold(self, held: Mapping[str, Sequence[Held]]) -> dict[str, Held]:
        """Take away copies that nobody worked on; which one is left, or counts first, by key."""
        for rows in held.values():
            for copy in rows[1:]:
                if not copy.touched:
                    self.server.delete_untouched(copy.id)
        return firsts(held)

    def predict(self, wanted: Mapping[str, Task], there: Mapping[str, Held]) -> None:
        """Give each task that is there one prediction of its model's version; raises `ServerUnreachable` otherwise."""
        for _ in range(ROUNDS):
            self._unpair(there)
            bare = bare_of(wanted, there)
            for start in range(0, len(bare), CHUNK_TASKS):
                some = {
                    key: {"task": there[key].id, **self._prediction(wanted[key])}
                    for key in bare[start : start + CHUNK_TASKS]
                }
                if not self.server.send_predictions(some):
                    break
            there = firsts(self.server.held(bare))
            if not bare_of(wanted, there):
                return self._unpair(there)
        raise ServerUnreachable(f"{len(bare)} tasks stay without their priority in {ROUNDS} tries; try again")

    def serve(self, wanted: Mapping[str, Task], there: Mapping[str, Held]) -> None:
        """Serve what is open by the newest round's model; without a model version the order would be random."""
        still = [wanted[key] for key, row in there.items() if not row.closed]
        if not still:
            return
        newest = max(task.round for task in still)
        served = Counter(version(task) for task in still if task.round == newest).most_common(1)[0][0]
        where = f"/api/projects/{self.project.id}/"
        if self.http.row(where, {"include": "model_version"}).get("model_version") != served:
            self.http.rewrite("PATCH", where, {"model_version": served})

    def open(self, overlap: Mapping[str, int], there: Mapping[str, Held]) -> None:
        """Open tasks to so many people; one that has as many answers is left alone. One request a task."""
        for key, row in there.items():
            if shut(row, overlap.get(key, 0)):
                # `overlap` alone does not open a task that somebody finished.
                self.server.change(row.id, {"overlap": max(overlap[key], row.overlap), "is_labeled": False})

    def data(self, task: Task) -> dict[str, Any]:
        """What a task's data are on the server: references to media are links that a page can show."""
        linked = {"media": self.media.link(task.data["media"])} if "media" in task.data else {}
        return {**task.data, **linked}

    def _check_predictions(self, tasks: Iterable[Task]) -> None:
        """The server would take, or drop, a prediction that does not fit the page without a word."""
        distinct = {json.dumps(prediction(self.project.form, task.predicted)): task.key for task in tasks}
        if not distinct.keys() - {"[]"}:
            return
        from label_studio_sdk.label_interface.interface import LabelInterface

        page: Any = LabelInterface(render(self.project.form))
        for result, key in distinct.items():
            wrong = page.validate_prediction({"result": json.loads(result)}, return_errors=True)
            if wrong:
                raise ConnectorError(f"task {key}: its prediction does not fit the form ({len(wrong)} mistakes)")

    def _import(self, task: Task) -> dict[str, Any]:
        return {"data": self.data(task), "predictions": [self._prediction(task)]}

    def _prediction(self, task: Task) -> dict[str, Any]:
        # The server serves the lowest score first.
        score = 1.0 - task.priority
        return {"model_version": version(task), "score": score, "result": prediction(self.project.form, task.predicted)}

    def _unpair(self, there: Mapping[str, Held]) -> None:
        """A repeated or late import leaves a prediction twice."""
        for row in there.values():
            if doubly_predicted(row):
                self.server.single_predictions(row.id)

    def _send(
        self, wanted: Mapping[str, Task], held: dict[str, list[Held]], before: Size, progress: Progress
    ) -> dict[str, list[Held]]:
        """Send what is missing until nothing is; what the server then holds.

        Where it said of each task that it arrived, and the project has grown by just these, all is known: reading them
        back takes half as long as sending them.
        """
        for _ in range(ROUNDS):
            missing = _missing(wanted, held)
            told = self._send_once(missing, wanted, progress)
            grown = Size(before.tasks + len(missing), before.predictions + len(missing))
            if len(told) == len(missing) and self.server.size() == grown:
                return held | {key: [row] for key, row in told.items()}
            before, held = self.server.size(), self.server.held(wanted)
            if not _missing(wanted, held):
                return held
        lost = len(_missing(wanted, held))
        raise ServerUnreachable(f"{lost} of {len(wanted)} tasks did not arrive in {ROUNDS} tries; try again")

    def _send_once(self, missing: list[Task], wanted: Mapping[str, Task], progress: Progress) -> dict[str, Held]:
        """Send tasks until some do not arrive; those of which the server says how they stand."""
        told: dict[str, Held] = {}
        done = len(wanted) - len(missing)
        for chunk in _chunks(missing):
            progress("pushing tasks", done, len(wanted))
            arrived = self.server.send({task.key: self._import(task) for task in chunk})
            if arrived is None:
                break
            told |= arrived
            done += len(chunk)
        return told


def version(task: Task) -> str:
    """The model version under which a task's prediction stands on the server, which lists them with commas."""
    return served_by(task.model_id, task.policy_version)


def bare_of(wanted: Mapping[str, Task], there: Mapping[str, Held]) -> list[str]:
    """Keys of tasks that lack the prediction of their model's version."""
    return [key for key, row in there.items() if version(wanted[key]) not in row.versions]


def doubly_predicted(row: Held) -> bool:
    """Whether some model's prediction is there twice."""
    return row.predictions > len(row.versions)


def shut(row: Held, people: int) -> bool:
    """Whether a task is asked of fewer people than wanted, and does not have their answers yet."""
    return row.answers < people and (row.overlap < people or row.closed)


def firsts(held: Mapping[str, Sequence[Held]]) -> dict[str, Held]:
    """Of each key the copy that counts."""
    return {key: rows[0] for key, rows in held.items()}


def _missing(wanted: Mapping[str, Task], held: Mapping[str, Any]) -> list[Task]:
    lacking = [task for task in wanted.values() if task.key not in held]
    return sorted(lacking, key=lambda task: -task.priority)


def _chunks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    chunk: list[Task] = []
    size = 0
    for task in tasks:
        weight = len(json.dumps(dict(task.data))) + 400
        if chunk and (len(chunk) == CHUNK_TASKS or size + weight > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(task)
        size += weight
    if chunk:
        yield chunk
