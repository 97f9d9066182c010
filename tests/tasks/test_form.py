import xml.etree.ElementTree as ET
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import PolicyError
from hitl.policy import OUTS, Label, LabelOverride, Policy, Region
from hitl.tasks.form import NONE, Form, encode, guidance, instruction, parse, prediction, render
from hitl.types import Answer

HOSTILE = "</Choice><script>alert(1)</script>\" onload='x' & {{ }} ]]> \u202eevil\u202c =1+1"
POLICY = Policy(
    name="abuse",
    version="2",
    labels=(
        Label(name="ok", violating=False, definition="Nothing forbids it."),
        Label(name="spam", definition="Unwanted promotion.", examples=("buy blorps",), counter_examples=("a tip",)),
        Label(name="threat", severity=9, note_required=True, definition=HOSTILE),
    ),
    regions={
        "ID": Region(labels={"spam": LabelOverride(definition="Chain letters, too", examples=("kirim ke 10 orang",))}),
        "DE": Region(labels={"spam": LabelOverride(note_required=True)}),
    },
)
MULTI = Policy(name="abuse", version="2", multi_label=True, labels=POLICY.labels, regions=POLICY.regions)
FORMS = {"single": Form(policy=POLICY), "multi": Form(policy=MULTI)}

notes = st.text().filter(lambda text: text.strip())


@st.composite
def answered(draw: st.DrawFn) -> tuple[Form, Answer]:
    form = FORMS[draw(st.sampled_from(sorted(FORMS)))]
    out = draw(st.sampled_from(("", *OUTS)))
    some = draw(st.sets(st.sampled_from(form.policy.names), max_size=3 if form.policy.multi_label else 1))
    labels = () if out else tuple(name for name in form.policy.names if name in some)
    if not labels and not out and not form.policy.multi_label:
        labels = ("ok",)
    needed = any(name in form.noted for name in labels)
    return form, Answer(labels, out, draw(notes if needed else st.just("") | notes))


@given(answered())
def test_what_is_filled_in_is_read_back(case: tuple[Form, Answer]) -> None:
    form, answer = case
    assert parse(form, encode(form, answer)) == (answer, "")


def test_the_page_is_xml_whatever_the_policy_says() -> None:
    for modality in ("text", "image", "video", "audio"):
        for policy in (POLICY, MULTI):
            page = ET.fromstring(render(Form(policy=policy, modality=modality)))
            values = [choice.get("value") for choice in page.iter("Choice")]
            assert values == list(Form(policy=policy).choices)
            assert all("<script>" not in (choice.get("html") or "") for choice in page.iter("Choice"))
            keys = [choice.get("hotkey") for choice in page.iter("Choice")]
            assert len(set(keys)) == len(keys)
            shown = [element.get("value") for element in page.iter() if element.get("name") == "content"]
            assert shown == ["$text" if modality == "text" else "$media"]
            headers = [element.get("value") for element in page.iter("Header")]
            assert ("$moments" in headers) == (modality == "video")


def test_a_hostile_definition_stays_text_on_the_page_and_in_the_instruction() -> None:
    page = ET.fromstring(render(FORMS["single"]))
    shown = next(choice.get("html") for choice in page.iter("Choice") if choice.get("value") == "threat")
    assert escape(HOSTILE) in shown
    assert "<script>" not in instruction(FORMS["single"])


def test_a_definition_too_long_for_its_card_shows_when_one_points_at_it() -> None:
    long = Policy(
        name="p", version="1", labels=(Label(name="ok", violating=False), Label(name="bad", definition="so " * 99))
    )
    hints = {
        choice.get("value"): choice.get("hint") for choice in ET.fromstring(render(Form(policy=long))).iter("Choice")
    }
    assert hints == {**dict.fromkeys(hints), "bad": ("so " * 99).strip() + "."}
    spam = {c.get("value"): c.get("hint") for c in ET.fromstring(render(FORMS["single"])).iter("Choice")}["spam"]
    assert spam == "For example: buy blorps. But not: a tip."


def test_the_note_is_asked_for_labels_that_need_it_in_any_region() -> None:
    assert FORMS["single"].noted == ("spam", "threat")
    assert 'whenChoiceValue="spam,threat"' in render(FORMS["single"])
    none = Policy(name="abuse", version="2", labels=POLICY.labels[:2])
    assert 'name="note"' not in render(Form(policy=none))


def ticks(*values: object, name: str = "label", to: str = "content", kind: str = "choices") -> dict[str, object]:
    return {"from_name": name, "to_name": to, "type": kind, "value": {"choices": list(values)}}


NOTE = {"from_name": "note", "to_name": "content", "type": "textarea", "value": {"text": ["because"]}}
BLANK = {**NOTE, "value": {"text": ["  "]}}


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        ([], "no answer"),
        (None, "not a list"),
        ("ok", "not a list"),
        ([7], "not a list"),
        ([ticks()], "no answer"),
        ([NOTE], "no answer"),
        ([ticks("unheard-of")], "unknown"),
        ([ticks("ok", "spam")], "several labels"),
        ([ticks("ok", "unsure")], "excludes labels"),
        ([ticks("unsure", "escalate")], "excludes labels"),
        ([ticks("ok", "ok")], "twice"),
        ([ticks("ok"), ticks("ok")], "answered twice"),
        ([ticks("threat")], "note"),
        ([ticks("threat"), BLANK], "note"),
        ([ticks(NONE)], "unknown"),
        ([ticks("ok", name="verdict")], "control that this form does not have"),
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


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_garbage_never_raises(results: object) -> None:
    keys = ("from_name", "to_name", "type", "value")
    for case in (results, [results], [dict.fromkeys(keys, results)], [{**ticks(), "value": {"choices": results}}]):
        answer, problem = parse(FORMS["single"], case)
        assert (answer is None) == bool(problem)


def test_a_page_tells_more_than_we_ask_and_is_read_all_the_same() -> None:
    made_in_the_page = [{**ticks("threat"), "id": "a1", "origin": "manual"}, {**NOTE, "id": "b2", "origin": "manual"}]
    assert parse(FORMS["single"], made_in_the_page) == (Answer(("threat",), note="because"), "")


def test_none_of_these_is_an_answer_of_its_own_among_several_labels() -> None:
    assert parse(FORMS["multi"], [ticks(NONE)]) == (Answer(), "")
    assert parse(FORMS["multi"], [ticks("ok", NONE)])[0] is None
    assert parse(FORMS["multi"], [])[0] is None
    assert parse(FORMS["multi"], [ticks("threat", "ok"), NOTE]) == (Answer(("ok", "threat"), note="because"), "")


def test_predictions_are_what_the_page_would_send() -> None:
    assert prediction(FORMS["single"], {}) == []
    assert prediction(FORMS["single"], {"ok": 0.2, "spam": 0.5, "gone": 0.9}) == [ticks("spam")]
    assert prediction(FORMS["multi"], {"ok": 0.6, "spam": 0.5, "threat": 0.1}) == [ticks("ok", "spam")]
    assert prediction(FORMS["multi"], {"ok": 0.1}) == [ticks(NONE)]


def test_guidance_tells_only_what_the_region_changes() -> None:
    assert guidance(POLICY, "ID") == "Spam: Chain letters, too. For example: kirim ke 10 orang."
    assert guidance(POLICY, "DE") == guidance(POLICY, "FR") == ""


@pytest.mark.parametrize("name", ["$text", NONE, "a\u202eb"])
def test_names_that_a_page_cannot_show_are_refused(name: str) -> None:
    policy = Policy(name="abuse", version="2", labels=(*POLICY.labels, Label(name=name)))
    with pytest.raises(PolicyError, match="rename"):
        Form(policy=policy)
