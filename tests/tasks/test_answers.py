import math

import pytest
from forms import FORMS, answered
from hypothesis import given
from hypothesis import strategies as st

from hitl.policy import NONE
from hitl.tasks import Form, encode, parse, prediction
from hitl.tasks.answers import LONGEST_NOTE, MOST_RESULTS
from hitl.types import Answer, Span

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(("label", "where")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


@given(answered())
def test_what_is_filled_in_is_read_back(case: tuple[Form, Answer]) -> None:
    form, answer = case
    assert parse(form, encode(form, answer)) == (answer, "")


@given(answered(), st.data())
def test_a_spoilt_answer_is_read_or_named_and_never_raises(case: tuple[Form, Answer], data: st.DataObject) -> None:
    form, answer = case
    results = encode(form, answer)
    spoilt = data.draw(st.sampled_from(results))
    place = data.draw(st.sampled_from([spoilt, spoilt["value"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(anything)
    read, problem = parse(form, results)
    assert (read is None) == bool(problem)


@given(anything, st.sampled_from(sorted(FORMS)))
def test_garbage_never_raises(garbage: object, name: str) -> None:
    keys = ("from_name", "to_name", "type", "value")
    for case in (garbage, [garbage], [dict.fromkeys(keys, garbage)]):
        answer, problem = parse(FORMS[name], case)
        assert (answer is None) == bool(problem)


def part(name: str, kind: str, to: str = "content", **value: object) -> dict:
    return {"from_name": name, "to_name": to, "type": kind, "value": value}


def ticks(*values: object, name: str = "label", **more: str) -> dict:
    return part(name, more.pop("kind", "choices"), choices=list(values), **more)


def note(text: object, name: str = "note") -> dict:
    return part(name, "textarea", text=text)


def stretch(start: object, end: object, *labels: object) -> dict:
    return part("where", "timelinelabels", ranges=[{"start": start, "end": end}], timelinelabels=list(labels))


def stars(criterion: str, rating: object) -> dict:
    return part(f"rating_{criterion}", "rating", rating=rating)


BECAUSE = note(["because"])


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        ([], "no answer"),
        (None, "not a list"),
        ("ok", "not a list"),
        ([7], "not a list"),
        ([ticks()], "no answer"),
        ([BECAUSE], "no answer"),
        ([ticks("unheard-of")], "unknown"),
        ([ticks("ok", "spam")], "several labels"),
        ([ticks("ok", "unsure")], "excludes labels"),
        ([ticks("unsure", "escalate")], "excludes labels"),
        ([ticks("ok", "ok")], "twice"),
        ([ticks("ok"), ticks("ok")], "answered twice"),
        ([ticks("threat")], "note"),
        ([ticks("threat"), note(["  "])], "note"),
        ([ticks("ok"), note(["a" * (LONGEST_NOTE + 1)])], "characters"),
        ([ticks("ok")] * (MOST_RESULTS + 1), "answers on one item"),
        ([ticks(NONE)], "unknown"),
        ([ticks("ok", name="verdict")], "control that this form does not have"),
        ([ticks("ok"), ticks("shown", name="shown")], "control that this form does not have"),
        ([ticks("ok"), stretch(1, 2, "spam")], "control that this form does not have"),
        ([ticks("ok"), stars("truthful", 3)], "control that this form does not have"),
        ([ticks("ok", to="picture")], "something else"),
        ([ticks("ok", kind="labels")], "something else"),
        ([ticks(3)], "other than text"),
        ([{**ticks("ok"), "value": "ok"}], "other than text"),
        ([{**ticks("ok"), "value": {"choices": "ok"}}], "other than text"),
        ([{**ticks("ok"), "from_name": ["label"]}], "control that this form does not have"),
    ],
)
def test_what_cannot_be_read_is_named_and_never_guessed(results: object, problem: str) -> None:
    answer, told = parse(FORMS["single"], results)
    assert answer is None
    assert problem in told


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (stretch(5, 4, "spam"), "ends before it begins"),
        (stretch(-1, 4, "spam"), "outside"),
        (stretch(1, 864_001, "spam"), "24 hours"),
        (stretch(1, 10**400, "spam"), "24 hours"),
        (stretch(1, math.inf, "spam"), "whole frames"),
        (stretch(math.nan, 4, "spam"), "whole frames"),
        (stretch(True, 4, "spam"), "whole frames"),
        (stretch(None, 4, "spam"), "whole frames"),
        (stretch("1", 4, "spam"), "whole frames"),
        (stretch(1, 4, "ok"), "no label for stretches"),
        (stretch(1, 4, "unheard-of"), "no label for stretches"),
        (stretch(1, 4, ["spam"]), "no label for stretches"),
        (stretch(1, 4), "no label for stretches"),
        (stretch(1, 4, "threat"), "not chosen"),
        (stretch(3, 4, "spam"), "marked twice"),
        (part("where", "timelinelabels", ranges=[], timelinelabels=["spam"]), "beginning and end"),
        (part("where", "timelinelabels", ranges=[7], timelinelabels=["spam"]), "whole frames"),
        (part("where", "timelinelabels", ranges=7, timelinelabels=["spam"]), "beginning and end"),
    ],
)
def test_a_stretch_that_lies_nowhere_or_says_nothing_is_named(place: dict, problem: str) -> None:
    answer, told = parse(FORMS["timeline"], [ticks("spam"), BECAUSE, stretch(3, 4, "spam"), place])
    assert answer is None
    assert problem in told


@pytest.mark.parametrize("ticked", ["unsure", "escalate", "no_policy", NONE, "ok"])
def test_a_stretch_beside_an_answer_without_its_label_is_no_answer(ticked: str) -> None:
    answer, told = parse(FORMS["timeline"], [ticks(ticked), stretch(1, 2, "spam")])
    assert answer is None
    assert "not chosen" in told


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([stars("truthful", 5)], "1 of 2 ratings are missing"),
        ([stars("truthful", 5), stars("tone", 4)], "from 1 to 3"),
        ([stars("truthful", 0), stars("tone", 3)], "from 1 to 5"),
        ([stars("truthful", True), stars("tone", 3)], "whole number"),
        ([stars("truthful", 4.5), stars("tone", 3)], "whole number"),
        ([stars("truthful", math.nan), stars("tone", 3)], "whole number"),
        ([stars("truthful", "5"), stars("tone", 3)], "whole number"),
        ([stars("truthful", 5), stars("truthful", 5)], "answered twice"),
        ([stars("style", 5)], "does not have"),
    ],
)
def test_a_rating_outside_its_scale_or_a_missing_one_is_named(given: list, problem: str) -> None:
    answer, told = parse(FORMS["rubric"], [ticks("ok"), *given])
    assert answer is None
    assert problem in told


def test_who_is_not_sure_need_not_rate() -> None:
    rated = [ticks("unsure"), stars("tone", 2)]
    assert parse(FORMS["rubric"], rated) == (Answer(out="unsure", ratings=(("tone", 2),)), "")


def test_what_a_real_page_sent_for_a_timeline_is_read() -> None:
    # Label Studio 1.23.2: h, 2, shift+2, a drag over frames 5 to 14, a note.
    page = [
        {**ticks("shown", name="shown"), "id": "BP7skkEPkw", "origin": "manual"},
        {**ticks("threat"), "id": "Z3ogeOjPfM", "origin": "manual"},
        {**stretch(5, 14, "threat"), "id": "xkpCSBhd2u", "origin": "manual"},
        {**note(["yellow box"]), "id": "z2Yt9zCAWl", "origin": "manual"},
    ]
    answer = Answer(("threat",), note="yellow box", spans=(Span("threat", 0.4, 1.4),))
    assert parse(FORMS["timeline"], page) == (answer, "")


def test_a_stretch_is_what_its_frames_show() -> None:
    for frames, seconds in (((1, 1), (0.0, 0.1)), ((0, 0), (0.0, 0.1)), ((11, 20), (1.0, 2.0))):
        answer, _ = parse(FORMS["timeline"], [ticks("spam"), BECAUSE, stretch(*frames, "spam")])
        assert answer
        assert answer.spans == (Span("spam", *seconds),)


def test_none_of_these_is_an_answer_of_its_own_among_several_labels() -> None:
    assert parse(FORMS["multi"], [ticks(NONE)]) == (Answer(), "")
    assert parse(FORMS["multi"], [ticks("ok", NONE)])[0] is None
    assert parse(FORMS["multi"], [])[0] is None
    assert parse(FORMS["multi"], [ticks("threat", "ok"), BECAUSE]) == (Answer(("ok", "threat"), note="because"), "")


def test_predictions_are_what_the_page_would_send() -> None:
    assert prediction(FORMS["single"], {}) == []
    assert prediction(FORMS["single"], {"ok": 0.2, "spam": 0.5, "gone": 0.9}) == [ticks("spam")]
    assert prediction(FORMS["multi"], {"ok": 0.6, "spam": 0.5, "threat": 0.1}) == [ticks("ok", "spam")]
    assert prediction(FORMS["multi"], {"ok": 0.1}) == [ticks(NONE)]
    assert prediction(FORMS["pairwise"], {"left": 0.3, "tie": 0.1, "right": 0.6}) == [ticks("right")]
