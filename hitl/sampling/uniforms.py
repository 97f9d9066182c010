"""Chance that belongs to an item: uniform numbers from its key and a seed, the same in every batch and shard."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from hitl.types import Floats, Keys

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(words: Keys) -> Keys:
    """Scramble 64-bit words one to one: the finaliser of splitmix64 (Steele, Lea & Flood, OOPSLA 2014).

    `words` and the result are (n,). O(n) time and memory.
    """
    mixed = words + np.uint64(_GOLDEN)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def draws(keys: Keys, seed: int) -> Floats:
    """One uniform number in [0, 1) for each key, (n,), that depends on the key and the seed alone.

    Another order or cut of the keys gives the same numbers, so that shards need not share a generator. O(n).

    >>> draws(np.array([7, 8], dtype=np.uint64), seed=1)[::-1] == draws(np.array([8, 7], dtype=np.uint64), seed=1)
    array([ True,  True])
    """
    salt = mix(np.array([seed & _WORD], dtype=np.uint64))[0]
    words = mix(mix(keys ^ salt))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def derive(seed: int, purpose: str) -> int:
    """A seed of its own for each purpose, so that the audit draw and the random arm share no chance.

    >>> derive(1, "audit") == derive(1, "audit"), derive(1, "audit") == derive(1, "random")
    (True, False)
    """
    return int.from_bytes(blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest(), "big")
