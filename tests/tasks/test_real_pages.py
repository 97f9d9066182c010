"""What a real Label Studio says to every page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from forms import FORMS
from label_studio_sdk.label_interface.interface import LabelInterface

from hitl.connectors.studio.http import Http
from hitl.demo.server import LabelStudioServer
from hitl.tasks import Asking, encode, instruction, make_tasks, parse, prediction, render
from hitl.types import Answer, Pick, Span

ROWS = {
    "conversation": {"text": json.dumps([{"role": "user", "content": "hi"}, {"role": "model", "content": "\u05e9"}])},
    "pair": {"text": json.dumps({"left": "a", "right": "b"})},
    "text": {"text": "shown"},
}
ANSWERS = {
    "conversation": Answer(),
    "timeline": Answer(("spam",), note="there", spans=(Span("spam", 1.0, 2.5),)),
    "pairwise": Answer(("left",), note="clearer"),
    "rubric": Answer(("ok",), ratings=(("truthful", 4), ("tone", 3))),
    "image, review": Answer(("ok",)),
}


@pytest.fixture(scope="module")
def http(server: LabelStudioServer) -> Iterator[Http]:
    http = Http(server.url, server.token)
    yield http
    http.close()


@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_server_takes_the_page(http: Http, name: str) -> None:
    http.rewrite("POST", "/api/projects/validate/", {"label_config": render(FORMS[name])})


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_prediction_and_an_answer_fit_the_page(name: str) -> None:
    form = FORMS[name]
    page: Any = LabelInterface(render(form))
    predicted = dict.fromkeys(form.policy.names, 0.9)
    assert page.validate_prediction({"result": prediction(form, predicted)}, return_errors=True) == []
    noted = Answer(out="unsure", note="hard")
    assert page.validate_prediction({"result": encode(form, noted)}, return_errors=True) == []


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_server_holds_an_item_and_gives_its_answer_back(http: Http, name: str) -> None:
    form = FORMS[name]
    project = http.write(
        "POST",
        "/api/projects/",
        {"title": f"page {name}", "label_config": render(form), "expert_instruction": instruction(form)},
    )["id"]
    row = ROWS.get(form.modality, {"media": "https://media.invalid/1.png"})
    (task,) = make_tasks(
        Asking(campaign="pages", round=1, form=form, queue=form.queue), [Pick(0, "i", "explore", 0.5)], [row]
    )
    http.write("POST", f"/api/projects/{project}/import", [{"data": dict(task.data)}])
    held = http.read("/api/tasks", {"project": project, "fields": "all"})["tasks"]
    assert [one["data"] for one in held] == [task.data]
    http.write("POST", f"/api/tasks/{held[0]['id']}/annotations/", {"result": encode(form, ANSWERS[name])})
    (given,) = http.read(f"/api/tasks/{held[0]['id']}/annotations/")
    assert parse(form, given["result"]) == (ANSWERS[name], "")
    http.rewrite("DELETE", f"/api/projects/{project}/", None)
