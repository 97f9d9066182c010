"""Signals that somebody's work may have gone wrong, as JSON: proposals to look, and nothing else."""

from __future__ import annotations

from typing import TypedDict


class ProposalRow(TypedDict):
    """One person whom one signal names: a pseudonym, the evidence, and what to do before anybody is judged."""

    worker: str
    signal: str
    title: str
    told: str  # the evidence in one sentence; label names in it are the policy's
    look: str
    innocent: str
    partner: str  # of a collusion, else empty
    answers: int  # that bear on it
    p: float  # that an honest person's evidence ever gets so far, at most
    adjusted: float  # allowing for all people and signals (Holm)


class SignalRow(TypedDict):
    """One signal: how many people it could tell anything about."""

    signal: str
    title: str
    people: int  # with enough answers
    few: int  # with too few
    named: int


class SignalsRow(TypedDict):
    """What the signals say of all answers that count up to a round."""

    level: float  # chance that anybody is named without cause, in the whole campaign
    people: int
    answers: int
    compared: int  # answers to items that are gold, or that others judged, too
    shown: int  # answers given beside a shown prediction
    signals: list[SignalRow]
    proposals: list[ProposalRow]  # by person, in alphabetical order: no ranking
