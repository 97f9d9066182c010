"""A server's answer: received within bounds, and read as what it may be, which is anything."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from hitl.errors import ServerRefused, ServerUnreachable

ANSWER_BYTES = 256 * 2**20
SLOWEST = 1024.0
"""Bytes a second: an answer that comes more slowly is given up, however steadily it drips."""

RETRY_AFTER_SECONDS = 60.0
"""How long a server may make us wait before the next request."""


@dataclass(frozen=True)
class Answer:
    """Status, headers and the whole body."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def told(self) -> Any:
        """The body's JSON, None where there is no body. Raises `ValueError` when it is something else."""
        try:
            return json.loads(self.content) if self.content else None
        except RecursionError:
            raise ValueError("nested too deeply") from None

    @property
    def detail(self) -> str:
        """A server's `detail` and the names of the fields it complains about; their content stays out."""
        try:
            told = self.told
        except ValueError:
            return ""
        if not isinstance(told, dict):
            return ""
        fields = told.get("validation_errors")
        named = f" (about {', '.join(map(str, fields))})" if isinstance(fields, dict) else ""
        return f"{told.get('detail', '')}{named}"

    @property
    def retry_after(self) -> float:
        """How many seconds the server wants to be left alone, bounded; it says so in seconds or as a date."""
        told = self.headers.get("retry-after", "").strip()
        try:
            seconds = float(told) if told.isdigit() else parsedate_to_datetime(told).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
        return min(max(seconds, 0.0), RETRY_AFTER_SECONDS)

    @property
    def pointed(self) -> str:
        """Where a redirect points: the server alone, without what else the address holds."""
        try:
            there = urlsplit(self.headers.get("location", ""))
        except ValueError:
            return "an address that is none"
        return f"{there.scheme}://{there.netloc.rpartition('@')[2]}"


def receive(answer: httpx.Response, named: str, patience: float) -> Answer:
    """Read a streamed answer; the time-outs of httpx are for each piece of it, these bounds for the whole.

    Raises `ServerRefused` when it is too large, `ServerUnreachable` when it drips. O(bytes) memory, bounded.
    """
    begun, size = time.monotonic(), 0
    parts: list[bytes] = []
    for part in answer.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES:
            raise ServerRefused(
                f"{named}: the answer is larger than {ANSWER_BYTES >> 20} MiB and was not read on; "
                "is it a Label Studio?"
            )
        if time.monotonic() - begun > patience + size / SLOWEST:
            raise ServerUnreachable(f"{named}: the answer comes too slowly; try again")
    return Answer(answer.status_code, answer.headers, b"".join(parts))
