"""Values of those who work: who they are to a campaign, and what was decided about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["", "applied", "onboarding", "active", "watch", "suspended", "offboarded", "blacklisted"]
"""Where somebody stands; empty where nobody has entered them on the roster, and nothing was decided."""


@dataclass(frozen=True)
class Move:
    """A person's status became another: who decided it, why, on what, and when. `before` is empty for the first.

    `ruling` names the decision, after the person was heard, that a move back or a blacklisting rests on.
    """

    worker: str  # a pseudonym
    before: Status
    after: Status
    actor: str
    reason: str
    evidence: str = ""
    ruling: str = ""
    at: str = ""  # ISO 8601


@dataclass(frozen=True)
class Described:
    """What a person reads and can do, and for whom they work, is from now on this."""

    worker: str  # a pseudonym
    actor: str
    reason: str
    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    vendor: str = ""
    team: str = ""
    evidence: str = ""
    at: str = ""  # ISO 8601


WorkerEvent = Move | Described
"""What changes a worker."""


@dataclass(frozen=True)
class Worker:
    """One person who works on a campaign: a pseudonym, where they stand, and every move that led there.

    Nothing here says who it is: names, addresses and accounts at a bank have no field.
    """

    id: str  # a pseudonym
    status: Status = ""
    languages: tuple[str, ...] = ()  # that they read; empty: not known, and taken as any
    skills: tuple[str, ...] = ()
    vendor: str = ""
    team: str = ""
    moves: tuple[Move, ...] = ()
