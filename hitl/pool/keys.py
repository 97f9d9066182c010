"""Item ids as 64-bit keys: hashed a whole column at a time, straight from Arrow's buffers."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.types import Bools, Ints, Keys

_STEP = np.uint64(0x9E3779B97F4A7C15)
_HUGE = 1 << 16
_SLICES, _TO_SLICE = 4, np.uint64(62)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def splitmix64(state: Keys) -> Keys:
    """Mix each 64-bit number so that every output bit depends on every input bit.

    Takes and gives uint64 (n,). Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).

    >>> import numpy as np
    >>> hex(splitmix64(np.array([0], dtype=np.uint64))[0])
    '0xe220a8397b1dcdaf'
    """
    z = state + _STEP
    z ^= z >> np.uint64(30)
    z *= _MIX_1
    z ^= z >> np.uint64(27)
    z *= _MIX_2
    z ^= z >> np.uint64(31)
    return z


def hash_text(column: pa.Array | pa.ChunkedArray) -> Keys:
    """Hash each text of an Arrow column to 64 bits by its UTF-8 bytes alone; nulls hash as the empty text.

    Eight bytes at a time over the whole column, so a row costs no Python; O(bytes) time, O(n) memory.

    >>> import pyarrow as pa
    >>> first, second = hash_text(pa.array(["zonk", "wub"])), hash_text(pa.array(["wub", "zonk"]))
    >>> bool(first[0] == second[1]), bool(first[0] == first[1])
    (True, False)
    """
    if isinstance(column, pa.ChunkedArray):
        chunks = [hash_text(chunk) for chunk in column.chunks]
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.uint64)
    if len(column) == 0:
        return np.empty(0, dtype=np.uint64)
    data, offsets = _bytes_of(column)
    starts, lengths = offsets[:-1], np.diff(offsets)
    state: Keys = lengths.astype(np.uint64)
    state *= _STEP
    # Every position of the buffer read as the eight bytes that begin there.
    words: Any = np.ndarray(shape=(len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
    huge = lengths > _HUGE
    lengths = np.where(huge, 0, lengths)
    longest = int(lengths.max())
    rows: Any = slice(None)
    for at in range(0, longest, 8):
        if at and (lengths[rows] <= at).any():
            rows = np.flatnonzero(lengths > at)
        state[rows] = _absorb(state[rows], words[starts[rows] + at], lengths[rows] - at)
    # A step costs the same for one row as for all, so that a huge text is hashed by itself.
    for row in np.flatnonzero(huge).tolist():
        own = data[starts[row] : int(offsets[row + 1])]
        state[row] = int.from_bytes(blake2b(own, digest_size=8).digest(), "little")
    return splitmix64(state)


def _absorb(state: Keys, word: Keys, left: Ints) -> Keys:
    """Mix the next up to eight bytes in; `left` says how many of them are the text's own."""
    if left.min() < 8:
        spare = np.uint64(8) * (np.uint64(8) - np.minimum(left, 8).astype(np.uint64))
        word = word << spare
    mixed: Keys = (state ^ word) * _MIX_1
    return mixed ^ (mixed >> np.uint64(32))


def _bytes_of(column: pa.Array) -> tuple[Any, Ints]:
    """A text column's bytes, eight spare ones after them, and where each row begins and ends, (n + 1,)."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = column.cast(pa.large_string())
    if column.null_count:
        column = pc.fill_null(column, "")
    wide = pa.types.is_large_string(column.type)
    _, offset_buffer, data_buffer = column.buffers()
    kind: Any = np.int64 if wide else np.int32
    offsets = np.frombuffer(offset_buffer, dtype=kind, count=len(column) + 1, offset=column.offset * kind().itemsize)
    first, last = int(offsets[0]), int(offsets[-1])
    data = np.zeros(last - first + 8, dtype=np.uint8)
    if last > first:
        data[:-8] = np.frombuffer(data_buffer, dtype=np.uint8, count=last - first, offset=first)
    return data, offsets.astype(np.int64) - first


def holds_zero(column: pa.Array) -> bool:
    """Whether a zero byte stands in any text of a column; told from the buffer, without a look at each row."""
    data, offsets = _bytes_of(column) if len(column) else (np.empty(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    return bool((data[: int(offsets[-1])] == 0).any())


def as_array(column: pa.Array | pa.ChunkedArray, kind: Any) -> Any:
    """A column of numbers without nulls as a numpy array (n,) of dtype `kind`.

    By the buffers, because Arrow's own `to_numpy` imports pandas, which takes longer than opening a pool.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    wide = column.cast(pa.from_numpy_dtype(np.dtype(kind)))
    if not len(wide):
        return np.empty(0, dtype=kind)
    return np.frombuffer(wide.buffers()[1], dtype=kind)[wide.offset : wide.offset + len(wide)]


def as_column(values: Any) -> pa.Array:
    """A numpy array of numbers (n,) as an Arrow column, without a copy and without importing pandas."""
    numbers = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), [None, pa.py_buffer(numbers)])


def as_mask(column: pa.Array | pa.ChunkedArray) -> Bools:
    """A column of truth values without nulls as a numpy array (n,)."""
    mask: Bools = as_array(column.cast(pa.uint8()), np.uint8).view(np.bool_)
    return mask


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """An id column as text: whole numbers read as their digits, so that 7 and "7" are the same id."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    return column.cast(pa.string())


def repeated(keys: Keys) -> Ints:
    """Rows whose key occurs more than once, ascending; O(n log n) time, one sorted copy of the keys in memory.

    >>> import numpy as np
    >>> repeated(np.array([5, 7, 5, 9], dtype=np.uint64))
    array([0, 2])
    """
    with ThreadPoolExecutor(max(1, min(_SLICES, os.cpu_count() or 1))) as threads:
        again = np.concatenate(list(threads.map(lambda at: _twice(keys, np.uint64(at)), range(_SLICES))))
    if not len(again):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.isin(keys, again)).astype(np.int64)


def _twice(keys: Keys, at: np.uint64) -> Keys:
    """The keys of one slice (by their highest bits) that occur more than once."""
    ordered: Keys = keys[keys >> _TO_SLICE == at]
    ordered.sort()
    twice: Keys = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return twice
