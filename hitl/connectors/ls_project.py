"""A campaign's project on a Label Studio: found by its mark or made, and looked over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Any

from hitl.connectors.ls_http import Http
from hitl.errors import ConnectorError, ServerRefused
from hitl.tasks.form import LABEL, Form, instruction, render
from hitl.types import Finding

SETTINGS: dict[str, Any] = {
    "sampling": "Uncertainty sampling",
    "maximum_annotations": 1,
    "overlap_cohort_percentage": 100,
    "skip_queue": "REQUEUE_FOR_OTHERS",
    "show_skip_button": True,
    "enable_empty_annotation": False,
    "show_annotation_history": False,
    "reveal_preannotations_interactively": False,
}
"""What makes the server ask the most important first, one person each, and offer skipped tasks to others."""

CLOCK_SECONDS = 120.0

REMEDIES = {
    "server": "start the server, or mend its address in `connect.url`",
    "token": "make a new token under Account & Settings, and put it into the environment variable",
    "permissions": "give the token's user a role that may manage projects and see its members",
    "clock": "look whether the server is in order",
    "label config": "the server does not take the page made of the policy: shorten names and definitions, or update it",
}


@dataclass(frozen=True)
class Project:
    """Where a campaign's tasks are, under one version of a policy."""

    id: int
    campaign: str
    form: Form


def mark(campaign: str, form: Form) -> str:
    """What a project's description says to be found again: campaign, policy version and what can be answered.

    The look of the page is left out: a project stays the campaign's when only that changes.
    """
    meaning = repr((form.name, form.modality, form.policy.multi_label, form.choices, form.noted))
    return f"hitl:{campaign}:{form.policy.version}:{blake2b(meaning.encode(), digest_size=6).hexdigest()}"


def find_or_make(http: Http, campaign: str, form: Form, title: str, *, show_predictions: bool) -> Project:
    """The project with the campaign's mark, made when there is none; the oldest when there are several.

    Raises `ServerRefused` when the server does not take the label config.
    """
    found = _find(http, mark(campaign, form))
    if found is None:
        page = render(form)
        http.rewrite("POST", "/api/projects/validate/", {"label_config": page})
        version = form.policy.version
        http.write(
            "POST",
            "/api/projects/",
            {
                "title": f"{title} · {form.policy.name} v{version}"[:50],
                "description": f"Made by hitl; its tasks and answers belong to a campaign.\n{mark(campaign, form)}",
                "label_config": page,
                "expert_instruction": instruction(form),
                "show_instruction": False,
                "show_collab_predictions": show_predictions,
                **SETTINGS,
            },
        )
        # Two makers at once both see the same oldest one.
        found = _find(http, mark(campaign, form))
    if found is None:
        raise ServerRefused(f"the project that was just made on {http.url} is not listed there; may this user see it?")
    return Project(found, campaign, form)


def _find(http: Http, marked: str) -> int | None:
    ids: list[int] = []
    page = 1
    while True:
        listed = http.read("/api/projects/", {"include": "id,description", "page_size": 1000, "page": page})
        ids += [int(row["id"]) for row in listed["results"] if marked in str(row["description"]).splitlines()]
        if not listed.get("next"):
            return min(ids, default=None)
        page += 1


def look_over(http: Http, campaign: str, form: Form, *, show_predictions: bool) -> list[Finding]:
    """What stands in the way of working there; stops at the first thing without which nothing else can be known."""
    findings: list[Finding] = []
    for name, look in (("server", _server), ("token", _token), ("permissions", _permissions)):
        finding = _safely(name, lambda look=look: look(http))  # type: ignore[misc]
        findings.append(finding)
        if finding.state == "fail":
            return findings
    findings.append(_safely("clock", lambda: _clock(http)))
    try:
        found = _find(http, mark(campaign, form))
        held = None if found is None else http.read(f"/api/projects/{found}/")
    except ConnectorError as error:
        return [*findings, Finding("project", "fail", str(error), "give the token's user access to the project")]
    if held is None:
        accepted = _safely("label config", lambda: _accepted(http, form))
        return [*findings, accepted, Finding("project", "skip", "none yet", "`hitl run` makes it")]
    return [*findings, _label_config(form, held), _settings(held, show_predictions)]


def _safely(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except ConnectorError as error:
        return Finding(name, "fail", str(error), REMEDIES[name])


def _server(http: Http) -> Finding:
    version = http.read("/api/version/").get("release", "unknown")
    if not http.local and not http.encrypted:
        return Finding("server", "warn", f"Label Studio {version} at {http.url}, not encrypted", "use an https address")
    return Finding("server", "ok", f"Label Studio {version} at {http.url}")


def _token(http: Http) -> Finding:
    who = http.read("/api/current-user/whoami")
    kind = "personal access token" if http.personal else "legacy token"
    return Finding("token", "ok", f"{kind} of user {who.get('id')}")


def _permissions(http: Http) -> Finding:
    http.read("/api/projects/", {"include": "id", "page_size": 1})
    people = len(http.read("/api/users/"))
    return Finding("permissions", "ok", f"may list projects and people ({people:,} on the server)")


def _accepted(http: Http, form: Form) -> Finding:
    http.rewrite("POST", "/api/projects/validate/", {"label_config": render(form)})
    return Finding("label config", "ok", "the server takes the page made of the policy")


def _clock(http: Http) -> Finding:
    skew = abs(parsedate_to_datetime(http.date()).timestamp() - time.time())
    if skew > CLOCK_SECONDS:
        return Finding("clock", "warn", f"the server's clock differs by {skew:.0f} s", "set both by NTP: times mislead")
    return Finding("clock", "ok", f"within {skew:.0f} s of the server's")


def _label_config(form: Form, held: dict[str, Any]) -> Finding:
    if held.get("label_config") == render(form):
        return Finding("label config", "ok", "as rendered from the policy")
    control = (held.get("parsed_label_config") or {}).get(LABEL) or {}
    there, ours = set(control.get("labels", ())), set(form.choices)
    if there == ours:
        return Finding("label config", "warn", "its look was changed on the server; the choices are the policy's")
    lost, new = sorted(ours - there), sorted(there - ours)
    return Finding(
        "label config",
        "fail",
        f"changed on the server: {len(lost)} choices of the policy are gone, {len(new)} are unknown to it",
        "restore it under Settings → Labeling Interface, or give the policy a new version",
    )


def _settings(held: dict[str, Any], show_predictions: bool) -> Finding:
    wanted = {**SETTINGS, "show_collab_predictions": show_predictions}
    wrong = sorted(key for key, value in wanted.items() if key in held and held[key] != value)
    if not held.get("model_version") and held.get("task_number"):
        wrong.append("model_version")
    if wrong:
        remedy = "set them back in the project's settings: order, overlap or hidden predictions depend on them"
        return Finding("project", "warn", f"settings were changed on the server: {', '.join(wrong)}", remedy)
    return Finding("project", "ok", f"project {held.get('id')} with {held.get('task_number', 0):,} tasks")
