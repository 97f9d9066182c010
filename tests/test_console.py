"""What people see in a terminal: aligned, plain, within its width, and progress away from standard output."""

from io import StringIO

import pytest
from rich.console import Console

from hitl.console import bars, findings, rounds, say, table
from hitl.types import Finding


def shown(thing, width=80):
    console = Console(width=width, file=StringIO(), highlight=False)
    thing(console)
    return console.file.getvalue()


def figure(name, value, low, high):
    return {"name": name, "label": "", "value": value, "low": low, "high": high, "n": 90, "level": 0.95, "method": ""}


def row(number, state="done"):
    done = state == "done"
    return {
        "round": number,
        "kind": "active" if number else "seed",
        "state": state,
        "labels_so_far": 1000 + 100 * number,
        "tasks": 150,
        "tasks_done": 150 if done else 38,
        "arms": {"explore": 60, "audit": 30, "random": 10},
        "benchmark": [figure("macro_f1", 0.612, 0.52, 0.71)] if done else [],
        "audit": [figure("prevalence_by_views", 0.0203, 0.002, 0.199)] if done and number else [],
        "agreement": figure("alpha", 0.46, -0.05, 0.91) if done else None,
        "comparison": {"verdict": "no evidence", "difference": figure("macro_f1", 0.03, -0.37, 0.43)}
        if done and number
        else None,
        "seconds_a_task": 11.3,
        "cost": 1234.5,
    }


HISTORY = {"headline": "macro_f1", "rounds": [row(0), row(1), row(2, "waiting")]}


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_rounds_fit_the_terminal_on_one_line_each_and_no_figure_loses_its_interval(width):
    lines = [line.rstrip() for line in shown(lambda console: rounds(console, HISTORY), width).splitlines()]
    assert len(lines) == 4
    assert max(map(len, lines)) <= width
    assert lines[3].startswith("2 active")
    assert ("0.61" in lines[1]) == ("0.61 [0.52, 0.71]" in lines[1])
    assert ("2.0%" in lines[2]) == ("2.0% [0.2%, 19.9%]" in lines[2])


def test_a_wider_terminal_shows_more():
    headers = [
        shown(lambda console: rounds(console, HISTORY), width).splitlines()[0].split() for width in (80, 100, 130)
    ]
    assert "Macro-F1" in headers[0]
    assert "prevalence" in headers[0]
    assert "alpha" not in headers[0]
    assert "alpha" in headers[1]
    assert "cost" in headers[2]


def test_where_no_round_has_begun_nothing_is_shown():
    assert shown(lambda console: rounds(console, {"headline": "macro_f1", "rounds": []})) == ""


def test_numbers_align_right_and_cells_are_plain_text():
    rows = [["[red]a[/red]", "7", "x"], ["b", "1,234", "[bold]"]]
    lines = shown(lambda console: console.print(table(["name [b]", "count", "note"], rows, title="[i] 1"))).splitlines()
    assert [line.rstrip() for line in lines] == [
        "[i] 1",
        "name [b]      count  note",
        "[red]a[/red]      7  x",
        "b             1,234  [bold]",
    ]


def test_a_path_is_never_broken():
    path = "/a/very/long/path" * 12
    assert shown(lambda console: say(console, f"Report: {path}"), 40) == f"Report: {path}\n"


def test_findings_show_the_remedy_only_where_there_is_something_to_do():
    found = [Finding("disk", "ok", "plenty", "buy one"), Finding("token", "fail", "not set [x]", "make one")]
    said = shown(lambda console: console.print(findings(found)))
    assert "buy one" not in said
    assert "✗  token  not set [x]" in said
    assert "→ make one" in said


def test_without_a_terminal_each_new_thing_is_one_line():
    console = Console(file=StringIO(), width=20)
    with bars(console) as progress:
        for done in range(100):
            progress("reading a pool with a long name", done, 100)
        progress("scoring", 0, None)
    assert console.file.getvalue() == "reading a pool with a long name\nscoring\n"


def last_frame(*told):
    console = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    with bars(console) as progress:
        for label, done, total in told:
            progress(label, done, total)
    return console.file.getvalue()


def test_in_a_terminal_a_bar_counts_and_forgets_the_total_of_the_one_before():
    assert "1,500 of 70,000" in last_frame(("[b]pushing", 1_500, 70_000)).rpartition("[b]pushing")[2]
    after = last_frame(("[b]pushing", 1_500, 70_000), ("fitting", 0, None)).rpartition("fitting")[2]
    assert after
    assert " of " not in after


def test_progress_goes_to_standard_error(capsys):
    with bars() as progress:
        progress("scoring", 0, None)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "scoring\n")
