"""What a pull makes of what a server holds: drafts, copies, odd values, clocks that jump. Nothing is dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from hitl.connectors.studio import pulling as ls_pulling
from hitl.connectors.studio import tasks as ls_tasks
from hitl.connectors.studio.http import Http
from hitl.connectors.studio.project import Project, find_or_make
from hitl.connectors.studio.pulling import LOOK_BACK, Listing, People, Pulling, pseudonym
from hitl.demo.people import Account, sign_up
from hitl.policy import Policy
from hitl.tasks import Form, encode
from hitl.types import Answer

POLICY = Policy.parse("{name: p, version: '1', labels: [{name: fine, violating: false}, {name: rude}]}")
FORM = Form(policy=POLICY)
RUDE, FINE = (encode(FORM, Answer((name,))) for name in ("rude", "fine"))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Pretender:
    """A Label Studio that holds what it is given, and whose clock goes as it is told."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = {row["id"]: row for row in rows}
        self.now = NOON
        self.asked: list[dict[str, Any]] = []
        http = Http("https://label.invalid", "0" * 40, transport=httpx.MockTransport(self._answer))
        self.pulling = Pulling(http, Project(1, "trial", FORM), People(http, "trial"))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        told: Any = [{"id": 1, "email": "ana@hitl.invalid"}, {"id": 2, "email": "bo@hitl.invalid"}]
        if request.url.path == "/api/tasks":
            body = json.loads(request.content)
            self.asked.append(body)
            rows = sorted((row for row in self.rows.values() if _matches(row, body)), key=lambda row: row["id"])
            told = {"total": len(rows), "tasks": rows[: int(request.url.params["page_size"])]}
        elif request.url.path.endswith("/drafts"):
            told = [{"user": who} for who in self.rows[int(request.url.path.split("/")[3])].get("drafts", ())]
        return httpx.Response(200, json=told, headers={"date": format_datetime(self.now, usegmt=True)})


def _matches(row: dict[str, Any], body: dict[str, Any]) -> bool:
    if "selectedItems" in body:
        return row["id"] in body["selectedItems"]["included"]
    each = []
    for item in body["filters"]["items"]:
        column, value = item["filter"].removeprefix("filter:tasks:"), item["value"]
        if column == "updated_at":
            each.append(row["updated_at"] >= value)
        elif column == "draft_exists":
            each.append(bool(row["draft_exists"]))
        elif column == "id":
            each.append(row["id"] > value)
        else:
            each.append(isinstance(row["data"], dict) and row["data"].get("hitl_key") in value)
    return (all if body["filters"]["conjunction"] == "and" else any)(each)


def task(number: int, key: object, at: datetime, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    stamped = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    drafts = tuple(more.pop("drafts", ()))
    row = {"id": number, "data": {"hitl_key": key}, "updated_at": stamped, "annotations": list(annotations)}
    return {**row, "draft_exists": bool(drafts), "drafts": drafts, **more}


def said(number: int, **changes: Any) -> dict[str, Any]:
    held = {"id": number, "completed_by": 1, "updated_by": 1, "result": RUDE, "was_cancelled": False}
    return {**held, "lead_time": 4.5, "created_at": "2026-03-02T11:00:00.000000Z", **changes}


def test_whoever_touched_an_answer_last_is_told():
    ana, bo = (pseudonym("trial", f"{name}@hitl.invalid") for name in ("ana", "bo"))
    server = Pretender(task(1, "k", NOON, said(1), said(2, updated_by=2), said(3, updated_by=None)))
    told = server.pulling.since(None).annotations
    assert [(a.worker, a.changed_by) for a in told] == [(ana, ana), (ana, bo), (ana, "")]


def test_answers_whose_author_is_gone_are_kept_and_are_not_one_person():
    rows = [said(1, completed_by=None), said(2, completed_by=None), said(3, completed_by={"id": 9}), said(4)]
    told = Pretender(task(1, "k", NOON, *rows)).pulling.since(None).annotations
    assert [a.answer for a in told] == [Answer(("rude",))] * 4
    assert len({a.worker for a in told}) == 4
    assert all(a.worker.startswith("w-") for a in told)


@pytest.mark.parametrize("odd", [None, float("nan"), float("inf"), -3.0, "soon", [], 10**400])
def test_a_time_that_is_none_counts_as_none(odd):
    server = Pretender(task(1, "k", NOON, said(1)))
    held = server.pulling
    assert held._annotation("k", said(1, lead_time=odd)).seconds == 0.0
    assert held._annotation("k", said(1, lead_time=86_400.0 * 9)).seconds == 86_400.0 * 9


@pytest.mark.parametrize("odd", [None, "", "yesterday", 7, [], "2026-13-01T00:00:00Z"])
def test_an_answer_of_no_day_is_set_aside(odd):
    (told,) = Pretender(task(1, "k", NOON, said(1, created_at=odd))).pulling.since(None).annotations
    assert told.answer is None
    assert "when" in told.problem
    assert told.submitted.startswith("1970")


@pytest.mark.parametrize("odd", [None, {}, "text", [7], [{"from_name": "label"}], [[[]]]])
def test_what_no_page_would_send_is_set_aside_with_a_reason(odd):
    (told,) = Pretender(task(1, "k", NOON, said(1, result=odd))).pulling.since(None).annotations
    assert told.answer is None
    assert told.problem


def test_tasks_that_are_not_ours_are_passed_over():
    rows = [task(n, key, NOON, said(n)) for n, key in enumerate((None, 7, ["k"], ""), start=1)]
    rows += [task(8, "k", NOON, said(8)), task(9, "k", NOON) | {"data": [1]}]
    assert Pretender(*rows).pulling.since(None).seen == {"k": ("8",)}


def test_a_key_on_several_tasks_is_told_and_its_answers_are_read_together():
    early, late = NOON - timedelta(hours=3), NOON - timedelta(seconds=5)
    server = Pretender(task(1, "k", early, said(1)), task(2, "k", late), task(3, "other", early, said(3)))
    told = server.pulling.since(NOON - timedelta(minutes=1))
    assert told.doubled == {"k": (1, 2)}
    assert told.seen == {"k": ("1",)}
    assert server.pulling.since(None).doubled == {"k": (1, 2)}


def test_drafts_are_told_of_tasks_that_did_not_change(monkeypatch):
    monkeypatch.setattr(ls_pulling, "DRAFTS", 2)
    old = NOON - timedelta(days=1)
    rows = [task(n, f"k{n}", old, drafts=("ana@hitl.invalid", "bo@hitl.invalid")[: n % 3]) for n in range(1, 6)]
    told = Pretender(*rows).pulling.since(NOON)
    both = tuple(sorted(pseudonym("trial", f"{name}@hitl.invalid") for name in ("ana", "bo")))
    assert told.seen == {}
    assert told.drafts == {"k4": (pseudonym("trial", "ana@hitl.invalid"),), "k5": both}


def test_nothing_new_is_one_small_request():
    server = Pretender(*(task(n, f"k{n}", NOON - timedelta(hours=1), said(n)) for n in range(1, 50)))
    mark = server.pulling.since(None).latest
    server.asked.clear()
    assert server.pulling.since(mark) == Listing((), {}, mark)
    assert len(server.asked) == 1


def walked(server: Pretender, marks: int, step: timedelta) -> set[str]:
    """Pull again and again, each time after an answer more; the ids of all that came."""
    came: set[str] = set()
    mark = None
    for number in range(1, marks + 1):
        server.rows[number] = task(number, f"k{number}", server.now, said(number))
        listing = server.pulling.since(mark)
        came |= {a.id for a in listing.annotations}
        mark = listing.latest
        server.now += step
    return came


@pytest.mark.parametrize("jump", [timedelta(days=-1), timedelta(days=1), timedelta(hours=-2), timedelta(seconds=-20)])
def test_a_clock_that_jumps_loses_nothing(jump):
    server = Pretender()
    came = walked(server, 4, timedelta(minutes=5))
    mark = server.pulling.since(None).latest
    server.now += jump
    for number in range(10, 14):
        server.rows[number] = task(number, f"k{number}", server.now, said(number))
        listing = server.pulling.since(mark)
        came |= {a.id for a in listing.annotations}
        mark = listing.latest
        server.now += timedelta(minutes=3)
    assert came == {*"1234", *map(str, range(10, 14))}


def test_a_change_from_the_future_does_not_hide_those_after_it():
    server = Pretender(task(1, "k1", NOON + timedelta(days=30), said(1)))
    mark = server.pulling.since(None).latest
    assert mark is not None
    assert mark <= NOON + timedelta(seconds=1)
    server.rows[2] = task(2, "k2", NOON + timedelta(seconds=2), said(2))
    assert "k2" in server.pulling.since(mark).seen


def test_what_changes_behind_a_long_reading_is_read_again(monkeypatch):
    class Slow(Pretender):
        """A server on which a reading of everything takes minutes, and people work meanwhile."""

        def _answer(self, request: httpx.Request) -> httpx.Response:
            answered = super()._answer(request)
            if request.url.path == "/api/tasks" and "annotations" in request.url.params["include"]:
                self.now += timedelta(minutes=2)
                for number in (1, 3):
                    self.rows[number] = task(number, f"k{number}", self.now, said(10 * number + len(self.asked)))
            return answered

    monkeypatch.setattr("hitl.connectors.studio.tasks.BODIES", 2)
    server = Slow(*(task(n, f"k{n}", NOON - timedelta(hours=1), said(n)) for n in (1, 2, 3)))
    first = server.pulling.since(None)
    assert set(first.seen) == {"k1", "k2", "k3"}
    assert {"k1", "k3"} <= set(server.pulling.since(first.latest).seen)


def test_equal_times_at_the_watermark_are_read_again():
    server = Pretender(task(1, "k1", NOON, said(1)))
    mark = server.pulling.since(None).latest
    server.rows[2] = task(2, "k2", NOON, said(2))
    assert set(server.pulling.since(mark).seen) == {"k1", "k2"}


def test_old_changes_are_not_read_for_ever():
    server = Pretender(task(1, "k1", NOON, said(1)))
    server.now = NOON + 3 * LOOK_BACK
    mark = server.pulling.since(None).latest
    assert server.pulling.since(mark).seen == {}


def test_a_listing_in_windows_is_whole_and_so_is_a_crowd_of_changes(monkeypatch):
    monkeypatch.setattr(ls_tasks, "WINDOW", 3)
    for count in (0, 1, 3, 4, 9):
        rows = [task(n * 7, f"k{n}", NOON, said(n)) for n in range(1, count + 1)]
        server = Pretender(*rows, task(1, "old", NOON - timedelta(days=9), said(99)))
        everything = server.pulling.since(None)
        assert set(everything.seen) == {"old", *(f"k{n}" for n in range(1, count + 1))}
        assert set(server.pulling.since(NOON).seen) == {f"k{n}" for n in range(1, count + 1)}


@pytest.fixture(scope="module")
def people(server) -> Iterator[list[Account]]:
    accounts = [sign_up(server.url, server.token, f"puller-{n}@hitl.invalid", "long-enough-1") for n in range(2)]
    yield accounts
    for account in accounts:
        account.close()


def test_a_real_server_tells_of_drafts_copies_and_who_changed_what(server, people):
    admin, (first, second) = Http(server.url, server.token), people
    project = find_or_make(admin, "pulling", FORM, "pulling", show_predictions=False)
    where = f"/api/projects/{project.id}/import"
    admin.write("POST", where, [{"data": {"text": "shown", "hitl_key": key}} for key in ("a", "b", "c", "a")])
    found = {}
    for one in first.tasks(project.id):
        found.setdefault(one.key, one)
    first.submit(found["a"], RUDE, 2.0)
    first.submit(found["b"], RUDE, 2.0)
    (given,) = admin.read(f"/api/tasks/{found['b'].id}/")["annotations"]
    as_first, as_second = Http(server.url, first.token), Http(server.url, second.token)
    as_second.rewrite("PATCH", f"/api/annotations/{given['id']}/", {"result": FINE})
    as_first.write("POST", f"/api/tasks/{found['c'].id}/drafts?project={project.id}", {"result": FINE})
    pulling = Pulling(admin, project, People(admin, "pulling"))
    names = [pseudonym("pulling", account.email) for account in people]
    told = pulling.since(None)
    assert {key: len(ids) for key, ids in told.doubled.items()} == {"a": 2}
    assert told.drafts == {"c": (names[0],)}
    by_key = {a.task_key: a for a in told.annotations}
    assert {key: (a.worker, a.changed_by) for key, a in by_key.items()} == {
        "a": (names[0], names[0]),
        "b": (names[0], names[1]),
    }
    assert by_key["b"].answer == Answer(("fine",))
    assert pulling.since(told.latest).drafts == {"c": (names[0],)}
    for client in (admin, as_first, as_second):
        client.close()
