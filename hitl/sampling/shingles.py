"""Texts as sets of hashed shingles, without a Python loop over words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.sampling.uniforms import mix
from hitl.types import Bools, Ints, Keys

MAX_CHARS = 4000
"""A text is compared by its first characters, so that one long document cannot hold up a round."""

_GRAM = 5
_SPACE, _DROP, _MARK, _WORD, _UNSPACED = range(5)
_BASE = 0xD1342543DE82EF95
_INVERSE = pow(_BASE, -1, 1 << 64)

# Thai to Myanmar, Khmer, kana, and Han: scripts that put no space between words
_UNSPACED_RANGES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x9FFF),
    (0x20000, 0x323AF),
)


def is_unspaced(char: str) -> bool:
    """Whether a character belongs to a script that puts no space between words.

    >>> is_unspaced("ก"), is_unspaced("k")
    (True, False)
    """
    return any(low <= ord(char) <= high for low, high in _UNSPACED_RANGES)


def shingles(texts: Sequence[str]) -> tuple[Keys, Ints]:
    """The hashed shingles of n texts one after another, (T,), and where each text begins, (n + 1,).

    Shingles are runs of one to three words, in the text as NFKC, case-folded, with each number as 0 and without
    punctuation. Where most letters are of a script without spaces, and where there is no letter at all, they are
    runs of five characters. Only the first `MAX_CHARS` characters count. O(characters) time and memory, a
    character table of 1 MB included. Broder (SEQUENCES 1997).

    >>> hashes, starts = shingles(["Win 100 now!", "win 250 NOW", "lose"])
    >>> starts.tolist(), bool((hashes[:6] == hashes[6:12]).all())
    ([0, 6, 12, 13], True)
    """
    codes, kinds, owners = _characters(texts)
    letters = np.bincount(owners[kinds >= _WORD], minlength=len(texts))
    unspaced = np.bincount(owners[kinds == _UNSPACED], minlength=len(texts))
    by_character = 2 * unspaced >= letters  # also where there are no letters, as in a text of emoji
    in_word = (kinds >= _WORD) | ((kinds == _MARK) & (letters == 0)[owners])
    hashes, owner = [], []
    runs = in_word & by_character[owners]
    for found in (_words(codes, in_word & ~by_character[owners], owners), _grams(codes[runs], owners[runs])):
        hashes.append(found[0])
        owner.append(found[1])
    order = np.argsort(np.concatenate(owner), kind="stable")
    starts = np.r_[0, np.cumsum(np.bincount(np.concatenate(owner), minlength=len(texts)))]
    return np.concatenate(hashes)[order], starts


def _characters(texts: Sequence[str]) -> tuple[Keys, NDArray[np.uint8], Ints]:
    """Code points of all texts, normalised, with their kind and the text they belong to."""
    plain = [unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold() for text in texts]
    lengths = np.fromiter(map(len, plain), dtype=np.int64, count=len(plain))
    codes: NDArray[Any] = np.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    present = np.flatnonzero(np.bincount(codes, minlength=1))
    kinds_of = np.zeros(present.max(initial=0) + 1, dtype=np.uint8)
    codes_of = np.zeros(present.max(initial=0) + 1, dtype=np.uint64)
    kinds_of[present] = [_kind(chr(code)) for code in present]
    codes_of[present] = [ord("0") if unicodedata.category(chr(code)) == "Nd" else code for code in present]
    kinds, owners = kinds_of[codes], np.repeat(np.arange(len(plain)), lengths)
    codes = codes_of[codes]
    kept = kinds != _DROP
    # a number is one 0 however long it is: "win 50" and "win 1000" are the same template
    kept[1:] &= ~((codes[1:] == ord("0")) & (codes[:-1] == ord("0")) & (owners[1:] == owners[:-1]))
    return codes[kept], kinds[kept], owners[kept]


def _kind(char: str) -> int:
    category = unicodedata.category(char)
    if char in "'’ʼ" or category == "Cf":  # it's = its; zero-width characters hide copies
        return _DROP
    if category[0] not in "LMN":
        return _SPACE if char.isspace() else _MARK
    return _UNSPACED if is_unspaced(char) else _WORD


def _rolling(codes: Keys) -> tuple[Keys, Keys]:
    """Prefix sums Σ code × baseⁱ, (n + 1,), and base⁻ⁱ, (n + 1,), both modulo 2⁶⁴."""
    steps = np.full(len(codes) + 1, _BASE, dtype=np.uint64)
    steps[0] = 1
    prefix = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum((codes + np.uint64(1)) * np.cumprod(steps)[:-1], out=prefix[1:])
    steps[1:] = _INVERSE
    return prefix, np.cumprod(steps)


def _words(codes: Keys, inside: Bools, owners: Ints) -> tuple[Keys, Ints]:
    same = np.zeros(len(codes) + 1, dtype=np.bool_)
    same[1:-1] = owners[1:] == owners[:-1]
    padded = np.r_[False, inside, False]
    starts = np.flatnonzero(inside & ~(padded[:-2] & same[:-1]))
    ends = np.flatnonzero(inside & ~(padded[2:] & same[1:])) + 1
    prefix, inverse = _rolling(codes)
    one = mix((prefix[ends] - prefix[starts]) * inverse[starts])
    owner = owners[starts]
    two, three = mix(one[:-1]) + one[1:], mix(mix(one[:-2]) + one[1:-1]) + one[2:]
    pair, triple = owner[1:] == owner[:-1], owner[2:] == owner[:-2]
    hashes = np.concatenate([one, mix(two[pair]), mix(three[triple])])
    return hashes, np.concatenate([owner, owner[1:][pair], owner[2:][triple]])


def _grams(codes: Keys, owners: Ints) -> tuple[Keys, Ints]:
    prefix, inverse = _rolling(codes)
    begins = np.searchsorted(owners, owners, side="left")
    finishes = np.searchsorted(owners, owners, side="right")
    at = np.arange(len(codes))
    ends = np.minimum(at + _GRAM, finishes)
    whole = (ends == at + _GRAM) | (at == begins)  # a shorter text is one shingle
    hashes = mix((prefix[ends] - prefix[at]) * inverse[at])
    return hashes[whole], owners[whole]
