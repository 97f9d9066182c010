"""What asking cost: requests, tokens and money."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What answers cost; `money` is in the currency of the prices, `retries` are among the `requests`.

    `estimated` requests told no usage: their tokens are reckoned from bytes. `cached` answers cost nothing.

    >>> Cost(requests=2, money=0.5) + Cost(requests=1, cached=3)
    Cost(requests=3, retries=0, prompt_tokens=0, completion_tokens=0, estimated=0, cached=3, money=0.5)
    """

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    cached: int = 0
    money: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{part.name: getattr(self, part.name) + getattr(other, part.name) for part in fields(self)})

    def __sub__(self, other: Cost) -> Cost:
        return Cost(**{part.name: getattr(self, part.name) - getattr(other, part.name) for part in fields(self)})

    def told(self) -> dict[str, Any]:
        """The cost as plain values."""
        return asdict(self)


class Tally:
    """A cost that grows, from any thread."""

    def __init__(self) -> None:
        self._lock, self._cost = threading.Lock(), Cost()

    def add(self, cost: Cost) -> None:
        """Count more."""
        with self._lock:
            self._cost += cost

    @property
    def cost(self) -> Cost:
        """All that was counted so far."""
        with self._lock:
            return self._cost


def tokens_of(text: str) -> int:
    """About how many tokens a text has: a third of its bytes, which is rather too many for most languages."""
    return len(text.encode("utf-8", "replace")) // 3 + 1
