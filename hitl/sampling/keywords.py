"""Which texts hold a label's keywords, told over whole Arrow arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hitl.policy import Policy
from hitl.sampling.shingles import is_unspaced
from hitl.types import Bools

if TYPE_CHECKING:
    import pyarrow as pa

_EDGE = r"[^\pL\pN\pM_]"


def policy_keywords(policy: Policy) -> dict[str, tuple[str, ...]]:
    """The keywords of each violating label, those of all regions together; labels without any are left out.

    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, "
    ...                       "{name: spam, keywords: [buy gold]}]}")
    >>> policy_keywords(policy)
    {'spam': ('buy gold',)}
    """
    everywhere = [policy, *(policy.resolve(region) for region in policy.regions)]
    words = {
        label.name: tuple(
            dict.fromkeys(
                word.strip() for where in everywhere for word in where.label(label.name).keywords if word.strip()
            )
        )
        for label in policy.labels
        if label.violating
    }
    return {label: found for label, found in words.items() if found}


def pattern(words: Sequence[str]) -> str:
    """A regular expression (RE2) for any of the words: in any case, whole words, any white space between them.

    A word of a script without spaces matches anywhere. RE2's own `\\b` knows ASCII only.
    """
    whole = [_escape(word) for word in words if not any(map(is_unspaced, word))]
    anywhere = [_escape(word) for word in words if any(map(is_unspaced, word))]
    if whole:
        anywhere.append(rf"(?:^|{_EDGE})(?:{'|'.join(whole)})(?:$|{_EDGE})")
    return f"(?is:{'|'.join(anywhere)})"


def _escape(word: str) -> str:
    return r"\s+".join(re.escape(part) for part in word.split())


def matches(texts: pa.Array | pa.ChunkedArray, words: Sequence[str]) -> Bools:
    """Which of n texts hold any of the words, (n,); a missing text holds none. O(characters) time.

    >>> import pyarrow as pa
    >>> matches(pa.array(["Buy  GOLD!", "golden", None]), ["gold"])
    array([ True, False, False])
    """
    import pyarrow.compute as pc

    found: Any = pc.fill_null(pc.match_substring_regex(texts, pattern=pattern(words)), False)
    mask: Bools = found.to_numpy() if hasattr(found, "chunks") else found.to_numpy(zero_copy_only=False)
    return mask
