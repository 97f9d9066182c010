"""Near-duplicates among some thousands of texts: MinHash signatures, banded, checked, and joined into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitl.sampling.shingles import shingles
from hitl.sampling.uniforms import mix
from hitl.types import Bools, Ints

PERMUTATIONS = 64
_BLOCK = 512
_REACH = 16
_NEVER = np.uint32(0xFFFFFFFF)

Signatures = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Folded:
    """Which of n texts are one: `group` (n,) codes from 0, `seen` (n,) whether the group repeats an earlier text."""

    group: Ints
    seen: Bools

    def __repr__(self) -> str:
        groups = int(self.group.max(initial=-1)) + 1
        return f"Folded({len(self.group):,} texts in {groups:,} groups, {int(self.seen.sum()):,} seen before)"


def signatures(texts: Sequence[str]) -> Signatures:
    """MinHash signatures (n, 64): two texts agree in a share of places that estimates their Jaccard similarity.

    The estimate's standard deviation is √(J (1 - J) / 64), at most 0.063. Texts without any shingle agree with one
    another. O(64 × characters) time; memory is that of 512 texts. Broder (SEQUENCES 1997).

    >>> one, same = signatures(["Call 555 123 now!!", "call 555 987 NOW"])
    >>> bool((one == same).all())
    True
    """
    if not texts:
        return np.empty((0, PERMUTATIONS), dtype=np.uint32)
    return np.concatenate([_signatures(texts[start : start + _BLOCK]) for start in range(0, len(texts), _BLOCK)])


def _signatures(texts: Sequence[str]) -> Signatures:
    hashes, starts = shingles(texts)
    found = np.full((PERMUTATIONS, len(texts)), _NEVER)
    filled = np.flatnonzero(np.diff(starts))
    if len(filled):
        salts = mix(np.arange(2 * PERMUTATIONS, dtype=np.uint64))
        for row, (offset, factor) in enumerate(zip(salts[::2], salts[1::2] | np.uint64(1), strict=True)):
            permuted = (((hashes ^ offset) * factor) >> np.uint64(32)).astype(np.uint32)
            found[row, filled] = np.minimum.reduceat(permuted, starts[filled])
    return np.ascontiguousarray(found.T)


def fold(texts: Sequence[str], at: float, against: Sequence[str] = ()) -> Folded:
    """Put texts of which about a share `at` of the shingles is common (Jaccard) into one group.

    Groups are connected: two members may be less alike than `at` when others lie between them. `seen` marks every
    member of a group of which any repeats a text of `against`. Pairs are looked for among texts that share a band of
    the signature, at least 98 of 100 at similarity `at`, and kept when they agree in `at` of 64 places. About
    O(n log n) time, O(n) memory; meant for a shortlist, not for a pool.

    >>> fold(["buy gold now at 10", "Buy gold now at 99!", "good morning"], at=0.7, against=["morning, good"])
    Folded(3 texts in 2 groups, 0 seen before)
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(texts)
    if not n:
        return Folded(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))
    distinct, member = _distinct(np.concatenate([signatures(texts), signatures(against)]))
    left, right = _alike(distinct, at)
    mine = np.bincount(member[:n], minlength=len(distinct)) > 0
    asked = np.bincount(member[n:], minlength=len(distinct)) > 0
    inner = mine[left] & mine[right]
    links = coo_array((np.ones(inner.sum()), (left[inner], right[inner])), shape=(len(distinct), len(distinct)))
    group = connected_components(links, directed=False)[1].astype(np.int64)
    repeats = asked.copy()
    repeats[left[asked[right]]] = True
    repeats[right[asked[left]]] = True
    seen = np.bincount(group[repeats & mine], minlength=len(distinct)) > 0
    return Folded(np.unique(group[member[:n]], return_inverse=True)[1], seen[group[member[:n]]])


def _distinct(marks: Signatures) -> tuple[Signatures, Ints]:
    """Different signatures and which of them each text has, so that a flood of copies costs as much as one."""
    rows = np.ascontiguousarray(marks).view(np.dtype((np.void, marks.shape[1] * marks.itemsize))).ravel()
    _, where, member = np.unique(rows, return_index=True, return_inverse=True)
    return marks[where], member


def _alike(marks: Signatures, at: float) -> tuple[Ints, Ints]:
    """Pairs of signatures that agree in at least a share `at` of their places."""
    n = len(marks)
    rows = _rows_a_band(at)
    pairs: list[Ints] = [np.empty(0, dtype=np.int64)]
    for band in range(0, PERMUTATIONS, rows):
        buckets = marks[:, band].astype(np.uint64)
        for column in range(band + 1, band + rows):
            buckets = mix(buckets) + marks[:, column]
        order = np.argsort(buckets, kind="stable")
        ordered = buckets[order]
        # each is compared with the next few of its bucket: groups join over them, and no bucket costs its square
        for step in range(1, min(_REACH, n - 1) + 1):
            near = np.flatnonzero(ordered[step:] == ordered[:-step])
            if not len(near):
                break
            pairs.append(order[near] * n + order[near + step])
    codes = np.unique(np.concatenate(pairs))
    left, right = codes // n, codes % n
    # in pieces, because a gather of all pairs at once may take gigabytes
    agree = [
        np.count_nonzero(marks[left[piece]] == marks[right[piece]], axis=1)
        for piece in np.array_split(np.arange(len(codes)), len(codes) // 65_536 + 1)
    ]
    alike = np.concatenate(agree) >= np.ceil(at * PERMUTATIONS - 1e-9)
    return left[alike], right[alike]


def _rows_a_band(at: float) -> int:
    """The longest band with which two texts of similarity `at` meet in one with probability 0.98 or more."""
    fitting = (rows for rows in (64, 32, 16, 8, 4, 2) if 1 - (1 - at**rows) ** (PERMUTATIONS // rows) >= 0.98)
    return next(fitting, 1)
