"""What must be known of a pool before it is scanned, found in one pass that merges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

import numpy as np
import pyarrow as pa

from hitl.compute.shards import Shards
from hitl.errors import PoolError
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.pool.checks import inspect
from hitl.pool.keys import as_array, as_column
from hitl.pool.source import PART_ROWS
from hitl.sampling.view import Stakes
from hitl.types import Floats, Ints

_SHOWN = 3
_COUNTED = 1 << 20
Combination = tuple[str, ...]
"""One value of each of several columns."""


@dataclass(frozen=True, eq=False)
class Survey:
    """A pool in outline: its items, their mean reach, and the regions and strata that occur, sorted.

    `left_out` are the rows that cannot be used, ascending; the others are the pool, numbered in their order.
    """

    items: int
    mean_reach: float
    regions: tuple[str, ...]
    columns: tuple[str, ...]  # whose values are the strata
    combinations: tuple[Combination, ...]
    left_out: Ints

    @property
    def strata(self) -> tuple[str, ...]:
        """The names of the strata: their values joined by `|`."""
        return tuple("|".join(values) for values in self.combinations)

    def stakes(self, policy: Policy) -> Stakes:
        """What sets the scale of cost."""
        return Stakes.of(policy, self.regions, np.array([self.mean_reach]))

    @classmethod
    def of(cls, pool: Pool, strata: Sequence[str]) -> Survey:
        """The survey of a pool that is open here; O(n) time."""
        tally = Tally(tuple(strata))
        for start in range(0, len(pool), PART_ROWS):
            tally.reach.add(pool.reach[start : start + PART_ROWS])
        tally.combinations = set(_joined([pool.codes(column) for column in strata], len(pool))[1])
        tally.regions = set(pool.codes("region")[1])
        tally.rows = len(pool)
        return tally.result()

    def __repr__(self) -> str:
        aside = f", {len(self.left_out):,} rows left out" if len(self.left_out) else ""
        return f"Survey({self.items:,} items, {len(self.regions)} regions, {len(self.combinations)} strata{aside})"


class ExactSum:
    """A sum of floats without rounding, so that it is the same in any order; memory for each exponent that occurs.

    >>> one, other = ExactSum(), ExactSum()
    >>> one.add(np.array([1e16, 1.0])); other.add(np.array([-1e16]))
    >>> one.merge(other); float(one.total)
    1.0
    """

    def __init__(self) -> None:
        self._units: Counter[int] = Counter()  # exponent of two → sum of 53-bit mantissas

    def add(self, values: Floats) -> None:
        """Add finite values (n,); O(n) for each exponent that occurs."""
        mantissas, exponents = np.frexp(values)
        units = np.ldexp(mantissas, 53).astype(np.int64)
        for exponent in np.unique(exponents).tolist():
            chosen = units[exponents == exponent]
            # In halves, because 2^10 whole mantissas overflow 64 bits.
            high, low = int((chosen >> 27).sum()), int((chosen & ((1 << 27) - 1)).sum())
            self._units[exponent - 53] += (high << 27) + low

    def merge(self, other: ExactSum) -> None:
        """Take over another sum."""
        for exponent, units in other._units.items():
            self._units[exponent] += units

    @property
    def total(self) -> Fraction:
        """The sum."""
        return sum((Fraction(units) * Fraction(2) ** exponent for exponent, units in self._units.items()), Fraction(0))


@dataclass(eq=False)
class Tally:
    """A survey under way."""

    columns: tuple[str, ...]
    rows: int = 0
    reach: ExactSum = field(default_factory=ExactSum)
    regions: set[str] = field(default_factory=set)
    combinations: set[Combination] = field(default_factory=set)
    faults: dict[str, list[Ints]] = field(default_factory=dict)

    def merge(self, other: Tally) -> None:
        """Take over what was seen of other rows."""
        self.rows += other.rows
        self.reach.merge(other.reach)
        self.regions |= other.regions
        self.combinations |= other.combinations
        for reason, rows in other.faults.items():
            self.faults.setdefault(reason, []).extend(rows)

    def result(self) -> Survey:
        """The pool in outline."""
        found = [rows for several in self.faults.values() for rows in several]
        left_out = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
        items = self.rows - len(left_out)
        mean = float(self.reach.total / items) if items else 0.0
        combinations = tuple(sorted(self.combinations)) or (("",) * len(self.columns),)
        return Survey(items, mean, tuple(sorted(self.regions)) or ("",), self.columns, combinations, left_out)

    def error(self) -> PoolError:
        """What is wrong with the rows that cannot be used."""
        parts = []
        for reason, several in sorted(self.faults.items()):
            rows = np.sort(np.concatenate(several))
            shown = ", ".join(f"row {row:,}" for row in rows[:_SHOWN].tolist())
            parts.append(f"{reason}: {len(rows):,} — {shown}{', …' if len(rows) > _SHOWN else ''}")
        return PoolError(
            f"{len(self.result().left_out):,} of {self.rows:,} rows cannot be used (rows are counted from 0 over all "
            f"shards). {'; '.join(parts)}. Mend them, or leave them out"
        )


@dataclass(frozen=True, eq=False)
class SurveyShards:
    """The pass that surveys shards: the checks of `Pool.open` on each block, and the names that occur.

    An id is looked for twice within its block only; that it stands in no other is for whoever wrote the shards to see.
    """

    shards: Shards
    columns: tuple[str, ...]  # whose values are the strata
    label: str = "surveying the shards"

    @property
    def sizes(self) -> Sequence[int]:
        """Rows of each block."""
        return [block.rows for block in self.shards.blocks]

    def nothing(self) -> Tally:
        """A survey that has seen nothing."""
        return Tally(self.columns)

    def run(self, block: int) -> Tally:
        """The survey of one block; O(rows) time, 16 bytes a row and one read of the source in memory."""
        source, columns = self.shards.source(block), self.shards.columns
        start, found = self.shards.blocks[block].start, inspect(source, columns)
        tally = Tally(self.columns, rows=len(found.keys))
        tally.faults = {fault.reason: [fault.rows + start] for fault in found.faults}
        kept = np.delete(np.arange(len(found.keys), dtype=np.int64), found.bad_rows)
        tally.reach.add(found.reach[kept])
        wanted = list(dict.fromkeys(["region", *self.columns]))
        raw = columns.raw(wanted)
        for part, row in enumerate(source.bounds[:-1].tolist()):
            seen = 0
            for piece in source.read(part, raw, PART_ROWS) if raw else [None]:
                length = len(piece) if piece is not None else int(source.bounds[part + 1]) - row
                table = columns.read(piece, np.arange(length, dtype=np.int64), wanted)
                first, last = np.searchsorted(kept, [row + seen, row + seen + length])
                table = table.take(as_column(kept[first:last] - row - seen))
                tally.regions.update(value for (value,) in combined(table, ["region"])[1])
                tally.combinations.update(combined(table, self.columns)[1])
                seen += length
        return tally


def combined(table: pa.Table, columns: Sequence[str]) -> tuple[Ints, list[Combination]]:
    """Several naming columns of a table as codes (n,) into the combinations that occur in it; O(n log n).

    >>> codes, values = combined(pa.table({"a": ["x", "y", "x"], "b": ["", "", ""]}), ["a", "b"])
    >>> codes.tolist(), values
    ([0, 1, 0], [('x', ''), ('y', '')])
    """
    encoded = [table[column].combine_chunks().dictionary_encode() for column in columns]
    pairs = [(as_array(column.indices, np.int64), column.dictionary.to_pylist()) for column in encoded]
    return _joined(pairs, len(table))


def _joined(pairs: Sequence[tuple[Ints, Sequence[str]]], length: int) -> tuple[Ints, list[Combination]]:
    """Codes (n,) into the combinations that occur, from several columns' codes (n,) and names."""
    joint: Ints = np.zeros(length, dtype=np.int64)
    for codes, names in pairs:
        joint = joint * np.int64(len(names)) + codes
    most = prod(len(names) for _, names in pairs)
    if most <= _COUNTED:  # counting instead of sorting
        used = np.flatnonzero(np.bincount(joint, minlength=most))
        rank = np.zeros(most, dtype=np.int64)
        rank[used] = np.arange(len(used))
        codes = rank[joint]
    else:
        used, codes = np.unique(joint, return_inverse=True)
    return codes, [_unjoined(code, [names for _, names in pairs]) for code in used.tolist()]


def _unjoined(code: int, columns: Sequence[Sequence[str]]) -> Combination:
    values: list[str] = []
    for names in reversed(columns):
        code, at = divmod(code, len(names))
        values.append(names[at])
    return tuple(reversed(values))


def coded(table: pa.Table, columns: Sequence[str], known: Mapping[Combination, int]) -> Ints:
    """The codes (n,) by which `known` numbers combinations; raises `PoolError` for one that the survey did not see."""
    local, combinations = combined(table, columns)
    strange = [values for values in combinations if values not in known]
    if strange:
        raise PoolError(
            f"{', '.join(columns)}: {'|'.join(strange[0])!r} was not there when the pool was surveyed; leave shards as "
            "they are while a round runs, or begin again"
        )
    return np.array([known[values] for values in combinations], dtype=np.int64)[local]
