"""The gate before the work, and an eye on it after: what answers to known items say of a person's accuracy.

Both propose, and decide nothing. The gate is for an exam of a length that is set beforehand; the monitor may be looked
at after every single answer, for years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.errors import ConfigError
from hitl.types import Bools, Estimate, Floats

AT_LEAST = 0.8
"""The share of right answers that is asked of everybody, unless a campaign says otherwise."""

CONFIDENCE = 0.95
"""With which the gate opens or closes."""

FALSE_ALARMS = 0.01
"""At most so many of those who are good enough are ever flagged, however long they work."""

_LEVELS = 24  # accuracies that are looked for, evenly below the one asked for


@dataclass(frozen=True)
class Gate:
    """What an exam speaks for, with the accuracy behind it: `active`, `stay` (not decided) or `refuse`.

    `needed` is how many right answers in a row would still open the gate; 0 where it is open.
    """

    proposal: Literal["active", "stay", "refuse"]
    accuracy: Estimate
    needed: int


def gate(right: int, n: int, at_least: float = AT_LEAST, confidence: float = CONFIDENCE) -> Gate:
    """Whether `right` of `n` answers show an accuracy of `at_least`, with a posterior probability of `confidence`.

    Jeffreys' prior, Beta(1/2, 1/2); the interval's ends are its one-sided bounds, which cover about as often as they
    say (Brown, Cai and DasGupta 2001, Statistical Science 16:101). It opens where the lower bound reaches `at_least`,
    closes where the upper one stays below, and is undecided between. An exam of fewer questions than
    `gate(0, 0).needed` can be passed by nobody; in one of ten, luck lets in 11 % of those who are just at .8. Raises
    `ConfigError` for counts or shares that cannot be.

    >>> gate(20, 20).proposal, gate(18, 20).proposal, gate(10, 20).proposal
    ('active', 'stay', 'refuse')
    >>> gate(0, 0).needed
    9
    """
    if not 0 <= right <= n:
        raise ConfigError(f"gate: {right} of {n} answers cannot be right; give counts with 0 ≤ right ≤ n")
    _within("gate: at_least", at_least)
    _within("gate: confidence", confidence)
    low, high = bounds(right, n, confidence)
    value, method = (right / n, "Jeffreys") if n else (float("nan"), "nothing is answered yet")
    accuracy = Estimate("accuracy", value, low, high, n, level=round(2 * confidence - 1, 12), method=method)
    if low >= at_least:
        return Gate("active", accuracy, 0)
    return Gate("refuse" if high < at_least else "stay", accuracy, _needed(right, n, at_least, confidence))


def bounds(right: int, n: int, confidence: float) -> tuple[float, float]:
    """Jeffreys' one-sided lower and upper bound of a share, each at `confidence`; 0 and 1 where nothing was seen."""
    from scipy.special import betaincinv

    if not n:
        return 0.0, 1.0
    low, high = betaincinv(right + 0.5, n - right + 0.5, [1 - confidence, confidence])
    return float(low) if right else 0.0, float(high) if right < n else 1.0


def _needed(right: int, n: int, at_least: float, confidence: float) -> int:
    """The fewest further right answers after which the lower bound reaches `at_least`; O(log of them)."""

    def enough(more: int) -> bool:
        return bounds(right + more, n + more, confidence)[0] >= at_least

    top = 1
    while not enough(top):
        top *= 2
    bottom = top // 2
    while top - bottom > 1:
        middle = (top + bottom) // 2
        bottom, top = (bottom, middle) if enough(middle) else (middle, top)
    return top


@dataclass(frozen=True)
class Monitored:
    """What somebody's answers to gold items, in the order given, say against an accuracy that is good enough.

    `evidence` is the e-value now: a bet of 1 that they are not good enough has become so much. `flagged` is the number
    of the answer (from 1) with which it first came to one over the false-alarm rate, None where it never did; `since`
    is then the answer from which on they most likely were no longer good enough, 1 where they never were.
    """

    n: int
    misses: int
    evidence: float
    flagged: int | None = None
    since: int | None = None


def monitor(right: Bools, at_least: float = AT_LEAST, false_alarms: float = FALSE_ALARMS) -> Monitored:
    """Look at answers (n,), right or not, one after another: flags as soon as the evidence allows, and never stops.

    Whoever is right with a probability of `at_least` or more at every answer is *ever* flagged with a probability of
    `false_alarms` at most, wherever one looks and stops (Ville's inequality). The bet is a mixture of likelihood ratios
    over how bad they are (evenly from 0 to `at_least`: nobody's error rate must be guessed) and over the answer k with
    which it began (weight 1 / (k (k + 1))): who was good for a year and then drifts is found soon, at a price of
    2 log k in evidence. Robbins (1970, Annals of Mathematical Statistics 41:1397) for mixtures; Shin, Ramdas and
    Rinaldo (2024, JRSS B 86:229) for tests restarted at every time. O(n) time and memory.
    Raises `ConfigError` for shares outside (0, 1).

    >>> monitor(np.ones(500, dtype=bool)).flagged, monitor(np.zeros(9, dtype=bool)).flagged
    (None, 5)
    """
    _within("monitor: at_least", at_least)
    _within("monitor: false_alarms", false_alarms)
    n = len(right)
    if not n:
        return Monitored(0, 0, 1.0)
    steps, started = _bets(np.asarray(right, dtype=bool), at_least)
    # What stakes on starts to come has not been bet: it stays as it is.
    left = 1 / np.arange(2.0, n + 2)
    evidence = np.exp(np.minimum(_mean(steps + started), 700.0)) + left
    over = np.flatnonzero(evidence >= 1 / false_alarms)
    found = int(over[0]) if len(over) else None
    since = None if found is None else _start(steps, found)
    at = None if found is None else found + 1
    return Monitored(n, int(n - np.count_nonzero(right)), float(evidence[-1]), at, since)


def _bets(right: Bools, at_least: float) -> tuple[Floats, Floats]:
    """(n, levels) sums of log likelihood ratios from the first answer, and logs of what all starts until then add."""
    worse = at_least * (np.arange(_LEVELS) + 0.5) / _LEVELS
    ratios = np.where(right[:, None], np.log(worse / at_least), np.log((1 - worse) / (1 - at_least)))
    steps: Floats = ratios.cumsum(axis=0)
    stakes = _stakes(len(right))[:, None] - (steps - ratios)
    return steps, np.logaddexp.accumulate(stakes, axis=0)


def _stakes(n: int) -> Floats:
    """Logs of the weights of n starts, which over all starts add up to 1."""
    k = np.arange(1.0, n + 1)
    return np.asarray(-np.log(k * (k + 1)))


def _start(steps: Floats, found: int) -> int:
    """The start (from 1) whose bet had won the most by the answer `found`; the earliest of those alike."""
    before = np.vstack([np.zeros(steps.shape[1]), steps[:found]])
    return int(np.argmax(_mean(steps[found] - before) + _stakes(found + 1))) + 1


def _mean(logs: Floats) -> Floats:
    """The log of the mean over the last axis of what the logs are of."""
    return np.asarray(np.logaddexp.reduce(logs, axis=-1) - np.log(logs.shape[-1]))


def _within(name: str, share: float) -> None:
    if not 0 < share < 1:
        raise ConfigError(f"{name} is {share:g}; give a share above 0 and below 1")
