"""Attention over a clip's frames: which of them speak for a label, learned from labels of whole clips and timelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.calibration import probable
from hitl.sampling.diversity.crowd import GRID
from hitl.types import Bools, Embeddings, Floats, Ints, Proba

BLOCK = 64
"""Clips whose frames are in memory as floats at once."""


@dataclass(frozen=True, eq=False)
class Clips:
    """n clips by their frames: unit rows on the grid 1/2048 (n, F, d) and their `times` in seconds (n, F).

    The first `counts` (n,) of a clip's F frames are there, the others are padding of zeros.
    """

    frames: Embeddings
    times: NDArray[np.float32]
    counts: Ints

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if len(shape) != 3 or self.frames.dtype != np.int16 or self.times.shape != shape[:2]:
            raise ModelError(
                f"frames are {self.frames.dtype} {shape} and times {self.times.shape}; give int16 (n, F, d) and (n, F)"
            )
        if self.counts.shape != shape[:1]:
            raise ModelError(f"counts are {self.counts.shape} for {shape[0]:,} clips; give one for each")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Clips, frames of a clip at most, dimensions."""
        n, most, width = self.frames.shape
        return n, most, width

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"Clips({len(self):,} × up to {self.shape[1]} frames × {self.shape[2]} dimensions)"

    @property
    def there(self) -> Bools:
        """Which frames are there (n, F)."""
        return np.asarray(np.arange(self.shape[1]) < self.counts[:, None])

    def take(self, rows: Any) -> Clips:
        """Some of the clips, by their rows or a slice."""
        return Clips(self.frames[rows], self.times[rows], self.counts[rows])


@dataclass(frozen=True, eq=False)
class Attention:
    """A linear score of each frame for each label, pooled by attention: `coef` (1 + h, k, d), the rest (1 + h, k).

    Frame f scores s_f = coef · x_f + intercept for a label, and the clip Σ a_f s_f with a = softmax(sharpness × s) over
    its frames: a sharpness of 0 takes their mean, a great one the frame that speaks most for the label. A clip without
    frames has the intercept. The first is the head itself, the others its committee. A clip's logits do not depend on
    the batch it is in.

    Sources: attention pooling for multiple instances, Ilse, Tomczak & Welling (ICML 2018); attention by the label's own
    score with a learned sharpness, McFee, Salamon & Bello ("auto-pool", 2018); scores of single frames that add up to
    the clip's, Javed et al. (NeurIPS 2022).
    """

    coef: Floats
    intercept: Floats
    sharpness: Floats
    constants: NDArray[np.float32]
    softmax: bool

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""
        return np.asarray(self.constants[0])

    def scores(self, clips: Clips) -> tuple[Floats, Proba | None]:
        """Logits (n, k), and the committee's probabilities (h, n, k) if there is one.

        O(n F d k (1 + h)) time; memory for `BLOCK` clips beside the result.
        """
        parts = [pooled(self._frames(block, slice(None)), block.there, self.sharpness)[0] for block in _blocks(clips)]
        logits = np.concatenate([np.zeros((0, *self.intercept.shape)), *parts])
        if len(self.coef) == 1:
            return logits[:, 0], None
        rest = zip(np.moveaxis(logits[:, 1:], 1, 0), self.constants[1:], strict=True)
        return logits[:, 0].copy(), np.stack([probable(one, fixed, softmax=self.softmax) for one, fixed in rest])

    def attention(self, clips: Clips) -> Floats:
        """How much each frame counts for each label (n, k, F): from 0 to 1, 1 in all for a clip that has frames."""
        first = self.sharpness[:1]
        parts = [pooled(self._frames(block, slice(1)), block.there, first)[1][:, 0] for block in _blocks(clips)]
        k, most = self.intercept.shape[1], clips.shape[1]
        return np.concatenate([np.zeros((0, k, most)), *parts])

    def _frames(self, clips: Clips, heads: slice) -> Floats:
        """The scores of all frames (n, heads, k, F); one product a clip, so that no batch changes them."""
        coef, intercept = self.coef[heads], self.intercept[heads]
        if clips.shape[2] != coef.shape[2]:
            raise ModelError(
                f"frames have {clips.shape[2]:,} dimensions and the model {coef.shape[2]:,}; use its own features"
            )
        flat = clips.frames.astype(np.float64) @ coef.reshape(-1, coef.shape[2]).T
        apart = np.ascontiguousarray(np.moveaxis(flat, 2, 1)).reshape(len(clips), *intercept.shape, -1)
        return np.asarray(apart + intercept[..., None])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was learned by name, as it is saved."""
        named = {"coef": self.coef, "intercept": self.intercept, "sharpness": self.sharpness}
        return {**named, "constant": self.constants}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], *, softmax: bool) -> Attention:
        """The same from `arrays()`."""
        return cls(arrays["coef"], arrays["intercept"], arrays["sharpness"], arrays["constant"], softmax)


def _blocks(clips: Clips) -> list[Clips]:
    return [clips.take(slice(start, start + BLOCK)) for start in range(0, len(clips), BLOCK)]


def pooled(scores: Floats, there: Bools, sharpness: Floats) -> tuple[Floats, Floats]:
    """Scores (n, ..., F) of frames pooled over those that are there (n, F): logits (n, ...) and attention (n, ..., F).

    Without any frame all of them are padding, which scores the intercept.
    """
    there = there | ~there.any(axis=1, keepdims=True)
    there = there.reshape(len(there), *(1,) * (scores.ndim - 2), there.shape[1])
    raised = np.where(there, sharpness[..., None] * scores, -np.inf)
    raised = np.exp(raised - raised.max(axis=-1, keepdims=True))
    attention = raised / raised.sum(axis=-1, keepdims=True)
    return (attention * scores).sum(axis=-1), attention


def unit(frames: Embeddings) -> Floats:
    """Rows on the grid as floats of length 1."""
    return frames.astype(np.float64) / GRID
