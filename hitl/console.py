"""What a person sees in a terminal: progress bars, tables, findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from hitl.history import History, TamperRow
from hitl.markup import visible
from hitl.types import Finding, Progress

if TYPE_CHECKING:
    import pyarrow as pa

MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "skip": ("–", "dim")}


def errors() -> Console:
    """Where progress and errors go, so that standard output stays clean for `--json`."""
    return Console(stderr=True)


@contextmanager
def bars(console: Console | None = None) -> Iterator[Progress]:
    """Progress as bars on standard error; without a terminal, one line for each new thing begun."""
    console = console or errors()
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as shown:
        running = shown.add_task("starting", total=None, count="")
        last = "starting"

        def progress(label: str, done: int, total: int | None) -> None:
            nonlocal last, running
            if label != last:
                # A bar cannot forget its total, so what begins gets a bar of its own.
                shown.remove_task(running)
                running, last = shown.add_task(label, total=total, count=""), label
            count = f"{done:,} of {total:,}" if total else f"{done:,}" if done else ""
            shown.update(running, completed=done, total=total, count=count)

        yield progress


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console, self._last = console, ""

    def __call__(self, label: str, done: int, total: int | None) -> None:
        if label != self._last:
            self._last = label
            say(self._console, label, "dim")


def say(console: Console, text: str, style: str = "") -> None:
    """Print text as it is, what would move the terminal as codes: no markup, no breaks inside a path or an address."""
    console.print(Text(visible(text), style=style), soft_wrap=True)


def rounds(console: Console, history: History, title: str = "") -> None:
    """Print the rounds as a table that fits the terminal; nothing where no round has begun."""
    from hitl.report import rounds_table

    headers, *rows = rounds_table(history, console.width)
    if rows:
        console.print(table(headers, rows, title))


MOST_TAMPERED = 50


def tampered(console: Console, found: Sequence[TamperRow]) -> None:
    """Print who changed or deleted whose work, the gravest first."""
    if not found:
        say(console, "Nobody changed or deleted another's work, as far as the record tells.")
        return
    rows = [[row["at"][:16].replace("T", " "), row["kind"], row["told"]] for row in found[:MOST_TAMPERED]]
    console.print(table(["when (UTC)", "what", "in words"], rows))
    more = f"; the first {MOST_TAMPERED} are shown, `--json` gives all" if len(found) > MOST_TAMPERED else ""
    say(console, f"\nCases: {len(found):,}{more}. Who deleted a task or an answer, the server does not keep.")


MOST_MATCHES = 20


def matches(console: Console, found: pa.Table, unreadable: Sequence[object], left_out: Sequence[str]) -> None:
    """Print the first matches with a list of known hashes, and what was not looked at."""
    if not len(found):
        say(console, "No item of the pool is on the list.")
    else:
        shown = found.slice(0, MOST_MATCHES).to_pylist()
        headers = ["item", "label", "kind", "bits apart", "second", "source"]
        rows = [
            [one["id"], one["label"], one["kind"], str(one["distance"]), _second(one["time"]), one["source"] or ""]
            for one in shown
        ]
        console.print(table(headers, rows))
        items = len(set(found["id"].to_pylist()))
        more = f"; the first {MOST_MATCHES} are shown, `--json` gives all" if len(found) > MOST_MATCHES else ""
        say(console, f"\n{items:,} items match, {len(found):,} times{more}.")
    if unreadable:
        say(console, f"{len(unreadable):,} items could not be read; `--json` says which, and why.", "yellow")
    if left_out:
        say(console, f"Not looked for, as the pool has nothing of the kind: {', '.join(left_out)}.", "yellow")


def _second(time: float | None) -> str:
    return "" if time is None or time != time else f"{time:.1f}"


NAMES = 24
"""Characters of a table's first column that are shown whole, however narrow the window."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> Table:
    """A table whose numbers align; cells are plain text, whatever they hold."""
    shown = Table(title=Text(visible(title)) if title else None, title_justify="left", header_style="bold", box=None)
    shown.pad_edge = False
    for column, header in enumerate(headers):
        numeric = all(not row[column] or row[column][0] in "0123456789-−+–—." for row in rows)
        # What a row is called is typed into the next command: it is not cut where the window is narrow.
        whole = None if column else min(max((len(row[0]) for row in rows), default=0), NAMES)
        justify: JustifyMethod = "right" if numeric and column else "left"
        shown.add_column(Text(visible(header)), justify=justify, min_width=whole)
    for row in rows:
        shown.add_row(*(Text(visible(cell)) for cell in row))
    return shown


def findings(found: Sequence[Finding]) -> Table:
    """What `doctor` found, with the remedy under each that is not well."""
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for item in found:
        mark, style = MARKS[item.state]
        told = Text(visible(item.detail))
        if item.remedy and item.state != "ok":
            told.append(f"\n→ {visible(item.remedy)}", style="italic")
        shown.add_row(Text(mark, style=style), Text(visible(item.check), style="bold"), told)
    return shown
