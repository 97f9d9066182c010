"""Times as the record holds them: ISO 8601 text, in UTC where it names no zone."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np


def utc(text: str) -> datetime:
    """The time in UTC; raises `ValueError` for text that is none.

    >>> utc("2026-03-02T23:30:00-05:00").isoformat(), utc("2026-03-02").isoformat()
    ('2026-03-03T04:30:00+00:00', '2026-03-02T00:00:00+00:00')
    """
    read = datetime.fromisoformat(text)
    try:
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies beyond the calendar") from None


def without_zone(text: str) -> str:
    """The time in UTC as text that names no zone; raises `ValueError` for text that is none.

    >>> without_zone("2026-03-02T12:00:00+02:00")
    '2026-03-02T10:00:00'
    """
    return utc(text).replace(tzinfo=None).isoformat()


def seconds_since_1970(text: str) -> float:
    """The time as a number; NaN where it is none.

    >>> seconds_since_1970("1970-01-02T00:00:00Z"), seconds_since_1970("")
    (86400.0, nan)
    """
    try:
        return utc(text).timestamp()
    except ValueError:
        return float("nan")


def datetime64(text: str) -> np.datetime64:
    """The time as datetime64[us] in UTC; NaT where it is none.

    >>> str(datetime64("2026-03-02T12:00:00+02:00")), str(datetime64("yesterday"))
    ('2026-03-02T10:00:00.000000', 'NaT')
    """
    try:
        return np.datetime64(utc(text).replace(tzinfo=None), "us")
    except ValueError:
        return np.datetime64("NaT", "us")
