"""Signals that somebody's work may have gone wrong: each proposes a talk, and none of them decides anything."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hitl.workforce.signals.at_odds import AT_ODDS
from hitl.workforce.signals.collusion import COLLUSION
from hitl.workforce.signals.copying import COPYING
from hitl.workforce.signals.drift import DRIFT
from hitl.workforce.signals.one_answer import ONE_ANSWER
from hitl.workforce.signals.proposing import LEVEL, Proposals, propose
from hitl.workforce.signals.signal import Evidence, Signal
from hitl.workforce.signals.stream import Stream
from hitl.workforce.signals.too_fast import TOO_FAST

SIGNALS: Mapping[str, Signal] = MappingProxyType(
    {signal.name: signal for signal in (AT_ODDS, ONE_ANSWER, TOO_FAST, COPYING, COLLUSION, DRIFT)}
)
"""Every signal by its name."""

__all__ = ["LEVEL", "SIGNALS", "Evidence", "Proposals", "Signal", "Stream", "propose"]
