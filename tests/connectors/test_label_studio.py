"""The face of Label Studio: tokens, cursors, media, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from on_studio import FORM, LABELS, POLICY, RUDE, on_server, tasks_of

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio import http as ls_http
from hitl.connectors.studio.http import Http
from hitl.errors import ConnectorError, ServerRefused
from hitl.policy import Policy
from hitl.tasks import Asking, Form, make_tasks
from hitl.types import Finding, Pick


def test_a_personal_access_token_works_and_is_renewed(server, people, campaign, monkeypatch):
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Token {people[0].token}"}) as person:
        made = person.post("/api/token/", json={})
    assert made.status_code == 201, made.status_code
    connector = LabelStudio(server.url, made.json()["token"])
    connector.open(campaign, FORM, POLICY)
    connector.push(tasks_of(campaign, 2))
    http = connector._http
    # A server that was restarted with another key, or a clock that jumped: the short token is no longer taken.
    http._access, http._access_until = ls_http.SecretStr("a.b.c"), 1e12
    assert len(connector.finish().seen) == 2
    assert "personal access token" in next(f.detail for f in connector.check(campaign, FORM) if f.check == "token")
    connector.close()


def test_a_cursor_from_before_there_were_queues_goes_on(connect, campaign, people, monkeypatch):
    monkeypatch.setattr("hitl.connectors.studio.pulling.LOOK_BACK", timedelta(0))
    connector = connect()
    connector.push([*tasks_of(campaign, 3), *tasks_of(f"{campaign} exam", 1, queue="exam")])
    told = json.loads(connector.pull("").cursor)
    assert set(told) == {"", "exam"}
    (task,) = [task for task in people[0].tasks(connector.project_id) if task.key == tasks_of(campaign, 3)[0].key]
    people[0].submit(task, RUDE, 1.0)
    pull = connector.pull(json.dumps(told[""]))
    assert [a.task_key for a in pull.annotations] == [task.key]
    assert len([key for key in pull.seen if key in {one.key for one in tasks_of(f"{campaign} exam", 1)}]) == 1


class Shelf:
    """Media of which one is gone."""

    kind = "shelf"

    def __init__(self) -> None:
        self.prepared: list[int] = []

    def prepare(self, http: Http, project: int) -> None:
        self.prepared.append(project)

    def link(self, reference: str) -> str:
        return f"https://media.invalid/{reference}"

    def broken(self, http: Http, references: list[str]) -> dict[str, str]:
        assert self.prepared
        return {name: "nobody finds it" for name in references if name == "gone.png"}

    def look(self, http: Http, project: int | None, references: list[str]) -> Finding:
        return Finding("media", "ok", "a shelf")


def test_media_are_linked_on_the_server_only_and_broken_ones_are_named(connect, campaign, admin):
    form, shelf = Form(policy=POLICY, modality="image"), Shelf()
    connector = connect(form, media=shelf)
    asking = Asking(campaign=campaign, round=1, form=form)
    picks = [Pick(n, f"item-{n}", "explore", 0.5) for n in range(2)]
    rows = [{"media": name, "language": "", "region": ""} for name in ("there.png", "gone.png")]
    tasks = list(make_tasks(asking, picks, rows))
    assert connector.broken(tasks) == {tasks[1].key: "nobody finds it"}
    connector.push(tasks[:1])
    (row,) = on_server(admin, connector.project_id)
    assert row["data"]["media"] == "https://media.invalid/there.png"
    assert connector.reconcile(tasks[:1], mend=False) == ()
    connector.push([replace(tasks[0], key="review", queue="review", data={**tasks[0].data, "hitl_key": "review"})])
    assert shelf.prepared == [connector.project_ids[""], connector.project_ids["review"]]


@pytest.mark.parametrize(("email", "state"), [("ana@host.invalid", "warn"), ("bot@host.invalid", "ok")])
def test_a_token_that_may_do_more_than_it_needs_is_told(email, state):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/current-user/whoami":
            owner = {"title": "o", "email": "ana@host.invalid"}
            return httpx.Response(200, json={"id": 7, "email": email, "active_organization_meta": owner})
        if request.url.path == "/api/version/":
            return httpx.Response(200, json={"release": "1.23.2"}, headers={"date": "Wed, 25 Nov 2026 10:00:00 GMT"})
        return httpx.Response(200, json={"results": [], "next": None} if "projects" in request.url.path else [])

    connector = LabelStudio("https://label.invalid", "0" * 40, transport=httpx.MockTransport(answer))
    (token,) = [finding for finding in connector.check("trial", FORM) if finding.check == "token"]
    assert (token.state, bool(token.remedy)) == (state, state == "warn")
    assert email not in token.detail


def test_one_form_and_another_policy_are_refused(connect, server, campaign):
    other = Policy(name="abuse", version="9", labels=LABELS)
    with pytest.raises(ConnectorError, match="one policy"):
        LabelStudio(server.url, server.token).open(campaign, FORM, other)


def test_a_foreign_cursor_is_refused_and_a_project_that_is_gone_is_told(connect, campaign, admin):
    connector = connect()
    with pytest.raises(ConnectorError, match="cursor"):
        connector.pull("seven")
    admin.rewrite("DELETE", f"/api/projects/{connector.project_id}/", None)
    with pytest.raises(ServerRefused, match="404"):
        connector.push(tasks_of(campaign, 1))
    found = {f.check: f for f in connector.check(campaign, FORM)}
    assert (found["project"].state, found["project"].detail) == ("skip", "none yet")
    assert found["label config"].state == "ok"
