"""The conditions of routing rules: to which cases one applies, and how it reads in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.policy import OUTS
from hitl.types import Bools
from hitl.workforce.cases import Cases


@dataclass(frozen=True)
class Condition:
    """One condition: to which cases it applies, how it reads, and how it reads of a case that it applies to."""

    applies: Callable[[Any, Cases], Bools]
    told: Callable[[Any], str]
    seen: Callable[[Any, Cases, int], str]


def _flag(column: str, yes: str, no: str) -> Condition:
    def told(value: bool) -> str:
        return yes if value else no

    return Condition(lambda value, cases: getattr(cases, column) == value, told, lambda value, cases, row: told(value))


def _from(column: str, unit: str = "") -> Condition:
    return Condition(
        lambda least, cases: getattr(cases, column) >= least,
        lambda least: f"{column} from {_number(least)}{unit}",
        lambda least, cases, row: f"{column} {_number(getattr(cases, column)[row])}{unit}, from {_number(least)}",
    )


def _coded(column: str) -> Condition:
    def applies(wanted: tuple[str, ...], cases: Cases) -> Bools:
        codes, names = getattr(cases, column)
        among = np.array([name in wanted for name in names], dtype=np.bool_)
        return among[codes] if len(among) else np.zeros(len(cases), dtype=np.bool_)

    def seen(wanted: tuple[str, ...], cases: Cases, row: int) -> str:
        codes, names = getattr(cases, column)
        return f"{column} {names[codes[row]] or 'not known'}"

    return Condition(applies, lambda wanted: f"{column} {_either(wanted)}", seen)


def _set(column: str, names: Callable[[Cases], tuple[str, ...]], told: Callable[[str], str]) -> Condition:
    def at(wanted: tuple[str, ...], cases: Cases) -> list[int]:
        return [code for code, name in enumerate(names(cases)) if name in wanted]

    def seen(wanted: tuple[str, ...], cases: Cases, row: int) -> str:
        found = [names(cases)[code] for code in at(wanted, cases) if getattr(cases, column)[row, code]]
        return told(" and ".join(found))

    return Condition(
        lambda wanted, cases: getattr(cases, column)[:, at(wanted, cases)].any(axis=1),
        lambda wanted: told(_either(wanted)),
        seen,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _either(names: Sequence[str]) -> str:
    return " or ".join(name or "not known" for name in names)


CONDITIONS: dict[str, Condition] = {
    "severity_from": _from("severity"),
    "labels": _set("named", lambda cases: cases.names, lambda words: f"{words} named"),
    "outs": _set("outs", lambda cases: OUTS, lambda words: f"somebody answered {words}"),
    "disagreement": _flag("disagreement", "people disagree", "people agree"),
    "labelled": _flag("labelled", "somebody gave a label", "nobody gave a label"),
    "resolved": _flag("resolved", "settled", "not settled"),
    "confidence_below": Condition(
        lambda below, cases: cases.confidence < below,
        lambda below: f"confidence below {below:g}",
        lambda below, cases, row: f"confidence {cases.confidence[row]:.2f}, below {below:g}",
    ),
    "regions": _coded("region"),
    "languages": _coded("language"),
    "reach_from": _from("reach", " views"),
    "flags_from": _from("flags"),
    "arms": _coded("arm"),
}
"""In the order in which they are told."""

_LISTS = ("labels", "outs", "regions", "languages", "arms")
_CEILINGS = ("confidence_below",)


def narrower(name: str, inner: Any, outer: Any) -> bool:
    """Whether all that meets the first value of a condition meets the second."""
    if name in _LISTS:
        return set(inner) <= set(outer)
    if name in _CEILINGS:
        return bool(inner <= outer)
    return bool(inner >= outer) if name.endswith("_from") else inner == outer
