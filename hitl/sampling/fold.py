"""Near-duplicates among some thousands of items: by their texts (MinHash), by their embeddings, or by both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import DataError
from hitl.sampling.diversity.crowd import Singles, singles, squares
from hitl.sampling.shingles import shingles
from hitl.sampling.uniforms import mix
from hitl.types import Bools, Embeddings, Ints

PERMUTATIONS = 64
_BLOCK = 512
_REACH = 16
_NEVER = np.uint32(0xFFFFFFFF)
_SQUARE = 2048

Signatures = NDArray[np.uint32]
Number = TypeVar("Number", np.uint32, np.int16)


@dataclass(frozen=True, eq=False)
class Folded:
    """Which of n items are one: `group` (n,) codes from 0, `seen` (n,) whether the group repeats an earlier item."""

    group: Ints
    seen: Bools

    def __repr__(self) -> str:
        groups = int(self.group.max(initial=-1)) + 1
        return f"Folded({len(self.group):,} items in {groups:,} groups, {int(self.seen.sum()):,} seen before)"


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
    Folded(3 items in 2 groups, 0 seen before)
    """
    n = len(texts)
    if not n:
        return Folded(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))
    distinct, member = _distinct(np.concatenate([signatures(texts), signatures(against)]))
    left, right = _alike(distinct, at)
    mine = np.bincount(member[:n], minlength=len(distinct)) > 0
    asked = np.bincount(member[n:], minlength=len(distinct)) > 0
    inner = mine[left] & mine[right]
    group = _joined(np.arange(len(distinct)), left[inner], right[inner])
    repeats = asked.copy()
    repeats[left[asked[right]]] = True
    repeats[right[asked[left]]] = True
    return _settled(group[member[:n]], repeats[member[:n]])


def fold_embeddings(embeddings: Embeddings, at: float, against: Embeddings | None = None) -> Folded:
    """Put items with a cosine of `at` or more into one group; n and m unit rows on the grid 1/2048, (n, d) and (m, d).

    Groups are connected, and `seen` marks those that come as near to a row of `against`, as in `fold`. A row of zeros
    is like no other. Exact, in squares of 2,048 × 2,048 products: O(n (n / 2 + m) d) time, O((n + m) d) memory
    besides 50 MB; meant for a shortlist, not for a pool. Raises `DataError` when the dimensions differ.

    >>> x = np.array([[2048, 0], [2047, 64], [0, 2048]], dtype=np.int16)
    >>> fold_embeddings(x, at=0.95, against=x[:1]).seen.tolist()
    [True, True, False]
    """
    against = embeddings[:0] if against is None else against
    if embeddings.shape[1] != against.shape[1]:
        raise DataError(
            f"items have {embeddings.shape[1]} dimensions and those asked before {against.shape[1]}; "
            "compute both with the same encoder"
        )
    distinct, member = _distinct(embeddings)
    x = singles(distinct)
    group: Ints = np.arange(len(x))
    repeats = np.zeros(len(x), dtype=np.bool_)
    for row, column, near in _near(x, x, at):
        # a link for each row, then the pairs still apart: a flood of n copies has n² / 2 pairs, and needs n links
        left = np.flatnonzero(near.any(axis=1))
        group = _joined(group, row + left, column + near[left].argmax(axis=1))
        rows, columns = group[row : row + len(near)], group[column : column + near.shape[1]]
        left, right = np.nonzero(near & (rows[:, None] != columns))
        group = _joined(group, row + left, column + right)
    for row, _, near in _near(x, singles(_distinct(against)[0]), at):
        repeats[row : row + len(near)] |= near.any(axis=1)
    nowhere = ~embeddings.any(axis=1)
    return _settled(np.where(nowhere, len(x) + np.arange(len(embeddings)), group[member]), repeats[member])


def join_folds(first: Folded, *others: Folded) -> Folded:
    """Foldings of the same n items as one: items are together when any folding says so, seen when any says so.

    O(n) time and memory for each. Raises `DataError` when they are of different lengths.

    >>> one, other = Folded(np.array([0, 0, 1]), np.zeros(3, bool)), Folded(np.array([0, 1, 1]), np.zeros(3, bool))
    >>> join_folds(one, other)
    Folded(3 items in 1 groups, 0 seen before)
    """
    group, seen = first.group, first.seen
    for other in others:
        if len(other.group) != len(group):
            raise DataError(
                f"foldings of {len(group)} and {len(other.group)} items cannot be joined; fold the same ones"
            )
        size = int(group.max(initial=-1)) + 1
        codes = np.arange(size + int(other.group.max(initial=-1)) + 1)
        group, seen = _joined(codes, group, other.group + size)[group], seen | other.seen
    return _settled(group, seen)


def _joined(group: Ints, left: Ints, right: Ints) -> Ints:
    """Groups (n,) after those of the rows `left` and `right`, pair by pair, have become one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(left):
        return group
    links = coo_array((np.ones(len(left)), (group[left], group[right])), shape=(len(group), len(group)))
    return np.asarray(connected_components(links, directed=False)[1].astype(np.int64)[group])


def _settled(group: Ints, seen: Bools) -> Folded:
    """Groups with codes from 0 without gaps, each seen if any member is."""
    codes = np.unique(group, return_inverse=True)[1]
    return Folded(codes, (np.bincount(codes[seen], minlength=len(codes)) > 0)[codes])


def _near(x: Singles, y: Singles, at: float) -> Iterator[tuple[int, int, Bools]]:
    """Which rows of x and y have a cosine of at least `at`, in squares with their first row and column.

    When y is x, the half in which the column comes before the row.
    """
    long, wide = (np.where(lengths > 0, np.sqrt(lengths), np.inf) for lengths in (squares(x), squares(y)))
    for row in range(0, len(x), _SQUARE):
        for column in range(0, row + 1 if x is y else len(y), _SQUARE):
            products = x[row : row + _SQUARE] @ y[column : column + _SQUARE].T
            bounds = long[row : row + _SQUARE, None] * wide[column : column + _SQUARE]
            bounds *= np.float32(at * (1 - 1e-6))
            near = products >= bounds
            if x is y and row == column:
                near = np.tril(near, k=-1)
            if near.any():
                yield row, column, near


def _distinct(marks: NDArray[Number]) -> tuple[NDArray[Number], Ints]:
    """Different rows and which of them each item has, so that a flood of copies costs as much as one."""
    if not marks.size:
        return marks[:1], np.zeros(len(marks), dtype=np.int64)
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
