"""Judged items as rules see them: one alone, or many as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hitl.policy import OUTS
from hitl.types import Bools, Floats, Ints

Coded = tuple[Ints, tuple[str, ...]]
"""A naming column: codes (n,) and the names that they stand for."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One item with what people have said of it so far.

    `labels` are those that somebody named, `severity` is the worst of them (where nobody named any, what is expected),
    `labelled` whether anybody gave a label at all; `resolved` and `confidence` are what the answers amount to.
    """

    labels: tuple[str, ...] = ()
    severity: float = 0.0
    answers: int = 1
    asked: int = 1
    disagreement: bool = False
    labelled: bool = True
    resolved: bool = True
    confidence: float = 1.0
    outs: tuple[str, ...] = ()
    region: str = ""
    language: str = ""
    arm: str = ""
    reach: float = 1.0
    flags: float = 0.0
    reviewed: bool = False  # by a senior


@dataclass(frozen=True, eq=False, kw_only=True)
class Cases:
    """n cases as columns; `named` (n, k) are labels that somebody named, `outs` (n, 3) outs in the order of `OUTS`."""

    names: tuple[str, ...]
    named: Bools
    outs: Bools
    severity: Floats
    confidence: Floats
    reach: Floats
    flags: Floats
    answers: Ints
    asked: Ints
    disagreement: Bools
    labelled: Bools
    resolved: Bools
    reviewed: Bools
    region: Coded
    language: Coded
    arm: Coded

    @classmethod
    def of(cls, cases: Sequence[Case], names: Sequence[str]) -> Cases:
        """Single cases as columns; `names` are the policy's labels."""
        columns: dict[str, Any] = {
            field.name: np.array([getattr(case, field.name) for case in cases], dtype=type(field.default))
            for field in fields(Case)
            if isinstance(field.default, bool | int | float)
        }
        columns |= {name: encode([getattr(case, name) for case in cases]) for name in ("region", "language", "arm")}
        columns["named"] = one_hot([case.labels for case in cases], names)
        columns["outs"] = one_hot([case.outs for case in cases], OUTS)
        return cls(names=tuple(names), **columns)

    def __len__(self) -> int:
        return len(self.severity)

    def __repr__(self) -> str:
        return f"Cases({len(self):,} of {len(self.names)} labels)"


def encode(values: Sequence[str]) -> Coded:
    """Names as codes into the sorted names beside them. O(n log n)."""
    known = tuple(sorted(set(values)))
    place = {name: code for code, name in enumerate(known)}
    return np.array([place[value] for value in values], dtype=np.int64), known


def one_hot(sets: Sequence[Sequence[str]], names: Sequence[str]) -> Bools:
    """(n, k) which of the `names` each set holds."""
    found = [[name in one for name in names] for one in sets]
    return np.array(found, dtype=np.bool_).reshape(len(sets), len(names))
