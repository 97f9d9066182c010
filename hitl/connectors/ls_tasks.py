"""The tasks of one project on a Label Studio: asked for, sent, changed; no second copy where one was meant."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hitl.connectors.ls_http import Http, ServerBroke
from hitl.errors import ServerRefused, ServerUnreachable

EVERYTHING = 10_000_000
KEYS = 5000
BODIES = 200
SETTLE_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Pauses after an import whose answer was lost, in which the server may still finish it."""

_BODY = "id,data,updated_at,annotations,result,completed_by,lead_time,was_cancelled,created_at"
_STATE = "id,data,overlap,is_labeled,total_annotations,cancelled_annotations,predictions_model_versions"

Row = Mapping[str, Any]
"""A task as the server tells of it."""


class Tasks:
    """The tasks of one project; keys are `hitl_key` in a task's data."""

    def __init__(self, http: Http, project: int) -> None:
        self._http = http
        self._project = project

    def held(self, keys: Iterable[str]) -> dict[str, list[Row]]:
        """The state of those that are there, by key; of several copies the one with answers, then the oldest, first."""
        wanted = sorted(keys)
        found: dict[str, list[Row]] = {}
        for start in range(0, len(wanted), KEYS):
            asked = _filter("data.hitl_key", "in_list", "String", wanted[start : start + KEYS])
            for row in self._list(_STATE, _filters([asked])):
                found.setdefault(row["data"]["hitl_key"], []).append(row)
        for rows in found.values():
            rows.sort(key=lambda row: (not touched(row), row["id"]))
        return found

    def changed(self, since: datetime | None) -> dict[int, datetime]:
        """The server's id and last change of tasks that changed since then, or of all."""
        items = [_filter("updated_at", "greater_or_equal", "Datetime", stamp(since))] if since else []
        rows = self._list("id,updated_at", _filters(items))
        return {row["id"]: datetime.fromisoformat(row["updated_at"]) for row in rows}

    def bodies(self, ids: Sequence[int]) -> Iterable[Row]:
        """Tasks with data and annotations, a few hundred in memory at once."""
        for start in range(0, len(ids), BODIES):
            yield from self._list(_BODY, {"selectedItems": {"all": False, "included": ids[start : start + BODIES]}})

    def send(self, chunk: Mapping[str, Row]) -> bool:
        """Import tasks by key; False when they did not arrive, however long one waits."""
        try:
            self._http.write("POST", f"/api/projects/{self._project}/import", list(chunk.values()))
            return True
        except (ServerUnreachable, ServerBroke):
            for pause in SETTLE_SECONDS:
                time.sleep(pause)
                if len(self.held(chunk)) == len(chunk):
                    return True
            return False

    def send_predictions(self, predictions: Sequence[Row]) -> None:
        """Add predictions, each with the server's id of its `task`."""
        self._http.write("POST", f"/api/projects/{self._project}/import/predictions", list(predictions))

    def change(self, number: int, change: Row) -> None:
        """Change a task; nothing when it is gone."""
        self._if_there("PATCH", number, dict(change))

    def delete(self, number: int) -> None:
        """Delete a task; nothing when it is gone."""
        self._if_there("DELETE", number, None)

    def _if_there(self, method: str, number: int, body: object) -> None:
        try:
            self._http.rewrite(method, f"/api/tasks/{number}/", body)
        except ServerRefused as refused:
            if " 404" not in str(refused):
                raise

    def _list(self, include: str, body: Row) -> list[dict[str, Any]]:
        params = {"project": self._project, "page_size": EVERYTHING, "include": include, "fields": "all"}
        found: list[dict[str, Any]] = self._http.read("/api/tasks", params, body)["tasks"]
        return found


def touched(row: Row) -> bool:
    """Whether somebody has answered or skipped the task."""
    return bool(row["total_annotations"] or row["cancelled_annotations"])


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds, which the server's filters want."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _filters(items: Sequence[Row]) -> dict[str, Any]:
    return {"filters": {"conjunction": "and", "items": list(items)}}
