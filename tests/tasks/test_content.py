import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.tasks.content import readable, shown

TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
texts = st.text(st.characters(exclude_characters=TURNING, exclude_categories=["Cs"]), max_size=20)
directed = st.text(st.sampled_from("ab 12 אב\u200f" + TURNING), max_size=20)


@given(st.lists(st.tuples(texts.filter(lambda name: name.strip()), texts), min_size=1, max_size=5), st.booleans())
def test_turns_are_shown_as_they_were_said(said: list[tuple[str, str]], as_roles: bool) -> None:
    author, text = ("role", "content") if as_roles else ("author", "text")
    content = json.dumps([{author: who, text: what, "score": 3} for who, what in said])
    turns = shown("conversation", {"text": content}, "i")["turns"]
    assert [turn.keys() for turn in turns] == [{"author", "text"}] * len(said)
    assert [(t["author"], t["text"]) for t in turns] == [
        (w.replace("\0", "\ufffd"), x.replace("\0", "\ufffd")) for w, x in said
    ]


@given(directed)
def test_no_text_is_turned_around_and_no_letter_is_lost(text: str) -> None:
    told = readable(text)
    assert not set(told) & set(TURNING)
    letters = [character for character in text if character.isalnum()]
    left = told.replace("⟨U+202D⟩", "").replace("⟨U+202E⟩", "")
    assert [character for character in left if character.isalnum()] == letters
    assert (told.count("⟨U+202E⟩"), told.count("⟨U+202D⟩")) == (text.count("\u202e"), text.count("\u202d"))


@pytest.mark.parametrize("text", ["שלום world, 12 (34)", "مرحبا بالعالم", "می\u200cخواهم", "नमस्ते 👩\u200d👩\u200d👧"])
def test_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert readable(text) == text
    assert readable(f"\u2067{text}\u2069") == f"\u200f{text}"


def test_every_text_on_a_page_is_readable_and_a_reference_stays_whole() -> None:
    turned, straight = "a\u202eb", "a⟨U+202E⟩b"
    assert shown("text", {"text": turned}, "i") == {"text": straight}
    assert shown("image", {"media": turned}, "i") == {"media": turned}
    (turn,) = shown("conversation", {"text": json.dumps([{"author": turned, "text": turned}])}, "i")["turns"]
    assert turn == {"author": straight, "text": straight}
    pair = shown("pair", {"text": json.dumps(dict.fromkeys(("prompt", "left", "right"), turned))}, "i")
    assert pair == dict.fromkeys(("prompt", "left", "right"), straight)


def test_a_pair_needs_no_prompt() -> None:
    assert shown("pair", {"text": '{"left": "a", "right": ""}'}, "i") == {"prompt": "", "left": "a", "right": ""}
    given_ = {"prompt": "why?", "left": "a", "right": "b\ud800", "model": "m"}
    assert shown("pair", {"text": json.dumps(given_)}, "i") == {"prompt": "why?", "left": "a", "right": "b?"}


@pytest.mark.parametrize(
    ("modality", "text", "told"),
    [
        ("conversation", "hello SECRET", "no JSON"),
        ("conversation", "[" * 100_000, "no JSON"),
        ("conversation", "{}", "no JSON list of turns"),
        ("conversation", "[]", "no JSON list of turns"),
        ("conversation", '[{"role": "SECRET", "content": "a"}, 7]', "turn 2"),
        ("conversation", '[{"role": "SECRET", "content": ["a"]}]', "turn 1"),
        ("conversation", '[{"role": " ", "content": "SECRET"}]', "turn 1"),
        ("conversation", '[{"content": "SECRET"}]', "turn 1"),
        ("pair", "[1]", "a pair must read"),
        ("pair", '{"left": "SECRET"}', "a pair must read"),
        ("pair", '{"left": "SECRET", "right": 3}', "a pair must read"),
        ("pair", '{"left": "SECRET", "right": "", "prompt": null}', "a pair must read"),
        ("pair", '{"left": " ", "right": ""}', "both sides of the pair are empty"),
        ("pair", "", "no text to show"),
        ("audio", "SECRET", "no media to show"),
    ],
)
def test_what_cannot_be_shown_is_named_by_its_item_and_not_by_its_content(modality: Any, text: str, told: str) -> None:
    with pytest.raises(DataError, match="item 'item-7'") as raised:
        shown(modality, {"text": text}, "item-7")
    assert told in str(raised.value)
    assert "SECRET" not in str(raised.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=6,
    ),
    st.sampled_from(("conversation", "pair")),
)
def test_whatever_the_json_holds_it_is_shown_or_refused(value: object, modality: Any) -> None:
    refused = ""
    try:
        assert shown(modality, {"text": json.dumps(value)}, "i")
    except DataError as error:
        refused = str(error)
    assert not refused or "item 'i'" in refused
