"""Texts as counts of hashed word and character n-grams, whole batches of texts at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hitl.types import Bools, Ints, Keys

VERSION = 1
"""Raised whenever the same text would be counted differently."""

MOST_CHARS = 1 << 20
"""Characters counted at once, unless one text alone is longer: bounds the memory to about 200 MB."""

Codes = NDArray[np.uint32]
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_WORD, _SPACE = 1, 2


@dataclass(frozen=True)
class Ngrams:
    """Which n-grams are counted: words `word` and characters `char` (shortest, longest), each into `buckets` buckets.

    Texts are normalised (NFKC), put in lower case, and their blanks made single ones. Words are runs of letters, marks,
    digits and underscores. Character n-grams keep to one word and the blanks beside it, or run across words without
    `within_words`. The same text gives the same counts everywhere: no vocabulary, no random hash.

    >>> counts = Ngrams(buckets=16).count(["zonk zonk", ""])
    >>> counts.shape, float(counts.sum())
    ((2, 32), 21.0)
    """

    word: tuple[int, int] = (1, 2)
    char: tuple[int, int] = (3, 5)
    buckets: int = 1 << 18
    within_words: bool = True

    @property
    def width(self) -> int:
        """Number of columns: the words' buckets, then the characters'."""
        return 2 * self.buckets

    def count(self, texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> Any:
        """Count the n-grams of n texts: a scipy CSR matrix (n, width) of float32 counts, columns ascending in each row.

        O(characters) time; memory bounded by `MOST_CHARS` beside the result. The same text gives the same row anywhere.
        """
        from scipy.sparse import csr_matrix

        rows, columns, counts = [], [], []
        for chunk in _chunks(_normal(texts)):
            found = self._count_chunk(chunk)
            rows.append(np.bincount(found[0], minlength=len(chunk)))
            columns.append(found[1])
            counts.append(found[2])
        total = sum(map(len, rows))
        if not total:
            return csr_matrix(np.empty((0, self.width), dtype=np.float32))
        indptr = np.append(0, np.cumsum(np.concatenate(rows)))
        return csr_matrix((np.concatenate(counts), np.concatenate(columns), indptr), shape=(total, self.width))

    def _count_chunk(self, texts: pa.Array) -> tuple[Ints, NDArray[np.int32], NDArray[np.float32]]:
        """Row, column and count of each n-gram of the texts, sorted by row and column."""
        codes, text_of = _code_points(texts)
        kinds = _kinds(codes)
        found = [np.empty(0, dtype=np.int64)]
        width = np.uint64(self.width)
        mask = np.uint64(self.buckets - 1)
        for offset, grams in (
            (0, self._words(codes, text_of, kinds)),
            (self.buckets, self._chars(codes, text_of, kinds)),
        ):
            for row, hashed in grams:
                column = (hashed & mask) + np.uint64(offset)
                found.append((row.astype(np.uint64) * width + column).astype(np.int64))
        places, counts = np.unique(np.concatenate(found), return_counts=True)
        row, column = np.divmod(places, self.width)
        return row, column.astype(np.int32), counts.astype(np.float32)

    def _words(self, codes: Codes, text_of: Ints, kinds: NDArray[np.uint8]) -> Iterator[tuple[Ints, Keys]]:
        at = np.flatnonzero(kinds == _WORD)
        if not len(at):
            return
        begins = np.ones(len(at), dtype=np.bool_)
        begins[1:] = (np.diff(at) > 1) | (np.diff(text_of[at]) > 0)
        starts = np.flatnonzero(begins)
        place = np.arange(len(at)) - np.repeat(starts, np.diff(np.append(starts, len(at))))
        powers = np.multiply.accumulate(np.full(int(place.max()) + 1, _PRIME, dtype=np.uint64))
        one: Keys = _mixed(np.add.reduceat((codes[at].astype(np.uint64) + np.uint64(1)) * powers[place], starts))
        text, hashed = text_of[at[starts]], one
        for n in range(1, self.word[1] + 1):
            if n > 1:
                hashed = hashed[:-1] * _PRIME + one[n - 1 :]
            whole = text[: len(hashed)] == text[n - 1 :]
            if n >= self.word[0]:
                yield text[: len(hashed)][whole], _mixed(hashed[whole] + np.uint64(n))
            if len(hashed) < 2:
                return

    def _chars(self, codes: Codes, text_of: Ints, kinds: NDArray[np.uint8]) -> Iterator[tuple[Ints, Keys]]:
        blank = kinds == _SPACE
        doubled = np.zeros(len(codes), dtype=np.bool_)
        doubled[1:] = blank[1:] & blank[:-1] & (text_of[1:] == text_of[:-1])
        codes, text_of, blank = np.where(blank, np.uint32(32), codes)[~doubled], text_of[~doubled], blank[~doubled]
        inner: Bools = np.ones(len(codes), dtype=np.bool_)
        one = codes.astype(np.uint64) + np.uint64(1)
        hashed = one
        for n in range(1, self.char[1] + 1):
            if len(one) < n:
                return
            if n > 1:
                hashed = hashed[:-1] * _PRIME + one[n - 1 :]
            whole: Bools = text_of[: len(hashed)] == text_of[n - 1 :]
            if self.within_words and n > 2:
                inner = inner[: len(hashed)] & ~blank[n - 2 : -1]
                whole = whole & inner
            if n >= self.char[0]:
                yield text_of[: len(hashed)][whole], _mixed(hashed[whole] + np.uint64(n))


def _mixed(hashed: Keys) -> Keys:
    """Bring the high bits down, so that the low ones make a good bucket."""
    mixed: Keys = (hashed ^ (hashed >> np.uint64(32))) * _MIX
    return mixed ^ (mixed >> np.uint64(29))


def _normal(texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> pa.Array:
    """Normalised lower-case texts between two blanks, nulls as empty ones."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.cast(pa.large_string()).combine_chunks()
    if not isinstance(texts, pa.Array):
        try:
            texts = pa.array(texts, pa.large_string())
        except UnicodeEncodeError:  # half a surrogate pair is no character: it reads as "?"
            texts = pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string())
    clean = pc.utf8_lower(pc.utf8_normalize(texts.cast(pa.large_string()), form="NFKC"))
    blank = pa.scalar(" ", pa.large_string())
    return pc.binary_join_element_wise(blank, pc.fill_null(clean, ""), blank, pa.scalar("", pa.large_string()))


def _chunks(texts: pa.Array) -> Iterator[pa.Array]:
    """Runs of texts of at most `MOST_CHARS` bytes together, or of one longer text."""
    if not len(texts):
        return
    ends = np.cumsum(_lengths(texts))
    start = 0
    while start < len(texts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + MOST_CHARS, side="right")))
        yield texts.slice(start, stop - start)
        start = stop


def _lengths(texts: pa.Array) -> Ints:
    lengths: Ints = np.asarray(pc.binary_length(texts).to_numpy(zero_copy_only=False), dtype=np.int64)
    return lengths


def _code_points(texts: pa.Array) -> tuple[Codes, Ints]:
    """The texts' characters one after another, and the text that each is of."""
    joined = "".join(texts.to_pylist())
    codes = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
    lengths = np.asarray(pc.utf8_length(texts).to_numpy(zero_copy_only=False), dtype=np.int64)
    return codes, np.repeat(np.arange(len(texts), dtype=np.int64), lengths)


def _kinds(codes: Codes) -> NDArray[np.uint8]:
    """For each character whether it is part of a word, a blank, or neither; looked up once for each that occurs."""
    table = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.uint8)
    table[codes] = 1
    for code in np.flatnonzero(table).tolist():
        char = chr(code)
        wordy = char == "_" or unicodedata.category(char)[0] in "LMN"
        table[code] = _WORD if wordy else _SPACE if char.isspace() else 0
    return table[codes]
