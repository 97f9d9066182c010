"""Clips by the hashes of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.hashes.bits import NEAR, Hashes
from hitl.hashes.near import HammingIndex
from hitl.hashes.pdq import LEAST_QUALITY, pdq_hashes
from hitl.media import Frames, FrameSampling
from hitl.types import Floats

KEY_FRAMES = FrameSampling(uniform=24, scenes=8, size=480)
"""How a clip is sampled for its hash: frames large enough that scaling them down changes few bits."""


@dataclass(frozen=True, eq=False)
class ClipHash:
    """The frames of a clip that can be told from others: times (f,) in seconds and PDQ hashes (f, 32)."""

    times: Floats
    hashes: Hashes

    def __len__(self) -> int:
        return len(self.hashes)

    def __repr__(self) -> str:
        return f"ClipHash({len(self)} frames)"


def clip_hash(frames: Frames, least_quality: int = LEAST_QUALITY) -> ClipHash:
    """PDQ hashes of a clip's frames, without those of too low a quality (dark, empty, blurred). O(pixels) time.

    >>> clip_hash(Frames(np.zeros(1), (np.zeros((64, 64, 3), np.uint8),), np.zeros(1, bool), 1.0))
    ClipHash(0 frames)
    """
    hashes, quality = pdq_hashes(frames.images)
    clear = quality >= least_quality
    return ClipHash(frames.times[clear], hashes[clear])


def shared_frames(clip: ClipHash, others: Sequence[ClipHash], within: int = NEAR) -> Floats:
    """How much of a clip is in each of m others and the other way round: shares of frames, (m, 2), 0 without frames.

    A frame is in a clip that has one within so many bits, at whatever time. A copy shares nearly all both ways; an
    excerpt is in the whole, and the whole not in it. About a look-up for each frame of `clip` in those of all others.
    Follows vPDQ of ThreatExchange (2022).

    >>> one = ClipHash(np.zeros(2), np.eye(2, 32, dtype=np.uint8) * 255)
    >>> shared_frames(one, [one, ClipHash(one.times[:1], one.hashes[:1])], within=8).tolist()
    [[1.0, 1.0], [0.5, 1.0]]
    """
    if not len(others):
        return np.zeros((0, 2))
    lengths = np.array([len(clip), *map(len, others)])
    owner = np.repeat(np.arange(len(others)), lengths[1:])
    pairs = HammingIndex(np.concatenate([other.hashes for other in others])).within(clip.hashes, within)
    mine = np.unique(owner[pairs.entry] * max(len(clip), 1) + pairs.query) // max(len(clip), 1)
    theirs = owner[np.unique(pairs.entry)]
    found = np.stack([np.bincount(side, minlength=len(others)) for side in (mine, theirs)], axis=1)
    whole = np.stack([np.full(len(others), lengths[0]), lengths[1:]], axis=1)
    return np.asarray(found / np.maximum(whole, 1), dtype=np.float64)
