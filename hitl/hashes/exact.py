"""Hashes that only the very same content has: of files, and of texts however they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from unicodedata import normalize

import numpy as np

from hitl.errors import MediaError
from hitl.hashes.bits import WIDTH, Hashes

# Characters that nobody sees: soft hyphen, zero-width ones, marks of direction, variation selectors, tags
_UNSEEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]+"
)


def file_hash(path: Path, name: str = "") -> Hashes:
    """SHA-256 of a file's bytes, (1, 32); `name` is what messages call it. Raises `MediaError` if it cannot be read.

    O(bytes) time, constant memory.
    """
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").digest()
    except OSError as error:
        raise MediaError(f"{name or repr(str(path))}: cannot be read ({error.strerror}); check the file") from None
    return np.frombuffer(digest, dtype=np.uint8).reshape(1, WIDTH)


def text_hashes(texts: Sequence[str]) -> Hashes:
    """SHA-256 of each of n texts as it reads, (n, 32): the UTF-8 bytes of what `plain` makes of it.

    A cryptographic hash, because lists of them are passed on and must not give texts away or take in others. O(bytes).

    >>> one, other = text_hashes(["Zonk  wub", "zo\u200bnk wub"])
    >>> bool((one == other).all())
    True
    """
    digests = [sha256(plain(text).encode("utf-8", "surrogatepass")).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, WIDTH)


def plain(text: str) -> str:
    """A text without what does not change how it reads: NFKC, case-folded, no unseen characters, single spaces.

    >>> plain("  Ｚonk\\n WUB\u200b ")
    'zonk wub'
    """
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(normalize("NFKC", normalize("NFKC", _UNSEEN.sub("", text)).casefold()).split())
