"""Dealing under caps: nobody sees more severe content in a day, everything is answered, and readers come first."""

from __future__ import annotations

from collections import Counter

import pytest

from hitl.connectors.memory import MemoryConnector
from hitl.policy import Policy
from hitl.tasks import Form
from hitl.types import Task
from hitl.workforce.exposure import ExposureCap
from hitl.workforce.simulated import Reviewer

POLICY = Policy.parse(
    """
    name: p
    version: 1
    labels: [{name: ok, violating: false}, {name: rude, severity: 2}, {name: gore, severity: 9}]
    """
)
FORM = Form(policy=POLICY)
PEOPLE = [Reviewer(name, accuracy=1.0, skip_rate=0, unsure_rate=0, languages=("en",)) for name in ("ana", "bo")]
PEOPLE += [Reviewer("siti", accuracy=1.0, skip_rate=0, unsure_rate=0, languages=("id",))]
CAP = (ExposureCap(severity_from=8, per_day=3),)


def tasks(count: int, predicted: dict[str, float], language: str = "en", start: int = 0) -> list[Task]:
    return [
        Task(f"k{n}", 0, f"i{n}", n, "classify", "1", "", {"language": language}, priority=n / 100, predicted=predicted)
        for n in range(start, start + count)
    ]


@pytest.fixture
def desk():
    def make(caps=CAP, truth="gore", **more):
        connector = MemoryConnector(lambda task: (truth,), PEOPLE, auto=False, caps=caps, **more)
        connector.open("demo", FORM, POLICY)
        return connector

    return make


def a_day(annotations) -> Counter:
    return Counter((one.worker, one.submitted[:10]) for one in annotations)


@pytest.mark.parametrize("predicted", [{}, {"ok": 0.5, "gore": 0.5}])
def test_nobody_sees_more_in_a_day_than_the_cap_and_all_is_answered(desk, predicted):
    connector = desk()
    connector.push(tasks(20, predicted))
    connector.work()
    given = connector.finish().annotations
    assert len(given) == 20
    assert max(a_day(given).values()) == 3
    assert {one.worker for one in given} == {"ana", "bo"}  # a reader tomorrow comes before another today
    free = desk(caps=())
    free.push(tasks(20, predicted))
    free.work()
    assert max(a_day(free.finish().annotations).values()) > 3


def test_what_is_not_suspected_is_dealt_to_everybody(desk):
    connector = desk(truth="rude")
    connector.push([*tasks(6, {"ok": 1.0}), *tasks(20, {"ok": 0.95, "gore": 0.05}, start=6)])
    connector.work()
    assert {one.submitted[:10] for one in connector.finish().annotations} == {"2026-03-02"}


def test_caps_that_nobody_reaches_change_nothing(desk):
    given = []
    for caps in ((), (ExposureCap(severity_from=8, per_day=1000),)):
        connector = desk(caps=caps)
        connector.push([*tasks(10, {}), *tasks(5, {}, "id", 10)])
        connector.work()
        given.append(connector.finish().annotations)
    assert given[0] == given[1]


def test_who_saw_what_is_known_after_a_restart(desk, tmp_path):
    whole = desk(folder=tmp_path / "a")
    whole.push(tasks(15, {}))
    whole.work()
    parts = desk(folder=tmp_path / "b")
    parts.push(tasks(15, {}))
    while parts.work(limit=4):
        parts = desk(folder=tmp_path / "b")
    key = lambda one: one.task_key  # noqa: E731
    assert sorted(parts.finish().annotations, key=key) == sorted(whole.finish().annotations, key=key)
