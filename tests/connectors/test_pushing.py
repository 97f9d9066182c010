"""Pushing over lines that break, to a server that forgets nothing and loses predictions: each task is there once."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import httpx
import pytest
from on_studio import RUDE, assert_each_once, begin, on_server, tasks_of

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.pulling import pseudonym
from hitl.errors import ServerUnreachable
from hitl.types import Task


class Cut(httpx.BaseTransport):
    """A line that breaks at the `at`-th import: before the server hears of it, after it was done, or meanwhile."""

    def __init__(self, when: str, at: int = 1, dead: bool = False) -> None:
        self.inner, self.when, self.at, self.dead = httpx.HTTPTransport(), when, at, dead
        self.broken = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.broken and self.dead:
            raise httpx.ConnectError("no route")
        if request.url.path.endswith("/import"):
            self.at -= 1
            if self.at == 0:
                self.broken = True
                if self.when == "meanwhile":
                    threading.Thread(target=self.inner.handle_request, args=(request,)).start()
                elif self.when == "after":
                    self.inner.handle_request(request).read()
                raise httpx.ReadError("the line broke")
        return self.inner.handle_request(request)


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("when", ["before", "after", "meanwhile"])
def test_a_line_that_breaks_once_doubles_and_loses_nothing(connect, campaign, admin, when):
    tasks = tasks_of(campaign, 12)
    connector = connect(transport=Cut(when, at=2))
    if when == "before":
        ls_pauses = "hitl.connectors.studio.tasks.SETTLE_SECONDS"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ls_pauses, (0.0,))
            receipt = connector.push(tasks)
    else:
        receipt = connector.push(tasks)
    assert receipt.sent == 12
    assert_each_once(admin, connector.project_id, tasks)


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_goes_away_is_told_and_the_next_call_goes_on(connect, campaign, admin, when):
    tasks = tasks_of(campaign, 12)
    connector = connect(transport=Cut(when, at=2, dead=True))
    with pytest.raises(ServerUnreachable, match="call again"):
        connector.push(tasks)
    again = connect()
    assert again.push(tasks).sent == (7 if when == "before" else 2)
    assert_each_once(admin, again.project_id, tasks)


class Counting(httpx.BaseTransport):
    """A line that counts what is asked, and carries what `twice` names to the server a second time, unseen."""

    def __init__(self, twice: str = "") -> None:
        self.inner, self.twice, self.asked = httpx.HTTPTransport(), twice, Counter[str]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked[request.url.params.get("include", request.url.path)] += 1
        if self.twice and request.url.path.endswith(self.twice):
            self.inner.handle_request(request).read()
        return self.inner.handle_request(request)


def test_tasks_that_the_server_says_arrived_are_not_read_back(connect, campaign, admin):
    tasks, line = tasks_of(campaign, 12), Counting()
    connector = connect(transport=line)
    line.asked.clear()
    receipt = connector.push(tasks)
    listed = [asked for asked in line.asked if "overlap" in asked]
    assert [line.asked[one] for one in listed] == [1]
    assert_each_once(admin, connector.project_id, tasks)
    there = {row["data"]["hitl_key"]: str(row["id"]) for row in on_server(admin, connector.project_id)}
    assert dict(receipt.server_ids) == there


def test_what_was_delivered_twice_is_noticed_though_the_answer_says_nothing_of_it(connect, campaign, admin):
    tasks = tasks_of(campaign, 12)
    connector = connect(transport=Counting("/import"))
    connector.push(tasks)
    assert_each_once(admin, connector.project_id, tasks)


def test_second_copies_are_taken_away_unless_somebody_worked_on_them(connect, campaign, admin, people):
    tasks = tasks_of(campaign, 3)
    connector = connect()
    connector.push(tasks)
    for task in tasks[:2]:
        admin.write("POST", f"/api/projects/{connector.project_id}/import", [{"data": dict(task.data)}])
    copy = max(row["id"] for row in on_server(admin, connector.project_id))
    answered = next(task for task in people[0].tasks(connector.project_id) if task.id == copy)
    people[0].submit(answered, RUDE, 1.0)
    assert connector.push(tasks).sent == 0
    assert_each_once(admin, connector.project_id, tasks)
    assert copy in {row["id"] for row in on_server(admin, connector.project_id)}


def import_again(http: Http, project: int, tasks: list[Task]) -> list[int]:
    """What a request does that arrives late, or twice: copies, by their server's ids."""
    before = {row["id"] for row in on_server(http, project)}
    http.write("POST", f"/api/projects/{project}/import", [{"data": dict(task.data)} for task in tasks])
    return sorted(row["id"] for row in on_server(http, project) if row["id"] not in before)


def test_copies_that_come_after_a_push_are_taken_away_by_the_next_pull(connect, campaign, admin):
    tasks = tasks_of(campaign, 3)
    connector = connect()
    connector.push(tasks)
    first = connector.pull("")
    import_again(admin, connector.project_id, tasks[:2])
    assert set(connect().pull(first.cursor).seen) >= {task.key for task in tasks[:2]}
    assert_each_once(admin, connector.project_id, tasks)


def test_copies_on_which_both_somebody_worked_are_one_task_with_all_their_answers(connect, campaign, admin, people):
    (task,) = tasks_of(campaign, 1)
    connector = connect()
    connector.push([task])
    (original,) = people[0].tasks(connector.project_id)
    people[0].submit(original, RUDE, 1.0)
    first = connector.pull("")
    import_again(admin, connector.project_id, [task])
    (copy,) = [row for row in people[1].tasks(connector.project_id) if row.id != original.id]
    people[1].submit(copy, RUDE, 1.0)
    second = connect().pull(first.cursor)
    assert len(second.seen[task.key]) == 2
    assert {a.worker for a in second.annotations} == {pseudonym(campaign, account.email) for account in people}
    (doubled,) = connector.reconcile([task], mend=True)
    assert (doubled.kind, doubled.about, doubled.mended) == ("doubled", task.key, False)
    assert len(on_server(admin, connector.project_id)) == 2


def test_a_copy_that_somebody_began_is_not_taken_away(connect, campaign, admin, people):
    tasks = tasks_of(campaign, 2)
    connector = connect()
    connector.push(tasks)
    copies = import_again(admin, connector.project_id, tasks)
    begin(people[0], copies[0])
    assert connector.push(tasks).sent == 0
    there = Counter(row["data"]["hitl_key"] for row in on_server(admin, connector.project_id))
    assert sorted(there.values()) == [1, 1]
    assert copies[0] in {row["id"] for row in on_server(admin, connector.project_id)}


def test_predictions_that_came_twice_are_one_again(connect, campaign, admin):
    tasks = tasks_of(campaign, 3)
    connector = connect()
    connector.push(tasks)
    twice = [
        {"task": row["id"], **{name: row["predictions"][0][name] for name in ("model_version", "score", "result")}}
        for row in on_server(admin, connector.project_id)
    ]
    where = f"/api/projects/{connector.project_id}/import/predictions"
    admin.write("POST", where, twice)
    connector.push(tasks)
    assert_each_once(admin, connector.project_id, tasks)
    admin.write("POST", where, twice[:1])
    (told,) = connector.reconcile(tasks, mend=True)
    assert (told.kind, told.mended) == ("unpredicted", True)
    assert_each_once(admin, connector.project_id, tasks)


def test_predictions_that_the_server_lost_are_sent_again(connect, campaign, admin, people):
    tasks = tasks_of(campaign, 4)
    connector = connect()
    admin.write("POST", f"/api/projects/{connector.project_id}/import", [{"data": dict(task.data)} for task in tasks])
    assert connector.push(tasks).sent == 0
    assert_each_once(admin, connector.project_id, tasks)
    assert people[0].next_task(connector.project_id).key == tasks[-1].key


class Dying(httpx.BaseTransport):
    """A process that is killed at its `at`-th change, which the server may have made or not."""

    def __init__(self, at: int, made: bool) -> None:
        self.inner, self.at, self.made, self.dead = httpx.HTTPTransport(), at, made, False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET" and not request.url.path.endswith("/validate/") and not self.dead:
            self.at -= 1
            self.dead = self.at == 0
            if self.dead and self.made:
                self.inner.handle_request(request).read()
        if self.dead:
            raise httpx.ConnectError("killed")
        return self.inner.handle_request(request)


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("made", [False, True])
def test_killed_at_any_change_a_push_and_a_refresh_end_the_same(connect, campaign, admin, people, made):
    tasks = [*tasks_of(campaign, 4), *tasks_of(f"{campaign} exam", 2, queue="exam", overlap=2)]
    newer = [replace(task, model_id="model-2", priority=1 - task.priority) for task in tasks]
    deaths = 0
    for step in (lambda one: one.push(tasks), lambda one: one.refresh(newer)):
        for at in range(1, 40):
            line = Dying(1 if made else at, made)
            try:
                step(connect(transport=line))
                break
            except ServerUnreachable:
                deaths += line.dead
    assert deaths >= (8 if made else 4)
    connector = connect()
    for queue, number in connector.project_ids.items():
        rows = on_server(admin, number)
        mine = {task.key: task for task in tasks if task.queue == queue}
        assert sorted(row["data"]["hitl_key"] for row in rows) == sorted(mine)
        for row in rows:
            told = {p["model_version"]: p["score"] for p in row["predictions"]}
            priority = mine[row["data"]["hitl_key"]].priority
            assert told == {"model-1": pytest.approx(1 - priority), "model-2": pytest.approx(priority)}
            assert len(row["predictions"]) == 2
    assert people[0].next_task(connector.project_id).key == tasks[0].key
    assert connector.reconcile(newer, mend=False) == ()
