"""Hashes of 256 bits: as hex digits, and how many bits two of them differ in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hitl.errors import DataError
from hitl.types import Ints

Hashes = NDArray[np.uint8]
"""Hashes of 256 bits, (n, 32) bytes in the order of their hex digits."""

WIDTH = 32

NEAR = 31
"""The distance in bits up to which two hashes count as near copies: what the authors of PDQ recommend."""

_DIGITS = frozenset("0123456789abcdefABCDEF")


def from_hex(digits: Sequence[str]) -> Hashes:
    """Hashes (n, 32) from 64 hex digits each; raises `DataError` naming the first that is none.

    >>> from_hex(["ff" * 32]).sum()
    np.uint64(8160)
    """
    for at, each in enumerate(digits):
        if len(each) != 2 * WIDTH or not _DIGITS.issuperset(each):
            raise DataError(f"hash {at}: {len(each)} characters; a hash of 256 bits is 64 hex digits")
    return np.frombuffer(bytes.fromhex("".join(digits)), dtype=np.uint8).reshape(-1, WIDTH)


def to_hex(hashes: Hashes) -> list[str]:
    """Hashes (n, 32) as 64 lower-case hex digits each.

    >>> to_hex(from_hex(["0A" * 32]))[0][:4]
    '0a0a'
    """
    whole = checked(hashes).tobytes().hex()
    return [whole[at : at + 2 * WIDTH] for at in range(0, len(whole), 2 * WIDTH)]


def checked(hashes: Hashes) -> Hashes:
    """The hashes in one piece of memory; raises `DataError` when they are not (n, 32) bytes."""
    if hashes.ndim != 2 or hashes.shape[1] != WIDTH or hashes.dtype != np.uint8:
        raise DataError(f"hashes of {hashes.dtype}, {hashes.shape}: give uint8 (n, {WIDTH})")
    return np.ascontiguousarray(hashes)


def distances(one: Hashes, other: Hashes) -> Ints:
    """In how many bits the hashes (n, 32) of two arrays differ, row by row, (n,).

    >>> distances(from_hex(["00" * 32]), from_hex(["f1" + "00" * 31])).tolist()
    [5]
    """
    apart: Ints = np.bitwise_count(words(one) ^ words(other)).sum(axis=1, dtype=np.int64)
    return apart


def words(hashes: Hashes) -> NDArray[np.uint64]:
    """The same bits as four numbers of 64 each, (n, 4)."""
    return checked(hashes).view(np.uint64)
