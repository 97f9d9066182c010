"""Calibration sessions on record: opened with a key, answered before and after, and what they brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hitl.errors import CampaignError, DataError
from hitl.history import EstimateRow, estimate_row
from hitl.history.qa import MissedRow, SessionRow, StandingRow
from hitl.labels import AnswerTable
from hitl.metrics.qa.sessions import JOIN, Standing, changes, standing
from hitl.rounds.qa_record import programme
from hitl.rounds.qa_sheets import read_labels, read_rows
from hitl.rounds.walk import Walk
from hitl.workforce.qa.sessions import ANSWERED, CLOSED, KINDS, OPENED, Phase, Session, advance, fold

SHEET = ("item", "content", "language", "labels", "worker")
"""Columns of a session's sheet: the key is on none."""


def key_of_sample(walk: Walk, name: str, size: int) -> dict[str, list[str]]:
    """A key from a sample's verdicts: items that were decided wrongly first, then others, by the chance of their names.

    Raises `CampaignError` where nothing of it was looked at.
    """
    held = programme(walk)
    sample = held.sample(name)
    mine = [one for one in held.looked if one.drawn.review in {drawn.review for drawn in sample.drawn}]
    ranked = sorted(mine, key=lambda one: (one.error == "right", one.drawn.review))
    key = {one.drawn.item: list(one.verdict.labels or ()) for one in ranked}
    if not key:
        raise CampaignError(f"nothing of {sample.name} was looked at yet, so there is no key; bring verdicts first")
    return dict(list(key.items())[:size])


def key_of_file(walk: Walk, path: Path) -> dict[str, list[str]]:
    """A key from a .csv or .jsonl file with the columns `item` and `labels`. Raises `DataError` for an open item."""
    key = {}
    for line, row in enumerate(read_rows(path, ("item", "labels")), start=2):
        labels = read_labels(walk, row["labels"], f"{path}, line {line}")
        if labels is None or not row["item"]:
            raise DataError(f"{path}, line {line}: a key names the item and what is right; leave the open ones out")
        key[row["item"]] = labels
    return key


def open_session(walk: Walk, title: str, key: Mapping[str, Sequence[str]], *, actor: str, reason: str) -> Session:
    """Put a session on record; it is known by its number."""
    told = {"title": title, "key": {item: list(labels) for item, labels in key.items()}}
    return _put(walk, OPENED, "", told, actor, reason)


def answer_session(walk: Walk, number: str, phase: Phase, path: Path, *, actor: str, reason: str) -> int:
    """Put the answers of a filled-in sheet on record, with the columns `item`, `worker` and `labels`; how many."""
    answers = []
    for line, row in enumerate(read_rows(path, ("item", "worker", "labels")), start=2):
        where = f"{path}, line {line}"
        if not row["labels"]:
            continue
        if not row["worker"] or "@" in row["worker"]:
            raise DataError(f"{where}: the worker is a pseudonym; fill it in, and no address")
        labels = read_labels(walk, row["labels"], where)
        if labels is not None:
            answers.append([row["item"], row["worker"], labels])
    if answers:
        _put(walk, ANSWERED, number, {"phase": phase, "answers": answers}, actor, reason)
    return len(answers)


def close_session(walk: Walk, number: str, *, actor: str, reason: str) -> Session:
    """End a session."""
    return _put(walk, CLOSED, number, {}, actor, reason)


def session_sheet(walk: Walk, number: str) -> list[dict[str, str]]:
    """A row an item of a session, to be filled in by everybody; what the pool does not hold comes without content."""
    held = fold(walk.ledger.events(*KINDS)).get(number)
    if held is None:
        raise CampaignError(f"there is no session {number}; `hitl qa sessions` tells all")
    told = []
    for item in sorted(held.key):
        row = _pool_row(walk, item)
        content = str(row.get("text") or row.get("media") or "")
        told.append(
            {"item": item, "content": content, "language": str(row.get("language") or ""), "labels": "", "worker": ""}
        )
    return told


def session_rows(walk: Walk) -> list[SessionRow]:
    """Every session with what it brought, in the order in which they were opened."""
    return [session_row(walk, one) for one in fold(walk.ledger.events(*KINDS)).values()]


def session_row(walk: Walk, session: Session) -> SessionRow:
    """One session as JSON."""
    rng = np.random.default_rng(walk.seed(int(session.id[1:]), "qa session"))
    stood = {phase: _standing(session, phase, rng) for phase in ("before", "after")}
    moved: list[EstimateRow | None] = [None, None]
    if stood["before"] and stood["after"]:
        moved = [estimate_row(one) for one in changes(stood["before"], stood["after"])]
    return SessionRow(
        session=session.id,
        title=session.title,
        opened=session.opened,
        closed=session.closed,
        items=len(session.key),
        before=_row(stood["before"]),
        after=_row(stood["after"]),
        alpha=moved[0],
        right=moved[1],
    )


def _standing(session: Session, phase: Any, rng: np.random.Generator) -> Standing | None:
    said = session.said.get(phase, {})
    if not said:
        return None
    table = AnswerTable.of([(item, who, JOIN.join(sorted(labels))) for (item, who), labels in said.items()])
    return standing(table, session.key, rng)


def _row(found: Standing | None) -> StandingRow | None:
    if found is None:
        return None
    return StandingRow(
        people=found.people,
        answers=found.answers,
        alpha=estimate_row(found.alpha),
        right=estimate_row(found.right),
        by_person={person: estimate_row(one) for person, one in found.by_person.items()},
        missed=[
            MissedRow(clause=one.clause, left_out=estimate_row(one.left_out), put_in=estimate_row(one.put_in))
            for one in found.missed
        ],
    )


def _pool_row(walk: Walk, item: str) -> Mapping[str, Any]:
    from hitl.errors import PoolError

    try:
        row: Mapping[str, Any] = walk.pool.rows(walk.positions([item])).to_pylist()[0]
    except PoolError:
        return {}
    return row


def _put(walk: Walk, kind: str, number: str, detail: Mapping[str, Any], actor: str, reason: str) -> Session:
    with walk.ledger.transaction() as writer:
        held = fold(writer.events(*KINDS))
        number = number or f"s{len(held) + 1}"
        told = {"session": number, "actor": actor, "reason": reason, **detail}
        # What is not allowed is refused before it is on record.
        advance(held, {"number": 0, "at": "", "kind": kind, "detail": told})
        writer.event(kind, told)
    return fold(walk.ledger.events(*KINDS))[number]
