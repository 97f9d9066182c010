"""The table for a regulator on the page and in files: nothing runs, nothing is lost, empty states say what to do."""

from __future__ import annotations

import csv
import io
import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.history import TransparencyRow
from hitl.history.transparency import ALL, MEASURES
from hitl.report import render_html
from hitl.report.transparency import for_the_regulator
from hitl.report.transparency_files import COLUMNS, read_csv, render_csv, write_table

NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
HOSTILE = st.sampled_from(
    ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "\r\n=1", "'=1", "''=1", " =1", "＝1", "|x", 'a"b', "a,b"]
)
ROWS = st.fixed_dictionaries({
    "period": st.integers(0, 99), "begin": WORDS, "end": st.none() | WORDS.filter(bool), "model": WORDS,
    "policy_version": WORDS | HOSTILE, "language": WORDS | HOSTILE, "category": WORDS | HOSTILE,
    "decider": st.sampled_from(["automated", "human", ALL]), "measure": st.sampled_from(list(MEASURES)),
    "value": NUMBERS, "low": NUMBERS, "high": NUMBERS, "level": st.none() | st.just(0.95),
    "n": st.none() | st.integers(0, 10**9), "unit": WORDS, "method": WORDS, "source": st.just("hitl"),
    "basis": WORDS | HOSTILE, "article": WORDS, "template": WORDS,
})  # fmt: skip


def row(**changes: Any) -> Any:
    told = dict.fromkeys(COLUMNS, "") | {
        "period": 1,
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "level": 0.95,
        "n": 9,
        "end": None,
    }
    return told | {"measure": "accuracy"} | changes


def figure(name: str, value: float | None, n: int = 40, method: str = "") -> Any:
    low, high = (0.0, 1.0) if value is None else (max(value - 0.1, 0.0), min(value + 0.1, 1.0))
    return {
        "name": name,
        "label": "",
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "level": 0.95,
        "method": method,
    }


def told(campaigns: ModuleType, *cells: tuple[str, str]) -> Any:
    history = campaigns.sample()
    names = ("accuracy", "precision", "recall", "false_positive_rate")
    history["rounds"][-1]["findings"] = {
        "transparency": {
            "model_id": "text_linear-0123456789ab",
            "cells": [
                {"language": language, "category": category,
                 "figures": [figure("audited", 40.0), *(figure(name, 0.75) for name in names)]}
                for language, category in cells
            ],
        }
    }  # fmt: skip
    return history


@settings(max_examples=50)
@given(rows=st.lists(ROWS, max_size=5))
def test_a_table_is_read_as_it_was_written(rows) -> None:
    assert read_csv(render_csv(rows)) == rows


@settings(max_examples=50)
@given(word=HOSTILE | WORDS)
def test_no_cell_is_a_formula(word) -> None:
    for line in list(csv.reader(io.StringIO(render_csv([row(language=word, category=word, basis=word)]), newline="")))[
        1:
    ]:
        for cell in line:
            assert cell.lstrip()[:1] not in ("=", "+", "@", "|", "＝", "＋", "－", "＠")
            assert not cell.startswith(("\t", "\r", "\n"))
            assert not cell.lstrip().startswith("-")


def test_lines_end_as_rfc_4180_has_it() -> None:
    text = render_csv([row(language='a "quoted", word')])
    assert text.count("\r\n") == 2
    assert '"a ""quoted"", word"' in text
    assert text.split("\r\n")[0] == ",".join(TransparencyRow.__annotations__)


@pytest.mark.parametrize("text", ["", "a,b\r\n", ",".join(COLUMNS) + "\r\n1,2\r\n", ",".join(COLUMNS) + '\r\n"x'])
def test_another_text_is_refused(text) -> None:
    with pytest.raises(DataError):
        read_csv(text)


def test_files_are_whole_and_named_by_their_kind(tmp_path) -> None:
    table: Any = {"rows": [row()], "campaign": "trial"}
    assert read_csv(write_table(table, tmp_path / "deep" / "t.csv").read_bytes().decode()) == [row()]
    assert json.loads(write_table(table, tmp_path / "t.json").read_text()) == table
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "t.json"]
    with pytest.raises(ConfigError, match=r"written as \.csv or \.json"):
        write_table(table, tmp_path / "t.xlsx")
    with pytest.raises(ConfigError, match="name another file"):
        write_table(table, tmp_path / "t.json" / "t.csv")


def test_all_stands_first_then_categories_and_languages(campaigns: ModuleType) -> None:
    view = for_the_regulator(told(campaigns, ("id", ALL), (ALL, "insult"), (ALL, ALL), ("en", ALL)))
    assert view is not None
    assert [(title["kind"], title["name"]) for title, _ in view["lines"]] == [
        ("", ""), ("category", "insult"), ("language", "en"), ("language", "id")
    ]  # fmt: skip


def test_the_page_shows_hostile_names_as_they_are_and_too_few_as_not_known(campaigns: ModuleType, page: Any) -> None:
    history = told(campaigns, (ALL, ALL), *((word, ALL) for word in campaigns.HOSTILE))
    figures = history["rounds"][-1]["findings"]["transparency"]["cells"][0]["figures"]
    figures[2] = figure("precision", None, 2, "too few: 2 audited items carry it")
    read = page(render_html(history))
    assert not [tag for tag, _ in read.tags if tag == "script"]
    for words in ("'=HYPERLINK", "too few: 2 audited items carry it", "hitl transparency", "text_linear-0123456789ab"):
        assert words in read.shown


def test_before_an_audit_the_page_says_when_it_begins(campaigns: ModuleType, page: Any) -> None:
    history = campaigns.seed_waiting()
    assert for_the_regulator(history) is None
    assert "No audit of a model yet" in page(render_html(history)).shown
