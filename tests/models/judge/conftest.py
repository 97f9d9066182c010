"""The badly behaved server, and time that passes only in thought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType

import pytest
from judge import serving

from hitl.models.judge.waiting import Clock


@dataclass
class Thought:
    """A clock whose seconds pass when somebody sleeps."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def thought() -> Thought:
    return Thought()


@pytest.fixture
def serve() -> ModuleType:
    return serving


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[serving.Served]:
    monkeypatch.setenv("ZONK_KEY", serving.KEY)
    with serving.serving() as running:
        yield running
