"""How much of a person's work is looked at again: more of what is less known, or known to be worse."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hitl.errors import ConfigError
from hitl.types import Status
from hitl.workforce.gate import AT_LEAST, CONFIDENCE, bounds
from hitl.workforce.lifecycle import STOPPED

FACTOR: Mapping[Status, float] = MappingProxyType({"onboarding": 2.0, "watch": 2.0})
"""How many times as much of somebody's work is looked at, where they stand here."""


def audit_rate(
    status: Status,
    right: int,
    n: int,
    *,
    base: float = 0.05,
    least: float = 0.02,
    most: float = 0.5,
    at_least: float = AT_LEAST,
) -> float:
    """The share of a person's answers to audit, from where they stand and `right` of `n` answers to known items.

    It is `base` where the record just rules out more errors than are tolerated, 1 - `at_least`, and in proportion
    elsewhere: the error that counts is the upper bound of Jeffreys' interval. So a newcomer is looked at the most,
    every right answer lowers the rate, and every miss raises it. Twice as much in onboarding and on watch; always from
    `least`, so that nobody is unwatched, to `most`, which is also for those whose work was stopped. Raises
    `ConfigError` for bounds or counts that cannot be.

    >>> [round(audit_rate("active", right, n), 3) for right, n in ((0, 0), (28, 30), (20, 30), (298, 300))]
    [0.25, 0.043, 0.121, 0.02]
    """
    if not 0 <= least <= base <= most <= 1 or not 0 < at_least < 1 or not 0 <= right <= n:
        raise ConfigError(
            f"audits: least {least:g} ≤ base {base:g} ≤ most {most:g} must be shares in that order, at_least "
            f"{at_least:g} within 0 and 1, and {right} of {n} answers right"
        )
    if status in STOPPED:
        return most
    error = 1 - bounds(right, n, CONFIDENCE)[0]
    return float(min(max(base * error / (1 - at_least) * FACTOR.get(status, 1.0), least), most))
