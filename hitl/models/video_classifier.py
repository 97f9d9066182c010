"""Video classifier on any Hugging Face vision encoder: frames of a clip, pooled by attention that tells the moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models.calibration import check_method
from hitl.models.clips import VERSION, ClipFeatures, ClipReader, ClipRows, clip_features
from hitl.models.encoding import Checkpoint, root_of
from hitl.models.fitted import Learned, Learner
from hitl.models.frozen import check_encoder, check_head
from hitl.models.moments import Moments, heaviest
from hitl.models.neural.attention import Attention, Clips
from hitl.models.neural.attention_fitting import AttentionFitting, fit_attention
from hitl.models.saving import Saved
from hitl.pool import Pool
from hitl.types import Floats, Ints, Proba, Progress, Targets, silent

MOST_FRAMES = 512


@dataclass(frozen=True)
class VideoClassifier(Learner):
    """Attention over the frames of a clip, each a row of a frozen vision encoder.

    `encoder` is the folder of a saved Hugging Face model with its image processor, or its name at the Hub with
    `revision`. Of each clip `uniform` frames evenly spaced are looked at, and up to `scenes` more where the scene
    changes, their shortest side scaled down to `size`; a frame's row is the encoder's `pooling` ("auto", "cls",
    "mean"), less the pool's mean. `C`, `class_weight`, `heads` and `calibrate` as in `TextLinear`; `timelines` is how
    much a clip's annotated spans count beside its label. `root` is the folder that the pool's references are relative
    to, by default that of the pool's file; like `device` it is no part of the model. Raises `ConfigError`, and
    `ModelError` where the encoder cannot be had.

    Frames are computed once, in memory that does not grow with a clip's length, and kept by the hash of the file, so
    that a round trains the attention in seconds. A clip that cannot be opened is an item of `features.unreadable`,
    with the reason; the others go on. `moments` tells which frames mattered. See `Attention` for the sources.

    >>> VideoClassifier("google/vit-base-patch16-224-in21k", uniform=32).options()["uniform"]
    32
    """

    encoder: str
    revision: str | None = None
    pooling: str = "auto"
    uniform: int = 16
    scenes: int = 8
    size: int = 256
    C: float = 1.0
    class_weight: str | None = "balanced"
    timelines: float = 3.0
    heads: int = 0
    calibrate: bool | str = True
    root: str | None = field(default=None, compare=False)
    device: str = field(default="auto", compare=False)

    kind: ClassVar[str] = "video_classifier"
    reads: ClassVar[tuple[str, ...]] = ("media",)
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "PIL", "av")
    limits: ClassVar[tuple[str, ...]] = (
        "Looks at single frames: what only movement or the order of events tells, and all sound, is not seen.",
        "Looks at a few frames of a clip: what is shown between two of them is missed, the more so in long clips.",
        "Knows the harms of its training items only; check each slice before relying on it.",
    )

    def __post_init__(self) -> None:
        check_method(self.kind, self.calibrate)
        check_head(self.kind, self.C, self.class_weight, self.heads)
        check_encoder(self.kind, self.encoder, self.pooling, ("auto", "cls", "mean"))
        for name, least, most in (("uniform", 1, MOST_FRAMES), ("scenes", 0, MOST_FRAMES), ("size", 16, 4096)):
            number = getattr(self, name)
            if not isinstance(number, int) or not least <= number <= most:
                raise ConfigError(f"video_classifier: {name}={number!r} must be a whole number from {least} to {most}")
        if not (np.isfinite(self.timelines) and self.timelines >= 0):
            raise ConfigError(f"video_classifier: timelines={self.timelines} must be a number from 0 on; 0 for none")

    @cached_property
    def rows(self) -> ClipRows:
        """What makes rows of clips."""
        at = Checkpoint(self.encoder, self.revision)
        return ClipRows(at, self.root, self.uniform, self.scenes, self.size, self.pooling, self.device)

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> ClipFeatures:
        """The frames of the pool's clips, and as their embeddings the frames' mean.

        Read from `cache` or computed, and kept there: one decoding of each clip. Raises `ModelError` without a media
        column.
        """
        if pool.columns.media is None:
            raise ModelError(
                f"pool {pool.name!r} has no media for video_classifier; name them with Pool.open(..., media=...)"
            )
        return clip_features(pool, replace(self.rows, root=root_of(self.root, pool)), cache, progress)

    def learn(self, features: Any, targets: Targets, rng: np.random.Generator, *, multi_label: bool) -> Learned:
        """The attention, and what the fitting took."""
        if not isinstance(features, ClipFeatures) or features.reader.encoder.fingerprint != self.rows.fingerprint:
            raise ModelError("these features are of another model; compute them with its own features(pool, cache)")
        fitting = AttentionFitting(self.C, self.class_weight == "balanced", self.heads, self.timelines)
        clips = features.take(targets.positions)
        attention, told = fit_attention(clips, targets, fitting, rng, multi_label=multi_label)
        return Learned(ClipAttention(attention, features.reader, self.rows.checkpoint.files), told)

    def restore(self, saved: Saved) -> ClipAttention:
        """What a saved model of these options has learned, with the encoder that it brought along."""
        there = self.rows.bundled(saved.folder)
        attention = Attention.of(saved.arrays, softmax=not saved.card["multi_label"])
        return ClipAttention(attention, ClipReader(there, np.asarray(saved.arrays["centre"])), there.checkpoint.files)


@dataclass(frozen=True, eq=False)
class ClipAttention:
    """Attention over frames, and the reader of the clips that it reads."""

    attention: Attention
    reader: ClipReader
    files_of: Mapping[str, Path]

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""
        return self.attention.constant

    @property
    def depends(self) -> dict[str, Any]:
        """The encoder and sampling that made the frames' rows."""
        return {"encoder": self.reader.encoder.fingerprint, "clips": VERSION}

    def scores(self, x: Clips) -> tuple[Floats, Proba | None]:
        """Logits (n, k) of clips, and the committee's probabilities (h, n, k) if there is one."""
        return self.attention.scores(x)

    def moments(self, x: Clips, labels: Ints, top: int = 3, apart: float = 1.0) -> Moments:
        """When what speaks for one label of each clip (n,), by its column, is seen; see `heaviest`. O(n F d k)."""
        attention = self.attention.attention(x)[np.arange(len(x)), np.asarray(labels, dtype=np.int64)]
        return heaviest(x, attention, top, apart)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and centre by name."""
        return {**self.attention.arrays(), "centre": self.reader.centre}

    def files(self) -> Mapping[str, Path]:
        """The encoder's own files."""
        return self.files_of
