"""Tabs of the data manager: our views of a project, by title; those of other people stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hitl.connectors.studio.http import Gone, Http
from hitl.connectors.studio.project import Project
from hitl.connectors.studio.tasks import where
from hitl.types import Tab

OURS = "hitl · "
"""What the titles of our tabs begin with."""

ORDER = ["tasks:predictions_score"]
"""The lowest score, which is the highest priority, first."""

_VIEWS = "/api/dm/views/"

_DATA = ("hitl_key", "media", "guidance", "moments", "opinions")
_TOLD = (
    "inner_id",
    "completed_at",
    "total_predictions",
    "annotators",
    "annotations_results",
    "annotations_ids",
    "predictions_score",
    "predictions_model_versions",
    "predictions_results",
    "file_upload",
    "storage_filename",
    "created_at",
    "updated_at",
    "updated_by",
    "avg_lead_time",
    "draft_exists",
)
HIDDEN = (*(f"tasks:data.{name}" for name in _DATA), *(f"tasks:{name}" for name in _TOLD))
"""Columns of the data manager, through which everybody comes in, that show media unblurred, or what others said."""

_FIRST = "Default"
"""What the page calls the tab that it makes for whoever comes first, with everything in it."""


@dataclass(frozen=True)
class Tabs:
    """The tabs of one project. One request for all, and one for each that is new, changed or no longer wanted."""

    http: Http
    project: Project

    def enter(self) -> None:
        """Afterwards the tab that people come in by shows no media and nobody's answers, even if somebody had it so.

        One request, and another where that is news.
        """
        held = self._held().get(_FIRST, [])
        if not held:
            data = {"title": _FIRST, "type": "list", "target": "tasks", "hiddenColumns": _hidden({})}
            self.http.write("POST", _VIEWS, {"project": self.project.id, "data": data})
        # Two makers at once, or a request that arrives twice, leave two.
        self._drop(view for view in held[1:] if view["data"] == held[0]["data"])
        for view in held:
            if view["data"].get("hiddenColumns") != _hidden(view["data"]):
                self._change(view, hiddenColumns=_hidden(view["data"]))

    def show(self, tabs: Iterable[Tab]) -> None:
        """Afterwards there is each of these tabs once, as it is now, and no other of ours."""
        held = {title: views for title, views in self._held().items() if title.startswith(OURS)}
        for title, tab in {f"{OURS}{tab.name}": tab for tab in tabs}.items():
            # A request that arrived twice leaves two: the oldest stays.
            same = held.pop(title, [])
            self._put(title, tab, same[:1])
            self._drop(same[1:])
        for views in held.values():
            self._drop(views)

    def _put(self, title: str, tab: Tab, held: list[dict[str, Any]]) -> None:
        hidden = _hidden(held[0]["data"] if held else {})
        wanted = {"title": title, "filters": _filters(tab), "ordering": ORDER, "hiddenColumns": hidden}
        if not held:
            data = {"type": "list", "target": "tasks", **wanted}
            self.http.write("POST", _VIEWS, {"project": self.project.id, "data": data})
        elif any(held[0]["data"].get(name) != value for name, value in wanted.items()):
            self._change(held[0], **wanted)

    def _held(self) -> dict[str, list[dict[str, Any]]]:
        """The project's tabs by title, of several with one title the oldest first."""
        found: dict[str, list[dict[str, Any]]] = {}
        views = self.http.rows(_VIEWS, {"project": self.project.id}, each=("id", "data"))
        for view in sorted(views, key=lambda view: int(view["id"])):
            found.setdefault(str(view["data"].get("title", "")), []).append(view)
        return found

    def _change(self, view: dict[str, Any], **changes: object) -> None:
        data = {**view["data"], **changes}
        self.http.rewrite("PATCH", f"{_VIEWS}{view['id']}/", {"project": self.project.id, "data": data})

    def _drop(self, views: Iterable[dict[str, Any]]) -> None:
        for view in views:
            with suppress(Gone):
                self.http.rewrite("DELETE", f"{_VIEWS}{view['id']}/", None)


def _hidden(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """The columns that a tab hides beside those that it must, in the table and while one labels."""
    before = data.get("hiddenColumns") or {}
    return {where: list(dict.fromkeys([*before.get(where, []), *HIDDEN])) for where in ("explore", "labeling")}


def _filters(tab: Tab) -> dict[str, Any]:
    items = []
    if tab.language is not None:
        items.append(where("data.language", "equal", "String", tab.language))
    if tab.keys is not None:
        items.append(where("data.hitl_key", "in_list", "String", sorted(tab.keys)))
    if tab.answered is not None:
        items.append(where("is_labeled", "equal", "Boolean", tab.answered))
    return {"conjunction": "and", "items": items}
