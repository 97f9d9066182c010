"""The rounds as a plain table of text, for the command line and notebooks."""

from __future__ import annotations

from itertools import accumulate

from hitl.history import History, RoundRow
from hitl.report.story import find, verdict
from hitl.report.text import NONE, change, count, decimal, duration, estimate, figure, name

GAP = 2
"""Blanks between two columns in a terminal."""


def rounds_table(history: History, width: int | None = None) -> list[list[str]]:
    """One row a round after a row of headers: plain text without colour codes, control characters or formulas.

    With `width`, the characters of a terminal, cells are brief and the columns that do not fit any more are left to
    the report; no figure loses its interval. Columns without any value in the whole campaign (cost without an hourly
    cost, say) are left out.

    >>> rounds_table({"headline": "macro_f1", "rounds": []})
    [['round', 'labels']]
    """
    metric = history["headline"]
    headers = [
        "round",
        "labels",
        "asked",
        figure(metric),
        "against before",
        "prevalence",
        "alpha",
        "time a task",
        "cost",
    ]
    rows = [_row(row, metric, brief=width is not None) for row in history["rounds"]]
    kept = [at for at in range(len(headers)) if at < 2 or any(row[at] != NONE for row in rows)]
    lines = [[line[at] for at in kept] for line in [headers, *rows]]
    return lines if width is None else [line[: _fitting(lines, width)] for line in lines]


def _fitting(lines: list[list[str]], width: int) -> int:
    """How many columns fit."""
    ends = accumulate(max(map(len, column)) + GAP for column in zip(*lines, strict=True))
    return max(1, sum(end - GAP <= width for end in ends))


def _row(row: RoundRow, metric: str, *, brief: bool) -> list[str]:
    return [
        f"{row['round']} {row['kind']}",
        count(row["labels_so_far"]),
        _asked(row) if brief else arms(row),
        estimate(find(row["benchmark"], metric)),
        _verdict(row, metric) if brief else _against(row, metric),
        estimate(find(row["audit"], "prevalence_by_views")),
        estimate(row["agreement"]),
        duration(row["seconds_a_task"]),
        decimal(row["cost"]),
    ]


def _asked(row: RoundRow) -> str:
    asked = count(row["tasks"])
    return asked if row["state"] == "done" else f"{count(row['tasks_done'])}/{asked}"


def _verdict(row: RoundRow, metric: str) -> str:
    compared, mark = row["comparison"], verdict(row, metric).mark
    if row["state"] != "done":
        return f"{mark} {'waiting' if row['state'] == 'waiting' else 'under way'}"
    return f"{mark} {name(compared['verdict']) if compared else verdict(row, metric).title.lower()}"


def _against(row: RoundRow, metric: str) -> str:
    compared, said = row["comparison"], verdict(row, metric)
    if row["state"] != "done":
        return f"{said.mark} {said.title.lower()}, {said.detail}"
    return _verdict(row, metric) + (f" {change(compared['difference'])}" if compared else "")


def arms(row: RoundRow) -> str:
    """The arms of a round in one line: `60 explore, 30 audit`."""
    ranked = sorted(row["arms"].items(), key=lambda pair: -pair[1])
    return ", ".join(f"{count(number)} {name(arm, 20)}" for arm, number in ranked if number) or NONE
