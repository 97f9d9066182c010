"""What is put to a judge, wherever it runs, and how its judgements come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hitl.models.judge.answers import Judgement
from hitl.models.judge.cost import Cost
from hitl.models.judge.prompt import Form

Answered = Callable[[int, Judgement], None]
"""Told the number of the question and its judgement as soon as it is there, from any thread; it may raise to stop."""


@dataclass(frozen=True)
class Question:
    """What is put to a judge: the policy's system message and one piece of content."""

    system: str
    content: str


class Judge(Protocol):
    """Something that judges; what it cost is counted as it goes."""

    @property
    def form(self) -> Form:
        """Which form of the prompt it is to be asked with."""

    @property
    def cost(self) -> Cost:
        """What it cost so far."""

    def price(self, question: Question) -> float:
        """About what a question will cost."""

    def ask(self, questions: Sequence[Question], answered: Answered) -> None:
        """Judge all of them, in any order; raises `ModelError` for what concerns all of them."""
