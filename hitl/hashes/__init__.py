"""Hashes by which content is known again: of files, texts, pictures and clips, all of 256 bits.

Files and texts by SHA-256 (`file_hash`, `text_hashes`); near copies of pictures by PDQ (`pdq_hashes`), of clips by
their frames (`clip_hash`), of texts by MinHash (`minhashes`). Near is counted in bits: `near_duplicates` groups a pool,
`match` looks for it in a `HashList` of what was judged before.
"""

from hitl.hashes.bits import Hashes, distances, from_hex, to_hex
from hitl.hashes.exact import file_hash, text_hashes
from hitl.hashes.known import Entry, HashList
from hitl.hashes.matching import Matches, match
from hitl.hashes.minhash import jaccard, minhashes
from hitl.hashes.near import HammingIndex, near_duplicates
from hitl.hashes.pdq import pdq_hashes
from hitl.hashes.seen import Matching
from hitl.hashes.video import ClipHash, clip_hash, shared_frames

__all__ = [
    "ClipHash",
    "Entry",
    "HammingIndex",
    "HashList",
    "Hashes",
    "Matches",
    "Matching",
    "clip_hash",
    "distances",
    "file_hash",
    "from_hex",
    "jaccard",
    "match",
    "minhashes",
    "near_duplicates",
    "pdq_hashes",
    "shared_frames",
    "text_hashes",
    "to_hex",
]
