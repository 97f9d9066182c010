"""Logs of decisions and appeals: read strictly, what is bad set aside and counted, nothing lost on the way."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.history import TransparencyRow
from hitl.history.transparency import MEASURES
from hitl.pool import Pool
from hitl.rounds.decisions import DECIDERS, MAY, MUST, OUTCOMES, DecisionLog
from hitl.rounds.in_force import Period
from hitl.rounds.logged import Cell, Logged, placed

NOW = "2026-03-01T00:00:00"
LABELS = ("hate", "spam")
GOOD = {
    "item": "a", "decided_at": "2026-02-01T10:00:00Z", "action": "remove", "decider": "automated", "category": "hate",
    "language": "", "model": "", "appealed_at": "2026-02-02T10:00:00Z", "appeal_decided_at": "2026-02-03T16:00:00Z",
    "outcome": "reversed",
}  # fmt: skip
NO_APPEAL = {"appealed_at": "", "appeal_decided_at": "", "outcome": ""}


def write(path, rows, columns=None):
    names = columns or list(GOOD)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({name: row[name] for name in names}) + "\n" for row in rows))
        return path
    out = io.StringIO()
    lines = csv.DictWriter(out, names, extrasaction="ignore")
    lines.writeheader()
    lines.writerows(rows)
    path.write_text(out.getvalue(), newline="")
    return path


def load(path):
    return DecisionLog.load(path, LABELS, NOW)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_a_log_is_read_as_it_was_written(tmp_path, suffix) -> None:
    rows = [GOOD, GOOD | NO_APPEAL | {"item": "b", "decider": "human", "action": "keep", "category": ""}]
    path = write(tmp_path / f"log.{suffix}", rows)
    if suffix == "tsv":
        path.write_text(path.read_text().replace(",", "\t"))
    log = load(path)
    assert (len(log), log.rows, log.set_aside, log.appeals_recorded) == (2, 2, (), True)
    assert log.words["item"].to_pylist() == ["a", "b"]
    assert [DECIDERS[code] for code in log.decider] == ["automated", "human"]
    assert [OUTCOMES[code] if code >= 0 else "" for code in log.outcome] == ["reversed", ""]
    assert log.hours[0] == 30
    assert np.isnan(log.hours[1])


def test_times_without_a_zone_are_utc_and_others_are_turned(tmp_path) -> None:
    times = ["2026-02-01T10:00:00", "2026-02-01T12:00:00+02:00", "2026-02-01 10:00:00Z"]
    log = load(write(tmp_path / "log.csv", [GOOD | {"decided_at": time} for time in times]))
    assert len(set(log.decided_at.tolist())) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"item": " "}, "item: names none"),
        ({"decided_at": "yesterday"}, "decided_at: is no ISO 8601 time"),
        ({"decided_at": ""}, "decided_at: is no ISO 8601 time"),
        ({"decided_at": "2027-01-01T00:00:00Z"}, "decided_at: lies in the future"),
        ({"action": "delete"}, "action: is none of keep, review, limit, remove"),
        ({"decider": "me"}, "decider: is none of automated, human"),
        ({"category": "ok"}, "category: is no violating label"),
        ({"outcome": "won"}, "outcome: is none of"),
        ({"appealed_at": "soon"}, "appealed_at: is no ISO 8601 time"),
        ({"appealed_at": "2026-01-02T10:00:00Z"}, "appealed_at: is before decided_at"),
        ({"appeal_decided_at": "2026-02-02T09:00:00Z"}, "appeal_decided_at: is before appealed_at"),
        ({"appeal_decided_at": "2027-02-02T09:00:00Z"}, "appeal_decided_at: lies in the future"),
        ({"appealed_at": ""}, "appealed_at: is missing"),
        ({"outcome": ""}, "outcome: is missing"),
        ({"appeal_decided_at": ""}, "appeal_decided_at: is missing"),
    ],
)
def test_a_bad_row_is_set_aside_and_the_others_stay(tmp_path, change, reason) -> None:
    log = load(write(tmp_path / "log.csv", [GOOD, GOOD | change, GOOD]))
    assert (len(log), log.rows) == (2, 3)
    [aside] = log.set_aside
    assert aside["reason"].startswith(reason)
    assert (aside["rows"], aside["first"]) == (1, [2])


def test_an_appeal_that_was_dropped_needs_no_time_and_an_open_one_no_outcome(tmp_path) -> None:
    dropped = GOOD | {"appeal_decided_at": "", "outcome": "omitted"}
    waiting = GOOD | {"appeal_decided_at": "", "outcome": ""}
    assert len(load(write(tmp_path / "log.csv", [dropped, waiting]))) == 2


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([*MUST[:3]], "the column 'decider' is missing"),
        ([*MUST, "appealed"], "'appealed' is not known; did you mean 'appealed_at'?"),
        ([*MUST, "secret"], "'secret' is not known; leave it out"),
        ([*MUST, "appealed_at"], "'appeal_decided_at' is missing; appeals are told by"),
    ],
)
def test_another_table_is_refused_by_the_name_of_its_column(tmp_path, columns, told) -> None:
    path = write(tmp_path / "log.csv", [GOOD | {"secret": "x", "appealed": ""}], columns)
    with pytest.raises(DataError, match=told.replace("?", r"\?")) as refused:
        load(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("log.xlsx", "", "convert it"),
        ("log.csv", "", "is empty"),
        ("log.csv", "item,item,decided_at,action,decider\n", "stands there twice"),
        ("log.csv", "item,decided_at,action,decider\na,b\n", "do not have the 4 fields"),
        ("log.jsonl", '{"item": 1', "line 1 is not one JSON object"),
        ("log.jsonl", '{"item": {"a": 1}, "decided_at": "", "action": "", "decider": ""}\n', "'item' holds values"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, told) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=told):
        load(tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path / "none.csv")


ROWS = st.fixed_dictionaries({
    "item": st.sampled_from(["a", "b", "", "=1+1", "é"]),
    "decided_at": st.sampled_from(["2026-01-05T00:00:00Z", "2026-02-01", "x", "", "9999-99-99"]),
    "action": st.sampled_from(["keep", "review", "limit", "remove", "REMOVE", ""]),
    "decider": st.sampled_from([*DECIDERS, "nobody"]),
    "category": st.sampled_from([*LABELS, "", "other"]),
    "language": st.sampled_from(["", "en", "ja"]),
    "model": st.sampled_from(["", "m-1", "m-9"]),
    "appealed_at": st.sampled_from(["", "2026-02-02T00:00:00Z", "x"]),
    "appeal_decided_at": st.sampled_from(["", "2026-02-02T06:00:00Z"]),
    "outcome": st.sampled_from(["", *OUTCOMES, "won"]),
})  # fmt: skip

PERIODS = [
    Period(0, "2026-01-01T00:00:00+00:00", "2026-01-10T00:00:00+00:00", "", "1"),
    Period(1, "2026-01-10T00:00:00+00:00", "2026-02-01T00:00:00+00:00", "m-1", "1"),
    Period(2, "2026-02-01T00:00:00+00:00", None, "m-2", "1"),
]
POOL = Pool.open(pa.table({"id": ["a", "b"], "text": ["x", "y"], "language": ["de", ""]}), language="language")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=12), suffix=st.sampled_from(["csv", "jsonl"]))
def test_every_row_is_used_or_set_aside_and_the_cells_add_up(tmp_path, rows, suffix) -> None:
    read = load(write(tmp_path / f"log.{suffix}", rows))
    told = Logged.of(read, POOL, PERIODS, LABELS)
    assert len(told.log) + sum(one["rows"] for one in told.log.set_aside) == len(rows)
    total = 0
    for place in range(len(PERIODS)):
        cells = {
            (c.language, c.category, c.decider): {f.name: f.value for f in figures} for c, figures in told.told(place)
        }
        whole = cells["(all)", "(all)", "(all)"]
        for name in ("taken@remove", "taken@keep", "appeals", "appeals_reversed"):
            by_decider = [cells.get(("(all)", "(all)", decider), {}).get(name, 0) for decider in DECIDERS]
            by_language = [cell[name] for key, cell in cells.items() if key[0] != "(all)" and key[1:] == ("(all)",) * 2]
            assert whole[name] == sum(by_decider) == sum(by_language)
        total += sum(whole[f"taken@{action}"] for action in ("keep", "review", "limit", "remove"))
    assert total == len(told.log)


def test_a_decision_belongs_to_the_model_it_names_or_to_its_time(tmp_path) -> None:
    rows = [
        GOOD | NO_APPEAL | {"decided_at": "2026-01-09T23:59:59Z"},
        GOOD | NO_APPEAL | {"decided_at": "2026-01-10T00:00:00Z"},
        GOOD | NO_APPEAL | {"decided_at": "2026-02-20T00:00:00Z"},
        GOOD | NO_APPEAL | {"decided_at": "2026-02-20T00:00:00Z", "model": "m-1"},
        GOOD | NO_APPEAL | {"decided_at": "2026-02-20T00:00:00Z", "model": "m-9"},
        GOOD | NO_APPEAL | {"decided_at": "2025-12-31T00:00:00Z"},
    ]
    log, at = placed(load(write(tmp_path / "log.csv", rows)), PERIODS)
    assert at.tolist() == [0, 1, 2, 1]
    assert {one["reason"].split(":")[0]: one["first"] for one in log.set_aside} == {"model": [5], "decided_at": [6]}


def test_the_language_is_the_log_s_or_else_the_pool_s(tmp_path) -> None:
    rows = [GOOD | {"item": "a"}, GOOD | {"item": "a", "language": "ja"}, GOOD | {"item": "b"}, GOOD | {"item": "new"}]
    told = Logged.of(load(write(tmp_path / "log.csv", rows)), POOL, PERIODS, LABELS)
    assert [told.languages[code] for code in told.language] == ["de", "ja", "(unknown)", "(unknown)"]


def test_without_columns_about_appeals_none_are_told(tmp_path) -> None:
    log = load(write(tmp_path / "log.csv", [GOOD], MUST))
    assert not log.appeals_recorded
    [(_, figures)] = Logged.of(log, POOL, PERIODS, LABELS).told(1)
    assert not [figure for figure in figures if figure.name.startswith("appeal")]


def test_planted_appeals_come_out_as_they_went_in(tmp_path) -> None:
    rng = np.random.default_rng(7)
    ends = rng.choice(["", *OUTCOMES], size=300, p=[0.5, 0.25, 0.05, 0.15, 0.05])
    deciders = rng.choice(DECIDERS, size=300)
    hours = rng.integers(1, 100, size=300)
    began = np.datetime64("2026-02-02T00:00:00")
    rows = [
        GOOD | {
            "item": f"i{at}", "decider": deciders[at], "outcome": ends[at],
            "appealed_at": f"{began}Z" if ends[at] else "",
            "appeal_decided_at": f"{began + hours[at]}Z" if ends[at] not in ("", "omitted") else "",
        }
        for at in range(300)
    ]  # fmt: skip
    hours = hours.astype(float) / 3600  # numpy counted seconds
    told = Logged.of(load(write(tmp_path / "log.csv", rows)), POOL, PERIODS, LABELS)
    cells = {
        c.decider: {f.name: f for f in figures} for c, figures in told.told(2) if c.language == c.category == "(all)"
    }
    for decider, mine in (("(all)", np.ones(300, dtype=bool)), *((d, deciders == d) for d in DECIDERS)):
        found = cells[decider]
        assert found["appeals"].value == (ends[mine] != "").sum()
        for outcome in OUTCOMES:
            assert found[f"appeals_{outcome}"].value == (ends[mine] == outcome).sum()
        turned = np.isin(ends[mine], ["reversed", "partially_reversed"]).sum()
        decided = turned + (ends[mine] == "upheld").sum()
        assert found["reversal_rate"].value == pytest.approx(turned / decided)
        assert found["appeal_hours"].value == pytest.approx(np.median(hours[mine & ~np.isin(ends, ["", "omitted"])]))


def test_a_log_of_nothing_tells_nothing(tmp_path) -> None:
    log = load(write(tmp_path / "log.csv", []))
    assert len(log) == log.rows == 0
    [(cell, figures)] = list(Logged.of(log, POOL, PERIODS, LABELS).told(1))
    assert cell.language == "(all)"
    assert {figure.value for figure in figures if figure.name.startswith("taken@")} == {0}


def test_the_worked_example_of_the_docs_is_right(tmp_path) -> None:
    page = (Path(__file__).parents[2] / "docs/transparency.md").read_text(encoding="utf-8")
    block = page[page.index("    item,decided_at") :].split("\n\n")[0]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(line.strip() for line in block.splitlines()) + "\n")
    log = DecisionLog.load(path, ("hate", "insult"), "2026-04-01T00:00:00")
    told = dict(Logged.of(log, POOL, PERIODS, ("hate", "insult")).told(2))
    found = {figure.name: figure for figure in told[Cell(decider="automated")]}
    wanted = {"taken@remove": 1, "taken@limit": 1, "appeals": 2, "appeals_reversed": 1, "appeal_hours": 21}
    assert {name: found[name].value for name in wanted} == wanted
    assert found["reversal_rate"].figures == "0.500 [0.013, 0.987]"
    assert (found["appeal_hours"].low, found["appeal_hours"].high) == (12, 30)


def test_the_docs_tell_of_every_measure_and_column() -> None:
    page = (Path(__file__).parents[2] / "docs/transparency.md").read_text(encoding="utf-8")
    for name in (*MEASURES, *TransparencyRow.__annotations__, *MUST, *MAY, *OUTCOMES):
        assert name in page or name.partition("@")[0] + "@" in page or name.removeprefix("appeals") in page, name
