"""Clips of a whole pool as their frames' rows: computed once, kept, resumed, reused, and read through a memory map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import MediaError
from hitl.models.dense import Places, centred, keep, mean_of
from hitl.models.encoding import BUNDLED, Checkpoint, file_keys, mark, media_folder, references_of, without_caches
from hitl.models.neural.attention import Clips
from hitl.pool import Pool
from hitl.sampling.diversity.crowd import on_grid
from hitl.types import READABLE, Embeddings, Ints, Keys, Progress, Unreadable

if TYPE_CHECKING:
    from hitl.media import Frames, FrameSampling, MediaFolder
    from hitl.models.neural.image_encoder import ImageEncoder

VERSION = 1
"""Raised whenever the same clip would come to other rows."""

BLOCK = 512


@dataclass(frozen=True)
class ClipRows:
    """Frames of clips by an image encoder: `uniform` ones evenly spaced, and `scenes` more where the scene changes.

    `size` is what a frame's shortest side is scaled down to before the encoder sees it. Clips are found under the
    folder `root`; what cannot be opened is one item's error.
    """

    checkpoint: Checkpoint
    root: str | None
    uniform: int = 16
    scenes: int = 8
    size: int = 256
    pooling: str = "auto"
    device: str = "auto"

    columns: ClassVar[tuple[str, ...]] = ("media",)
    batch: ClassVar[int] = 8

    @cached_property
    def encoder(self) -> ImageEncoder:
        """The encoder, opened when first asked for."""
        from hitl.models.neural.image_encoder import ImageEncoder, ImageEncoding

        return ImageEncoder.open(self.checkpoint.folder, ImageEncoding(pooling=cast(Any, self.pooling)), self.device)

    @cached_property
    def media(self) -> MediaFolder:
        """The folder that references are looked for in."""
        return media_folder(self.root)

    @cached_property
    def sampling(self) -> FrameSampling:
        """Which frames are looked at."""
        from hitl.media import FrameSampling

        return FrameSampling(self.uniform, self.scenes, self.size)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the encoder's files and with the options."""
        from hitl.models.neural.image_encoder import VERSION as OF_FRAMES

        sampled = [self.uniform, self.scenes, self.size]
        return mark("video", VERSION, OF_FRAMES, self.checkpoint.fingerprint, sampled, self.pooling)

    @property
    def most(self) -> int:
        """Frames of a clip at most."""
        return self.uniform + self.scenes

    @property
    def width(self) -> int:
        """Whole numbers in the row of a clip: its count, the times of its frames, and the rows of its frames."""
        return 1 + self.most * (2 + self.encoder.width)

    def keys(self, rows: pa.Table) -> tuple[Keys, list[str]]:
        """A hash of each file's bytes (n,), and why it cannot be read, "" where it can; in bounded memory."""
        return file_keys(self.media, references_of(rows))

    def embed(self, rows: pa.Table) -> tuple[Embeddings, list[str]]:
        """Clips as rows (n, width), zero where one cannot be opened, and why not, "" where it can.

        Two clips' frames are in memory at once: while those of one are encoded, those of the next are decoded.
        """
        found, reasons = np.zeros((len(rows), self.width), dtype=np.int16), [""] * len(rows)
        for row, frames in enumerate(self._decoded(rows["media"].to_pylist())):
            if isinstance(frames, MediaError):
                reasons[row] = str(frames)
            else:
                found[row] = packed(frames.times, on_grid(self.encoder.embed(frames.images)), self.most)
        return found, reasons

    def _decoded(self, references: Sequence[str | None]) -> Iterator[Frames | MediaError]:
        def decoded(reference: str | None) -> Frames | MediaError:
            try:
                return self.media.frames(reference or "", self.sampling)
            except MediaError as error:
                return error

        with ThreadPoolExecutor(1) as ahead:
            following = None
            for reference in references:
                current, following = following, ahead.submit(decoded, reference)
                if current is not None:
                    yield current.result()
            if following is not None:
                yield following.result()

    def bundled(self, folder: Path) -> Self:
        """The same with the encoder that a saved model has brought along."""
        return replace(self, checkpoint=Checkpoint(str(folder / BUNDLED), brought=True))

    def __getstate__(self) -> dict[str, Any]:
        return without_caches(self)


def packed(times: NDArray[np.floating], frames: Embeddings, most: int) -> Embeddings:
    """A clip as one row of whole numbers: how many frames, their times as the bits of float32, their rows (f, d)."""
    count, width = frames.shape
    row = np.zeros(1 + most * (2 + width), dtype=np.int16)
    row[0] = count
    row[1 : 1 + 2 * count] = np.asarray(times, dtype=np.float32).view(np.int16)
    row[1 + 2 * most :][: count * width] = frames.ravel()
    return row


def unpacked(rows: Embeddings, most: int, centre: NDArray[np.float32]) -> Clips:
    """Clips from their rows (n, 1 + most × (2 + d)), each frame less the pool's `centre` (d,), to length 1."""
    n, width = len(rows), len(centre)
    times = np.ascontiguousarray(rows[:, 1 : 1 + 2 * most]).view(np.float32).reshape(n, most)
    frames = centred(np.asarray(rows[:, 1 + 2 * most :]).reshape(n * most, width), centre)
    return Clips(frames.reshape(n, most, width), times, rows[:, 0].astype(np.int64))


def directions(clips: Clips) -> Embeddings:
    """Where clips lie (n, d): the mean of their frames, to length 1 on the grid."""
    return on_grid(clips.frames.sum(axis=1, dtype=np.int64).astype(np.float64))


@dataclass(frozen=True, eq=False)
class ClipReader:
    """Reads clips as a pool's features were made: its frames' rows less the mean of the pool's (d,), to length 1."""

    encoder: ClipRows
    centre: NDArray[np.float32]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the pool's tables that it reads."""
        return self.encoder.columns

    def read(self, rows: pa.Table) -> tuple[Clips, Embeddings]:
        """The clips, and where they lie; one that cannot be opened has no frames, and lies nowhere."""
        packs = [self.encoder.embed(rows.slice(start, 64))[0] for start in range(0, len(rows), 64)]
        width = 1 + self.encoder.most * (2 + len(self.centre))
        clips = unpacked(np.concatenate([np.zeros((0, width), np.int16), *packs]), self.encoder.most, self.centre)
        return clips, directions(clips)


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """Clips of n items as rows (n, 1 + F × (2 + d)) of whole numbers, and where they lie; in memory or mapped."""

    fingerprint: str
    rows: Embeddings
    embeddings: Embeddings
    reader: ClipReader
    unreadable: Unreadable = READABLE

    block: ClassVar[int] = 1024

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: Ints) -> Clips:
        """The clips at these positions, in this order."""
        return self._clips(np.asarray(self.rows[np.asarray(positions, dtype=np.int64)]))

    def slice(self, start: int, stop: int) -> Clips:
        """Consecutive clips."""
        return self._clips(np.asarray(self.rows[start:stop]))

    def _clips(self, rows: Embeddings) -> Clips:
        return unpacked(rows, self.reader.encoder.most, self.reader.centre)

    def __repr__(self) -> str:
        encoder = self.reader.encoder
        return f"ClipFeatures({len(self):,} clips × up to {encoder.most} frames × {len(self.reader.centre)} dimensions)"


def clip_features(pool: Pool, encoder: ClipRows, cache: Path | None, progress: Progress) -> ClipFeatures:
    """The clips of a pool by an encoder: read from `cache` or computed, and kept there; see `keep`.

    One decoding of each clip and F runs of the encoder; in memory are two clips' frames and a batch of rows. On disk
    2 F (d + 2) bytes a clip. Raises `ModelError`.
    """

    def lie(rows: Embeddings, centre: NDArray[np.float32]) -> Embeddings:
        return directions(unpacked(rows, encoder.most, centre))

    places = Places(lambda rows: _frames_centre(rows, encoder), lie)
    kept = keep(pool, encoder, cache, places, progress)
    reader = ClipReader(encoder, kept.centre)
    return ClipFeatures(kept.fingerprint, kept.rows, kept.embeddings, reader, kept.unreadable)


def _frames_centre(rows: Embeddings, encoder: ClipRows) -> NDArray[np.float32]:
    """The mean of all frames; exact sums, so that no cut matters."""
    total, count = np.zeros(encoder.encoder.width, dtype=np.int64), 0
    for start in range(0, len(rows), BLOCK):
        block = np.asarray(rows[start : start + BLOCK])
        count += int(block[:, 0].sum(dtype=np.int64))
        total += block[:, 1 + 2 * encoder.most :].reshape(-1, len(total)).sum(axis=0, dtype=np.int64)
    return mean_of(total, count)
