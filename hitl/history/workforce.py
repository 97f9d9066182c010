"""Where everybody stands, and what their answers to known items propose, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class MoveRow(TypedDict):
    """One decision about where somebody stands."""

    at: str  # ISO 8601
    before: str  # empty: not on the roster until then
    after: str
    actor: str
    reason: str
    evidence: str
    ruling: str  # empty where none was needed


class GoldRow(TypedDict):
    """What the monitor makes of somebody's answers to gold items outside the exam."""

    n: int
    misses: int
    evidence: float  # an e-value: 1 says nothing
    flagged: int | None  # the answer, from 1, at which it spoke against them; None where it never did
    since: int | None  # the answer from which on they most likely were no longer good enough


class MixedUpRow(TypedDict):
    """One way in which somebody errs: how often they answer so where that is true."""

    about: str  # the label whose yes-or-no question it is of; empty where an item has one label
    truth: str
    answer: str
    share: EstimateRow


class StandingRow(TypedDict):
    """One person: a pseudonym, never a name. What is proposed a named person decides."""

    worker: str
    status: str  # empty: not on the roster
    since: str  # when they came to stand there, ISO 8601; empty where nothing was decided
    languages: list[str]
    skills: list[str]
    vendor: str
    team: str
    answers: int  # outside the exam, skips left out
    accuracy: EstimateRow  # share of known items, the exam's included, answered rightly
    gate: Literal["active", "stay", "refuse"]
    needed: int  # right answers in a row that would still open the gate
    gold: GoldRow
    audit_rate: float  # share of their answers to look at again
    proposal: str  # a status, or empty where the record proposes none
    why: str  # in words; empty where nothing is proposed
    moves: list[MoveRow]  # every decision about where they stand, the first one first


class WorkforceRow(TypedDict):
    """Everybody who works, and how they err."""

    people: list[StandingRow]  # in the order of their pseudonyms
    mixed_up: dict[str, list[MixedUpRow]]  # of those who surely make an error, the likeliest first
