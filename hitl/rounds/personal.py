"""What the record holds of one person: handed out to them, or made nobody's."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hitl.errors import WorkforceError
from hitl.ledger.erasing import ERASED, Erasure
from hitl.rounds.people import people
from hitl.rounds.review import LONGEST_NOTE
from hitl.rounds.walk import Walk
from hitl.rounds.workforce import decisions, states
from hitl.tasks.content import readable
from hitl.types import Worker
from hitl.workforce.lifecycle import DESCRIBED, MOVED

GONE = "worker erased"
"""The event that tells that somebody's data was erased, and not whose."""

_FREE = ("reason", "evidence", "note", "claim", "comment", "statement")
"""What people wrote in their own words, in events about others."""


def data(walk: Walk, worker: str) -> dict[str, Any]:
    """Everything on record that names a person, as JSON: for them, when they ask.

    Their figures and decisions, every revision of every answer, drafts, and whatever in events, figures and steps of
    rounds has their pseudonym; not which items are gold. What is there of others stands beside it under pseudonyms:
    read it before it is handed out. Raises `WorkforceError` where nothing names them.
    """
    held, known = walk.ledger.held(worker), states(walk.ledger).get(worker)
    if not held and known is None:
        raise _nobody(worker)
    mine = [row for row in people(walk, walk.ledger.annotations()) if row["worker"] == worker]
    stands = {name: value for name, value in asdict(known or Worker(worker)).items() if name not in ("id", "moves")}
    return {
        "campaign": walk.campaign,
        "worker": worker,
        **stands,
        "decisions": decisions(known) if known else [],
        "figures_over_all": mine[0] if mine else None,
        **asdict(held),
    }


def erase(walk: Walk, worker: str, actor: str) -> bool:
    """Make a person's data nobody's, for good; whether the file keeps no trace of it either.

    Everywhere in the record a fresh random pseudonym takes the place of theirs, and nothing links the two: answers and
    what rests on them stay as they are. Notes go, also where seniors were shown them, and so do reasons and evidence in
    events that name the person, their languages, skills, vendor and team. One event tells that it was done, by whom,
    and not about whom. A later look at the server brings neither name nor notes back.

    What this cannot do: Label Studio has the answers, notes and the account, and they are to be deleted there (whoever
    goes on to answer comes under the old pseudonym, which is made of their address); reports, exports and rosters that
    were written before, backups, and the log of a PostgreSQL are their keepers'; a file is freed of old pages only
    while nobody else reads it. Ids of answers are the server's and stay. Who knows when somebody answered what can
    still find their answers by that. Raises `WorkforceError` where nothing names them, or they may be at work.
    """
    known = states(walk.ledger).get(worker, Worker(worker))
    _check_left(known)
    if actor.strip() in ("", worker):
        raise WorkforceError("an erasure is done by somebody else, whom the record names; say who")
    erasure = Erasure(worker, f"{ERASED}{secrets.token_hex(8)}", forgotten, _quoted)
    with walk.ledger.transaction() as writer:
        if not writer.erase(erasure):
            raise _nobody(worker)
        writer.event(GONE, {"actor": actor, "reason": "asked for", "evidence": ""})
    return walk.ledger.vacuum()


def forgotten(kind: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """The detail of an event that names somebody, without anybody's own words, and without what describes them."""
    free = (*_FREE, "ruling") if kind == MOVED else _FREE
    kept = {
        name: "(erased)" if name in free and value and isinstance(value, str) else value
        for name, value in detail.items()
    }
    return kept | {"languages": [], "skills": [], "vendor": "", "team": ""} if kind == DESCRIBED else kept


def _quoted(note: str) -> str:
    """A note as `hitl.rounds.review.opinions` shows it."""
    return readable(" ".join(note.split())[:LONGEST_NOTE])


def _nobody(worker: str) -> WorkforceError:
    return WorkforceError(f"nothing on record names {worker!r}; `hitl people list` tells who there is")


def _check_left(worker: Worker) -> None:
    """Raise `WorkforceError` where somebody may be at work: what they did next would be a stranger's."""
    if worker.status not in ("", "applied", "offboarded", "blacklisted"):
        raise WorkforceError(
            f"{worker.id} is {worker.status}: their next answer would come under the old pseudonym again; take them "
            f"off the server, and call `hitl people move {worker.id} offboarded` first"
        )
