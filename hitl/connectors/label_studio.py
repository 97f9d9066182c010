"""Label Studio as the place where people work.

Nothing on the server removes duplicates, an import whose answer is lost may still take place, and an import during
labeling may lose its predictions. So a push is a loop: ask which keys are there, send the missing, ask again, take
away doubles, mend predictions. Pulls go by a watermark of the server's own clock.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import httpx
from pydantic import SecretStr

from hitl.connectors.ls_http import Http
from hitl.connectors.ls_project import Project, find_or_make, look_over
from hitl.connectors.ls_tasks import Row, Tasks, stamp, touched
from hitl.errors import ConnectorError, ServerUnreachable
from hitl.policy import Policy
from hitl.tasks.form import Form, parse, prediction, render
from hitl.types import Annotation, Finding, Progress, Pull, Receipt, Task, silent

CHUNK_TASKS = 300
CHUNK_BYTES = 4_000_000
ROUNDS = 4
LOOK_BACK = timedelta(seconds=30)
"""How far a pull looks back behind its watermark: a change is stamped before it can be read."""


class LabelStudio:
    """A Label Studio server; `token` is a personal access token or a legacy one.

    `project` is the title to give to a new project (the campaign's name otherwise). With `show_predictions` reviewers
    see the model's answer ticked beforehand, which anchors them. One writer a project at a time.

    >>> LabelStudio("http://127.0.0.1:8080", "0" * 40)
    LabelStudio('http://127.0.0.1:8080')
    """

    kind = "label_studio"

    def __init__(
        self,
        url: str,
        token: SecretStr | str,
        *,
        project: str | None = None,
        timeout: float = 60.0,
        show_predictions: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = Http(url, token, timeout, transport)
        self._title = project
        self._show_predictions = show_predictions
        self._project: Project | None = None
        self._people: dict[int, str] = {}
        self._pushed: set[str] = set()

    def __repr__(self) -> str:
        where = self.url_of_project if self._project else self._http.url
        return f"LabelStudio({where!r})"

    @property
    def url_of_project(self) -> str:
        """Where people work: enter there by "Label All Tasks". Raises `ConnectorError` before `open`."""
        return f"{self._http.url}/projects/{self._opened.id}/"

    @property
    def project_id(self) -> int:
        """The server's number of the project. Raises `ConnectorError` before `open`."""
        return self._opened.id

    def open(self, campaign: str, form: Form, policy: Policy) -> str:
        """Make the project of this campaign and policy version, or find it; returns its address."""
        if form.policy != policy:
            raise ConnectorError(f"the form asks about {form.policy!r}, not about {policy!r}; give one policy")
        title = self._title or campaign
        self._project = find_or_make(self._http, campaign, form, title, show_predictions=self._show_predictions)
        return self.url_of_project

    def push(self, tasks: Sequence[Task], progress: Progress = silent) -> Receipt:
        """Afterwards each task is there once, with one prediction, and the highest priority is served first.

        Raises `ServerUnreachable` when some did not arrive. O(tasks) time, a chunk at a time in memory.
        """
        wanted = {task.key: task for task in tasks}
        self._pushed |= wanted.keys()
        held = self._server.held(wanted)
        missing = _missing(wanted, held)
        if missing:
            self._check_predictions(missing)
            held = self._send(missing, wanted, progress)
        for row in (row for rows in held.values() for row in rows[1:] if not touched(row)):
            self._server.delete(row["id"])
        ids = {key: rows[0]["id"] for key, rows in held.items()}
        self._mend_predictions([key for key in wanted if not _served(held[key])], wanted, ids)
        self._serve(wanted.values())
        self.ask_more({task.key: task.overlap for task in wanted.values() if task.overlap > 1})
        progress("pushing tasks", len(wanted), len(wanted))
        return Receipt({key: str(ids[key]) for key in wanted}, sent=len(missing))

    def ask_more(self, overlap: Mapping[str, int]) -> None:
        """Open tasks to more people; a task that is gone, or has as many answers, is left alone. One request a task."""
        for key, rows in self._server.held(overlap).items():
            people, row = overlap[key], rows[0]
            if row["total_annotations"] < people and (row["overlap"] < people or row["is_labeled"]):
                # `overlap` alone does not open a task that somebody finished.
                self._server.change(row["id"], {"overlap": max(people, row["overlap"]), "is_labeled": False})

    def pull(self, cursor: str) -> Pull:
        """Tasks touched since the cursor, each with all its annotations: what vanished from one is not in `seen`."""
        since = self._since(cursor)
        changed = self._server.changed(since and since - LOOK_BACK)
        latest = max(changed.values(), default=since)
        return self._listing(changed, max(since, latest) if since and latest else latest)

    def finish(self) -> Pull:
        """Every task there is; the ones that this connector pushed and are gone are in `missing_tasks`."""
        everything = self._server.changed(None)
        listed = self._listing(everything, max(everything.values(), default=None))
        return replace(listed, missing_tasks=tuple(sorted(self._pushed - listed.seen.keys())))

    def check(self, campaign: str, form: Form) -> list[Finding]:
        """Server, token, permissions, clock, label config and settings, each with what to do; makes nothing."""
        return look_over(self._http, campaign, form, show_predictions=self._show_predictions)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def _opened(self) -> Project:
        if self._project is None:
            raise ConnectorError("no project is open: call open(campaign, form, policy) first")
        return self._project

    @property
    def _server(self) -> Tasks:
        return Tasks(self._http, self._opened.id)

    def _check_predictions(self, tasks: Iterable[Task]) -> None:
        """The server would take, or drop, a prediction that does not fit the page without a word."""
        distinct = {json.dumps(prediction(self._opened.form, task.predicted)): task.key for task in tasks}
        if not distinct.keys() - {"[]"}:
            return
        from label_studio_sdk.label_interface.interface import LabelInterface

        page: Any = LabelInterface(render(self._opened.form))
        for result, key in distinct.items():
            wrong = page.validate_prediction({"result": json.loads(result)}, return_errors=True)
            if wrong:
                raise ConnectorError(f"task {key}: its prediction does not fit the form ({len(wrong)} mistakes)")

    def _import(self, task: Task) -> dict[str, Any]:
        return {"data": dict(task.data), "predictions": [self._prediction(task)]}

    def _prediction(self, task: Task) -> dict[str, Any]:
        # The server serves the lowest score first.
        score = 1.0 - task.priority
        return {"model_version": _model(task), "score": score, "result": prediction(self._opened.form, task.predicted)}

    def _send(self, missing: list[Task], wanted: Mapping[str, Task], progress: Progress) -> dict[str, list[Row]]:
        """Send what is missing until nothing is; what the server then holds."""
        for _ in range(ROUNDS):
            done = len(wanted) - len(missing)
            for chunk in _chunks(missing):
                progress("pushing tasks", done, len(wanted))
                if not self._server.send({task.key: self._import(task) for task in chunk}):
                    break
                done += len(chunk)
            held = self._server.held(wanted)
            missing = _missing(wanted, held)
            if not missing:
                return held
        raise ServerUnreachable(f"{len(missing)} of {len(wanted)} tasks did not arrive in {ROUNDS} tries; try again")

    def _mend_predictions(self, bare: list[str], wanted: Mapping[str, Task], ids: Mapping[str, int]) -> None:
        for _ in range(ROUNDS):
            if not bare:
                return
            for start in range(0, len(bare), CHUNK_TASKS):
                some = bare[start : start + CHUNK_TASKS]
                self._server.send_predictions([{"task": ids[key], **self._prediction(wanted[key])} for key in some])
            bare = [key for key, rows in self._server.held(bare).items() if not _served(rows)]
        if bare:
            raise ServerUnreachable(f"{len(bare)} tasks stay without their priority in {ROUNDS} tries; try again")

    def _serve(self, tasks: Iterable[Task]) -> None:
        """Serve by the predictions of the latest model; without it the order would be random."""
        versions = Counter(_model(task) for task in tasks)
        if versions:
            latest = versions.most_common(1)[0][0]
            where = f"/api/projects/{self._opened.id}/"
            if self._http.read(where).get("model_version") != latest:
                self._http.rewrite("PATCH", where, {"model_version": latest})

    def _since(self, cursor: str) -> datetime | None:
        try:
            told = json.loads(cursor) if cursor else {}
            # A new policy version has a project of its own, which is read from its start.
            return datetime.fromisoformat(told["since"]) if told.get("project") == self._opened.id else None
        except (ValueError, TypeError, AttributeError, KeyError):
            raise ConnectorError("the cursor is not one of this connector; pull again from the start") from None

    def _listing(self, ids: Iterable[int], latest: datetime | None) -> Pull:
        annotations: list[Annotation] = []
        seen: dict[str, tuple[str, ...]] = {}
        for row in self._server.bodies(sorted(ids)):
            key = row["data"].get("hitl_key")
            if isinstance(key, str):
                read = [self._annotation(key, held) for held in row["annotations"]]
                annotations += read
                seen[key] = seen.get(key, ()) + tuple(annotation.id for annotation in read)
        cursor = json.dumps({"project": self._opened.id, "since": stamp(latest)}) if latest else ""
        return Pull(tuple(annotations), cursor, seen=seen)

    def _annotation(self, key: str, held: Row) -> Annotation:
        skipped = bool(held["was_cancelled"])
        answer, problem = (None, "") if skipped else parse(self._opened.form, held["result"])
        return Annotation(
            id=str(held["id"]),
            task_key=key,
            worker=pseudonym(self._opened.campaign, self._email(held["completed_by"])),
            answer=answer,
            submitted=stamp(datetime.fromisoformat(held["created_at"])),
            seconds=float(held["lead_time"] or 0.0),
            skipped=skipped,
            problem=problem,
        )

    def _email(self, user: object) -> str:
        number = user.get("id") if isinstance(user, dict) else user
        if not isinstance(number, int):
            return "unknown"
        if number not in self._people:
            self._people = {int(row["id"]): str(row["email"]) for row in self._http.read("/api/users/")}
        return self._people.setdefault(number, f"user {number}")


def pseudonym(campaign: str, email: str) -> str:
    """The name under which a person's work is kept: the same within a campaign, unlinkable between campaigns.

    >>> pseudonym("demo", "Ana@example.org") == pseudonym("demo", "ana@example.org")
    True
    """
    key = blake2b(campaign.encode()).digest()
    return f"w-{blake2b(email.strip().lower().encode(), key=key, digest_size=4).hexdigest()}"


def _model(task: Task) -> str:
    return task.model_id or f"seed-{task.policy_version}"


def _served(rows: Sequence[Row]) -> bool:
    return bool(rows[0]["predictions_model_versions"])


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
