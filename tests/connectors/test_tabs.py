"""Tabs of the data manager: ours as they should be, those of other people as they are."""

from __future__ import annotations

import httpx
import pytest
from on_studio import FORM, POLICY, tasks_of

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio.http import Http
from hitl.connectors.studio.tabs import HIDDEN
from hitl.errors import ServerUnreachable
from hitl.types import Tab

SEEN = {"id", "total_annotations", "cancelled_annotations", "text", "language", "region", "data"}


def views(http: Http, project: int) -> list[dict]:
    return sorted(http.read("/api/dm/views/", {"project": project}), key=lambda view: view["id"])


def titles(http: Http, project: int) -> list[str]:
    return [view["data"]["title"] for view in views(http, project)]


def test_tabs_of_other_people_stay_and_what_they_changed_of_ours_is_put_back(connect, campaign, admin):
    connector = connect()
    connector.push(tasks_of(campaign, 2))
    mine = {"title": "my own", "type": "list", "target": "tasks"}
    project = connector.project_id
    admin.write("POST", "/api/dm/views/", {"project": project, "data": mine})
    connector.sort([Tab("English", language="en")])
    _, own, ours = views(admin, project)
    other = {**ours["data"], "filters": {"conjunction": "and", "items": []}}
    other["hiddenColumns"] = {"explore": ["tasks:id"], "labeling": []}
    admin.rewrite("PATCH", f"/api/dm/views/{ours['id']}/", {"project": project, "data": other})
    admin.write("POST", "/api/dm/views/", {"project": project, "data": {**mine, "title": ours["data"]["title"]}})
    connector.sort([Tab("English", language="en")])
    _, kept, mended = views(admin, project)
    assert (kept, mended["id"]) == (own, ours["id"])
    hidden = {"explore": ["tasks:id", *HIDDEN], "labeling": [*HIDDEN]}
    assert mended["data"] == {**ours["data"], "hiddenColumns": hidden}
    connector.sort([])
    assert titles(admin, project) == ["Default", "my own"]


def test_whoever_comes_in_sees_no_media_and_nobodys_answers(connect, campaign, admin):
    connector = connect()
    connector.push(tasks_of(campaign, 1))
    connector.sort([Tab("English", language="en")])
    columns = admin.read("/api/dm/columns", {"project": connector.project_id})["columns"]
    there = {f"{'data.' if column.get('parent') == 'data' else ''}{column['id']}" for column in columns}
    for view in views(admin, connector.project_id):
        for where in ("explore", "labeling"):
            hidden = {name.removeprefix("tasks:") for name in view["data"]["hiddenColumns"][where]}
            assert {name.removeprefix("data.") for name in there - hidden} == SEEN
            assert "data.media" in hidden


def test_the_tab_that_people_come_in_by_is_there_once_and_stays_as_it_should_be(server, connect, campaign, admin):
    class Twice(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if (request.method, request.url.path) == ("POST", "/api/dm/views/"):
                super().handle_request(request).read()
            return super().handle_request(request)

    project = connect(transport=Twice()).project_id
    assert titles(admin, project) == ["Default", "Default"]
    connect()
    (first,) = views(admin, project)
    # As the page makes it for whoever comes before anybody made it, or as somebody set it.
    bare = {name: value for name, value in first["data"].items() if name != "hiddenColumns"}
    for hidden in (None, {"explore": ["tasks:id"], "labeling": []}):
        data = bare if hidden is None else {**bare, "hiddenColumns": hidden}
        admin.rewrite("PATCH", f"/api/dm/views/{first['id']}/", {"project": project, "data": data})
        connect()
        (mended,) = views(admin, project)
        assert {*HIDDEN} <= {*mended["data"]["hiddenColumns"]["labeling"]}
    assert mended["data"]["hiddenColumns"]["explore"] == ["tasks:id", *HIDDEN]
    assert connect().project_id == project


def test_a_maker_that_dies_before_the_tab_leaves_it_to_the_next(server, connect, campaign, admin):
    class Dead(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if (request.method, request.url.path) == ("POST", "/api/dm/views/"):
                raise httpx.ConnectError("killed")
            return super().handle_request(request)

    dying = LabelStudio(server.url, server.token, transport=Dead())
    with pytest.raises(ServerUnreachable):
        dying.open(campaign, FORM, POLICY)
    dying.close()
    connector = connect()
    connector.push(tasks_of(f"{campaign} exam", 1, queue="exam"))
    for number in connector.project_ids.values():
        assert titles(admin, number) == ["Default"]
