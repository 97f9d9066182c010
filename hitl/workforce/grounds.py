"""What every decision about people rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hitl.errors import WorkforceError


@dataclass(frozen=True)
class Grounds:
    """Who decides, why, and on what evidence; `actor` is a named person, by a pseudonym where they have one.

    Raises `WorkforceError` where nobody decides, or for no reason.

    >>> Grounds("lea", "")
    Traceback (most recent call last):
    hitl.errors.WorkforceError: a decision about people has a reason; say why
    """

    actor: str
    reason: str
    evidence: str = ""

    def __post_init__(self) -> None:
        if not self.actor.strip():
            raise WorkforceError("a decision about people is somebody's; say who decides")
        if not self.reason.strip():
            raise WorkforceError("a decision about people has a reason; say why")

    @property
    def told(self) -> dict[str, str]:
        """As an event's detail has it."""
        return asdict(self)
