"""How words from content, policies and people are shown: nothing in them hides, moves a terminal or becomes HTML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from html import escape

_LONGEST = 400
_VISIBLE_FORMATS = {*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x08E2}  # drawn signs that Unicode files under "format"
_JOINERS = {0x200C, 0x200D}  # Persian, Hindi and emoji need them; between plain letters they hide something
_LOOKS_EMPTY = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
_MARKS_IN_A_ROW = 4
_RUNS = r"(?:\s*[=+\-@|\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
_FORMULA, _INERT = re.compile(f"'*{_RUNS}"), re.compile(f"'+{_RUNS}")


def visible(text: str, limit: int = 5000) -> str:
    """`text` with every control, bidirectional and invisible character shown as its code, cut to `limit` characters.

    Line feeds stay. More than four combining marks in a row are counted instead of drawn. Time and memory are O(limit).
    Ranges: Unicode Standard Annex 9 (bidirectional text) and Technical Report 36 (security considerations).

    >>> visible("safe\\u202eexe.txt")
    'safe⟨U+202E⟩exe.txt'
    >>> visible("a long name", 8)
    'a long …'
    """
    cut = text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"
    return "".join(_shown(cut))


def _shown(text: str) -> Iterator[str]:
    marks = 0
    for index, character in enumerate(text):
        if unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
            if marks > _MARKS_IN_A_ROW and ord(character) not in _LOOKS_EMPTY:
                continue
        elif marks:
            if marks > _MARKS_IN_A_ROW:
                yield f"⟨+{marks - _MARKS_IN_A_ROW} marks⟩"
            marks = 0
        yield f"⟨U+{ord(character):04X}⟩" if _hidden(text, index) else character
    if marks > _MARKS_IN_A_ROW:
        yield f"⟨+{marks - _MARKS_IN_A_ROW} marks⟩"


def _hidden(text: str, index: int) -> bool:
    character = text[index]
    code = ord(character)
    if character == "\n" or code in _VISIBLE_FORMATS:
        return False
    if code in _JOINERS:
        return text[index - 1 : index].isascii() or text[index + 1 : index + 2].isascii()
    return (
        code in _LOOKS_EMPTY
        or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        or (unicodedata.category(character) == "Zs" and code not in (0x20, 0xA0, 0x202F, 0x3000))
    )


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
    """Plain text as HTML, cut to 400 characters, with what would not be seen as codes."""
    return escape(visible(text, _LONGEST))


def inert(cell: str) -> str:
    """A cell that no spreadsheet runs: a `'` stands before what would be a formula (OWASP: CSV injection).

    >>> inert("=1+1"), inert("hate"), live(inert("'=1+1"))
    ("'=1+1", 'hate', "'=1+1")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def live(cell: str) -> str:
    """What a cell was before `inert`."""
    return cell[1:] if _INERT.match(cell) else cell
