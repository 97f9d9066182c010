"""The roster as CSV: where everybody stands, what they read and can do, and for whom they work."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hitl.errors import DataError, WorkforceError
from hitl.markup import inert, live, visible
from hitl.types import Described, Move, Status, Worker, WorkerEvent
from hitl.workforce.grounds import Grounds
from hitl.workforce.lifecycle import STATUSES, advance

COLUMNS = ("worker", "status", "languages", "skills", "vendor", "team")
"""The columns of a roster, in the order in which it is written; `languages` and `skills` are joined by `|`."""

_LONGEST, _LONGEST_LINE = 100, 1 << 16
_IDENTITY = re.compile(
    "name|mail|phone|mobile|addr|iban|swift|bank|account|salary|passport|identity|social|national|birth|gender|religion"
    "|ethnic|photo|contact|user|login|(?<![a-z])(tel|street|city|zip|bic|card|wage|pay|tax|ssn|age|sex|dob)(?![a-z])",
    re.IGNORECASE,
)
_PERSONAL = {
    "an e-mail address": re.compile(r"\S@\S"),
    "an account number": re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,8}"),
    "a phone number": re.compile(r"\+\d[\d ()/-]{6,}\d"),
}


@dataclass(frozen=True)
class Listed:
    """One line of a roster; a worker without a status stays where they stand."""

    line: int
    worker: Worker


def render_roster(workers: Iterable[Worker]) -> str:
    """Workers as CSV with a header, in the order of their pseudonyms; `read_roster` reads it.

    Words that a spreadsheet would run as a formula have a `'` before them, which reading takes off again.

    >>> print(render_roster([Worker("w-1", "active", ("de", "en"), vendor="Acme")]))
    worker,status,languages,skills,vendor,team
    w-1,active,de|en,,Acme,
    <BLANKLINE>
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in sorted(workers, key=lambda worker: worker.id):
        cells = (one.id, one.status, "|".join(one.languages), "|".join(one.skills), one.vendor, one.team)
        writer.writerow(map(inert, cells))
    return out.getvalue()


def read_roster(lines: Iterable[str], place: str) -> tuple[Listed, ...]:
    """The lines of a roster, checked; `place` is the file's name for messages. O(lines).

    Raises `DataError` with place, line and column: a column that is missing, unknown, there twice, or could say who
    somebody is; a status that is none; a worker who is there twice; a word that is too long, hides something, or is an
    address, an account or a phone number.

    >>> read_roster(["worker,status,languages,skills,vendor,team,iban"], "roster.csv")
    Traceback (most recent call last):
    hitl.errors.DataError: roster.csv, line 1, column iban: says who somebody is or how they are paid, ...
    """
    reader = csv.reader(_bounded(lines, place), strict=True)
    try:
        head = next(reader, [])
        _check_head(head, f"{place}, line 1")
        found, seen = list[Listed](), dict[str, int]()
        for row in reader:
            where = f"{place}, line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(head):
                raise DataError(f"{where}: {len(row)} values for {len(head)} columns; mend the line")
            worker = _worker(dict(zip(head, map(live, row), strict=True)), where)
            if worker.id in seen:
                raise DataError(
                    f"{where}, column worker: {worker.id} stands in line {seen[worker.id]}, too; keep one of them"
                )
            seen[worker.id] = reader.line_num
            found.append(Listed(reader.line_num, worker))
    except csv.Error as error:
        raise DataError(f"{place}, line {reader.line_num}: this is not CSV ({error}); mend the line") from None
    return tuple(found)


def changes(
    listed: Sequence[Listed], known: Mapping[str, Worker], grounds: Grounds, place: str, ruling: str = ""
) -> list[WorkerEvent]:
    """The events that bring `known` workers to what a roster says; those whom it does not list stay as they are.

    `ruling` is what moves that take one rest on. Raises `DataError` with place, line and column for a move that is not
    allowed. O(lines).
    """
    events: list[WorkerEvent] = []
    for one in listed:
        wanted = one.worker
        held = known.get(wanted.id, Worker(wanted.id))
        status = wanted.status or held.status
        if status != held.status:
            move = Move(wanted.id, held.status, status, **grounds.told, ruling=ruling)
            try:
                held = advance(held, move)
            except WorkforceError as error:
                raise DataError(f"{place}, line {one.line}, column status: {error}") from None
            events.append(move)
        if held != replace(wanted, status=held.status, moves=held.moves):
            events.append(
                Described(
                    wanted.id,
                    **grounds.told,
                    languages=wanted.languages,
                    skills=wanted.skills,
                    vendor=wanted.vendor,
                    team=wanted.team,
                )
            )
    return events


def _bounded(lines: Iterable[str], place: str) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if len(line) > _LONGEST_LINE:
            raise DataError(f"{place}, line {number}: is over {_LONGEST_LINE:,} characters long; mend the file")
        yield line


def _check_head(head: Sequence[str], where: str) -> None:
    for name in head:
        if name not in COLUMNS and _IDENTITY.search(name):
            raise DataError(
                f"{where}, column {visible(name, 40)}: says who somebody is or how they are paid, and the record holds "
                "pseudonyms only; take the column out of the file"
            )
    wrong = [f"{visible(name, 40)} is unknown" for name in head if name not in COLUMNS]
    wrong += [f"{name} is missing" for name in COLUMNS if name not in head]
    wrong += [f"{name} is there twice" for name in COLUMNS if list(head).count(name) > 1]
    if wrong:
        raise DataError(f"{where}: {wrong[0]}; the columns of a roster are {', '.join(COLUMNS)}")


def _worker(row: Mapping[str, str], where: str) -> Worker:
    words = {name: _word(row[name].strip(), f"{where}, column {name}") for name in COLUMNS}
    if not words["worker"] or re.search(r"\s", words["worker"]):
        raise DataError(f"{where}, column worker: a pseudonym is one word; `hitl people` tells those on record")
    status: Status = next((name for name in STATUSES if name == words["status"]), "")
    if status != words["status"]:
        raise DataError(
            f"{where}, column status: {visible(words['status'], 40)!r} is none; write one of {', '.join(STATUSES)}, or "
            "leave it empty where nothing changes"
        )
    lists = {name: _several(words[name], f"{where}, column {name}") for name in ("languages", "skills")}
    more: dict[str, Any] = {**lists, "vendor": words["vendor"], "team": words["team"]}
    return Worker(words["worker"], status, **more)


def _several(cell: str, where: str) -> tuple[str, ...]:
    words = [word.strip() for word in cell.split("|")] if cell else []
    if "" in words or len(set(words)) < len(words):
        raise DataError(f"{where}: a word is empty or there twice; join different words by |, such as de|en")
    return tuple(words)


def _word(cell: str, where: str) -> str:
    if len(cell) > _LONGEST or visible(cell) != cell or "\n" in cell:
        raise DataError(f"{where}: must be one line of {_LONGEST} characters at most, none of them invisible")
    for what, pattern in _PERSONAL.items():
        if pattern.search(cell):
            raise DataError(
                f"{where}: looks like {what}, and the record holds pseudonyms only; take it out of the file"
            )
    return cell
