"""Facets of items (language, region, vendor, ...), and the slices that conjunctions of their values cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Ints

MOST = 2_000
"""Slices that are looked at together; of more, those with the most items."""


@dataclass(frozen=True, eq=False)
class Facets:
    """Naming columns of n items: `codes` (n, f) into the `values` of each of the f facets.

    Items that agree in all facets are a *cell*; a slice is a union of the c cells. Raises `DataError` when the shapes
    do not fit.

    >>> Facets.of({"language": ["en", "id", "en"], "region": ["US", "ID", "ID"]})
    Facets(3 items; language: 2 values, region: 2 values)
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: Ints

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or not len(self.names) == len(self.values) == self.codes.shape[1]:
            raise DataError(
                f"{len(self.names)} facets, {len(self.values)} lists of values and codes of the shape "
                f"{self.codes.shape} do not fit; give a column of codes and a list of values for each facet"
            )

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[str]]) -> Facets:
        """Facets from columns of names, all (n,); raises `DataError` when they differ in length."""
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            raise DataError(f"facets {', '.join(columns)} differ in length; give each a name for every item")
        coded = [np.unique(np.array(column, dtype=str), return_inverse=True) for column in columns.values()]
        codes = np.empty((max(lengths, default=0), len(coded)), dtype=np.int64)
        for at, (_, column) in enumerate(coded):
            codes[:, at] = column
        return cls(tuple(columns), tuple(tuple(names.tolist()) for names, _ in coded), codes)

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Ints | Bools) -> Facets:
        """The same facets of some of the items."""
        return Facets(self.names, self.values, self.codes[rows])

    @cached_property
    def cells(self) -> Ints:
        """(c, f) the codes of each cell."""
        return self._celled[0]

    @cached_property
    def cell(self) -> Ints:
        """(n,) the cell of each item."""
        return self._celled[1]

    @cached_property
    def _celled(self) -> tuple[Ints, Ints]:
        if not self.codes.size:
            return self.codes[: min(len(self), 1)], np.zeros(len(self), dtype=np.int64)
        cells, cell = np.unique(self.codes, axis=0, return_inverse=True)
        return cells, cell.reshape(-1)

    def __repr__(self) -> str:
        told = (f"{name}: {len(values)} values" for name, values in zip(self.names, self.values, strict=True))
        return f"Facets({len(self):,} items; {', '.join(told)})"


@dataclass(frozen=True, eq=False)
class Slices:
    """s slices: what each asks for (facet → value), which cells are in it (s, c), how many items it has (s,)."""

    where: tuple[dict[str, str], ...]
    members: Bools
    items: Ints

    def __len__(self) -> int:
        return len(self.where)

    def take(self, some: Ints) -> Slices:
        """Some of the slices, in this order."""
        return Slices(tuple(self.where[at] for at in some), self.members[some], self.items[some])


def conjunctions(facets: Facets, depth: int, least: int, most: int = MOST) -> Slices:
    """All slices of up to `depth` facet values that have `least` items, and leave `least` outside; largest first.

    Built value by value, as frequent item sets are (Agrawal and Srikant 1994, VLDB): what is too small has no larger
    part. A conjunction of the same items as a shorter one is left out. Only facets are read, nothing that was judged,
    so that the choice biases no test. Of more than `most`, those with the most items. O(most × values × cells) a step.

    >>> facets = Facets.of({"language": ["en"] * 6 + ["id"] * 4, "region": ["US"] * 5 + ["ID"] * 5})
    >>> conjunctions(facets, 2, 2).where
    ({'language': 'en'}, {'region': 'ID'}, {'region': 'US'}, {'language': 'id'})
    """
    counts = np.bincount(facets.cell, minlength=len(facets.cells)).astype(np.int64)
    chosen, members = _single(facets)
    alone, single = chosen[:, 0], members
    found_choice: list[tuple[int, ...]] = []
    found_members = [members[:0]]
    for length in range(1, depth + 1):
        if length > 1:
            chosen, members = _longer(chosen, members, alone, single, counts, least, _facet_of(facets))
        size = members @ counts
        kept = np.flatnonzero((size >= least) & (len(facets) - size >= least))
        kept = kept[np.argsort(-size[kept], kind="stable")][:most]
        chosen, members = chosen[kept], members[kept]
        found_choice += [tuple(choice) for choice in chosen.tolist()]
        found_members.append(members)
    together = np.concatenate(found_members)
    size = together @ counts
    _, first = np.unique(np.packbits(together, axis=1), axis=0, return_index=True)
    first = np.union1d(first, np.flatnonzero([len(choice) == 1 for choice in found_choice]))
    order = first[np.argsort(-size[first], kind="stable")][:most]
    names = [(name, value) for name, values in zip(facets.names, facets.values, strict=True) for value in values]
    where = tuple(dict(names[one] for one in found_choice[at]) for at in order)
    return Slices(where, together[order], size[order])


def _single(facets: Facets) -> tuple[Ints, Bools]:
    """Every facet value, numbered over all facets (v, 1), and its cells (v, c)."""
    members = [
        facets.cells[:, at] == np.arange(len(values))[:, None]
        if len(facets.cells)
        else np.zeros((len(values), 0), dtype=np.bool_)
        for at, values in enumerate(facets.values)
    ]
    together = np.concatenate(members) if members else np.zeros((0, len(facets.cells)), dtype=np.bool_)
    return np.arange(len(together))[:, None], together


def _facet_of(facets: Facets) -> Ints:
    """Which facet each value, numbered over all facets, belongs to."""
    return np.repeat(np.arange(len(facets.names)), [len(values) for values in facets.values])


def _longer(
    chosen: Ints, members: Bools, alone: Ints, single: Bools, counts: Ints, least: int, facet: Ints
) -> tuple[Ints, Bools]:
    """Each slice with one value more, of a later facet, where that leaves fewer items, and `least` of them."""
    own, other = members @ counts, single @ counts
    size = (members * counts).astype(np.float64) @ single.T.astype(np.float64)
    smaller = (size < own[:, None]) & (size < other[None, :])
    fits = (size >= least) & smaller & (facet[chosen[:, -1]][:, None] < facet[alone][None, :])
    left, right = np.nonzero(fits)
    return np.concatenate([chosen[left], alone[right][:, None]], axis=1), members[left] & single[right]
