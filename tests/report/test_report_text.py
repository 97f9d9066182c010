"""Figures and hostile text, as the report writes them."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.history import EstimateRow
from hitl.report import text

ANY_TEXT = st.text(st.characters(), max_size=200)  # lone surrogates included
TRICKS = st.text("ab=+-@\u202e\u200b\u200d\u0301\u2066\x00\x1b\n\t <>&'\"$\ud800\U000e0041", max_size=60)


def row(value: float | None, low: float | None, high: float | None, name: str = "f1") -> EstimateRow:
    return EstimateRow(name=name, label="", value=value, low=low, high=high, n=10, level=0.95, method="")


@given(st.one_of(ANY_TEXT, TRICKS))
def test_nothing_invisible_or_reordering_is_left(words: str) -> None:
    shown = text.visible(words)
    kinds = {unicodedata.category(character) for character in shown if character not in "\n\u200c\u200d"}
    drawn = {chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x8E2)}
    left = [c for c in shown if unicodedata.category(c) in ("Cf", "Cc", "Cs") and c not in "\n\u200c\u200d"]
    assert set(left) <= drawn
    assert not kinds & {"Cs", "Co", "Cn", "Zl", "Zp"}
    shown.encode("utf-8")


@given(st.one_of(ANY_TEXT, TRICKS))
def test_showing_twice_changes_nothing(words: str) -> None:
    once = text.visible(words)
    assert text.visible(once, len(once)) == once


@given(st.one_of(ANY_TEXT, TRICKS))
def test_a_name_is_one_line_and_no_formula(words: str) -> None:
    shown = text.name(words)
    assert "\n" not in shown
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "|"))


@given(st.text("abcdefgh", max_size=300), st.integers(1, 80))
def test_a_cut_is_marked_and_keeps_the_limit(words: str, limit: int) -> None:
    shown = text.visible(words, limit)
    assert shown == words if len(words) <= limit else shown == words[: limit - 1] + "…"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("می\u200cروم", "می\u200cروم"),
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("z" + "\u0301" * 9 + "a", "z" + "\u0301" * 4 + "⟨+5 marks⟩a"),
        ("日本語 العربية עברית", "日本語 العربية עברית"),
        ("two\nlines", "two\nlines"),
        ("\u2800\u3164", "⟨U+2800⟩⟨U+3164⟩"),
    ],
)
def test_known_tricks_are_shown_and_writing_stays(words: str, shown: str) -> None:
    assert text.visible(words) == shown


@pytest.mark.parametrize(
    ("given_row", "written"),
    [
        (row(0.62, 0.55, 0.69), "0.62 [0.55, 0.69]"),
        (row(-0.012, -0.2, 0.004), "−0.01 [−0.20, 0.00]"),
        (row(None, 0.0, 1.0), text.UNKNOWN),
        (row(math.nan, 0.0, 1.0), text.UNKNOWN),
        (row(0.5, None, None), "0.50"),
        (row(0.083, 0.05, 0.11, "prevalence_by_views"), "8.3% [5.0%, 11.0%]"),
        (row(0.0004, 0.0001, 0.001, "prevalence_by_views"), "0.040% [0.010%, 0.100%]"),
        (row(67200.4, 26880.0, 174720.0, "cost_left"), "67,200 [26,880, 174,720]"),
        (row(0.9851, 0.973, 0.9958, "kappa"), "0.985 [0.973, 0.996]"),
        (row(0.023, 0.019, 0.027, "changed"), "2.3% [1.9%, 2.7%]"),
        (None, text.NONE),
    ],
)
def test_estimates_read_as_value_and_interval(given_row: EstimateRow | None, written: str) -> None:
    assert text.estimate(given_row) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0.06, "+0.06"), (-0.06, "−0.06"), (0.001, "0.00"), (-0.001, "0.00"), (0.0, "0.00")]
)
def test_changes_carry_their_sign(value: float, written: str) -> None:
    assert text.change(row(value, None, None)) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0 s"), (8.44, "8.4 s"), (59.96, "1 min"), (60, "1 min"), (3599.4, "59 min 59 s"), (3600, "1 h"),
     (360000, "100 h"), (None, "–"), (math.inf, "–")],
)  # fmt: skip
def test_durations_use_two_units(seconds: float | None, written: str) -> None:
    assert text.duration(seconds) == written


def test_times_are_told_in_utc_and_nonsense_as_it_stands() -> None:
    assert text.moment("2026-11-22T01:30:00+02:00") == "21 Nov 2026, 23:30 UTC"
    assert text.moment("2026-11-22T01:30:00") == "22 Nov 2026, 01:30 UTC"
    assert text.moment("<soon>") == "<soon>"
    assert text.moment(None) == "–"


def test_figures_are_named_in_words() -> None:
    assert text.figure("average_precision") == "Average precision"
    assert text.figure("precision@remove") == "Precision at remove"
    assert text.inside("Macro-F1") == "Macro-F1"
    assert text.inside("Average precision") == "average precision"


def test_long_lists_of_counts_are_cut() -> None:
    many = {f"l{number}": number for number in range(12)}
    assert text.listed(many, 2) == "l11\u00a011 · l10\u00a010 · 10 more"
    assert text.listed({}) == text.NONE
