"""How values show themselves in a notebook: every word from content, policies and people is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LONGEST = 400


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", numbers: Sequence[int] = ()) -> str:
    """An HTML table of plain words, escaped and cut to 400 characters; columns in `numbers` stand to the right.

    >>> table(["label"], [["<b>"]])
    "<table><tr><th style='text-align:left'>label</th></tr><tr><td style='text-align:left'>&lt;b&gt;</td></tr></table>"
    """
    sides = ["right" if column in numbers else "left" for column in range(len(head))]

    def line(kind: str, cells: Sequence[str]) -> str:
        told = [
            f"<{kind} style='text-align:{side}'>{words(cell)}</{kind}>" for cell, side in zip(cells, sides, strict=True)
        ]
        return f"<tr>{''.join(told)}</tr>"

    above = f"<caption>{words(caption)}</caption>" if caption else ""
    top = line("th", head) if any(head) else ""
    return f"<table>{above}{top}{''.join(line('td', row) for row in rows)}</table>"


def paragraph(bold: str, rest: str = "") -> str:
    """One line of HTML from plain words, the first of them bold.

    >>> paragraph("done", "a < b")
    '<p><b>done</b> a &lt; b</p>'
    """
    return f"<p><b>{words(bold)}</b>{f' {words(rest)}' if rest else ''}</p>"


def words(text: str) -> str:
    """Plain text as HTML, cut to 400 characters."""
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
