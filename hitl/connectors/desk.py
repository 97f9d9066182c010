"""What lies before the in-memory reviewers: tasks and answers, as the sum of its events."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from hitl.errors import ConnectorError
from hitl.types import Annotation, Answer, Span, Tab, Task


@dataclass(frozen=True)
class Event:
    """One thing that happened to the task `key`, or to all of them (`tabs`, of no key)."""

    do: Literal["task", "change", "people", "answer", "delete", "delete_task", "tabs"]
    key: str = ""
    task: Task | None = None
    people: int = 0
    annotation: Annotation | None = None
    tabs: tuple[Tab, ...] = ()


class Desk:
    """Tasks and answers, rebuilt from a file of JSON lines where there is one.

    An event counts once its line is whole: what a kill tears off is cut away when the file is next opened. Several
    desks may share a file; `refresh` takes up what the others wrote. Every change of an annotation is a step; a
    cursor names the step and a digest of all before it, so that a cursor of another desk is known for what it is.
    Raises `ConnectorError` when the file holds something else, or a file is where its folder should be.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.tasks: dict[str, Task] = {}
        self.numbers: dict[str, str] = {}  # the server's id of each task
        self.people: dict[str, int] = {}
        self.held: dict[str, dict[str, Annotation]] = {}
        self.asked: dict[str, set[str]] = {}  # who answered, skipped or had their answer deleted
        self.gone: dict[str, None] = {}
        self.waiting: dict[str, None] = {}
        self.tabs: tuple[Tab, ...] = ()
        self._pushed = 0
        self._steps: list[tuple[str, str]] = []  # task key, annotation id
        self._digests = [""]
        self._path = path
        self._read_to = 0
        self._lines = 0
        if path is not None and path.exists():
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
            self.refresh()

    def write(self, events: Sequence[Event]) -> None:
        """Let the events happen: on disk first, then here."""
        if self._path is None:
            for event in events:
                self._apply(event)
        elif events:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise ConnectorError(
                    f"{self._path.parent}: there is a file where the simulated reviewers' folder should be; "
                    "move it away, or name another folder"
                ) from None
            with self._path.open("ab") as file:
                file.write(b"".join(json.dumps(asdict(event)).encode() + b"\n" for event in events))
                file.flush()
                os.fsync(file.fileno())
            self.refresh()

    def refresh(self) -> None:
        """Take up what the file holds beyond what was read. O(new bytes)."""
        if self._path is None or not self._path.exists() or self._path.stat().st_size == self._read_to:
            return
        with self._path.open("rb") as file:
            file.seek(self._read_to)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._lines += 1
            try:
                self._apply(_event(json.loads(line)))
            except (ValueError, KeyError, TypeError, RecursionError):
                raise ConnectorError(
                    f"{self._path}, line {self._lines}: this is no event of the simulated reviewers; "
                    "restore the file, or start a new campaign"
                ) from None
        self._read_to += len(whole)

    @property
    def cursor(self) -> str:
        """Where the record stands now."""
        return f"{len(self._steps)}-{self._digests[-1]}"

    def knows(self, cursor: str) -> bool:
        """Whether the cursor is one of this desk's."""
        step, _, digest = cursor.partition("-")
        return step.isdigit() and int(step) < len(self._digests) and self._digests[int(step)] == digest

    def since(self, cursor: str) -> tuple[tuple[str, ...], tuple[Annotation, ...]]:
        """Keys of tasks touched since the cursor, and the annotations that are new or changed. O(steps since)."""
        first = int(cursor.partition("-")[0]) if self.knows(cursor) else 0
        steps = dict.fromkeys(self._steps[first:])
        changed = [self.held[key][name] for key, name in steps if name in self.held.get(key, {})]
        return tuple(dict.fromkeys(key for key, _ in steps if key in self.tasks)), tuple(changed)

    def seen(self, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The annotation ids that each of the tasks holds now."""
        return {key: tuple(self.held[key]) for key in keys}

    def missing(self, key: str) -> int:
        """How many answers a task still wants; a skip is none."""
        return self.people[key] - self.answers(key)

    def answers(self, key: str) -> int:
        """How many answers a task has."""
        return sum(not annotation.skipped for annotation in self.held[key].values())

    def _apply(self, event: Event) -> None:
        key = event.key
        if event.do == "tabs":
            self.tabs = event.tabs
            return
        if (event.do == "task") == (key in self.tasks):  # another process was faster
            return
        if event.do == "task" and event.task is not None:
            self.tasks[key], self.people[key] = event.task, event.task.overlap
            self._pushed += 1
            self.numbers[key] = str(self._pushed)
            self.held[key], self.asked[key] = {}, set()
            self.gone.pop(key, None)
        elif event.do == "change" and event.task is not None:
            self.tasks[key] = event.task
        elif event.do == "people":
            self.people[key] = event.people
        elif event.do == "answer" and event.annotation is not None:
            self.held[key][event.annotation.id] = event.annotation
            self.asked[key].add(event.annotation.worker)
            self._step(key, event.annotation.id)
        elif event.do == "delete" and event.annotation is not None:
            del self.held[key][event.annotation.id]
            self._step(key, event.annotation.id)
        elif event.do == "delete_task":
            self.gone[key] = None
            for table in (self.tasks, self.people, self.held, self.asked):
                table.pop(key)
        self.waiting.pop(key, None)
        if key in self.tasks and self.missing(key) > 0:
            self.waiting[key] = None

    def _step(self, key: str, annotation: str) -> None:
        self._steps.append((key, annotation))
        before = f"{self._digests[-1]} {key} {annotation}"
        self._digests.append(blake2b(before.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest())


def _event(told: dict[str, Any]) -> Event:
    if told["task"]:
        told["task"] = Task(**told["task"])
    if told["annotation"]:
        answer = told["annotation"]["answer"]
        told["annotation"] = Annotation(**{**told["annotation"], "answer": _answer(answer) if answer else None})
    tabs = [Tab(**{**tab, "keys": None if tab["keys"] is None else tuple(tab["keys"])}) for tab in told.get("tabs", ())]
    return Event(**{**told, "tabs": tuple(tabs)})


def _answer(told: dict[str, Any]) -> Answer:
    spans = tuple(Span(**span) for span in told.get("spans", ()))
    ratings = tuple((str(name), int(stars)) for name, stars in told.get("ratings", ()))
    return Answer(**{**told, "labels": tuple(told["labels"]), "spans": spans, "ratings": ratings})
