"""Who is served what, and when: by priority, by the newest model, by how many people are wanted."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from on_studio import FORM, RUDE, begin, tasks_of

from hitl.connectors.studio import http as ls_http
from hitl.connectors.studio.pulling import pseudonym
from hitl.errors import ServerUnreachable
from hitl.tasks import encode
from hitl.types import Answer


def test_a_refresh_takes_nothing_out_of_anybodys_hands(connect, campaign, people):
    tasks = tasks_of(campaign, 6)
    connector = connect()
    connector.push(tasks)
    first, second = people
    done = first.next_task(connector.project_id)
    first.submit(done, RUDE, 1.0)
    held = first.next_task(connector.project_id)
    begun = second.next_task(connector.project_id)
    begin(second, begun.id)
    before = connector.pull("")
    connector.refresh([replace(task, model_id="model-2", priority=1 - task.priority) for task in tasks])
    assert first.next_task(connector.project_id).id == held.id
    assert second.next_task(connector.project_id).id == begun.id
    pull = connector.pull(before.cursor)
    assert pull.annotations == before.annotations
    assert pull.drafts == {begun.key: (pseudonym(campaign, second.email),)}
    first.submit(held, RUDE, 1.0)
    served = []
    while (task := first.next_task(connector.project_id)) is not None:
        first.submit(task, RUDE, 1.0)
        served.append(task.key)
    assert served == [tasks[0].key, tasks[1].key, tasks[2].key]
    assert done.key not in served


def test_a_refresh_that_breaks_off_leaves_the_old_order(connect, campaign, people):
    tasks = tasks_of(campaign, 4)
    connect().push(tasks)
    newer = [replace(task, model_id="model-2", priority=1 - task.priority) for task in tasks]

    class Stuck(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "PATCH":
                raise httpx.ConnectError("killed")
            return super().handle_request(request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ls_http, "READ_TRIES", 1)
        with pytest.raises(ServerUnreachable):
            connect(transport=Stuck()).refresh(newer)
    connector = connect()
    assert people[0].next_task(connector.project_id).key == tasks[-1].key
    connector.refresh(newer)
    assert people[1].next_task(connector.project_id).key == tasks[0].key


def test_without_a_model_the_order_is_kept_all_the_same(connect, campaign, people):
    tasks = tasks_of(campaign, 4, predicted={}, model_id="")
    connector = connect()
    connector.push(tasks)
    served = []
    for _ in tasks:
        task = people[0].next_task(connector.project_id)
        people[0].submit(task, RUDE, 1.0)
        served.append(task.key)
    assert served == [task.key for task in reversed(tasks)]
    assert people[0].next_task(connector.project_id) is None


def test_a_later_round_is_served_by_its_own_model(connect, campaign, people):
    connector = connect()
    first, second = tasks_of(campaign, 3), tasks_of(f"{campaign} later", 3, model_id="model-2")
    connector.push(first)
    connector.push(second)
    assert people[0].next_task(connector.project_id).key == second[-1].key


class Counting(httpx.HTTPTransport):
    """Notes what is changed."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            self.changes.append(f"{request.method} {request.url.path}")
        return super().handle_request(request)


def test_a_task_asked_again_is_served_to_somebody_else_and_closed_for_the_first(connect, campaign, people):
    line = Counting()
    connector = connect(transport=line)
    (task,) = tasks_of(campaign, 1)
    connector.push([task])
    first, second = people
    first.submit(first.next_task(connector.project_id), RUDE, 1.0)
    assert second.next_task(connector.project_id) is None
    connector.ask_more({task.key: 2})
    line.changes.clear()
    connector.ask_more({task.key: 2})
    assert first.next_task(connector.project_id) is None
    second.submit(second.next_task(connector.project_id), encode(FORM, Answer(("fine",))), 1.0)
    connector.ask_more({task.key: 2})
    assert line.changes == []
    assert {account.next_task(connector.project_id) for account in people} == {None}
    given = connector.pull("").annotations
    assert {(a.worker, a.answer) for a in given} == {
        (pseudonym(campaign, first.email), Answer(("rude",))),
        (pseudonym(campaign, second.email), Answer(("fine",))),
    }


def test_an_answer_sent_twice_is_one_answer(connect, campaign, people):
    connector = connect()
    connector.push(tasks_of(campaign, 1))
    (task,) = people[0].tasks(connector.project_id)
    assert [people[0].submit(task, RUDE, 1.0), people[0].submit(task, RUDE, 1.0)] == [True, False]
    assert people[0].tasks(connector.project_id)[0].people == (people[0].user_id,)
    assert people[1].skip(task)
    assert people[1].tasks(connector.project_id)[0].skips == 1


def test_answers_that_no_page_would_send_are_set_aside_with_a_reason(connect, campaign, people):
    connector = connect()
    connector.push(tasks_of(campaign, 3))
    bad = [encode(FORM, Answer(("cruel",))), [], [{"from_name": "label", "value": 7}]]
    for task, results in zip(people[0].tasks(connector.project_id), bad, strict=True):
        people[0].submit(task, results, 1.0)
    given = connector.pull("").annotations
    assert [a.answer for a in given] == [None] * 3
    assert all(a.problem and not a.skipped for a in given)


def test_nobody_sees_opinions_in_the_labeling_stream_until_they_are_shown(connect, campaign, people):
    connector = connect()
    connector.push(tasks_of(campaign, 1, overlap=2))
    first, second = people
    first.submit(first.next_task(connector.project_id), RUDE, 1.0)
    stream = {"id": "next_task", "project": connector.project_id}
    served = second._http.write("POST", "/api/dm/actions", {}, stream)
    assert (served["predictions"], served["annotations"]) == ([], [])
    open_eyed = connect(show_predictions=True)
    told = open_eyed.reconcile(tasks_of(campaign, 1, overlap=2), mend=True)
    assert [(one.about, one.mended) for one in told] == [("main/show_collab_predictions", True)]
    assert len(second._http.write("POST", "/api/dm/actions", {}, stream)["predictions"]) == 1
