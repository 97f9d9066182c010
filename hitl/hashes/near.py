"""Hashes that differ in few bits: looked up in a list of many, and gathered into groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError
from hitl.hashes.bits import NEAR, Hashes, checked, distances, words
from hitl.types import Ints

_BANDS, _WIDE = 16, 16
_MOST_FLIPS = 3
_BLOCK = 1 << 17
_FEW = 1024


@dataclass(frozen=True, eq=False)
class Pairs:
    """Queries and the entries near them, ordered by both: (p,) each, with the distance in bits."""

    query: Ints
    entry: Ints
    distance: Ints

    def __len__(self) -> int:
        return len(self.query)

    def __repr__(self) -> str:
        return f"Pairs({len(self):,} of {len(np.unique(self.query)):,} queries)"


@dataclass(frozen=True, eq=False)
class HammingIndex:
    """Hashes (m, 32), sorted so that those within some bits of another are found without looking at all.

    Multi-index hashing: each hash is cut into 16 bands of 16 bits, and two that differ in at most 31 bits agree in one
    band up to one bit. So a query looks up 17 values in each of 16 tables and compares what it finds. Exact. Building
    takes O(m log m) time, 190 bytes an entry and 17 MB; a query about m / 240 comparisons where bits are even, against
    m one by one. Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR 2012).

    >>> index = HammingIndex(np.zeros((1, 32), dtype=np.uint8))
    >>> near = index.within(np.eye(2, 32, dtype=np.uint8) * 255, bits=8)
    >>> near.query.tolist(), near.distance.tolist()
    ([0, 1], [8, 8])
    """

    hashes: Hashes

    def __len__(self) -> int:
        return len(self.hashes)

    def within(self, queries: Hashes, bits: int = NEAR) -> Pairs:
        """All pairs of queries (n, 32) and entries that differ in at most `bits`.

        Memory is that of the pairs, besides 64 bytes a query and 20 MB. Raises `ConfigError` for 64 bits and more:
        those are no near copies, and would have to be looked for one by one.
        """
        if not 0 <= bits < _BANDS * (_MOST_FLIPS + 1):
            raise ConfigError(f"within {bits} bits: give 0 to {_BANDS * (_MOST_FLIPS + 1) - 1}, {NEAR} for near copies")
        asked, flips = _columns(queries), _flips(bits // _BANDS)
        found: list[Ints] = [np.empty((3, 0), dtype=np.int64)]
        for band, keys in enumerate(_bands(queries)):
            for row, entry in self._meeting(band, keys, flips):
                # Half of the bits tell most pairs apart already.
                maybe = np.flatnonzero(_apart(asked[:2], row, self._marks[:2], entry) <= bits)
                row, entry = row[maybe], entry[maybe]
                apart = _apart(asked, row, self._marks, entry)
                near = apart <= bits
                found.append(np.stack([row[near], entry[near], apart[near]]).astype(np.int64))
        every = np.concatenate(found, axis=1)
        _, once = np.unique(every[0] * len(self) + every[1], return_index=True)
        return Pairs(*every[:, once])

    def _meeting(self, band: int, keys: NDArray[np.uint16], flips: NDArray[np.uint16]) -> Iterator[tuple[Ints, Ints]]:
        """Rows of `keys` (n,) and the entries that have one of their values, up to the flips, in pieces."""
        order, starts, sizes = self._tables[band]
        step = max(1, _BLOCK // len(flips))
        for begin in range(0, len(keys), step):
            probes = (keys[begin : begin + step, None] ^ flips).ravel()
            counts = sizes[probes]
            met = np.flatnonzero(counts)
            first, counts, rows = starts[probes[met]], counts[met], begin + met // len(flips)
            for piece in _cut(counts):
                many = counts[piece]
                ends = np.cumsum(many)
                at = np.arange(ends[-1]) + np.repeat(first[piece] - ends + many, many)
                yield np.repeat(rows[piece], many), order[at]

    @cached_property
    def _marks(self) -> NDArray[np.uint64]:
        return _columns(self.hashes)

    @cached_property
    def _tables(self) -> list[tuple[Ints, Ints, Ints]]:
        """For each band the entries by their value, (m,), where each value begins, and how many have it, (65536,)."""
        tables = []
        for keys in _bands(self.hashes):
            sizes = np.bincount(keys, minlength=1 << _WIDE)
            tables.append((np.argsort(keys, kind="stable"), np.cumsum(sizes) - sizes, sizes))
        return tables


def near_duplicates(hashes: Hashes, within: int = NEAR) -> Ints:
    """The position (n,) of the first item that each of n hashes (n, 32) is a near copy of, its own if of none.

    Every member of a group is within so many bits of the group's first item, which is no copy of an earlier first:
    groups do not drift, as those made by chaining pairs do. Exact, and the same as going through the items in order.
    About n² / 500 comparisons where all are different and O(n) where they are copies; O(n) memory.

    >>> from hitl.hashes import from_hex
    >>> near_duplicates(from_hex(["00" * 32, "ff" * 32, "00" * 31 + "01", "fe" * 31 + "ff"])).tolist()
    [0, 1, 0, 1]
    """
    hashes = checked(hashes)
    if len(hashes) <= _FEW:
        return _one_by_one(hashes, within)
    half = len(hashes) // 2
    group = np.empty(len(hashes), dtype=np.int64)
    group[:half] = near_duplicates(hashes[:half], within)
    firsts = np.unique(group[:half])
    group[half:] = _first_near(hashes[firsts], hashes[half:], firsts, within)
    rest = half + np.flatnonzero(group[half:] < 0)
    group[rest] = rest[near_duplicates(hashes[rest], within)]
    return group


def _first_near(firsts: Hashes, others: Hashes, where: Ints, within: int) -> Ints:
    """For each of `others` the position of the earliest first item near it, -1 if there is none."""
    index = HammingIndex(firsts)
    found = np.full(len(others), -1, dtype=np.int64)
    for begin in range(0, len(others), 1 << 14):
        pairs = index.within(others[begin : begin + (1 << 14)], within)
        query, at = np.unique(pairs.query, return_index=True)  # pairs are ordered, so the earliest comes first
        found[begin + query] = where[pairs.entry[at]]
    return found


def _one_by_one(hashes: Hashes, within: int) -> Ints:
    marks = words(hashes)
    # Half of the bits tell most pairs apart already.
    half = np.bitwise_count(marks[:, None, 0] ^ marks[None, :, 0])
    half += np.bitwise_count(marks[:, None, 1] ^ marks[None, :, 1])
    one, other = np.nonzero(np.triu(half <= within, k=1))
    near = distances(hashes[one], hashes[other]) <= within
    one, other = one[near], other[near]
    group = np.arange(len(hashes))
    for at in np.unique(one).tolist():
        if group[at] == at:
            later = other[slice(*np.searchsorted(one, [at, at + 1]))]
            group[later[group[later] == later]] = at
    return group


def _columns(hashes: Hashes) -> NDArray[np.uint64]:
    return np.ascontiguousarray(words(hashes).T)


def _apart(asked: NDArray[np.uint64], row: Ints, known: NDArray[np.uint64], entry: Ints) -> NDArray[np.uint16]:
    """In how many bits rows and entries differ, of the words (w, n) and (w, m) given."""
    total = np.zeros(len(row), dtype=np.uint16)
    for one, other in zip(asked, known, strict=True):
        total += np.bitwise_count(one[row] ^ other[entry])
    return total


def _bands(hashes: Hashes) -> NDArray[np.uint16]:
    """The 16 bands of each hash, (16, n)."""
    return np.ascontiguousarray(checked(hashes).view(np.uint16).T)


def _flips(most: int) -> NDArray[np.uint16]:
    """All values of 16 bits with at most so many bits set."""
    sets = [ones for count in range(most + 1) for ones in combinations(range(_WIDE), count)]
    return np.array([sum(1 << one for one in ones) for ones in sets], dtype=np.uint16)


def _cut(counts: Ints) -> Iterator[slice]:
    """Runs of rows whose counts add up to about a block."""
    ends = np.cumsum(counts)
    at, total = 0, int(ends[-1]) if len(ends) else 0
    for stop in range(_BLOCK, total + _BLOCK, _BLOCK):
        last = int(np.searchsorted(ends, stop, side="right"))
        last = len(counts) if stop >= total else max(last, at + 1)
        if last > at:
            yield slice(at, last)
            at = last
