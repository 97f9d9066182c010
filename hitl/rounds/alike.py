"""Near copies among pictures and clips: an item that shows what another shows is asked about once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hitl.errors import MediaError
from hitl.hashes import Hashes, Matching, clip_hash, near_duplicates, pdq_hashes
from hitl.media import MediaFolder
from hitl.pool import Pool
from hitl.sampling.fold import Folded
from hitl.types import Ints, Progress, silent

_NONE: Hashes = np.empty((0, 32), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Alike:
    """Folds pictures by their PDQ hash, and clips by that of the frame in their middle; each file is opened once.

    What cannot be opened, and a picture too plain to be told from others, is like no other.
    """

    pool: Pool
    folder: MediaFolder
    options: Matching = field(default_factory=Matching)
    progress: Progress = silent
    _known: dict[int, Hashes] = field(default_factory=dict)  # position → (0 or 1, 32)

    @classmethod
    def of(cls, pool: Pool, root: str | None, progress: Progress = silent) -> Alike | None:
        """For a pool with media under `root`, or under the folder of its file; None where there is neither."""
        place = root or pool.folder
        if pool.columns.media is None or place is None or not Path(place).is_dir():
            return None
        return cls(pool, MediaFolder(Path(place)), progress=progress)

    def __call__(self, positions: Ints, against: Ints) -> Folded:
        """Which items (n,) are one, and which repeat one of `against` (m,). O(n + m) files the first time."""
        prints = self._hashes(np.concatenate([against, positions]))
        some = np.array([at for at, print_ in enumerate(prints) if len(print_)], dtype=np.int64)
        group = np.arange(len(prints))
        if len(some):
            group[some] = some[near_duplicates(np.concatenate([prints[at] for at in some]), self.options.within)]
        mine = group[len(against) :]
        return Folded(np.unique(mine, return_inverse=True)[1], mine < len(against))

    def _hashes(self, positions: Ints) -> list[Hashes]:
        new = np.unique([at for at in positions.tolist() if at not in self._known]).astype(np.int64)
        if len(new):
            rows = self.pool.rows(new, ["media", "modality"])
            with ThreadPoolExecutor(self.options.threads) as threads:
                made = threads.map(self._hash, rows["media"].to_pylist(), rows["modality"].to_pylist())
                for done, (at, print_) in enumerate(zip(new.tolist(), made, strict=True)):
                    self._known[at] = print_
                    self.progress("looking for near copies", done + 1, len(new))
        return [self._known[at] for at in positions.tolist()]

    def _hash(self, reference: str, modality: str) -> Hashes:
        try:
            if modality == "video":
                frames = clip_hash(self.folder.frames(reference, self.options.sampling), self.options.least_quality)
                return frames.hashes[len(frames.hashes) // 2 :][:1]
            hashes, quality = pdq_hashes([self.folder.image(reference)])
            return hashes[quality >= self.options.least_quality]
        except MediaError:
            return _NONE
