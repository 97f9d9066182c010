import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import pytest
from forms import FORMS, HOSTILE, POLICY, words
from hypothesis import given
from hypothesis import strategies as st

from hitl.policy import Criterion, Label, Policy
from hitl.tasks import Form, guidance, instruction, render
from hitl.tasks.wording import title

FROM_DATA = {"$region", "$language", "$guidance", "$moments", "$opinions"}


def page_of(form: Form) -> ET.Element:
    return ET.fromstring(render(form))


class Tags(HTMLParser):
    """The tags of a piece of HTML, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_page_asks_what_the_form_says(name: str) -> None:
    form, page = FORMS[name], page_of(FORMS[name])
    asked = next(choices for choices in page.iter("Choices") if choices.get("name") == "label")
    assert [choice.get("value") for choice in asked] == list(form.choices)
    assert {part.get("name") for part in page.iter() if part.get("toName")} == form.parts.keys()
    assert {part.get("toName") for part in page.iter() if part.get("toName")} == {"content"}
    assert [label.get("value") for label in page.iter("Label")] == list(form.marked)
    assert [rating.get("maxRating") for rating in page.iter("Rating")] == [str(n) for _, n in form.ratings.values()]


@pytest.mark.parametrize("name", sorted(FORMS))
def test_everything_that_is_filled_in_has_a_key_of_its_own(name: str) -> None:
    page = page_of(FORMS[name])
    keys = [part.get("hotkey") for part in page.iter() if part.tag in ("Choice", "Label", "Rating")]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_no_key_is_one_of_the_picture_editors_own() -> None:
    labels = (Label(name="ok", violating=False), *(Label(name=f"label {n}") for n in range(40)))
    many = Form(policy=Policy(name="p", version="1", labels=labels), modality="image")
    keys = {part.get("hotkey") for part in page_of(many).iter("Choice")}
    assert not keys & {"h", "v", "shift+1", "shift+2"}
    assert "shift+h" in keys


def test_whether_media_are_looked_at_waits_for_an_answer_that_nobody_can_give() -> None:
    for form in FORMS.values():
        shown = [view for view in page_of(form).iter("View") if view.get("className") == "hitl-show"]
        assert len(shown) == form.blurred
        assert not {view.get("whenChoiceValue") for view in shown} & {*form.choices, None}


def test_the_content_is_shown_by_its_kind() -> None:
    shown = {name: [part.get("value") for part in page_of(form).iter() if part.get("value", "").startswith("$")]
             for name, form in FORMS.items()}  # fmt: skip
    assert shown["single"] == ["$region", "$language", "$text", "$guidance"]
    assert shown["conversation"] == ["$region", "$language", "$turns", "$guidance"]
    assert shown["pair"] == ["$region", "$language", "$prompt", "$left", "$right", "$guidance"]
    assert shown["image"] == ["$region", "$language", "$media", "$guidance"]
    assert shown["timeline"] == ["$region", "$language", "$media", "$moments", "$guidance"]
    assert shown["single, review"] == [*shown["single"], "$opinions"]


def test_a_timeline_counts_frames_at_a_rate_of_its_own() -> None:
    rates = {name: page_of(FORMS[name]).find(".//Video").get("frameRate") for name in ("video", "timeline")}
    assert rates == {"video": None, "timeline": "10"}


def test_parts_show_only_with_the_answers_they_belong_to() -> None:
    whens = {name: [part.get("whenChoiceValue") for part in page_of(FORMS[name]).iter("View")
                    if part.get("visibleWhen")] for name in FORMS}  # fmt: skip
    outs = "unsure,escalate,no_policy"
    assert whens["single"] == ["spam,threat", outs]
    assert whens["timeline"] == ["(never)", "spam,threat", "spam,threat", outs]
    assert whens["rubric of several"] == ["ok,spam,threat,(none)", "spam,threat"]
    assert whens["pairwise"] == ["both_bad"]


def hostile(draw: st.DrawFn, policy: Policy) -> Policy:
    """The same policy in other words, whatever they are."""
    labels = [
        label.model_copy(update={
            "definition": draw(words), "examples": (draw(words),), "counter_examples": (draw(words), draw(words))
        }) for label in policy.labels
    ]  # fmt: skip
    criteria = [criterion.model_copy(update={"question": draw(words)}) for criterion in policy.rubric]
    return policy.model_copy(update={"labels": tuple(labels), "rubric": tuple(criteria), "name": draw(words)})


@st.composite
def in_other_words(draw: st.DrawFn) -> tuple[Form, Form]:
    form = FORMS[draw(st.sampled_from(sorted(FORMS)))]
    return form, replace(form, policy=hostile(draw, form.policy))


def skeleton(page: ET.Element) -> list[tuple[str, frozenset[str], str | None]]:
    """Elements in their order, with the names of their attributes (a hint aside) and their text."""
    return [(part.tag, frozenset(part.keys()) - {"hint"}, part.text) for part in page.iter()]


@given(in_other_words())
def test_no_word_of_a_policy_becomes_a_part_of_the_page(case: tuple[Form, Form]) -> None:
    plain, other = (page_of(form) for form in case)
    assert skeleton(plain) == skeleton(other)
    for before, after in zip(plain.iter("Choice"), other.iter("Choice"), strict=True):
        was, is_ = Tags(before.get("html", "")), Tags(after.get("html", ""))
        assert [tag for tag in is_.tags if tag[0] != "span"] == [tag for tag in was.tags if tag[0] != "span"]
        assert {tag[0] for tag in is_.tags} <= {"div", "b", "span"}
        assert before.get("value") == after.get("value")


@pytest.mark.parametrize("name", sorted(FORMS))
def test_no_words_but_our_own_are_filled_from_the_items_data(name: str) -> None:
    headers = [header.get("value", "") for header in page_of(FORMS[name]).iter("Header")]
    assert not [value for value in headers if value not in FROM_DATA and re.search(r"\$[\w.{}[\]]", value)]
    assert "Is it true, for $\u2060text or $\u20605?" in headers or not FORMS[name].ratings


@given(in_other_words())
def test_no_word_of_a_policy_becomes_a_tag_of_the_instruction(case: tuple[Form, Form]) -> None:
    plain, other = (Tags(instruction(form)) for form in case)
    allowed = {("h3", ()), ("br", ()), ("b", ()), ("i", ())}
    assert set(plain.tags) <= allowed
    assert set(other.tags) <= allowed


names = st.text(st.sampled_from("<>&\"'{}[]();:=#/\\*!-_. abcשלום日本"), min_size=1, max_size=30).filter(
    lambda name: name.strip() == name
)


@given(names)
def test_no_label_breaks_out_of_its_place(name: str) -> None:
    def page_with(label: str) -> ET.Element:
        policy = Policy(name="p", version="1", multi_label=True, labels=(Label(name=label, note_required=True),))
        return page_of(Form(policy=policy, modality="video", name="timeline"))

    page = page_with(name)
    assert skeleton(page) == skeleton(page_with("harmless"))
    shown = next(choice.get("html") for choice in page.iter("Choice") if choice.get("value") == name)
    assert Tags(shown or "").words == title(name)
    assert [label.get("value") for label in page.iter("Label")] == [name]


def test_a_hostile_definition_stays_text_on_the_page_and_in_the_instruction() -> None:
    shown = next(c.get("html") for c in page_of(FORMS["single"]).iter("Choice") if c.get("value") == "threat")
    assert escape(HOSTILE) in shown
    assert "<script>" not in instruction(FORMS["single"])


def test_the_instruction_tells_the_rubric_and_what_excludes_labels() -> None:
    told = Tags(instruction(FORMS["rubric of several"])).words
    assert "Truthful, 1 to 5" in told
    assert "Not sure" in told
    assert "None of these" in told
    assert "Truthful" not in instruction(FORMS["single"])


def test_a_definition_too_long_for_its_card_shows_when_one_points_at_it() -> None:
    long = Policy(
        name="p", version="1", labels=(Label(name="ok", violating=False), Label(name="bad", definition="so " * 99))
    )
    hints = {choice.get("value"): choice.get("hint") for choice in page_of(Form(policy=long)).iter("Choice")}
    assert hints == {**dict.fromkeys(hints), "bad": ("so " * 99).strip() + "."}
    spam = {c.get("value"): c.get("hint") for c in page_of(FORMS["single"]).iter("Choice")}["spam"]
    assert spam == "For example: buy blorps. But not: a tip."


def test_many_labels_and_criteria_leave_some_without_a_key_and_none_with_anothers() -> None:
    policy = Policy(
        name="p",
        version="1",
        multi_label=True,
        labels=tuple(Label(name=f"label {n}") for n in range(40)),
        rubric=tuple(Criterion(name=f"c{n}", question="Well?") for n in range(5)),
    )
    keys = [key for part in page_of(Form(policy=policy, name="rubric")).iter() if (key := part.get("hotkey"))]
    assert len(keys) == len(set(keys)) == 30 + 4


def test_guidance_tells_only_what_the_region_changes() -> None:
    assert guidance(POLICY, "ID") == "Spam: Chain letters, too. For example: kirim ke 10 orang."
    assert guidance(POLICY, "DE") == guidance(POLICY, "FR") == ""
