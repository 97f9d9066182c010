"""Tying a project to `hitl serve`: the server's ML backends, its webhooks, and whether predictions are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from hitl.connectors.studio.http import Http
from hitl.errors import ConnectorError, NotAllowed, ServerRefused

MADE_BY = "hitl serve"
"""By which the project's backend and webhook are found again, at whatever address an earlier one answered."""

ACTIONS = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED")
"""What the server is to tell of."""


@dataclass(frozen=True)
class Backend:
    """Where the campaign's model answers, and what is said to it: user and password, and the key of a webhook."""

    url: str
    user: str
    password: SecretStr
    hint: SecretStr


def project_number(address: str) -> int:
    """The server's number of the project at an address; raises `ConnectorError` when it is none of a project.

    >>> project_number("http://127.0.0.1:8080/projects/7/")
    7
    """
    found = re.search(r"/projects/(\d+)/?$", address)
    if found is None:
        raise ConnectorError(f"{address or 'no address'} is no project of Label Studio; `hitl run` makes one")
    return int(found[1])


@dataclass(frozen=True)
class Tie:
    """One project and the backend that it asks; all calls may be repeated, and take a few requests."""

    http: Http
    project: int
    backend: Backend

    def attach(self, version: str, *, show: bool) -> tuple[str, ...]:
        """Let the project ask the backend and tell it of answers; what the server would not do, and what that means.

        The page asks for a task's predictions, and shows them with `show`, where the backend goes by the name of the
        model whose predictions the project is served by: by `version`, where there are none yet. What the backend then
        answers may be of a newer model. Raises `ConnectorError`.
        """
        refused = []
        try:
            # Before the backend: the server would make a webhook of its own for it, with all content and no key.
            self._hook()
        except (NotAllowed, ServerRefused) as error:
            refused.append(
                _told(
                    "no webhooks, so that answers are found by looking now and then", error, "SSRF_PROTECTION_ENABLED"
                )
            )
        try:
            self._register(version)
        except (NotAllowed, ServerRefused) as error:
            refused.append(_told("no predictions by request", error, "ML_BLOCK_LOCAL_IP"))
        else:
            self._show(show=show)
        return tuple(refused)

    def detach(self) -> None:
        """Let the project ask and tell nothing more; the predictions that it has stay in their order."""
        for row in self._hooks():
            self.http.rewrite("DELETE", f"/api/webhooks/{row['id']}/", None)
        version = self._settings()["model_version"]
        for row in self._backends():
            self.http.rewrite("DELETE", f"/api/ml/{row['id']}", None)
        # The server forgets what it serves by when a backend of that name goes.
        if version and self._settings()["model_version"] != version:
            self.http.rewrite("PATCH", self._where, {"model_version": version})

    @property
    def _where(self) -> str:
        return f"/api/projects/{self.project}/"

    def _hook(self) -> None:
        wanted: dict[str, Any] = {
            "url": f"{self.backend.url}/webhook",
            "headers": {"Authorization": f"Bearer {self.backend.hint.get_secret_value()}", "X-Made-By": MADE_BY},
            "send_payload": False,
            "send_for_all_actions": False,
            "is_active": True,
            "actions": sorted(ACTIONS),
        }
        there = self._hooks()
        if not there:
            self.http.write("POST", "/api/webhooks/", {"project": self.project, **wanted})
        for row in there:
            if any(row[name] != value for name, value in wanted.items()):
                self.http.rewrite("PATCH", f"/api/webhooks/{row['id']}/", wanted)

    def _register(self, version: str) -> None:
        title = self._settings()["model_version"] or version
        wanted = {
            "project": self.project,
            "url": self.backend.url,
            "title": title,
            "description": MADE_BY,
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": self.backend.user,
            "basic_auth_pass": self.backend.password.get_secret_value(),
        }
        there = self._backends()
        if not there:
            self.http.write("POST", "/api/ml/", wanted)
        for row in there:
            if (row["url"], row["title"], row["state"]) != (self.backend.url, title, "CO"):
                self.http.rewrite("PATCH", f"/api/ml/{row['id']}", wanted)

    def _show(self, *, show: bool) -> None:
        """Show predictions or hide them, as the plan wants; what the server serves by stays as it is."""
        held = self._settings()
        wanted = {"show_collab_predictions": show, "evaluate_predictions_automatically": show}
        if any(held[name] != value for name, value in wanted.items()):
            self.http.rewrite("PATCH", self._where, {**wanted, "model_version": held["model_version"]})

    def _settings(self) -> dict[str, Any]:
        return self.http.row(self._where, each=("model_version",))

    def _hooks(self) -> list[dict[str, Any]]:
        """The webhooks that are ours, or that the server made for our backend."""
        listed = self.http.rows("/api/webhooks/", {"project": self.project}, each=("id", "url", "headers", "actions"))
        ours = (f"{self.backend.url}/webhook", MADE_BY)
        return [
            {**row, "actions": sorted(row["actions"])}
            for row in listed
            if row["url"] == ours[0] or row["headers"].get("X-Made-By") == ours[1]
        ]

    def _backends(self) -> list[dict[str, Any]]:
        """The backends that are ours; the server asks each how it is before it answers."""
        listed = self.http.rows("/api/ml/", {"project": self.project}, each=("id", "description"))
        return [row for row in listed if row["description"] == MADE_BY]


def _told(lacking: str, error: ConnectorError, guard: str) -> str:
    """What is lacking and why; a server calls no private address unless its environment says so."""
    if "reserved network address" in str(error):
        return f"{lacking}: Label Studio calls no private address; {guard}=false in its environment allows it"
    return f"{lacking}: {error}"
