"""What tests on a real Label Studio share: a policy, its tasks, and a look at what the server holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from hitl.connectors.studio.http import Http
from hitl.demo.people import Account
from hitl.policy import Label, Policy
from hitl.tasks import Asking, Form, encode, make_tasks
from hitl.types import Answer, Pick, Task

LABELS = (Label(name="fine", violating=False), Label(name="rude"), Label(name="cruel", note_required=True))
POLICY = Policy(name="abuse", version="1", labels=LABELS)
FORM = Form(policy=POLICY)
RUDE = encode(FORM, Answer(("rude",)))


def tasks_of(campaign: str, number: int, **changes: object) -> list[Task]:
    asking = Asking(campaign=campaign, round=1, form=FORM, model_id="model-1")
    picks = [Pick(n, f"item-{n}", "explore", n / number) for n in range(number)]
    rows = [{"text": f"text {n}", "language": "en", "region": ""} for n in range(number)]
    return [replace(task, **changes) for task in make_tasks(asking, picks, rows, [{"fine": 0.3, "rude": 0.7}] * number)]


def on_server(http: Http, project: int) -> list[dict]:
    params = {"project": project, "page_size": 10_000, "fields": "all", "include": "id,data,predictions"}
    return http.read("/api/tasks", params)["tasks"]


def assert_each_once(http: Http, project: int, tasks: list[Task]) -> None:
    rows = on_server(http, project)
    assert Counter(row["data"]["hitl_key"] for row in rows) == {task.key: 1 for task in tasks}
    scores = {row["data"]["hitl_key"]: [p["score"] for p in row["predictions"]] for row in rows}
    assert scores == {task.key: [pytest.approx(1 - task.priority)] for task in tasks}


def begin(account: Account, number: int) -> None:
    """Leave a draft, as a page does by itself while somebody thinks."""
    account._http.write("POST", f"/api/tasks/{number}/drafts", {"result": RUDE, "lead_time": 1.0})
