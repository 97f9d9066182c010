"""The tasks of one project on a Label Studio: asked for, sent, changed; no second copy where one was meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from hitl.connectors.studio.http import Gone, Http, ServerBroke
from hitl.errors import ServerUnreachable

EVERYTHING = 10_000_000
KEYS = 2000
BODIES = 200
WINDOW = 5000
"""Tasks listed by number at once: a listing of everything takes the server longer than one would wait for a word."""

SETTLE_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Pauses after an import whose answer was lost, in which the server may still finish it."""

_BODY = "id,data,updated_at,annotations,result,completed_by,updated_by,lead_time,was_cancelled,created_at"
_STATE = (
    "id,data,overlap,is_labeled,total_annotations,cancelled_annotations,draft_exists,"
    "total_predictions,predictions_model_versions"
)
_CHANGE = "id,updated_at,draft_exists"
_PLAIN = {"id", _CHANGE}
"""What the server need not compute answers, predictions and counts for."""

_TOLD_VERSIONS = 500
"""The server cuts the list of model versions off after so many characters."""

Row = Mapping[str, Any]
"""A task as the server tells of it."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a task stands on the server, without its content."""

    id: int
    overlap: int
    closed: bool
    answers: int
    skips: int
    draft: bool
    versions: frozenset[str]  # of the models whose prediction it has
    predictions: int

    @property
    def touched(self) -> bool:
        """Whether somebody answered or skipped the task, or began to."""
        return bool(self.answers or self.skips or self.draft)


class Size(NamedTuple):
    """How many tasks and predictions a project has."""

    tasks: int
    predictions: int


@dataclass(frozen=True)
class Changes:
    """Tasks by the server's ids: when they changed last, and which of the project's somebody is at work on."""

    at: dict[int, datetime]
    drafted: tuple[int, ...]


class Tasks:
    """The tasks of one project; keys are `hitl_key` in a task's data."""

    def __init__(self, http: Http, project: int) -> None:
        self._http = http
        self._project = project

    def held(self, keys: Iterable[str]) -> dict[str, list[Held]]:
        """The state of those that are there, by key; of several copies the one with answers, then the oldest, first.

        O(keys) time; contents pass through, a few thousand at once.
        """
        wanted = sorted(keys)
        found: dict[str, list[Held]] = {}
        for start in range(0, len(wanted), KEYS):
            asked = where("data.hitl_key", "in_list", "String", wanted[start : start + KEYS])
            for row in self._list(_STATE, _filters([asked])):
                found.setdefault(row["data"]["hitl_key"], []).append(self._held(row))
        for rows in found.values():
            rows.sort(key=precedence)
        return found

    def everything(self) -> Iterator[tuple[Held, Row]]:
        """How every task stands, with its data as it was sent; a few hundred in memory at once."""
        for row in self._windows(_STATE, BODIES):
            yield self._held(row), row["data"]

    def changed(self, since: datetime) -> Changes:
        """What changed since then; one small request where that is little. O(changes), or O(tasks)."""
        touched = where("updated_at", "greater_or_equal", "Datetime", stamp(since))
        page = self._page(_CHANGE, _filters([touched, _BEGUN], "or"), size=WINDOW)
        if page["total"] <= WINDOW:
            return _changes(page["tasks"], _begun(page["tasks"]), since)
        return _changes(self._windows(_CHANGE, WINDOW), self.begun(), since)

    def begun(self) -> tuple[int, ...]:
        """The server's ids of the tasks that somebody is at work on; it tells of drafts only where it is asked."""
        return _begun(self._list(_CHANGE, _filters([_BEGUN])))

    def copies(self, keys: Iterable[str]) -> Iterator[int]:
        """The server's ids of all tasks with these keys, a few thousand at once."""
        wanted = sorted(keys)
        for start in range(0, len(wanted), KEYS):
            asked = where("data.hitl_key", "in_list", "String", wanted[start : start + KEYS])
            yield from (row["id"] for row in self._list("id", _filters([asked])))

    def drafts(self, number: int) -> list[str]:
        """The e-mail addresses of those who began to answer a task and have not sent it; nobody when it is gone."""
        try:
            return [str(row["user"]) for row in self._http.rows(f"/api/tasks/{number}/drafts", each=("user",))]
        except Gone:
            return []

    def bodies(self, ids: Sequence[int]) -> Iterable[Row]:
        """Tasks with data and annotations, a few hundred in memory at once."""
        return self._by_id(ids, _BODY)

    def all_bodies(self) -> Iterable[Row]:
        """Every task with data and annotations, a few hundred in memory at once."""
        return self._windows(_BODY, BODIES)

    def size(self) -> Size:
        """How many tasks and predictions there are, in one small request."""
        told = self._page("id", {}, size=1)
        return Size(_number(told, "total"), _number(told, "total_predictions"))

    def send(self, chunk: Mapping[str, Row]) -> dict[str, Held] | None:
        """Import tasks by key, each with a prediction; None when they did not arrive, however long one waits.

        How they stand there, when the server says so of each; nothing when they arrived and it does not.
        """
        where_to, body = f"/api/projects/{self._project}/import", list(chunk.values())
        try:
            told = self._http.write("POST", where_to, body, {"return_task_ids": "true"})
        except (ServerUnreachable, ServerBroke):
            return {} if self._arrives(lambda: len(self.held(chunk)) == len(chunk)) else None
        return _imported(chunk, told)

    def send_predictions(self, predictions: Mapping[str, Row]) -> bool:
        """Add predictions by task key, each with the server's id of its `task`; False when they did not arrive."""
        where_to, body = f"/api/projects/{self._project}/import/predictions", list(predictions.values())
        try:
            self._http.write("POST", where_to, body)
        except (ServerUnreachable, ServerBroke):
            return self._arrives(lambda: self._predicted(predictions))
        return True

    def single_predictions(self, number: int) -> None:
        """Take away what a task has twice: of each model version the first prediction stays."""
        versions: set[str] = set()
        for row in self._predictions(number):
            if row["model_version"] in versions:
                self._if_there("DELETE", f"/api/predictions/{row['id']}/", None)
            versions.add(row["model_version"])

    def change(self, number: int, change: Row) -> None:
        """Change a task; nothing when it is gone."""
        self._if_there("PATCH", f"/api/tasks/{number}/", dict(change))

    def delete_untouched(self, number: int) -> bool:
        """Delete a task that nobody has worked on, looked at once more just before; whether it is gone."""
        if any(self._held(row).touched for row in self._by_id([number], _STATE)):
            return False
        self._if_there("DELETE", f"/api/tasks/{number}/", None)
        return True

    def _arrives(self, arrived: Callable[[], bool]) -> bool:
        """Whether what was sent, without word of what became of it, is there after a while."""
        for pause in SETTLE_SECONDS:
            time.sleep(pause)
            if arrived():
                return True
        return False

    def _predicted(self, predictions: Mapping[str, Row]) -> bool:
        held = self.held(predictions)
        return all(row["model_version"] in held[key][0].versions for key, row in predictions.items() if key in held)

    def _held(self, row: Row) -> Held:
        told = str(row["predictions_model_versions"] or "")
        versions = frozenset(version.strip() for version in told.split(",") if version.strip())
        if len(told) >= _TOLD_VERSIONS:
            versions = frozenset(str(one["model_version"]) for one in self._predictions(row["id"]))
        return Held(
            id=row["id"],
            overlap=row["overlap"],
            closed=row["is_labeled"],
            answers=row["total_annotations"],
            skips=row["cancelled_annotations"],
            draft=bool(row["draft_exists"]),
            versions=versions,
            predictions=row["total_predictions"],
        )

    def _predictions(self, number: int) -> list[dict[str, Any]]:
        return sorted(self._http.rows("/api/predictions/", {"task": number}), key=lambda row: row["id"])

    def _if_there(self, method: str, path: str, body: object) -> None:
        with suppress(Gone):
            self._http.rewrite(method, path, body)

    def _by_id(self, ids: Sequence[int], include: str) -> Iterator[dict[str, Any]]:
        for start in range(0, len(ids), BODIES):
            yield from self._list(
                include, {"selectedItems": {"all": False, "included": list(ids[start : start + BODIES])}}
            )

    def _windows(self, include: str, size: int) -> Iterator[dict[str, Any]]:
        """Every task, in the order of ids, from which each window goes on: pages would slip when tasks are deleted."""
        last = 0
        while True:
            beyond = _filters([where("id", "greater", "Number", last)]) | {"ordering": ["tasks:id"]}
            rows = self._page(include, beyond, size=size)["tasks"]
            yield from rows
            if len(rows) < size:
                return
            last = rows[-1]["id"]

    def _list(self, include: str, body: Row) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._page(include, body)["tasks"]
        return found

    def _page(self, include: str, body: Row, size: int = EVERYTHING) -> dict[str, Any]:
        # Links to media come as they were sent, not as the server signs them for a page.
        params = {
            "project": self._project,
            "page_size": size,
            "include": include,
            "resolve_uri": "false",
        } | ({} if include in _PLAIN else {"fields": "all"})
        return self._http.row("/api/tasks", params, body, each=("tasks", "total"))


def _imported(chunk: Mapping[str, Row], told: object) -> dict[str, Held]:
    """Tasks as an import leaves them, when the server's answer counts all of them, their predictions, and their ids."""
    ids = told.get("task_ids") if isinstance(told, dict) else None
    whole = isinstance(ids, list) and len(ids) == len(chunk) and all(type(one) is int for one in ids)
    if not whole or any(_number(told, count) != len(chunk) for count in ("task_count", "prediction_count")):
        return {}
    versions = (row["predictions"][0]["model_version"] for row in chunk.values())
    return {
        key: Held(number, 1, False, answers=0, skips=0, draft=False, versions=frozenset({version}), predictions=1)
        for key, number, version in zip(chunk, cast("list[int]", ids), versions, strict=True)
    }


def _number(told: object, name: str) -> int:
    """A count as the server tells it, -1 when it does not."""
    count = told.get(name) if isinstance(told, dict) else None
    return count if type(count) is int else -1


def precedence(held: Held) -> tuple[bool, bool, int]:
    """Which of several copies comes first: the one with answers, then one that somebody began, then the oldest."""
    return not held.answers, not held.touched, held.id


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds, which the server's filters want."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def where(column: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    """A condition on a column of the tasks, as the server's filters have it."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _filters(items: Sequence[Row], conjunction: str = "and") -> dict[str, Any]:
    return {"filters": {"conjunction": conjunction, "items": list(items)}}


_BEGUN = where("draft_exists", "equal", "Boolean", True)


def _changes(rows: Iterable[Row], begun: tuple[int, ...], since: datetime) -> Changes:
    stamps = ((row["id"], changed_at(row)) for row in rows)
    return Changes({number: moment for number, moment in stamps if moment >= since}, begun)


def changed_at(row: Row) -> datetime:
    """When a task changed last, by the server's clock."""
    return datetime.fromisoformat(row["updated_at"])


def _begun(rows: Iterable[Row]) -> tuple[int, ...]:
    return tuple(row["id"] for row in rows if row["draft_exists"])
