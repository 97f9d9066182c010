"""The hashes of a batch of a pool: of its texts, and of its pictures and clips."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hitl.errors import ConfigError, MediaError
from hitl.hashes.bits import NEAR, WIDTH, Hashes
from hitl.hashes.exact import file_hash, text_hashes
from hitl.hashes.minhash import minhashes
from hitl.hashes.pdq import LEAST_QUALITY, pdq_hashes
from hitl.hashes.video import KEY_FRAMES, clip_hash
from hitl.media import FrameSampling, MediaFolder
from hitl.media.folder import shown
from hitl.pool import Batch
from hitl.types import Floats, Ints

OF_TEXT, OF_MEDIA = ("text", "minhash"), ("sha256", "pdq")
"""Which kinds of hashes are of a pool's texts, and which of its media."""

UNREADABLE = pa.schema([("position", pa.int64()), ("id", pa.string()), ("reason", pa.string())])
_NONE: Hashes = np.empty((0, WIDTH), dtype=np.uint8)
_NEVER: Floats = np.empty(0)


@dataclass(frozen=True)
class Matching:
    """How near is a match: bits apart, the least quality of a picture's hash, which frames of a clip are looked at.

    `threads` files are read side by side. Raises `ConfigError` without any.
    """

    within: int = NEAR
    least_quality: int = LEAST_QUALITY
    sampling: FrameSampling = KEY_FRAMES
    threads: int = 4

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ConfigError(f"threads={self.threads}: give 1 or more")


@dataclass(frozen=True, eq=False)
class Seen:
    """Hashes of one kind (h, 32), the rows of the batch they are of (h,), and times in clips (h,), NaN elsewhere."""

    kind: str
    hashes: Hashes
    rows: Ints
    times: Floats


@dataclass(frozen=True, eq=False)
class Look:
    """Reads one item's file; small, and safe to call from several threads."""

    folder: MediaFolder
    kinds: Sequence[str]
    options: Matching

    def __call__(self, reference: str, modality: str) -> Looked:
        """The hashes of a reference's file and frames, with the reason where any of them could not be had."""
        file, frames, times = _NONE, _NONE, _NEVER
        try:
            path = self.folder.path(reference)
            if "sha256" in self.kinds:
                file = file_hash(path, shown(reference))
            if "pdq" in self.kinds and modality == "video":
                clip = clip_hash(self.folder.frames(reference, self.options.sampling), self.options.least_quality)
                frames, times = clip.hashes, clip.times
            elif "pdq" in self.kinds:
                hashes, quality = pdq_hashes([self.folder.image(reference)])
                frames = hashes[quality >= self.options.least_quality]
                times = np.full(len(frames), np.nan)
        except MediaError as error:
            return Looked(file, frames, times, str(error))
        return Looked(file, frames, times)


@dataclass(frozen=True, eq=False)
class Looked:
    """One item's media: the hash of its file (0 or 1, 32), of its frames (f, 32) with times (f,), and what failed."""

    file: Hashes
    frames: Hashes
    times: Floats
    reason: str = ""


def texts_seen(batch: Batch, kinds: Sequence[str]) -> list[Seen]:
    """The hashes of a batch's texts; blank ones have none."""
    texts = batch.table["text"].to_pylist()
    rows = np.flatnonzero([bool(text.strip()) for text in texts])
    filled = [texts[row] for row in rows.tolist()]
    seen = []
    if "text" in kinds:
        seen.append(Seen("text", text_hashes(filled), rows, np.full(len(rows), np.nan)))
    if "minhash" in kinds:
        hashes, told = minhashes(filled)
        seen.append(Seen("minhash", hashes[told], rows[told], np.full(int(told.sum()), np.nan)))
    return seen


def media_seen(batch: Batch, look: Look, threads: ThreadPoolExecutor) -> tuple[list[Seen], pa.Table]:
    """The hashes of a batch's media, and position, id and reason of those that could not be looked at."""
    references, modalities, ids = (batch.table[name].to_pylist() for name in ("media", "modality", "id"))
    rows = [row for row, reference in enumerate(references) if reference.strip()]
    looked = list(threads.map(lambda row: look(references[row], modalities[row]), rows))
    nowhen: list[Floats] = [np.full(len(each.file), np.nan) for each in looked]
    seen = [
        _joined("sha256", rows, [each.file for each in looked], nowhen),
        _joined("pdq", rows, [each.frames for each in looked], [each.times for each in looked]),
    ]
    failed = [
        {"position": batch.start + row, "id": ids[row], "reason": each.reason}
        for row, each in zip(rows, looked, strict=True)
        if each.reason
    ]
    return seen, pa.Table.from_pylist(failed, UNREADABLE)


def _joined(kind: str, rows: list[int], hashes: list[Hashes], times: list[Floats]) -> Seen:
    owner = np.repeat(np.array(rows, dtype=np.int64), [len(each) for each in hashes])
    return Seen(kind, np.concatenate([_NONE, *hashes]), owner, np.concatenate([_NEVER, *times]))
