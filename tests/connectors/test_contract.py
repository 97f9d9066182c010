"""What every place where people work must do, run over each of them: in memory, in a folder, on a real Label Studio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import pytest

from hitl.connectors import Connector
from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.ls_http import Http
from hitl.connectors.memory import MemoryConnector
from hitl.demo.people import Account, Waiting, sign_up, work
from hitl.demo.server import LabelStudioServer
from hitl.errors import ConnectorError
from hitl.policy import Policy
from hitl.tasks.form import Form, encode
from hitl.types import Annotation, Answer, Pull, Task
from hitl.workforce.simulated import Response, Reviewer

POLICY = Policy.parse(
    """
    name: contract
    version: 1
    labels:
      - {name: fine, violating: false}
      - {name: rude}
      - {name: cruel, note_required: true}
    """
)
FORM = Form(policy=POLICY)
RIGHT = Answer(("rude",))
OTHER = Answer(("cruel",), note="aims at a person")
PEOPLE = 3
HOSTILE = {
    "markup": "<script>alert(1)</script> <Choice value='x'/> &amp; ]]>",
    "templates": "$text {{ 7 * 7 }} {% raw %} ${jndi:x} %s %(a)s",
    "quotes": "'; DROP TABLE task; -- \" \\ \\u0000 `id`",
    "directions": "\u202eright to left\u202c \u2066isolated\u2069 \ufeff\u200b",
    "scripts": "e\u0301 שלום नमस्ते 日本 🏳️‍🌈 𝔘",
    "controls": "line\r\nline\ttab\x07\x1b[31m\x85\u2028",
    "long": "wort " * 4000,
    "json": '{"hitl_key": "key-0", "result": []}',
}


class Place(Protocol):
    """A place under test, with people at hand."""

    def connect(self) -> Connector:
        """A connector as the next process would open it."""

    def work(self) -> None:
        """Let people answer what waits."""

    def served(self, count: int) -> list[str]:
        """Task keys in the order in which they come to people, who answer them."""

    def shown(self) -> dict[str, str]:
        """The text that people see, by task key."""

    def edit(self, annotation: Annotation, answer: Answer) -> None:
        """Somebody changes an answer."""

    def delete(self, annotation: Annotation) -> None:
        """Somebody deletes an answer."""

    def delete_task(self, key: str) -> None:
        """Somebody deletes a task."""


class MemoryPlace:
    """Reviewers in this process; with a folder, each connector is a new one."""

    def __init__(self, folder: Path | None, skipping: bool) -> None:
        self.folder, self.desk = folder, None
        self.people = [
            Reviewer(f"person-{n}", accuracy=1.0, skip_rate=float(skipping and n == 0), unsure_rate=0.0)
            for n in range(PEOPLE)
        ]

    def connect(self) -> MemoryConnector:
        if self.desk is None or self.folder:
            self.desk = MemoryConnector(lambda task: RIGHT.labels, self.people, auto=False, folder=self.folder)
        self.desk.open("contract", FORM, POLICY)
        return self.desk

    def work(self) -> None:
        self.desk.work()

    def served(self, count: int) -> list[str]:
        before = len(self.desk.finish().annotations)
        for _ in range(count):
            self.desk.work(limit=1)
        given = sorted(self.desk.finish().annotations, key=lambda annotation: annotation.submitted)
        return [annotation.task_key for annotation in given[before:]]

    def shown(self) -> dict[str, str]:
        return {task.key: task.data["text"] for task in self.desk.tasks}

    def edit(self, annotation: Annotation, answer: Answer) -> None:
        self.desk.edit(annotation.id, answer)

    def delete(self, annotation: Annotation) -> None:
        self.desk.delete(annotation.id)

    def delete_task(self, key: str) -> None:
        self.desk.delete_task(key)


class ServerPlace:
    """A project of a test's own on a real Label Studio, and people with accounts there."""

    def __init__(self, server: LabelStudioServer, campaign: str, people: list[Account], skipping: bool) -> None:
        self.server, self.campaign, self.people, self.skipping = server, campaign, people, skipping
        self.connectors: list[LabelStudio] = []
        self.admin = Http(server.url, server.token)

    def connect(self) -> LabelStudio:
        connector = LabelStudio(self.server.url, self.server.token)
        connector.open(self.campaign, FORM, POLICY)
        self.connectors.append(connector)
        return connector

    @property
    def project(self) -> int:
        return self.connectors[-1].project_id

    def work(self) -> None:
        for account in self.people:
            work(account, self.project, FORM, lambda task, who=account: self._decide(task, who))

    def _decide(self, task: Waiting, who: Account) -> Response | None:
        if len(task.people) - task.skips >= task.overlap:
            return None
        return Response(None if self.skipping and who is self.people[0] else RIGHT, 2.5)

    def served(self, count: int) -> list[str]:
        keys = []
        for _ in range(count):
            task = self.people[0].next_task(self.project)
            assert task is not None
            self.people[0].submit(task, encode(FORM, RIGHT), 2.5)
            keys.append(task.key)
        return keys

    def shown(self) -> dict[str, str]:
        return {task.key: task.data["text"] for task in self.people[0].tasks(self.project)}

    def edit(self, annotation: Annotation, answer: Answer) -> None:
        self.admin.rewrite("PATCH", f"/api/annotations/{annotation.id}/", {"result": encode(FORM, answer)})

    def delete(self, annotation: Annotation) -> None:
        self.admin.rewrite("DELETE", f"/api/annotations/{annotation.id}/", None)

    def delete_task(self, key: str) -> None:
        (row,) = [task for task in self.people[0].tasks(self.project) if task.key == key]
        self.admin.rewrite("DELETE", f"/api/tasks/{row.id}/", None)

    def close(self) -> None:
        self.admin.close()
        for connector in self.connectors:
            connector.close()


@pytest.fixture(scope="module")
def accounts(server: LabelStudioServer) -> Iterator[list[Account]]:
    people = [sign_up(server.url, server.token, f"person-{n}@hitl.invalid", f"pass-word-{n}!") for n in range(PEOPLE)]
    yield people
    for account in people:
        account.close()


@pytest.fixture(params=["memory", "folder", pytest.param("label_studio", marks=pytest.mark.server)])
def stage(request: pytest.FixtureRequest) -> Iterator[Callable[..., Place]]:
    """Sets out a fresh place: `stage()`, or `stage(skipping=True)` with one person who skips everything."""
    places: list[ServerPlace] = []

    def make(skipping: bool = False) -> Place:
        if request.param != "label_studio":
            folder = request.getfixturevalue("tmp_path") if request.param == "folder" else None
            return MemoryPlace(folder, skipping)
        server, people = request.getfixturevalue("server"), request.getfixturevalue("accounts")
        places.append(ServerPlace(server, f"contract {request.node.name}"[:50], people, skipping))
        return places[-1]

    yield make
    for place in places:
        place.close()


@pytest.fixture
def place(stage: Callable[..., Place]) -> Place:
    return stage()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> Callable[[int], str]:
    """Keys of a test's own: a server knows an answer by its task's key, in whatever project it is."""
    return lambda number: f"{blake2b(request.node.name.encode(), digest_size=6).hexdigest()}-{number}"


@pytest.fixture
def task(key: Callable[[int], str]) -> Callable[..., Task]:
    def make(number: int, overlap: int = 1, text: str = "", priority: float = 0.5) -> Task:
        text = text or f"post {number}"
        data = {"hitl_key": key(number), "text": text, "language": "en", "region": "DE", "guidance": ""}
        where = ("classify", "1", "DE", data, priority, overlap)
        return Task(
            key(number), 1, f"item-{number}", number, *where, {"fine": 0.5, "rude": 0.3, "cruel": 0.2}, "model-1"
        )

    return make


def changed(pull: Pull, before: Pull) -> list[Annotation]:
    """A pull may tell again what is known; this is what it tells anew."""
    return [annotation for annotation in pull.annotations if annotation not in before.annotations]


def test_a_push_may_be_repeated(place, task, key):
    connector = place.connect()
    first = connector.push([task(n) for n in range(6)])
    assert first.sent == 6
    assert set(first.server_ids) == {key(n) for n in range(6)}
    assert len(set(first.server_ids.values())) == 6
    again = connector.push([task(n) for n in range(6)])
    assert (again.sent, again.server_ids) == (0, first.server_ids)
    more = place.connect().push([task(n) for n in range(4, 8)])
    assert more.sent == 2
    assert more.server_ids[key(4)] == first.server_ids[key(4)]
    assert set(place.connect().finish().seen) == {key(n) for n in range(8)}


def test_a_task_twice_in_one_push_is_one_task(place, task):
    connector = place.connect()
    assert connector.push([task(1), task(1)]).sent == 1
    place.work()
    assert len(connector.pull("").annotations) == 1


def test_opening_again_finds_the_same_project(place):
    url = place.connect().open(getattr(place, "campaign", "contract"), FORM, POLICY)
    assert place.connect().open(getattr(place, "campaign", "contract"), FORM, POLICY) == url


def test_nothing_in_nothing_out(place):
    connector = place.connect()
    assert connector.push([]).server_ids == {}
    connector.ask_more({})
    assert connector.pull("").annotations == ()
    assert connector.finish().annotations == ()
    assert connector.finish().missing_tasks == ()


def test_a_pull_brings_every_answer_whole(place, task, key):
    connector = place.connect()
    connector.push([task(n, overlap=1 + n % 2) for n in range(6)])
    place.work()
    pull = connector.pull("")
    assert Counter(a.task_key for a in pull.annotations) == {key(n): 1 + n % 2 for n in range(6)}
    assert {a.answer for a in pull.annotations} == {RIGHT}
    assert not any(a.problem or a.skipped or a.deleted for a in pull.annotations)
    assert all(a.seconds > 0 for a in pull.annotations)
    assert all(datetime.fromisoformat(a.submitted).utcoffset() == timedelta(0) for a in pull.annotations)
    assert {name: set(ids) for name, ids in pull.seen.items()} == {
        key(n): {a.id for a in pull.annotations if a.task_key == key(n)} for n in range(6)
    }


def test_a_cursor_goes_on_where_it_stood_in_any_process(place, task, key):
    connector = place.connect()
    connector.push([task(n) for n in range(3)])
    place.work()
    first = connector.pull("")
    still = connector.pull(first.cursor)
    assert changed(still, first) == []
    connector.push([task(n) for n in range(3, 6)])
    place.work()
    second = place.connect().pull(still.cursor)
    assert {a.task_key for a in changed(second, first)} == {key(3), key(4), key(5)}
    assert set(changed(connector.pull(first.cursor), first)) == set(changed(second, first))
    assert changed(connector.pull(second.cursor), second) == []
    assert sorted(a.id for a in place.connect().pull("").annotations) == sorted(
        a.id for a in connector.finish().annotations
    )


def test_a_changed_answer_comes_again_under_its_id(place, task):
    connector = place.connect()
    connector.push([task(n) for n in range(3)])
    place.work()
    first = connector.pull("")
    place.edit(first.annotations[1], OTHER)
    (edited,) = changed(connector.pull(first.cursor), first)
    assert (edited.id, edited.answer) == (first.annotations[1].id, OTHER)


def test_a_deleted_answer_is_no_longer_seen(place, task):
    connector = place.connect()
    connector.push([task(n, overlap=2) for n in range(3)])
    place.work()
    first = connector.pull("")
    gone = first.annotations[0]
    place.delete(gone)
    second = connector.pull(first.cursor)
    assert gone.id not in second.seen[gone.task_key]
    assert len(second.seen[gone.task_key]) == 1
    assert gone.id not in {a.id for a in second.annotations}
    assert gone.id not in connector.finish().seen[gone.task_key]


def test_a_skip_is_mirrored_and_somebody_else_is_asked(stage, task, key):
    place = stage(skipping=True)
    connector = place.connect()
    connector.push([task(n, overlap=2) for n in range(6)])
    place.work()
    given = connector.pull("").annotations
    skips = [a for a in given if a.skipped]
    assert skips
    assert all(a.answer is None and not a.problem for a in skips)
    assert Counter(a.task_key for a in given if not a.skipped) == {key(n): 2 for n in range(6)}


def test_a_deleted_task_is_missed_and_can_be_pushed_again(place, task, key):
    connector = place.connect()
    connector.push([task(n) for n in range(3)])
    place.work()
    place.delete_task(key(1))
    whole = connector.finish()
    assert whole.missing_tasks == (key(1),)
    assert set(whole.seen) == {key(0), key(2)}
    assert {a.task_key for a in whole.annotations} == {key(0), key(2)}
    assert connector.push([task(n) for n in range(3)]).sent == 1
    assert connector.finish().missing_tasks == ()


def test_asking_more_gets_that_many_different_people(place, task, key):
    connector = place.connect()
    connector.push([task(n) for n in range(3)])
    place.work()
    for _ in range(2):
        connector.ask_more({key(0): 3, key(1): 2, "key-nowhere": 2})
    place.work()
    connector.ask_more({key(0): 2})
    place.work()
    given = connector.pull("").annotations
    assert Counter(a.task_key for a in given) == {key(0): 3, key(1): 2, key(2): 1}
    assert len({(a.task_key, a.worker) for a in given}) == len(given)


def test_nobody_is_asked_twice_however_many_are_wanted(place, task):
    connector = place.connect()
    connector.push([task(1, overlap=PEOPLE + 4)])
    place.work()
    place.work()
    assert len({a.worker for a in connector.pull("").annotations}) == PEOPLE == len(connector.pull("").annotations)


def test_the_most_important_is_served_first(place, task, key):
    connector = place.connect()
    connector.push([task(n, priority=p) for n, p in enumerate([0.2, 0.9, 0.5, 1.0, 0.0])])
    assert place.served(4) == [key(3), key(1), key(2), key(0)]


def test_hostile_content_passes_through_unharmed(place, task):
    connector = place.connect()
    tasks = [task(n, text=text) for n, text in enumerate(HOSTILE.values())]
    assert connector.push(tasks).sent == len(HOSTILE)
    assert place.connect().push(tasks).sent == 0
    assert place.shown() == {t.key: t.data["text"] for t in tasks}
    place.work()
    given = connector.pull("").annotations
    assert Counter(a.task_key for a in given) == {t.key: 1 for t in tasks}
    assert {a.answer for a in given} == {RIGHT}
    place.edit(given[0], Answer(("cruel",), note=HOSTILE["markup"] + HOSTILE["quotes"] + HOSTILE["scripts"]))
    notes = [a.answer.note for a in connector.finish().annotations if a.answer]
    assert HOSTILE["markup"] + HOSTILE["quotes"] + HOSTILE["scripts"] in notes


def test_nothing_stands_in_the_way_once_it_is_open(place):
    findings = place.connect().check(getattr(place, "campaign", "contract"), FORM)
    assert not [finding for finding in findings if finding.state != "ok"]


@pytest.mark.parametrize("make", [lambda: MemoryConnector({}), lambda: LabelStudio("http://127.0.0.1:9", "0" * 40)])
def test_before_opening_a_call_says_what_is_missing(make, task):
    connector = make()
    assert isinstance(connector, Connector)
    for call in (lambda: connector.push([task(1)]), lambda: connector.pull(""), connector.finish):
        with pytest.raises(ConnectorError, match="open"):
            call()
    connector.close()
