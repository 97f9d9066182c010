"""The blind second look: sheets to be filled in, questions in the review queue, and what comes back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hitl.errors import AnswerError, CampaignError, ConfigError, DataError
from hitl.markup import inert, live
from hitl.metrics.qa.errors import CAUSES
from hitl.policy import NONE
from hitl.report import replace_file
from hitl.rounds.intents import send_intents
from hitl.rounds.qa_record import ASKED, CAUSED, CHECKED, Programme, Sample, programme
from hitl.rounds.walk import Walk
from hitl.tasks.task import Asking, make_tasks
from hitl.types import Pick

SHEET = ("review", "item", "content", "language", "region", "labels", "reviewer", "note")
"""Columns of a sheet for a second look: none of them tells who decided, what, or why the item was drawn."""

ERRORS = ("decision", "item", "kind", "by", "vendor", "team", "language", "decided", "right", "error", "cause", "note")
"""Columns of a sheet of errors, whose `cause` is to be filled in: now the decision is known."""

UNSURE = "unsure"
JOIN = "|"
_REPEAT = 1000
"""From where on questions of the programme are numbered, so that a review of the same item is another question."""


def blind_sheet(walk: Walk, sample: Sample, checked: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row for each item of a sample that has no verdict, in the order of chance. O(drawn)."""
    open_ = {one.review: one for one in sample.drawn if one.review not in checked}
    inside = [one for one in open_.values() if one.position >= 0]
    positions = np.array([one.position for one in inside], dtype=np.int64)
    rows = walk.pool.rows(positions).to_pylist() if len(inside) else []
    shown = {one.review: row for one, row in zip(inside, rows, strict=True)}
    told = []
    for review in sorted(open_):
        one, row = open_[review], shown.get(review, {})
        content = str(row.get("text") or row.get("media") or "")
        about = {"item": one.item, "content": content, "language": one.language, "region": str(row.get("region") or "")}
        told.append({"review": review, **about, "labels": "", "reviewer": "", "note": ""})
    return told


def error_sheet(held: Programme) -> list[dict[str, str]]:
    """A row for each error, with the cause that is known so far."""
    return [
        {
            "decision": one.drawn.decision,
            **{name: getattr(one.drawn, name) for name in ("item", "kind", "by", "vendor", "team", "language")},
            "decided": JOIN.join(one.drawn.clause) or ("acted" if one.drawn.acted else NONE),
            "right": JOIN.join(one.verdict.labels or ()) or NONE,
            "error": one.error,
            "cause": one.cause,
            "note": "",
        }
        for one in held.looked
        if one.error != "right"
    ]


def write_rows(rows: Sequence[Mapping[str, str]], columns: Sequence[str], path: Path) -> Path:
    """Write rows as .csv, whose cells no spreadsheet runs, or .jsonl, whole or not at all.

    Raises `ConfigError` for another suffix, or where it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"{path}: a sheet is written as .csv or .jsonl; name the file so")
    out = io.StringIO()
    if suffix == ".csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([inert(row[name]) for name in columns] for row in rows)
    else:
        out.writelines(json.dumps({name: row[name] for name in columns}) + "\n" for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, out.getvalue())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); name another file") from None
    return path


def read_rows(path: Path, must: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a filled-in sheet, .csv or .jsonl, with line numbers in messages; other columns are left aside.

    Raises `DataError` where it is no such file, or lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}); give a .csv or .jsonl sheet") from None
    try:
        if path.suffix.lower() == ".jsonl":
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        else:
            rows = [
                {k: live(v or "") for k, v in row.items() if k} for row in csv.DictReader(io.StringIO(text, newline=""))
            ]
    except (json.JSONDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is no .csv or .jsonl sheet ({error}); mend it") from None
    for line, row in enumerate(rows, start=2 if path.suffix.lower() != ".jsonl" else 1):
        lacking = [name for name in must if not isinstance(row, dict) or not isinstance(row.get(name), str)]
        if lacking:
            raise DataError(f"{path}, line {line}: the column {lacking[0]!r} is missing; a sheet has {', '.join(must)}")
    return [{name: value.strip() for name, value in row.items() if isinstance(value, str)} for row in rows]


def read_labels(walk: Walk, cell: str, where: str) -> list[str] | None:
    """The violating labels of a cell, none for `(none)` or a label that violates nothing, None for `unsure`.

    Raises `AnswerError` for what the policy does not know.
    """
    if cell == UNSURE:
        return None
    said = [part.strip() for part in cell.split(JOIN)]
    strange = [part for part in said if part not in (*walk.policy.names, NONE)]
    if strange or (NONE in said and len(said) > 1):
        raise AnswerError(
            f"{where}: {cell[:60]!r} is no answer; write labels of policy {walk.policy.name} joined by {JOIN}, {NONE} "
            f"where none applies, or {UNSURE}"
        )
    return [one.name for one in walk.policy.labels if one.violating and one.name in said]


def record_verdicts(walk: Walk, path: Path, *, actor: str, reason: str, reviewer: str = "") -> int:
    """Put the verdicts of a filled-in sheet on record; how many. Rows without labels are not looked at yet.

    A later verdict on the same item replaces an earlier one. `reviewer` is who looked where the sheet does not say.
    """
    held, found = programme(walk), []
    known = {one.review for sample in held.samples.values() for one in sample.drawn}
    for line, row in enumerate(read_rows(path, ("review", "labels")), start=2):
        where = f"{path}, line {line}"
        who = row.get("reviewer") or reviewer
        if not row["labels"]:
            continue
        if row["review"] not in known:
            raise DataError(f"{where}: {row['review'][:40]!r} was not drawn; give a sheet of this campaign")
        if not who or "@" in who:
            what = "is an e-mail address, and the record holds pseudonyms only" if who else "is not told"
            raise DataError(f"{where}: the reviewer {what}; fill the column in, or name one with --reviewer")
        found.append({"review": row["review"], "labels": read_labels(walk, row["labels"], where), "reviewer": who})
    if found:
        _tell(walk, CHECKED, {"verdicts": found, "file": path.name}, actor, reason)
    return len(found)


def record_causes(walk: Walk, path: Path, *, actor: str, reason: str) -> int:
    """Put the causes of a filled-in sheet of errors on record; how many. Raises `DataError` for one that is none."""
    wrong = {one.drawn.decision for one in programme(walk).looked if one.error != "right"}
    found = {}
    for line, row in enumerate(read_rows(path, ("decision", "cause")), start=2):
        if not row["cause"]:
            continue
        if row["decision"] not in wrong:
            raise DataError(f"{path}, line {line}: {row['decision'][:40]!r} is no error on record; look at the sheet")
        if row["cause"] not in CAUSES:
            raise DataError(f"{path}, line {line}: {row['cause'][:40]!r} is no cause; write one of {', '.join(CAUSES)}")
        found[row["decision"]] = row["cause"]
    if found:
        _tell(walk, CAUSED, {"causes": found, "file": path.name}, actor, reason)
    return len(found)


def ask(walk: Walk, name: str, *, actor: str, reason: str) -> tuple[int, int]:
    """Ask seniors, blind, about the items of a sample that people were asked about before; how many, and how many not.

    They are questions of the last completed round, so that none waits for them; what a senior says settles the item,
    too. Items that nobody was asked about stay on the sheet: asking would take them out of the pool that later audits
    are drawn from. Raises `CampaignError` before the first round is completed.
    """
    held = programme(walk)
    sample = held.sample(name)
    completed = walk.ledger.completed("measure")
    if not completed:
        raise CampaignError("no round is completed yet, so no question can be asked beside it; use `hitl qa sheet`")
    before = set(walk.ledger.asked_items())
    open_ = {one.review: one for one in sample.drawn if one.review not in {*held.verdicts, *sample.tasks}}
    mine = {review: one for review, one in sorted(open_.items()) if one.item in before and one.position >= 0}
    if mine:
        picks = [Pick(one.position, one.item, "review", 0.5) for one in mine.values()]
        rows = walk.pool.rows(np.array([pick.position for pick in picks])).to_pylist()
        place = list(held.samples).index(sample.name)
        asking = Asking(
            campaign=walk.campaign,
            round=max(completed),
            form=replace(walk.form, queue="review"),
            repeat=_REPEAT + place,
            queue="review",
        )
        tasks = make_tasks(asking, picks, [{**row, "opinions": ""} for row in rows])
        with walk.ledger.transaction() as writer:
            writer.add_tasks(tasks)
            writer.intend("push", {task.key: task.round for task in tasks})
            told = {review: task.key for review, task in zip(mine, tasks, strict=True)}
            writer.event(ASKED, {"sample": sample.name, "tasks": told, "actor": actor, "reason": reason})
        send_intents(walk)
    return len(mine), len(open_) - len(mine)


def _tell(walk: Walk, kind: str, detail: Mapping[str, Any], actor: str, reason: str) -> None:
    if not actor.strip() or not reason.strip():
        raise ConfigError("what is put on record needs somebody who answers for it and a reason")
    with walk.ledger.transaction() as writer:
        writer.event(kind, {**detail, "actor": actor, "reason": reason})
