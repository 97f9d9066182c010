"""What is special about Label Studio: it forgets nothing, loses predictions, and takes whatever it is sent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import httpx
import pytest

from hitl.connectors import ls_http
from hitl.connectors.label_studio import LabelStudio, pseudonym
from hitl.connectors.ls_http import Http
from hitl.demo.people import Account, sign_up
from hitl.demo.server import LabelStudioServer
from hitl.errors import ConnectorError, ServerRefused, ServerUnreachable
from hitl.policy import Label, Policy
from hitl.tasks.form import Form, encode
from hitl.tasks.task import Asking, make_tasks
from hitl.types import Answer, Pick, Task

LABELS = (Label(name="fine", violating=False), Label(name="rude"), Label(name="cruel", note_required=True))
POLICY = Policy(name="abuse", version="1", labels=LABELS)
FORM = Form(policy=POLICY)
RUDE = encode(FORM, Answer(("rude",)))
NUMBERS = count()


@pytest.fixture(scope="module")
def people(server: LabelStudioServer) -> Iterator[list[Account]]:
    accounts = [sign_up(server.url, server.token, f"reader-{n}@hitl.invalid", "long-enough-1") for n in range(2)]
    yield accounts
    for account in accounts:
        account.close()


@pytest.fixture
def campaign() -> str:
    return f"ls {next(NUMBERS)}"


@pytest.fixture
def connect(server: LabelStudioServer, campaign: str) -> Iterator[Callable[..., LabelStudio]]:
    opened: list[LabelStudio] = []

    def make(form: Form = FORM, **options: object) -> LabelStudio:
        opened.append(LabelStudio(server.url, server.token, **options))  # type: ignore[arg-type]
        opened[-1].open(campaign, form, form.policy)
        return opened[-1]

    yield make
    for connector in opened:
        connector.close()


@pytest.fixture
def admin(server: LabelStudioServer) -> Iterator[Http]:
    http = Http(server.url, server.token)
    yield http
    http.close()


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


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a dead line is not what these tests are about."""
    monkeypatch.setattr(ls_http, "READ_TRIES", 2)
    monkeypatch.setattr("hitl.connectors.label_studio.CHUNK_TASKS", 5)


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("when", ["before", "after", "meanwhile"])
def test_a_line_that_breaks_once_doubles_and_loses_nothing(connect, campaign, admin, when):
    tasks = tasks_of(campaign, 12)
    connector = connect(transport=Cut(when, at=2))
    if when == "before":
        ls_pauses = "hitl.connectors.ls_tasks.SETTLE_SECONDS"
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


def test_predictions_that_the_server_lost_are_sent_again(connect, campaign, admin, people):
    tasks = tasks_of(campaign, 4)
    connector = connect()
    admin.write("POST", f"/api/projects/{connector.project_id}/import", [{"data": dict(task.data)} for task in tasks])
    assert connector.push(tasks).sent == 0
    assert_each_once(admin, connector.project_id, tasks)
    assert people[0].next_task(connector.project_id).key == tasks[-1].key


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


@pytest.mark.parametrize("modality", ["text", "image", "video", "audio"])
@pytest.mark.parametrize("multi", [False, True])
def test_the_server_takes_the_page_and_its_predictions(server, campaign, modality, multi):
    odd = Label(name="<b>&'\"odd", note_required=True, definition="</Choices> & \u202e")
    form = Form(policy=Policy(name="abuse", version="1", multi_label=multi, labels=(*LABELS, odd)), modality=modality)
    connector = LabelStudio(server.url, server.token)
    connector.open(campaign, form, form.policy)
    row = {"text": "shown", "media": "https://media.invalid/1", "region": "", "language": ""}
    tasks = make_tasks(
        Asking(campaign=campaign, round=1, form=form), [Pick(0, "i", "explore", 0.5)], [row], [{odd.name: 0.9}]
    )
    assert connector.push(tasks).sent == 1
    states = {finding.check: finding.state for finding in connector.check(campaign, form)}
    assert states == dict.fromkeys(("server", "token", "permissions", "clock", "label config", "project"), "ok")
    connector.close()


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
