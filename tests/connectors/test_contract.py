"""What every place where people work must do, run over each of them: in memory, in a folder, on a real Label Studio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import pytest

from hitl.connectors import Connector
from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.memory import MemoryConnector
from hitl.connectors.studio.http import Http
from hitl.demo.people import Account, Waiting
from hitl.demo.server import LabelStudioServer
from hitl.errors import ConnectorError
from hitl.policy import Policy
from hitl.tasks import Form, encode
from hitl.types import Annotation, Answer, Pull, Queue, Tab, Task
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

    def edit_task(self, key: str, data: Mapping[str, object]) -> None:
        """Somebody changes what a task shows."""

    def close_task(self, key: str) -> None:
        """Somebody closes a task to further people."""

    def tab(self, name: str, queue: Queue = "") -> Sequence[str]:
        """Keys of the tasks that a tab shows, in its order; raises when there is no such tab."""


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

    def edit_task(self, key: str, data: Mapping[str, object]) -> None:
        self.desk.edit_task(key, data)

    def close_task(self, key: str) -> None:
        self.desk.close_task(key)

    def tab(self, name: str, queue: Queue = "") -> Sequence[str]:
        return self.desk.tab(name, queue)


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
        for project in self.connectors[-1].project_ids.values():
            for task in self.people[0].tasks(project):
                self._answer(task)

    def _answer(self, task: Waiting) -> None:
        missing = task.overlap + task.skips - len(task.people)
        for account in self.people:
            if missing > 0 and account.user_id not in task.people:
                skipping = self.skipping and account is self.people[0]
                account.respond(task, FORM, Response(None if skipping else RIGHT, 2.5))
                missing -= not skipping

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
        self.admin.rewrite("DELETE", self._task(key), None)

    def edit_task(self, key: str, data: Mapping[str, object]) -> None:
        self.admin.rewrite("PATCH", self._task(key), {"data": dict(data)})

    def close_task(self, key: str) -> None:
        self.admin.rewrite("PATCH", self._task(key), {"is_labeled": True})

    def tab(self, name: str, queue: Queue = "") -> Sequence[str]:
        views = self.admin.read("/api/dm/views", {"project": self.connectors[-1].project_ids[queue]})
        (view,) = [view for view in views if view["data"]["title"].endswith(f" {name}")]
        rows = self.admin.read("/api/tasks", {"view": view["id"], "page_size": 1000, "include": "id,data"})["tasks"]
        return [row["data"]["hitl_key"] for row in rows]

    def _task(self, key: str) -> str:
        (row,) = [task for task in self.people[0].tasks(self.project) if task.key == key]
        return f"/api/tasks/{row.id}/"

    def close(self) -> None:
        self.admin.close()
        for connector in self.connectors:
            connector.close()


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


@pytest.fixture
def queued(task: Callable[..., Task]) -> list[Task]:
    """A task to label, one of an exam that everybody sits, one for a senior, and one for the lawyers."""
    exam = replace(task(1, overlap=PEOPLE), queue="exam")
    return [task(0), exam, replace(task(2), queue="review"), replace(task(3), queue="legal")]


def kinds(connector: Connector, tasks: Sequence[Task], *, mend: bool = False) -> list[tuple[str, str, bool]]:
    return sorted((one.kind, one.about, one.mended) for one in connector.reconcile(tasks, mend=mend))


def changed(pull: Pull, before: Pull) -> list[Annotation]:
    """A pull may tell again what is known; this is what it tells anew."""
    return [annotation for annotation in pull.annotations if annotation not in before.annotations]


def test_a_push_may_be_repeated(place, task, key):
    connector = place.connect()
    first = connector.push([task(n) for n in range(3)])
    assert first.sent == 3
    assert set(first.server_ids) == {key(n) for n in range(3)}
    assert len(set(first.server_ids.values())) == 3
    again = connector.push([task(n) for n in range(3)])
    assert (again.sent, again.server_ids) == (0, first.server_ids)
    more = place.connect().push([task(n) for n in range(2, 5)])
    assert more.sent == 2
    assert more.server_ids[key(2)] == first.server_ids[key(2)]
    assert set(place.connect().finish().seen) == {key(n) for n in range(5)}


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
    connector.push([task(n, overlap=1 + n % 2) for n in range(3)])
    place.work()
    pull = connector.pull("")
    assert Counter(a.task_key for a in pull.annotations) == {key(n): 1 + n % 2 for n in range(3)}
    assert {a.answer for a in pull.annotations} == {RIGHT}
    assert not any(a.problem or a.skipped or a.deleted for a in pull.annotations)
    assert all(a.seconds > 0 for a in pull.annotations)
    assert all(datetime.fromisoformat(a.submitted).utcoffset() == timedelta(0) for a in pull.annotations)
    assert {name: set(ids) for name, ids in pull.seen.items()} == {
        key(n): {a.id for a in pull.annotations if a.task_key == key(n)} for n in range(3)
    }


def test_a_cursor_goes_on_where_it_stood_in_any_process(place, task, key):
    connector = place.connect()
    connector.push([task(n) for n in range(2)])
    place.work()
    first = connector.pull("")
    still = connector.pull(first.cursor)
    assert changed(still, first) == []
    connector.push([task(n) for n in range(2, 4)])
    place.work()
    second = place.connect().pull(still.cursor)
    assert {a.task_key for a in changed(second, first)} == {key(2), key(3)}
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
    connector.push([task(n, overlap=2) for n in range(2)])
    place.work()
    given = connector.pull("").annotations
    skips = [a for a in given if a.skipped]
    assert skips
    assert all(a.answer is None and not a.problem for a in skips)
    assert Counter(a.task_key for a in given if not a.skipped) == {key(n): 2 for n in range(2)}


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


def test_each_queue_is_served_and_all_come_back_in_one_pull(place, queued, key):
    connector = place.connect()
    first = connector.push(queued)
    assert (first.sent, set(first.server_ids)) == (4, {key(n) for n in range(4)})
    assert connector.push(queued).sent == 0
    place.work()
    pull = connector.pull("")
    people = {key(0): 1, key(1): PEOPLE, key(2): 1, key(3): 1}
    assert Counter(a.task_key for a in pull.annotations) == people
    assert changed(connector.pull(pull.cursor), pull) == []
    connector.ask_more({key(2): 2})
    place.work()
    (more,) = changed(place.connect().pull(pull.cursor), pull)
    assert more.task_key == key(2)
    assert set(place.connect().finish().seen) == set(people)


def test_a_queue_that_another_process_began_is_found(place, queued, key):
    reader, writer = place.connect(), place.connect()
    before = reader.pull("")
    writer.push(queued)
    assert set(reader.pull(before.cursor).seen) <= {key(n) for n in range(4)}
    place.work()
    assert {a.task_key for a in reader.pull(before.cursor).annotations} == {key(n) for n in range(4)}


def test_a_new_model_puts_what_is_open_into_its_order(place, task, key):
    connector = place.connect()
    old = [task(n, priority=p) for n, p in enumerate([0.9, 0.8, 0.3, 0.2, 0.1])]
    connector.push(old)
    assert place.served(1) == [key(0)]
    new = [replace(one, priority=1 - one.priority, model_id="model-2") for one in old]
    for _ in range(2):
        connector.refresh(new)
    place.connect().refresh([*new, task(9)])
    assert place.served(3) == [key(4), key(3), key(2)]
    given = connector.pull("").annotations
    assert Counter(a.task_key for a in given) == {key(n): 1 for n in (0, 2, 3, 4)}
    assert set(connector.finish().seen) == {key(n) for n in range(5)}


def test_a_refresh_reopens_nothing_and_keeps_who_is_still_asked(place, task, key):
    connector = place.connect()
    old = [task(0), task(1, overlap=2)]
    connector.push(old)
    place.work()
    connector.ask_more({key(1): 3})
    before = connector.finish()
    connector.refresh([replace(one, model_id="model-2") for one in old])
    assert connector.finish().annotations == before.annotations
    place.work()
    assert Counter(a.task_key for a in connector.finish().annotations) == {key(0): 1, key(1): 3}


def test_tabs_show_what_they_are_named_after_and_nothing_is_left_of_old_ones(place, task, key):
    connector = place.connect()
    english = [task(n, priority=p) for n, p in enumerate([0.2, 0.9, 0.5])]
    german = replace(task(3), data={**task(3).data, "language": "de"})
    connector.push([*english, german, replace(task(4), queue="review")])
    tabs = [Tab("English", language="en"), Tab("German", language="de"), Tab("disagreements", keys=(key(0), key(3)))]
    for _ in range(2):
        connector.sort([*tabs, Tab("all", queue="review")])
    assert list(place.tab("English")) == [key(1), key(2), key(0)]
    assert list(place.tab("German")) == [key(3)]
    assert set(place.tab("disagreements")) == {key(0), key(3)}
    assert list(place.tab("all", "review")) == [key(4)]
    place.connect().sort([tabs[0], Tab("disagreements", keys=(key(2), key(9)))])
    assert list(place.tab("disagreements")) == [key(2)]
    for gone, queue in (("German", ""), ("all", "review")):
        with pytest.raises((ConnectorError, ValueError)):
            place.tab(gone, queue)


def test_what_is_open_and_what_is_answered_have_tabs(place, task, key):
    connector = place.connect()
    connector.push([task(0, priority=0.9), task(1, priority=0.5), task(2, priority=0.1, overlap=2)])
    assert place.served(1) == [key(0)]
    connector.sort([Tab("Open", answered=False), Tab("Answered", answered=True)])
    assert list(place.tab("Open")) == [key(1), key(2)]
    assert list(place.tab("Answered")) == [key(0)]
    place.work()
    assert (list(place.tab("Open")), list(place.tab("Answered"))) == ([], [key(n) for n in range(3)])


def test_what_differs_from_the_record_is_told_and_then_mended(place, task, key):
    connector = place.connect()
    tasks = [replace(task(4), queue="exam"), task(5), task(6, overlap=2), task(7)]
    connector.push(tasks)
    assert kinds(connector, tasks) == []
    place.work()
    answers = connector.finish().annotations
    place.delete_task(key(5))
    place.edit_task(key(7), {**task(7).data, "text": "something else", "more": "of it"})
    asked = [replace(one, overlap=3) if one.key == key(6) else one for one in tasks]
    (foreign,) = connector.push([task(8)]).server_ids.values()
    wrong = [("altered", key(7)), ("closed", key(6)), ("foreign", foreign), ("missing", key(5))]
    assert kinds(connector, asked) == [(*one, False) for one in wrong]
    assert kinds(place.connect(), asked, mend=True) == [(*one, one[0] != "foreign") for one in wrong]
    assert kinds(connector, asked) == [("foreign", foreign, False)]
    assert place.shown()[key(7)] == task(7).data["text"]
    kept = {a.id: a for a in connector.finish().annotations}
    assert all(kept[a.id] == a for a in answers if a.task_key != key(5))
    place.work()
    given = Counter(a.task_key for a in connector.finish().annotations)
    assert (given[key(5)], given[key(6)], given[key(7)]) == (1, 3, 1)


def test_a_record_of_another_model_differs_until_it_is_mended(place, task, key):
    connector = place.connect()
    old = [task(n, priority=p) for n, p in enumerate([0.9, 0.1])]
    connector.push(old)
    new = [replace(one, priority=1 - one.priority, model_id="model-2") for one in old]
    assert kinds(connector, new) == [("unpredicted", key(n), False) for n in (0, 1)]
    assert kinds(connector, new, mend=True) == [("unpredicted", key(n), True) for n in (0, 1)]
    assert kinds(connector, new) == []
    assert place.served(1) == [key(1)]


def test_a_task_that_was_closed_to_people_still_wanted_is_opened(place, task, key):
    connector = place.connect()
    connector.push([task(1)])
    place.close_task(key(1))
    assert kinds(connector, [task(1)], mend=True) == [("closed", key(1), True)]
    assert place.served(1) == [key(1)]


def test_a_queue_that_was_never_pushed_is_missing_and_nothing_is_made_to_say_so(place, queued, key):
    connector = place.connect()
    assert kinds(connector, queued) == [("missing", key(n), False) for n in range(4)]
    assert connector.finish().seen == {}
    assert kinds(connector, queued, mend=True) == [("missing", key(n), True) for n in range(4)]
    assert kinds(connector, queued) == []


def test_text_is_never_broken(place, queued):
    assert place.connect().broken(queued) == {}


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
