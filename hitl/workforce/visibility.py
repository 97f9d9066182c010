"""Who may see what, and who may work where: rules in tables, asked by two functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from hitl.types import Queue, Status, Worker

Role = Literal["reviewer", "senior", "lead", "ruling"]
"""What somebody does for the campaign; `ruling` hears people and decides about them."""

ROLES: tuple[Role, ...] = get_args(Role)

Thing = Literal["record", "signals", "history", "gold_key", "identity"]
"""A person's figures, what is suspected of them, what was decided about them, which items are gold and their labels,
and who a pseudonym is. The last no record holds: it is the server's, and named here so that nobody is shown it."""

Scope = Literal["none", "own", "team", "all"]

SEES: Mapping[Thing, Mapping[Role, Scope]] = MappingProxyType(
    {
        "record": {"reviewer": "own", "senior": "own", "lead": "team", "ruling": "all"},
        "signals": {"reviewer": "none", "senior": "none", "lead": "team", "ruling": "all"},
        "history": {"reviewer": "own", "senior": "own", "lead": "team", "ruling": "all"},
        "gold_key": {"reviewer": "none", "senior": "none", "lead": "none", "ruling": "all"},
        "identity": {"reviewer": "none", "senior": "none", "lead": "none", "ruling": "all"},
    }
)
"""Whose things each role sees: nobody's, their own, those of their own team, or everybody's."""


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks: who they are, and what they do for the campaign."""

    worker: Worker
    role: Role = "reviewer"


def may_see(viewer: Viewer, thing: Thing, whose: Worker) -> bool:
    """Whether the viewer sees this of somebody; a team without a name is nobody's.

    >>> ana, bo = Worker("w-1", team="night"), Worker("w-2", team="night")
    >>> [may_see(Viewer(ana, role), "record", bo) for role in ROLES], may_see(Viewer(ana), "record", ana)
    ([False, False, True, True], True)
    """
    scope = SEES[thing][viewer.role]
    own = viewer.worker.id == whose.id
    together = viewer.worker.team != "" and (viewer.worker.vendor, viewer.worker.team) == (whose.vendor, whose.team)
    return scope == "all" or (scope != "none" and own) or (scope == "team" and together)


OPENS: Mapping[Queue, tuple[Status, ...]] = MappingProxyType({"exam": ("onboarding",), "": ("", "active", "watch")})
"""Where somebody must stand to work in the exam, and in the campaign's own queue: without a roster everybody may.
Every other queue is open to those who are active and have the skill that is called like it, e.g. `review`."""


def may_work(worker: Worker, queue: Queue, language: str = "") -> bool:
    """Whether somebody may be given an item of a queue, in a language ("": not known): by status, skills and languages.

    Somebody whose languages are not known is taken to read all.

    >>> budi = Worker("w-1", "active", languages=("id", "en"))
    >>> may_work(budi, "", "id"), may_work(budi, "", "de"), may_work(budi, "review", "id")
    (True, False, False)
    """
    reads = not language or not worker.languages or language in worker.languages
    able = worker.status in OPENS[queue] if queue in OPENS else worker.status == "active" and queue in worker.skills
    return able and reads
