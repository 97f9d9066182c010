"""What only the in-memory reviewers promise: determinism, and a folder that outlives the process."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.connectors import Connector
from hitl.connectors.memory import MemoryConnector
from hitl.errors import ConnectorError
from hitl.policy import Criterion, Policy
from hitl.tasks import Form, encode, parse
from hitl.types import Answer, Span, Tab, Task
from hitl.workforce.simulated import TEAM, Reviewer

POLICY = Policy.parse("{name: p, version: 1, labels: [{name: fine, violating: false}, {name: rude}, {name: cruel}]}")
TRUTHS = ("fine", "rude", "cruel")


def task(number: int, overlap: int = 1) -> Task:
    data = {"hitl_key": f"key-{number}", "text": f"post {number}", "language": "en", "region": "", "guidance": ""}
    priority = (number * 7 % 20) / 20
    return Task(f"key-{number}", 1, f"item-{number}", number, "classify", "1", "", data, priority, overlap)


def truth(asked: Task) -> tuple[str, ...]:
    return (TRUTHS[asked.position % 3],)


def desk(folder: Path | None = None, **options) -> MemoryConnector:
    made = MemoryConnector(truth, seed=5, folder=folder, **options)
    made.open("campaign", Form(policy=POLICY), POLICY)
    return made


def test_it_is_a_connector():
    assert isinstance(desk(), Connector)


@settings(max_examples=30)
@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=3))
def test_answers_depend_on_neither_order_nor_batches(order, cuts):
    plain = desk()
    plain.push([task(number, 2) for number in range(12)])
    pieces = desk()
    edges = [0, *sorted(cuts), 12]
    for start, stop in pairwise(edges):
        pieces.push([task(number, 2) for number in order[start:stop]])
        pieces.pull("")
    assert set(map(repr, plain.pull("").annotations)) == set(map(repr, pieces.pull("").annotations))


def test_truth_may_be_a_mapping_by_item_id():
    people = [Reviewer("mira", accuracy=1.0, skip_rate=0.0, unsure_rate=0.0)]
    known = MemoryConnector({"item-1": ("cruel",)}, people)
    known.open("campaign", Form(policy=POLICY), POLICY)
    known.push([task(1), task(2)])
    assert {a.task_key: a.answer for a in known.pull("").annotations} == {
        "key-1": Answer(("cruel",)),
        "key-2": Answer(out="unsure"),
    }


def test_times_are_utc_and_the_most_important_come_first():
    made = desk()
    made.push([task(number) for number in range(20)])
    given = {a.task_key: a for a in made.pull("").annotations}
    assert all(a.submitted.endswith("Z") and a.seconds > 0 for a in given.values())
    assert given["key-17"].submitted < given["key-0"].submitted  # priorities 0.95 and 0


def test_a_folder_outlives_the_process(tmp_path):
    first = desk(tmp_path)
    first.push([task(number, 2) for number in range(6)])
    seen = first.pull("")
    first.edit(seen.annotations[0].id, Answer(("cruel",)))
    first.delete(seen.annotations[1].id)
    first.delete_task("key-5")
    first.edit(seen.annotations[2].id, Answer(("rude",), spans=(Span("rude", 1.0, 2.5),), ratings=(("clear", 4),)))
    first.edit_task("key-4", {**task(4).data, "text": "another"})
    first.close_task("key-3")
    first.refresh([replace(task(number), model_id="model-2", priority=0.5) for number in range(5)])
    first.sort([Tab("English", language="en"), Tab("some", keys=("key-1", "key-4")), Tab("Open", answered=False)])
    second = desk(tmp_path)
    assert (second.tasks, second.tabs) == (first.tasks, first.tabs)
    assert second.tab("some") == first.tab("some") != ()
    assert second.reconcile([task(n, 2) for n in range(5)], mend=False) == first.reconcile(
        [task(n, 2) for n in range(5)], mend=False
    )
    assert second.finish() == first.finish()
    assert second.push([task(number, 2) for number in range(5)]).sent == 0
    assert second.pull(seen.cursor) == first.pull(seen.cursor)


@given(cut=st.integers(min_value=0), data=st.data())
@settings(max_examples=40, deadline=None)
def test_killed_anywhere_it_goes_on_and_ends_the_same(tmp_path_factory, cut, data):
    folder = tmp_path_factory.mktemp("desk")
    tasks = [task(number, 2) for number in range(5)]
    whole = desk(folder)
    whole.push(tasks)
    expected = whole.pull("")
    (file,) = folder.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[: cut % (len(content) + 1)])  # what kill -9 in mid-write leaves
    again = desk(folder)
    again.push(tasks)
    again.pull("")
    assert set(map(repr, again.finish().annotations)) == set(map(repr, expected.annotations))
    again.push([task(9)])
    assert len(desk(folder).finish().seen) == 6


def test_campaigns_do_not_share_a_desk(tmp_path):
    made = desk(tmp_path)
    made.push([task(1)])
    made.open("campaign/2", Form(policy=POLICY), POLICY)
    assert made.push([task(1)]).sent == 1
    made.open("campaign", Form(policy=POLICY), POLICY)
    assert made.push([task(1)]).sent == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cursor_of_another_desk_reads_from_the_start():
    first, second = desk(), desk()
    first.push([task(1)])
    second.push([task(number) for number in range(2, 8)])
    cursor = first.pull("").cursor
    assert len(second.pull(cursor).annotations) >= 6


def test_a_desk_that_was_lost_says_so():
    first = desk()
    first.push([task(1)])
    with pytest.raises(ConnectorError, match="folder"):
        desk().pull(first.pull("").cursor)


def test_people_wait_until_they_are_told_when_auto_is_off():
    made = desk(auto=False)
    made.push([task(number) for number in range(8)])
    assert made.pull("").annotations == ()
    assert made.work(limit=3) == 3
    assert len(made.pull("").annotations) == 3
    made.work()
    assert made.work() == 0


def test_a_desk_of_an_earlier_release_is_read(tmp_path):
    made = desk(tmp_path)
    made.push([task(1)])
    seen = made.pull("")
    (file,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        del line["tabs"]
        for told in filter(None, (line["task"], line["annotation"], (line["annotation"] or {}).get("answer"))):
            for new in ("queue", "changed_by", "spans", "ratings"):
                told.pop(new, None)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert desk(tmp_path).finish().annotations == seen.annotations


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ConnectorError, match="open"):
        MemoryConnector(truth).pull("")
    with pytest.raises(ConnectorError, match="names"):
        MemoryConnector(truth, [TEAM[0], TEAM[0]])
    for wrong in (
        lambda: desk().edit("nothing", Answer()),
        lambda: desk().delete_task("nothing"),
        lambda: desk().edit_task("nothing", {}),
        lambda: desk().close_task("nothing"),
        lambda: desk().tab("nothing"),
    ):
        with pytest.raises(ConnectorError, match="nothing"):
            wrong()
    made = desk(tmp_path)
    made.push([task(1)])
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"{}\n" + file.read_bytes())
    with pytest.raises(ConnectorError, match="line 1"):
        desk(tmp_path)
    file.write_bytes(b"[" * 50_000 + b"\n")
    with pytest.raises(ConnectorError, match="line 1"):
        desk(tmp_path)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_where_the_folder_should_be_is_named(tmp_path, below):
    (tmp_path / "reviewers").write_text("something else")
    with pytest.raises(ConnectorError, match="reviewers"):
        desk(tmp_path / "reviewers" / below).push([task(1)])


@pytest.mark.parametrize("name", ["classify", "rubric"])
def test_people_give_stars_where_they_are_asked_for_and_each_answer_can_be_read_back(name):
    rubric = (Criterion(name="clear", question="Is it clear?"), Criterion(name="kind", question="Is it kind?", scale=2))
    policy = POLICY.model_copy(update={"rubric": rubric})
    form = Form(policy=policy, name=name)
    made = MemoryConnector(lambda task: ("rude",))
    made.open("stars", form, policy)
    made.push([task(number, 3) for number in range(20)])
    answers = [one.answer for one in made.pull("").annotations if one.answer]
    assert {tuple(name for name, _ in one.ratings) for one in answers if not one.out} == {
        ("clear", "kind") if name == "rubric" else ()
    }
    assert [parse(form, encode(form, one)) for one in answers] == [(one, "") for one in answers]
