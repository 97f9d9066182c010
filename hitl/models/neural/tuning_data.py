"""What a network is tuned on: ragged inputs in batches of like length, and what is held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from hitl.models.neural.batching import Tokens
from hitl.types import Bools, Floats, Ints

MOST = 50
"""Batches that are brought in order of length together; the more, the less padding and the less chance."""


class Inputs(Protocol):
    """Items as a network reads them."""

    auto: ClassVar[str]
    """The transformers class that classifies them."""

    room: ClassVar[dict[str, int]]
    """How long the items of a batch are together at most, with padding, on each type of device."""

    @property
    def lengths(self) -> Ints:
        """How long each item is (n,), for batches of like length."""

    def __len__(self) -> int: ...

    def batch(self, rows: Ints) -> dict[str, NDArray[Any]]:
        """What the network is called with for these items, by name."""


@dataclass(frozen=True, eq=False)
class TextInputs:
    """Texts as token ids; `pad` fills up the shorter ones of a batch.

    >>> texts = TextInputs(Tokens.of([[5, 6], [7]]))
    >>> texts.batch(np.array([1, 0]))["input_ids"]
    array([[7, 0],
           [5, 6]])
    """

    tokens: Tokens
    pad: int = 0

    auto: ClassVar[str] = "AutoModelForSequenceClassification"
    room: ClassVar[dict[str, int]] = {"cpu": 2048, "mps": 8192, "cuda": 32768}

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> Ints:
        """Tokens of each text (n,)."""
        return self.tokens.lengths

    def batch(self, rows: Ints) -> dict[str, NDArray[Any]]:
        """`input_ids` and `attention_mask` (b, longest) int64; an empty text is one pad that is looked at."""
        ids, mask = self.tokens.take(rows).padded(self.pad)
        if not ids.shape[1]:
            ids = np.full((len(rows), 1), self.pad, dtype=np.int64)
        mask = np.ones_like(ids) if mask is None else mask
        mask[:, 0] = 1
        return {"input_ids": ids, "attention_mask": mask}


@dataclass(frozen=True, eq=False)
class ImageInputs:
    """`count` images, which `read(rows)` gives as float32 (b, channels, height, width) when they are needed."""

    count: int
    read: Callable[[Ints], NDArray[np.float32]]

    auto: ClassVar[str] = "AutoModelForImageClassification"
    room: ClassVar[dict[str, int]] = {"cpu": 16, "mps": 32, "cuda": 128}

    def __len__(self) -> int:
        return self.count

    @property
    def lengths(self) -> Ints:
        """1 for each image: they are alike."""
        return np.ones(self.count, dtype=np.int64)

    def batch(self, rows: Ints) -> dict[str, NDArray[Any]]:
        """`pixel_values`, as read."""
        return {"pixel_values": np.ascontiguousarray(self.read(rows), dtype=np.float32)}


def held_out(y: Floats, draws: Floats, share: float, *, multi_label: bool) -> Bools:
    """Which of m items are held out: about `share` (up to a half) of each label's, by their `draws` (m,) alone.

    An item belongs to its label, with several to the rarest; the only item of a label is never held out. Systematic
    sampling of the items in order of label and draw, so that the order in which they are given says nothing.
    O(m k + m log m).
    """
    found: Bools = np.zeros(len(y), dtype=bool)
    positive = y == 1
    counts = positive.sum(axis=0)
    stratum = np.where(positive, counts + np.arange(len(counts)) / (len(counts) + 1), np.inf).min(axis=1)
    _, stratum, sizes = np.unique(stratum, return_inverse=True, return_counts=True)
    order = np.lexsort((draws, stratum))
    order = order[sizes[stratum[order]] > 1]
    marks = np.floor(np.arange(len(order) + 1) * share + 0.5)
    found[order[np.diff(marks) > 0]] = True
    return found


@dataclass
class Buckets:
    """A sampler for torch: in each epoch `repeats` passes over n items, by chance, like lengths in one batch.

    Some passes are strung together, cut into stretches of up to `MOST` batches, brought in order of length within each,
    and the batches shuffled; what does not fill one comes last. The chance is that of the seed and the epoch alone, and
    so the same in each process. O(n log n) an epoch.
    """

    lengths: Ints
    batch: int
    seed: int
    repeats: int = 1
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.lengths) * self.repeats

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        order = np.concatenate([rng.permutation(len(self.lengths)) for _ in range(self.repeats)])
        stretch = self.batch * min(MOST, max(len(order) // (4 * self.batch), 1))
        order = order[np.lexsort((self.lengths[order], np.arange(len(order)) // stretch))]
        full = len(order) // self.batch
        batches = rng.permutation(order[: full * self.batch].reshape(full, self.batch))
        return iter(np.concatenate([batches.ravel(), order[full * self.batch :]]).tolist())
