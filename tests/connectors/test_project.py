"""A campaign's projects: found by their marks, made once, looked over, and put back as they were."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from on_studio import FORM, LABELS, POLICY, tasks_of

from hitl.connectors.label_studio import LabelStudio
from hitl.errors import ServerUnreachable
from hitl.policy import Label, Policy
from hitl.tasks import Asking, Form, encode, make_tasks
from hitl.types import Answer, Pick


def test_campaigns_and_policy_versions_do_not_mix(server, connect, campaign):
    mine = connect()
    mine.push(tasks_of(campaign, 2))
    newer = Form(policy=Policy(name="abuse", version="2", labels=LABELS))
    same_text = LabelStudio(server.url, server.token)
    urls = {
        mine.url_of_project,
        same_text.open(f"{campaign}:1", FORM, POLICY),
        connect(newer).url_of_project,
        connect(Form(policy=POLICY, modality="image")).url_of_project,
    }
    assert len(urls) == 4
    assert same_text.finish().seen == {}
    assert connect().url_of_project == mine.url_of_project
    cursor = mine.pull("").cursor
    assert connect(newer).pull(cursor).seen == {}
    same_text.close()


def test_a_crash_after_the_project_was_made_makes_no_second_one(server, campaign, admin):
    class Deaf(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            with httpx.HTTPTransport() as inner:
                answer = inner.handle_request(request)
                body = answer.read()
            if request.method == "POST" and request.url.path == "/api/projects/":
                raise httpx.ReadTimeout("too late")
            return httpx.Response(answer.status_code, headers={"content-type": "application/json"}, content=body)

    with pytest.raises(ServerUnreachable):
        LabelStudio(server.url, server.token, transport=Deaf()).open(campaign, FORM, POLICY)
    connector = LabelStudio(server.url, server.token)
    connector.open(campaign, FORM, POLICY)
    titles = [row["title"] for row in admin.read("/api/projects/", {"page_size": 1000})["results"]]
    assert sum(title.startswith(f"{campaign} ") for title in titles) == 1
    connector.close()


def test_a_project_made_twice_splits_no_tasks(server, connect, campaign, admin):
    class Twice(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if (request.method, request.url.path) == ("POST", "/api/projects/"):
                super().handle_request(request).read()
            return super().handle_request(request)

    tasks = tasks_of(campaign, 2)
    connector = connect(transport=Twice())
    connector.push(tasks)
    assert connect().push(tasks).sent == 0
    rows = admin.read("/api/projects/", {"include": "id,title,task_number", "page_size": 1000})["results"]
    made = [row for row in rows if row["title"].startswith(f"{campaign} ")]
    assert sorted(row["task_number"] for row in made) == [0, 2]
    # Should the tasks ever lie in the younger one, they are found there.
    admin.rewrite("DELETE", f"/api/projects/{connector.project_id}/", None)
    left = connect()
    left.push(tasks)
    older = {"title": "late", "description": admin.read(f"/api/projects/{left.project_id}/")["description"]}
    admin.write("POST", "/api/projects/", older)
    assert connect().project_id == left.project_id


@pytest.mark.parametrize("modality", ["text", "image", "video", "audio"])
@pytest.mark.parametrize("multi", [False, True])
def test_the_server_takes_the_page_and_its_predictions(server, people, campaign, modality, multi):
    odd = Label(name="<b>&'\"odd", note_required=True, definition="</Choices> & \u202e")
    persian = Label(name="می\u200cخواهم")
    labels = (*LABELS, odd, persian)
    form = Form(policy=Policy(name="abuse", version="1", multi_label=multi, labels=labels), modality=modality)
    connector = LabelStudio(server.url, server.token)
    connector.open(campaign, form, form.policy)
    row = {"text": "shown", "media": "https://media.invalid/1", "region": "", "language": ""}
    tasks = make_tasks(
        Asking(campaign=campaign, round=1, form=form), [Pick(0, "i", "explore", 0.5)], [row], [{odd.name: 0.9}]
    )
    assert connector.push(tasks).sent == 1
    answer = Answer((persian.name,))
    people[0].submit(people[0].next_task(connector.project_id), encode(form, answer), 1.0)
    assert [one.answer for one in connector.pull("").annotations] == [answer]
    states = {finding.check: finding.state for finding in connector.check(campaign, form)}
    looked_at = ("server", "token", "permissions", "clock", "label config", "project", "blind")
    assert states == dict.fromkeys(looked_at, "ok")
    connector.close()


def test_changes_behind_our_back_are_found(connect, campaign, admin):
    connector = connect()
    connector.push(tasks_of(campaign, 1))
    where = f"/api/projects/{connector.project_id}/"
    page = admin.read(where)["label_config"]
    admin.rewrite("PATCH", where, {"sampling": "Sequential sampling", "label_config": page.replace("Which", "What")})
    states = {finding.check: finding for finding in connector.check(campaign, FORM)}
    assert (states["label config"].state, states["project"].state) == ("warn", "warn")
    lost = page.replace('<Choice value="unsure"', '<Choice value="perhaps"')
    admin.rewrite("PATCH", where, {"label_config": lost})
    finding = next(f for f in connector.check(campaign, FORM) if f.check == "label config")
    assert finding.state == "fail"
    assert finding.remedy


def test_set_up_is_told_with_each_pull_and_our_own_changes_are_none(connect, campaign, admin):
    tasks = tasks_of(campaign, 2)
    connector = connect()
    before = connector.pull("").settings
    connector.push([*tasks, *tasks_of(f"{campaign} exam", 1, queue="exam")])
    connector.refresh([replace(task, model_id="model-2") for task in tasks])
    after = connector.pull("").settings
    assert {name: after[name] for name in before} == before
    assert (after["main/sampling"], after["exam/sampling"]) == ("Uncertainty sampling", "Sequential sampling")
    assert "rude" in after["main/choices"]
    assert all(isinstance(value, str | int | bool | None) and len(str(value)) < 200 for value in after.values())
    changed = {"title": "another", "show_collab_predictions": True, "sampling": "Sequential sampling"}
    admin.rewrite("PATCH", f"/api/projects/{connector.project_id}/", changed)
    now = connector.pull("").settings
    assert {name: now[name] for name in now if now[name] != after[name]} == {
        f"main/{name}": value for name, value in changed.items()
    }


def test_settings_are_put_back_and_the_order_survives_it(connect, campaign, admin, people):
    tasks = tasks_of(campaign, 3)
    connector = connect()
    connector.push(tasks)
    where = f"/api/projects/{connector.project_id}/"
    page = admin.read(where)["label_config"]
    lost = page.replace('<Choice value="unsure"', '<Choice value="perhaps"')
    admin.rewrite("PATCH", where, {"show_collab_predictions": True, "sampling": "Sequential sampling"})
    admin.rewrite("PATCH", where, {"label_config": lost, "show_annotation_history": True})
    states = {finding.check: finding for finding in connector.check(campaign, FORM)}
    assert (states["blind"].state, states["project"].state, states["label config"].state) == ("warn", "warn", "fail")
    assert "show_collab_predictions" in states["blind"].detail
    names = [f"main/{n}" for n in ("label_config", "sampling", "show_annotation_history", "show_collab_predictions")]
    told = connector.reconcile(tasks, mend=False)
    assert sorted((one.about, one.mended) for one in told) == [(name, False) for name in names]
    assert all(one.mended for one in connector.reconcile(tasks, mend=True))
    assert connector.reconcile(tasks, mend=False) == ()
    assert {finding.state for finding in connector.check(campaign, FORM)} == {"ok"}
    assert people[0].next_task(connector.project_id).key == tasks[-1].key
