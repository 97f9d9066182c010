"""The roster as CSV: it comes back as it was, and what is wrong with a file is told by line and column."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.types import Described, Move, Worker
from hitl.workforce.grounds import Grounds
from hitl.workforce.lifecycle import STATUSES, advance
from hitl.workforce.roster import COLUMNS, Listed, changes, read_roster, render_roster

HEAD = ",".join(COLUMNS)
BY = Grounds("lea", "roster")
word = st.text(st.sampled_from("abzé=+-'\"-, ;ñ1"), min_size=1, max_size=8).map(str.strip).filter(bool)
words = st.lists(word, max_size=3, unique=True).map(tuple)
worker = st.builds(
    Worker,
    st.text(st.sampled_from("w-1a='+"), min_size=1, max_size=8),
    st.sampled_from(["", *STATUSES]),
    words,
    words,
    st.just("") | word,
    st.just("") | word,
)


@settings(max_examples=50)
@given(st.lists(worker, max_size=4, unique_by=lambda one: one.id))
def test_what_is_written_reads_as_it_was_and_no_cell_is_a_formula(workers):
    text = render_roster(workers)
    back = [one.worker for one in read_roster(io.StringIO(text), "r.csv")]
    assert back == sorted(workers, key=lambda one: one.id)
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


def test_columns_may_stand_in_any_order_and_lines_be_empty():
    lines = ["team,vendor,skills,languages,status,worker\n", "\n", "night,Acme,,id|en,active,w-1\n"]
    assert read_roster(lines, "r.csv") == (Listed(3, Worker("w-1", "active", ("id", "en"), (), "Acme", "night")),)


@pytest.mark.parametrize(
    "column",
    ["name", "Full Name", "e-mail", "userEmail", "phone", "IBAN", "bank_account", "date of birth", "tax id", "address"],
)
def test_who_somebody_is_has_no_column(column):
    with pytest.raises(DataError, match=r"r\.csv, line 1, column .*pseudonyms only"):
        read_roster([f"{HEAD},{column}\n"], "r.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: worker is missing"),
        (HEAD.replace("team", "shift"), "line 1: shift is unknown"),
        (f"{HEAD},team", "line 1: team is there twice"),
        (f"{HEAD}\nw-1,active", "line 2: 2 values for 6 columns"),
        (f"{HEAD}\nw-1,actve,,,,", "line 2, column status: 'actve' is none; write one of applied"),
        (f"{HEAD}\n,active,,,,", "line 2, column worker: a pseudonym is one word"),
        (f"{HEAD}\nana b,active,,,,", "line 2, column worker: a pseudonym is one word"),
        (f"{HEAD}\nw-1,,,,,\n\nw-1,,,,,", "line 4, column worker: w-1 stands in line 2, too"),
        (f"{HEAD}\nana@example.org,,,,,", "line 2, column worker: looks like an e-mail address"),
        (f"{HEAD}\nw-1,,,,DE89 3704 0044 0532 0130 00,", "line 2, column vendor: looks like an account number"),
        (f"{HEAD}\nw-1,,,,,+49 30 1234567", "line 2, column team: looks like a phone number"),
        (f"{HEAD}\nw-1,,de||en,,,", "line 2, column languages: a word is empty or there twice"),
        (f"{HEAD}\nw-1,,,,a\u202eb,", "line 2, column vendor: must be one line"),
        (f"{HEAD}\nw-1,,,,{'a' * 101},", "line 2, column vendor: must be one line"),
        (f'{HEAD}\nw-1,,,,"a"b,', "line 2: this is not CSV"),
        (f"{HEAD}\n{'a' * 70_000}", "line 2: is over"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, told):
    with pytest.raises(DataError) as raised:
        read_roster(io.StringIO(text), "r.csv")
    assert f"r.csv, {told}" in str(raised.value)


def listed(*workers):
    return [Listed(line, one) for line, one in enumerate(workers, start=2)]


@settings(max_examples=50)
@given(worker)
def test_a_newcomer_becomes_what_the_roster_says_and_then_nothing_changes(one):
    events = changes(listed(one), {}, BY, "r.csv", ruling="taken over")
    held = Worker(one.id)
    for event in events:
        assert (event.actor, event.reason) == ("lea", "roster")
        held = advance(held, event)
    assert [getattr(held, name) for name in ("id", "status", *COLUMNS[2:])] == [
        getattr(one, name) for name in ("id", "status", *COLUMNS[2:])
    ]
    assert changes(listed(one), {one.id: held}, BY, "r.csv") == []


def test_only_what_differs_is_an_event_and_an_empty_status_changes_none():
    held = Worker("w-1", "active", ("de",))
    assert changes(listed(Worker("w-1", "", ("de", "en"))), {"w-1": held}, BY, "r.csv") == [
        Described("w-1", "lea", "roster", languages=("de", "en"))
    ]
    moved = changes(listed(Worker("w-1", "watch", ("de",))), {"w-1": held}, BY, "r.csv")
    assert moved == [Move("w-1", "active", "watch", "lea", "roster")]


def test_a_move_that_is_not_allowed_is_refused_with_its_line():
    known = {"w-1": Worker("w-1", "offboarded")}
    again = listed(Worker("w-0", "active"), Worker("w-1", "active"))
    with pytest.raises(DataError, match=r"r\.csv, line 3, column status: w-1 is offboarded .* by a ruling only"):
        changes(again, known, BY, "r.csv")
    assert changes(again, known, BY, "r.csv", ruling="heard on 3 March")[1].ruling == "heard on 3 March"
