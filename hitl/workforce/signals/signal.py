"""What a signal is: from everybody's answers to evidence about each person, and the words that go with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hitl.types import Floats, Ints
from hitl.workforce.signals.evidence import Bet, possible, strongest
from hitl.workforce.signals.stream import Stream


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one signal finds of w people.

    `log_e` (w,) is the logarithm of the strongest evidence at any time, and `possible` (w,) what it could have come to
    with so many answers. `answers` (w,) bear on it; on `hits` (w,) of them the thing happened, where it would have
    happened `usual` (w,) times to a typical person. `about` (w,) is the label or partner that it is about, -1 for none.
    """

    log_e: Floats
    possible: Floats
    answers: Ints
    hits: Ints
    usual: Floats
    about: Ints

    @property
    def p(self) -> Floats:
        """(w,) the chance at most that an honest person's evidence ever gets here, however often one looks."""
        return np.asarray(np.exp(-np.maximum(self.log_e, 0.0)))

    def __repr__(self) -> str:
        return f"Evidence({len(self.log_e)} people, smallest p {self.p.min(initial=1.0):.2g})"


@dataclass(frozen=True)
class Signal:
    """One way in which work goes wrong: how it shows, and what is to be said before anybody is judged by it.

    `find` is pure. `told(stream, evidence, worker)` is the evidence in one sentence with numbers; `look` says what a
    lead should look at, `innocent` what else could explain it.
    """

    name: str
    title: str
    find: Callable[[Stream], Evidence]
    told: Callable[[Stream, Evidence, int], str]
    look: str
    innocent: str

    def __repr__(self) -> str:
        return f"Signal({self.name!r})"


def weigh(stream: Stream, bets: list[Bet], usual: Floats, *, change: bool = False) -> Evidence:
    """The evidence of bets on the stream's answers (m,); the first tells what is counted, and `usual` (m,) its rate."""
    w, first = len(stream.workers), bets[0]
    return Evidence(
        log_e=strongest(bets, stream.worker, w, change=change),
        possible=possible(bets, stream.worker, w, change=change),
        answers=np.bincount(stream.worker[first.active], minlength=w),
        hits=np.bincount(stream.worker[first.active & first.hit], minlength=w),
        usual=np.bincount(stream.worker[first.active], usual[first.active], minlength=w).astype(np.float64),
        about=np.full(w, -1),
    )


def counted(number: float) -> str:
    """An expected count in words: without decimals from 10 on."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"
