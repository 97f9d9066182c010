"""When to ask again, and how fast: pauses that grow, pauses that a server asks for, and buckets of tokens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b

FIRST, LONGEST = 0.5, 60.0
"""Seconds of the first pause, and of the longest that is not asked for by the server."""


@dataclass(frozen=True)
class Clock:
    """Where seconds come from and how they pass; a test has its own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


WALL = Clock()
"""The machine's own."""


def pause(attempt: int, key: str) -> float:
    """Seconds to wait after failed attempt `attempt` (from 0): exponential, with the upper half left to chance.

    Chance is a hash of `key` and attempt, so that requests which failed together do not return together, and a run
    can be repeated.

    >>> 4.0 <= pause(4, "zonk") <= 8.0
    True
    """
    drawn = int.from_bytes(blake2b(f"{attempt} {key}".encode(), digest_size=8).digest()) / 2**64
    return min(LONGEST, FIRST * 2.0**attempt) * (0.5 + 0.5 * drawn)


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for, as a number or a date; None when it says nothing that can be read.

    >>> retry_after("7"), retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), retry_after("soon"), retry_after("-1")
    (7.0, 0.0, None, None)
    """
    if header is None:
        return None
    header = header.strip()
    if header.isascii() and header.replace(".", "", 1).isdigit():
        return float(header)
    try:
        wanted = parsedate_to_datetime(header)
    except ValueError:
        return None
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    return max(0.0, (wanted - (now or datetime.now(UTC))).total_seconds())


class Bucket:
    """A bucket of permits that fills at `per_minute` and holds those of `burst` seconds, from any thread.

    In any minute it gives out no more than a minute's worth and what it holds. Without a rate nobody waits.
    Who finds it empty books ahead, so that the order of asking is kept. Source: the token bucket of traffic shaping.
    """

    def __init__(self, per_minute: float | None, clock: Clock, burst: float = 1.0) -> None:
        self._rate = None if per_minute is None else per_minute / 60
        self._clock, self._lock = clock, threading.Lock()
        self._most = 0.0 if self._rate is None else max(1.0, self._rate * burst)
        self._level, self._then = self._most, clock.now()

    def book(self, amount: float = 1.0) -> float:
        """Take `amount` permits (give some back, where it is negative), and say how many seconds to wait for them.

        >>> at = [0.0]
        >>> bucket = Bucket(60, Clock(now=lambda: at[0]))
        >>> bucket.book(), bucket.book(), bucket.book()
        (0.0, 1.0, 2.0)
        """
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock.now()
            # What is given back was waited for already, so that only time's filling stops at the brim.
            filled = max(self._level, min(self._most, self._level + (now - self._then) * self._rate))
            self._level, self._then = filled - amount, now
            return max(0.0, -self._level / self._rate)
