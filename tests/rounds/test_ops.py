"""The work of a campaign from its record: six days of planted answers, told as of the end of the sixth."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.demo.stream import demo_policy
from hitl.errors import DataError
from hitl.rounds.ops import Planning, ops
from hitl.rounds.shifts import read_shifts
from hitl.rounds.walk import Walk
from hitl.rounds.worklog import record
from hitl.types import Annotation, Answer, Described, Pick, Pull, Resolution, Task
from hitl.workforce.lifecycle import event_row

BEGUN = datetime(2026, 3, 2, tzinfo=UTC)
TASKS = 40


def at(day: float) -> str:
    return (BEGUN + timedelta(days=day)).isoformat()


def task(number: int, queue: str = "", asked_in: int = 0) -> Task:
    data = {"text": "...", "language": ("en", "id")[number % 2]}
    return Task(
        f"t{number}{queue}", asked_in, f"item-{number}", number, "classify", "1", "", data, queue=queue  # type: ignore[arg-type]
    )  # fmt: skip


def answer(key: str, day: float, worker: str = "ana", **more) -> Annotation:
    said = {"answer": Answer(("ok",)), "submitted": at(day), "seconds": 36.0} | more
    return Annotation(f"{key}.{worker}", key, worker, **said)


@pytest.fixture
def walk(tmp_path) -> Walk:
    """40 tasks asked on day 0, four answered each day for six; on day 3 three answered ones are asked once more."""
    now = [BEGUN]
    policy = demo_policy()
    ledger = hitl.Ledger(":memory:", "staged", clock=lambda: now[0])
    items = {"id": [f"item-{at}" for at in range(TASKS)], "text": [f"text {at}" for at in range(TASKS)]}
    pool = hitl.Pool.open(pa.table(items), text="text", id="id")
    plan = hitl.Plan(cost_per_hour=30, sla_hours=48)
    tasks = [replace(task(number), policy_version=policy.version) for number in range(TASKS)]
    exam = replace(task(39, "exam"), policy_version=policy.version)
    with ledger.transaction() as writer:
        writer.begin_round(0, seed=1, config={}, policy_version=policy.version)
        writer.add_picks(0, [Pick(one.position, one.item_id, "random", 0.5) for one in tasks])
        writer.add_tasks([*tasks, exam])
        for step in ("select", "ask", "push"):
            writer.complete(0, step, {}, 0.0)
    said = [
        answer(f"t{4 * day + turn}", day + 0.1 + 0.2 * turn, ("ana", "bo")[turn % 2])
        for day in range(6)
        for turn in range(4)
    ]
    for day in range(6):
        now[0] = BEGUN + timedelta(days=day, hours=22)
        with ledger.transaction() as writer:
            writer.mirror(Pull(tuple(said[4 * day : 4 * day + 4]), f"{day}"))
            if day == 3:
                writer.intend("overlap", {"t0": 2, "t1": 2, "t2": 2})
    now[0] = BEGUN + timedelta(days=6)
    return Walk("staged", policy, pool, None, plan, None, ledger, tmp_path, lambda *a: None, None)  # type: ignore[arg-type]


def told(walk: Walk, **plan):
    found = ops(walk, walk.ledger.annotations(), at(6), Planning(**plan))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def figures(row):
    return {one["name"]: one for one in [*row["figures"], *row["turnaround"]]}


def test_pace_backlog_and_turnaround_are_those_that_were_planted(walk):
    found = told(walk, due=at(10))
    everything, waits = figures(found["groups"][0]), found["backlog"][0]
    assert (found["groups"][0]["answers"], found["whole_days"], found["at_work"]) == (24, 6, 2)
    assert everything["seconds_mean"]["value"] == 36
    assert everything["answers_an_hour"]["value"] == pytest.approx(100)
    # t0 to t2 wait anew; of forty asked on day 0 the twentieth is done on day 5, and five within two days.
    assert everything["turnaround_median"]["value"] == pytest.approx(5.5 * 86_400)
    assert everything["in_time"]["value"] == pytest.approx(5 / 40)
    assert (waits["tasks"], waits["answers"], waits["clears"]) == (19, 19, True)
    assert waits["done_a_day"]["value"] == 4
    assert waits["asked_a_day"]["value"] == 0.5
    assert waits["days_to_clear"]["value"] == pytest.approx(19 / 3.5)
    assert waits["days_to_clear"]["low"] < 19 / 3.5 < waits["days_to_clear"]["high"]
    target = waits["target"]
    assert target["answers_a_day"]["value"] == pytest.approx(19 / 4 + 0.5)
    assert target["hours_a_person"]["value"] == pytest.approx((19 / 4 + 0.5) / 100 / 2)


def test_groups_are_told_by_who_works_and_by_what_waits(walk):
    with walk.ledger.transaction() as writer:
        for worker, vendor in (("ana", "acme"), ("bo", "")):
            writer.event(*event_row(Described(worker, "lea", "as hired", team="day", vendor=vendor)))
    found = told(walk)
    groups = {(row["by"], row["name"]): row for row in found["groups"]}
    assert [key for key in groups if key[0] in ("team", "vendor")] == [("team", "day"), ("vendor", "acme")]
    assert groups["team", "day"]["people"] == 2
    assert groups["worker", "bo"]["answers"] == groups["vendor", "acme"]["answers"] == 12
    assert {key for key, row in groups.items() if row["turnaround"]} == {
        ("all", ""), ("language", "en"), ("language", "id"), ("queue", "main")
    }  # fmt: skip
    waits = {(row["by"], row["name"]): row["answers"] for row in found["backlog"]}
    assert waits == {("all", ""): 19, ("language", "en"): 10, ("language", "id"): 9}


def test_occupancy_needs_a_table_and_is_never_guessed(walk, tmp_path):
    without = told(walk)
    assert without["no_occupancy"].startswith("no table of shifts")
    assert all(row["occupancy"] is None for row in without["groups"])
    rows = [f"ana,{at(day)},{at(day + 0.2)}" for day in range(6)] + [f"zoe,{at(0)},{at(1)}"]
    path = tmp_path / "shifts.csv"
    path.write_text("\n".join(["worker,start,end,place", *(f"{row},x" for row in rows)]))
    found = told(walk, shifts=read_shifts(path))
    groups = {(row["by"], row["name"]): row for row in found["groups"]}
    assert groups["worker", "ana"]["occupancy"]["value"] == pytest.approx(36 / (0.2 * 86_400))
    assert groups["worker", "bo"]["occupancy"]["value"] is None
    assert (found["no_occupancy"], found["outside_shifts"]) == ("", 18)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("worker,begin,end\nana,x,y\n", "no column start"),
        ("worker,start,end\nana,2026-03-02T09:00,soon\n", "shift 1: give a worker"),
        ("worker,start,end\nana,2026-03-02,2026-03-03\nana,2026-03-02T12:00,2026-03-04\n", "shifts 1 and 2: they over"),
        ("worker,start\nana\n", "no column end"),
        ("worker,start,end\nana\n", "shift 1: give a worker"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(tmp_path, text, why):
    path = tmp_path / "shifts.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=why):
        read_shifts(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_shifts(Path(tmp_path / "absent.csv"))


def test_costs_are_those_of_labels_and_of_gains_that_are_sure(walk):
    difference = {"name": "macro_f1", "label": "", "value": 0.04, "low": 0.01, "high": 0.07, "n": 90, "level": 0.95,
                  "method": "paired bootstrap"}  # fmt: skip
    unsure = {"difference": difference | {"low": -0.01}}
    with walk.ledger.transaction() as writer:
        labels = [Resolution(f"item-{at}", at, ("ok",) if at < 12 else None, 1.0, "m", "1") for at in range(24)]
        writer.add_resolutions(0, labels)
        writer.complete(0, "measure", {"comparison": {"difference": difference}, "since_seed": unsure}, 0.0)
    found = told(walk)
    assert found["hours_a_label"]["value"] == pytest.approx(24 * 36 / 3600 / 12)
    assert found["cost_a_label"]["value"] == pytest.approx(30 * 24 * 36 / 3600 / 12)
    sure, since = found["gains"]
    assert sure["hours"] == pytest.approx(0.24)
    assert sure["cost_a_point"]["value"] == pytest.approx(30 * 0.24 / 4)
    assert since["round"] is None
    assert since["cost_a_point"]["value"] is None
    assert "holds 0" in since["hours_a_point"]["method"]


def test_skips_the_exam_and_another_s_hand(walk):
    more = (
        answer("t30", 5.5, "cem", skipped=True, answer=None),
        answer("t39exam", 5.5, "cem"),
        answer("t31", 5.5, "cem", changed_by="bo"),
    )
    with walk.ledger.transaction() as writer:
        writer.mirror(Pull(more, "7"))
    found = told(walk)
    whole = found["groups"][0]
    assert (whole["answers"], whole["skips"], whole["people"]) == (24, 1, 3)
    assert found["backlog"][0]["answers"] == 19


def test_who_is_asked_again_in_a_later_round_begins_a_wait_of_their_own(walk):
    ledger = walk.ledger
    with ledger.transaction() as writer:  # on day 6 the round goes on, with tasks left open
        writer.complete(0, "pull", {}, 0.0)
        writer.begin_round(1, seed=1, config={}, policy_version=walk.policy.version)
        writer.add_picks(1, [Pick(5, "item-5", "relabel", 0.5)])
    ledger._clock = lambda: BEGUN + timedelta(days=8)
    with ledger.transaction() as writer:
        writer.intend("overlap", {"t5": 2})
        for step in ("select", "ask", "push"):
            writer.complete(1, step, {}, 0.0)
        writer.mirror(Pull((answer("t5", 9.0, "cem"),), "8"))
    found = record(walk, ledger.annotations(), at(10), {}).tasks
    waits = (found.ended - found.asked)[found.asked > found.asked.min()] / 86_400
    assert waits.tolist() == pytest.approx([1.0])
    left_open = np.isnan(found.ended)
    assert found.backlog == 0
    assert left_open.sum() == 19
    assert ((found.until - found.asked)[left_open] / 86_400).tolist() == pytest.approx([6.0] * 19)


def test_a_date_that_is_none_or_past_is_refused(walk):
    for due, why in (("soon", "no date"), (at(5), "past")):
        with pytest.raises(DataError, match=why):
            told(walk, due=due)
