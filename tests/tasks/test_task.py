import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.policy import Label, LabelOverride, Policy, Region
from hitl.tasks import Form
from hitl.tasks.task import Asking, make_tasks, task_key
from hitl.types import Pick

POLICY = Policy(
    name="abuse",
    version="2",
    labels=(Label(name="ok", violating=False), Label(name="spam")),
    regions={"ID": Region(labels={"spam": LabelOverride(definition="Chain letters, too.")})},
)
ASKING = Asking(campaign="demo", round=3, form=Form(policy=POLICY), model_id="m1")
PICKS = [Pick(7, "item-7", "audit", 0.9, inclusion=0.1), Pick(4, "item-4", "explore", 1.7)]
ROWS = [{"text": "a", "region": "ID", "language": "id", "reach": 3}, {"text": "b", "region": None, "language": None}]


@given(st.tuples(st.text(), st.integers(), st.text(), st.text(), st.text(), st.integers()))
def test_a_key_depends_on_each_of_its_parts(parts: tuple[str, int, str, str, str, int]) -> None:
    key = task_key(*parts)
    assert key == task_key(*parts)
    assert len(key) == 20
    assert int(key, 16) >= 0
    for at, part in enumerate(parts):
        other = [*parts]
        other[at] = f"{part}x" if isinstance(part, str) else part + 1
        assert task_key(*other) != key  # type: ignore[arg-type]


def test_parts_do_not_run_into_one_another() -> None:
    assert task_key("ab", 1, "c", "1", "f") != task_key("a", 1, "bc", "1", "f")


def test_nothing_in_a_task_tells_why_it_was_picked() -> None:
    for task in make_tasks(ASKING, PICKS, ROWS):
        assert set(task.data) == {"hitl_key", "text", "language", "region", "guidance"}
        assert "audit" not in json.dumps(task.data)
        assert task.data["hitl_key"] == task.key


def test_tasks_keep_the_order_and_carry_what_belongs_to_each() -> None:
    first, second = make_tasks(ASKING, PICKS, ROWS, [{"spam": 0.8}, {}], [2, 1])
    assert (first.item_id, first.position, first.region, first.overlap) == ("item-7", 7, "ID", 2)
    assert first.data["guidance"] == "Spam: Chain letters, too."
    assert (first.predicted, second.predicted, second.data["language"]) == ({"spam": 0.8}, {}, "")
    assert (first.priority, second.priority) == (0.9, 1.0)
    assert first.key == task_key("demo", 3, "item-7", "2", "classify")
    again = make_tasks(Asking(campaign="demo", round=3, form=Form(policy=POLICY), repeat=1), PICKS, ROWS)
    assert {task.key for task in again}.isdisjoint({first.key, second.key})


def test_opinions_and_guidance_are_readable() -> None:
    labels = (Label(name="ok", violating=False), Label(name="bad"))
    override = LabelOverride(definition="not\u202ethis")
    policy = Policy(name="p", version="1", labels=labels, regions={"ID": Region(labels={"bad": override})})
    asking = Asking(campaign="c", round=1, form=Form(policy=policy), queue="review")
    (task,) = make_tasks(asking, PICKS[:1], [{"text": "x", "region": "ID", "opinions": "ok: \u2066why\u2069\u202d"}])
    assert task.data["guidance"] == "Bad: not⟨U+202E⟩this."
    assert task.data["opinions"] == "ok: \u200ewhy⟨U+202D⟩"


def test_what_no_server_can_hold_is_replaced_in_the_text() -> None:
    (task,) = make_tasks(ASKING, PICKS[:1], [{"text": "a\x00b\ud800c\u202ed", "region": ""}])
    assert task.data["text"] == "a\ufffdb?c⟨U+202E⟩d"


@pytest.mark.parametrize(
    ("rows", "predicted", "people"),
    [(ROWS[:1], (), ()), (ROWS, ({},), ()), (ROWS, (), (1,)), ([{"text": ""}, ROWS[1]], (), ()), (ROWS, (), (0, 1))],
)
def test_what_does_not_fit_is_refused(rows: list[dict[str, object]], predicted: tuple, people: tuple) -> None:
    with pytest.raises(DataError):
        make_tasks(ASKING, PICKS, rows, predicted, people)


def test_an_image_campaign_shows_the_media() -> None:
    asking = Asking(campaign="demo", round=0, form=Form(policy=POLICY, modality="image"))
    (task,) = make_tasks(asking, PICKS[:1], [{"media": "https://media.invalid/1.png", "text": "caption"}])
    assert task.data["media"] == "https://media.invalid/1.png"
    assert "text" not in task.data


def test_a_queue_of_its_own_asks_by_itself_and_reviewers_see_what_others_said() -> None:
    rows = [{"text": "a", "opinions": "spam (1), \x00 ok (1)"}]
    (main,), (review,), (exam,) = (
        make_tasks(Asking(campaign="demo", round=3, form=Form(policy=POLICY), queue=queue), PICKS[:1], rows)
        for queue in ("", "review", "exam")
    )
    assert len({main.key, review.key, exam.key}) == 3
    assert review.key == task_key("demo", 3, "item-7", "2", "classify:review")
    assert (main.queue, review.queue, exam.queue) == ("", "review", "exam")
    assert review.data["opinions"] == "spam (1), \ufffd ok (1)"
    assert "opinions" not in main.data
    assert "opinions" not in exam.data


def test_a_conversation_is_shown_turn_by_turn_and_a_pair_side_by_side() -> None:
    talk = Asking(campaign="demo", round=3, form=Form(policy=POLICY, modality="conversation"))
    (task,) = make_tasks(talk, PICKS[:1], [{"text": '[{"role": "user", "content": "hi"}]'}])
    assert task.data["turns"] == [{"author": "user", "text": "hi"}]
    assert "text" not in task.data
    pair = Asking(campaign="demo", round=3, form=Form(policy=POLICY, modality="pair"))
    (task,) = make_tasks(pair, PICKS[:1], [{"text": '{"prompt": "why?", "left": "a", "right": "b"}'}])
    assert [task.data[part] for part in ("prompt", "left", "right")] == ["why?", "a", "b"]


def test_one_malformed_conversation_is_named() -> None:
    talk = Asking(campaign="demo", round=3, form=Form(policy=POLICY, modality="conversation"))
    rows = [{"text": '[{"role": "user", "content": "hi"}]'}, {"text": "hi"}]
    with pytest.raises(DataError, match="item 'item-4'"):
        make_tasks(talk, PICKS, rows)


def test_of_a_clip_alone_it_says_where_to_look() -> None:
    asking = Asking(campaign="demo", round=3, form=Form(policy=POLICY, modality="video"))
    rows = [{"media": "a.mp4", "moments": "0:03, 0:07"}, {"media": "b.mp4"}]
    told, untold = make_tasks(asking, PICKS, rows)
    assert (told.data["moments"], untold.data["moments"]) == ("0:03, 0:07", "")
    assert "moments" not in make_tasks(ASKING, PICKS[:1], [{"text": "a", "moments": "0:03"}])[0].data
