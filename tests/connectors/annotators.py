"""Annotators who work on the server itself; what they do depends on names alone, so that two plays are alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from hitl.connectors.studio.http import Http
from hitl.demo.people import Account, Waiting
from hitl.policy import Policy
from hitl.tasks import Form, encode
from hitl.types import Answer

POLICY = Policy.parse(
    "{name: stalls, version: '1', labels: [{name: fine, violating: false}, {name: spam}, {name: scam}]}"
)
FORM = Form(policy=POLICY)
LABELS = tuple(label.name for label in POLICY.labels)


def work(people: Sequence[Account], project: int, script: int, *, amend: bool) -> None:
    """Everybody answers what wants answers; to `amend`, one answer is changed after that, and one taken back."""
    given: list[tuple[int, Waiting, Account]] = []
    for task in _first_copies(people[0].tasks(project)):
        wanted = task.overlap + task.skips - len(task.people)
        free = [one for one in people if one.user_id not in task.people]
        asked = sorted(free, key=lambda one: chance(script, task.key, one.email))[: max(wanted, 0)]
        given += [
            (chance(script, task.key, person.email, "order"), task, person)
            for person in asked
            if _answered(person, task, chance(script, task.key, person.email, "says"))
        ]
    given.sort(key=lambda one: one[0])
    if amend:
        for (_, task, person), amendment in zip(given, (_edit, _take_back), strict=False):
            amendment(person, task)


def chance(*names: object) -> int:
    """A number that depends on the names alone."""
    return int.from_bytes(blake2b(repr(names).encode(), digest_size=6).digest())


def _first_copies(there: Iterable[Waiting]) -> list[Waiting]:
    first: dict[str, Waiting] = {}
    for task in sorted(there, key=lambda one: one.id):
        first.setdefault(task.key, task)
    return sorted(first.values(), key=lambda one: one.key)


def _answered(person: Account, task: Waiting, says: int) -> bool:
    if says % 9 == 0:
        person.skip(task, 3.0)
        return False
    person.submit(task, encode(FORM, Answer((LABELS[says % 3],))), float(says % 50))
    return True


def _of(person: Account, task: Waiting, admin: Http) -> list[dict[str, Any]]:
    told = admin.read(f"/api/tasks/{task.id}/")["annotations"]
    return [row for row in told if row["completed_by"] == person.user_id and not row["was_cancelled"]]


def _edit(person: Account, task: Waiting) -> None:
    result = encode(FORM, Answer((LABELS[chance(task.key, "edit") % 3],)))
    _deed(person, task, "PATCH", {"result": result, "lead_time": 60.0})


def _take_back(person: Account, task: Waiting) -> None:
    _deed(person, task, "DELETE", None)


def _deed(person: Account, task: Waiting, method: str, body: object) -> None:
    own = Http(person.url, person.token)
    try:
        for row in _of(person, task, own):
            own.rewrite(method, f"/api/annotations/{row['id']}/", body)
    finally:
        own.close()
