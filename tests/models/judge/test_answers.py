"""Answers are read strictly, and reading them never fails."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.models.judge.answers import RATIONALE, Judgement, Judgements, read_answer

LABELS = ("fine", "rude", "rude, very")
NUMBER = st.floats(0, 1)


def read(text: str, multi_label: bool = False) -> Judgement:
    return read_answer(text, LABELS, multi_label=multi_label)


def answer(*proba: float, **more: object) -> str:
    return json.dumps({"labels": dict(zip(LABELS, proba, strict=True)), "rationale": "so", **more})


@given(st.lists(NUMBER, min_size=3, max_size=3), st.booleans())
def test_what_was_said_is_read(proba: list[float], multi_label: bool) -> None:
    found = read(answer(*proba), multi_label)
    if multi_label:
        assert found == Judgement(tuple(proba), "so")
    elif not sum(proba) > 0:
        assert "all 0" in found.problem
    else:
        np.testing.assert_allclose(found.proba, np.array(proba) / math.fsum(proba))


@given(st.text(st.characters()), st.booleans())
def test_reading_any_text_raises_nothing(text: str, multi_label: bool) -> None:
    assert read(text, multi_label).problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.sampled_from([*LABELS, "labels", "rationale", "x"]), some)
    ),
    max_leaves=8,
)


@given(
    JSON
    | st.fixed_dictionaries({"labels": st.fixed_dictionaries(dict.fromkeys(LABELS, JSON | NUMBER)), "rationale": JSON})
)
def test_any_json_is_a_judgement_or_a_problem(value: object) -> None:
    found = read(json.dumps(value), multi_label=True)
    assert bool(found.problem) != bool(found.proba)
    assert all(0 <= p <= 1 for p in found.proba)
    assert len(found.rationale) <= RATIONALE
    found.rationale.encode()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not one valid JSON object"),
        ("The label is rude.", "not one valid JSON object"),
        (answer(0.1, 0.2, 0.7)[:-1], "not one valid JSON object"),
        (answer(0.1, 0.2, 0.7) * 2, "not one valid JSON object"),
        ("[" * 100_000, "not one valid JSON object"),
        (f'{{"labels": {{"fine": {"1" * 5000}}}}}', "not one valid JSON object"),
        ("[1]", "no object"),
        ('{"rationale": "so"}', 'no field "labels"'),
        ('{"labels": [0.1, 0.2, 0.7]}', 'no field "labels"'),
        ('{"labels": {"fine": 1, "rude": 0}}', '"rude, very" has no probability'),
        ('{"labels": {"fine": 1, "rude": 0, "rude, very": 0, "spam": 0}}', "not of the policy"),
        ('{"labels": {"fine": 1, "fine": 0, "rude": 0, "rude, very": 0}}', "stands twice"),
        ('{"labels": {"fine": NaN, "rude": 0, "rude, very": 0}}', "not a finite number"),
        ('{"labels": {"fine": 1e999, "rude": 0, "rude, very": 0}}', '"fine" is not a number from 0 to 1'),
        (answer(-0.1, 0.5, 0.5), '"fine" is not a number from 0 to 1'),
        (answer(0.1, 1.5, 0.5), '"rude" is not a number from 0 to 1'),
        ('{"labels": {"fine": true, "rude": 0, "rude, very": 0}}', '"fine" is not a number from 0 to 1'),
        ('{"labels": {"fine": "0.5", "rude": 0, "rude, very": 0}}', '"fine" is not a number from 0 to 1'),
        (answer(0, 0, 0), "all 0"),
        (answer(0.1, 0.2, 0.7, rationale=["so"]), "not a text"),
        (answer(0.1, 0.2, 0.7, verdict="so"), "other than"),
        (" " * 300_000, "too long"),
    ],
)
def test_a_problem_is_named(text: str, problem: str) -> None:
    found = read(text)
    assert problem in found.problem
    assert found.proba == ()


def test_a_problem_quotes_nothing_of_the_answer() -> None:
    for text in (answer(0.1, 0.2, 0.7, secretzonk=1), '{"labels": {"secretzonk": 1}}', "secretzonk"):
        assert "secretzonk" not in read(text).problem


@pytest.mark.parametrize(
    "wrap", ["{}", "\n {} \n", "```json\n{}\n```", "```\n{}```", "<think>fine? {{no}}</think>\n{}"]
)
def test_one_fence_and_thoughts_are_taken_off(wrap: str) -> None:
    assert read(wrap.format(answer(0.1, 0.2, 0.7))).rationale == "so"


@pytest.mark.parametrize(
    "text", ["<think>" * 20_000, "```json\n" + " " * 150_000, "<think>" + answer(1, 0, 0), "```" * 60_000]
)
def test_wrappings_without_an_end_are_no_answer(text: str) -> None:
    assert read(text).problem


def test_a_rationale_is_one_visible_line_of_bounded_length() -> None:
    told = read(answer(1, 0, 0, rationale="a\nb\x1b[31m\u202e\ud800 " + "x" * 9999)).rationale
    assert told.startswith("a b [31m x")
    assert len(told) == RATIONALE


def test_logits_give_the_probabilities_back_and_are_finite() -> None:
    proba = np.array([[0.25, 0.75, 0.0], [np.nan, np.nan, np.nan]])
    for multi_label in (False, True):
        judged = Judgements(proba, ("", ""), ("", "none"), multi_label)
        logits = judged.logits
        assert judged.shape == (2, 3)
        assert np.isfinite(logits[0]).all()
        assert np.isnan(logits[1]).all()
        raised = 1 / (1 + np.exp(-logits[0])) if multi_label else np.exp(logits[0]) / np.exp(logits[0]).sum()
        np.testing.assert_allclose(raised, proba[0], atol=2e-4)
    assert "1 without an answer" in repr(judged)
