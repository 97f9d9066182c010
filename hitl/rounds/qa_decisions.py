"""Decisions by column, whoever took them: what all sources of the QA programme come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.history.transparency import UNKNOWN, Aside
from hitl.policy.parts import ACTIONS
from hitl.rounds.decisions import codes_in
from hitl.rounds.walk import Walk
from hitl.types import Bools, Ints, Keys
from hitl.types.times import datetime64

KINDS = ("human", "vendor", "resolver", "rule", "model", "automated")
"""Who decides: a person of one's own, a person of a vendor, what answers were resolved to, a rule, a model, or
automated means that nobody named."""

JOIN = "|"
"""Between the clauses of one decision."""

ACT = ACTIONS.index("limit")
REVIEW = ACTIONS.index("review")

Coded = tuple[Ints, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Decisions:
    """n decisions of one source by column, with what is believed of them.

    `codes` are columns `kind`, `by`, `vendor`, `team`, `language` and `clause` (the violating labels given, joined by
    `JOIN`). `whole` says that a decision names every clause that applies. `position` is -1 where the pool does not hold
    the item, `items` the ids where they are not the pool's own.
    """

    source: str
    whole: bool
    keys: Keys
    position: Ints
    acted: Bools  # it holds that the item violates
    at: Any  # (n,) datetime64[us]
    codes: Mapping[str, Coded]
    items: pa.ChunkedArray | None = None
    set_aside: tuple[Aside, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: Bools | Ints) -> Decisions:
        """Some of the decisions."""
        items = None if self.items is None else self.items.take(pa.array(np.arange(len(self))[rows]))
        codes = {name: (column[rows], names) for name, (column, names) in self.codes.items()}
        parts = {name: getattr(self, name)[rows] for name in ("keys", "position", "acted", "at")}
        return replace(self, items=items, codes=codes, **parts)

    def words(self, name: str, row: int) -> str:
        """What a column says of one decision."""
        codes, names = self.codes[name]
        return str(names[codes[row]])

    def __repr__(self) -> str:
        return f"Decisions({self.source!r}: {len(self):,}, {int(self.acted.sum()):,} acted)"


def coded(words: Sequence[str] | pa.ChunkedArray) -> Coded:
    """Codes (n,) and the sorted names behind them."""
    column = words if isinstance(words, pa.ChunkedArray) else pa.chunked_array([pa.array(words, pa.large_string())])
    names = tuple(sorted(pc.unique(column).to_pylist()))
    return codes_in(column, names), names


def languages(walk: Walk, position: Ints, said: pa.ChunkedArray | None = None) -> Coded:
    """Codes (n,) of languages: what was said, or else the pool's."""
    codes, names = walk.pool.codes("language")
    known = (*(name or UNKNOWN for name in names), UNKNOWN)
    theirs = np.where(position >= 0, codes[np.maximum(position, 0)], len(names))
    if said is None:
        return theirs, known
    own = pa.array(known, pa.large_string()).take(pa.array(theirs))
    return coded(pa.chunked_array([pc.if_else(pc.equal(said, ""), own, said).combine_chunks()]))


def moments(times: Sequence[str]) -> Any:
    """(n,) datetime64[us] in UTC, NaT where it is no time."""
    return np.array(list(map(datetime64, times)), dtype="datetime64[us]")
