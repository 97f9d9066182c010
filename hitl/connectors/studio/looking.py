"""Looking over a Label Studio: what stands in the way of working there, with what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.project import BLIND, Project, choices, find, strays
from hitl.errors import ConnectorError
from hitl.tasks import Form, render
from hitl.types import Finding

CLOCK_SECONDS = 120.0

REMEDIES = {
    "server": "start the server, or mend its address in `connect.url`",
    "token": "make a new token under Account & Settings, and put it into the environment variable",
    "permissions": "give the token's user a role that may manage projects and see its members",
    "clock": "look whether the server is in order",
    "label config": "the server does not take the page made of the policy: shorten names and definitions, or update it",
}


def look_over(http: Http, campaign: str, form: Form, *, show_predictions: bool) -> list[Finding]:
    """What stands in the way of working there; stops at the first thing without which nothing else can be known."""
    findings: list[Finding] = []
    for name, look in (("server", _server), ("token", _token), ("permissions", _permissions)):
        finding = _safely(name, partial(look, http))
        findings.append(finding)
        if finding.state == "fail":
            return findings
    findings.append(_safely("clock", lambda: _clock(http)))
    try:
        projects = find(http, campaign, form)
        held = [(project, http.row(f"/api/projects/{project.id}/")) for project in projects.values()]
    except ConnectorError as error:
        return [*findings, Finding("project", "fail", str(error), "give the token's user access to the project")]
    if not held:
        accepted = _safely("label config", lambda: _accepted(http, form))
        return [*findings, accepted, Finding("project", "skip", "none yet", "`hitl run` makes it")]
    for project, row in held:
        wrong = strays(row, project, show_predictions=show_predictions)
        findings += [_label_config(project, row), _settings(project, row, wrong), _blind(project, row, wrong)]
    return findings


def _safely(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except ConnectorError as error:
        return Finding(name, "fail", str(error), REMEDIES[name])


def _server(http: Http) -> Finding:
    version = http.row("/api/version/").get("release", "unknown")
    if not http.local and not http.encrypted:
        return Finding("server", "warn", f"Label Studio {version} at {http.url}, not encrypted", "use an https address")
    return Finding("server", "ok", f"Label Studio {version} at {http.url}")


def _token(http: Http) -> Finding:
    """Whose token it is. On community all members may do the same, but for the owner, who may also remove members."""
    who = http.row("/api/current-user/whoami")
    kind = "personal access token" if http.personal else "legacy token"
    owner = (who.get("active_organization_meta") or {}).get("email")
    if not owner or owner != who.get("email"):
        return Finding("token", "ok", f"{kind} of user {who.get('id')}, a member")
    detail = f"{kind} of user {who.get('id')}, who owns the organisation and may do everything there"
    if http.local:
        return Finding("token", "ok", detail)
    return Finding(
        "token", "warn", detail, "use the token of a plain member made for this: it may do all that is needed"
    )


def _permissions(http: Http) -> Finding:
    http.row("/api/projects/", {"include": "id", "page_size": 1}, each=("results",))
    people = len(http.rows("/api/users/"))
    return Finding("permissions", "ok", f"may list projects and people ({people:,} on the server)")


def _accepted(http: Http, form: Form) -> Finding:
    http.rewrite("POST", "/api/projects/validate/", {"label_config": render(form)})
    return Finding("label config", "ok", "the server takes the page made of the policy")


def _clock(http: Http) -> Finding:
    skew = abs(parsedate_to_datetime(http.date()).timestamp() - time.time())
    if skew > CLOCK_SECONDS:
        return Finding("clock", "warn", f"the server's clock differs by {skew:.0f} s", "set both by NTP: times mislead")
    return Finding("clock", "ok", f"within {skew:.0f} s of the server's")


def _label_config(project: Project, held: dict[str, Any]) -> Finding:
    name = _named("label config", project)
    if held.get("label_config") == render(project.form):
        return Finding(name, "ok", "as rendered from the policy")
    there, ours = set(choices(held)), set(project.form.choices)
    if there == ours:
        return Finding(name, "warn", "its look was changed on the server; the choices are the policy's")
    lost, new = sorted(ours - there), sorted(there - ours)
    return Finding(
        name,
        "fail",
        f"changed on the server: {len(lost)} choices of the policy are gone, {len(new)} are unknown to it",
        "`hitl doctor --reconcile` restores it; to ask something else, give the policy a new version",
    )


def _settings(project: Project, held: dict[str, Any], wrong: dict[str, Any]) -> Finding:
    name = _named("project", project)
    changed = sorted(wrong.keys() - BLIND.keys() - {"label_config"})
    if not held.get("model_version") and held.get("task_number"):
        changed.append("model_version")
    if changed:
        remedy = "`hitl doctor --reconcile` sets them back: order and overlap depend on them"
        return Finding(name, "warn", f"settings were changed on the server: {', '.join(changed)}", remedy)
    return Finding(name, "ok", f"project {held.get('id')} with {held.get('task_number', 0):,} tasks")


def _blind(project: Project, held: dict[str, Any], wrong: dict[str, Any]) -> Finding:
    """Whether the labeling stream hides what others and the model said; the data manager hides nothing from members."""
    name = _named("blind", project)
    changed = sorted(wrong.keys() & BLIND.keys())
    if changed:
        remedy = "`hitl doctor --reconcile` sets them back: seeing an opinion anchors one's own"
        return Finding(name, "warn", f"not as configured: {', '.join(changed)}", remedy)
    if held.get("show_collab_predictions"):
        return Finding(name, "ok", "reviewers see the model's answer beforehand, as configured")
    return Finding(name, "ok", "reviewers see neither the model's answer nor each other's while they label")


def _named(check: str, project: Project) -> str:
    return f"{check} ({project.form.queue})" if project.form.queue else check
