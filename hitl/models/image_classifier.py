"""Image classifier on any Hugging Face vision encoder: frozen with a head, or fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hitl.errors import ModelError
from hitl.models.calibration import check_method
from hitl.models.dense import DenseFeatures, dense_features
from hitl.models.encoding import Checkpoint, ImageRows, root_of
from hitl.models.fitted import Core, Learned, Learner
from hitl.models.frozen import check_encoder, check_head, head_fitting, learn_frozen, restore_frozen
from hitl.models.neural.tuning import Tuning
from hitl.models.saving import Saved
from hitl.models.tuned import TunedFeatures, learn_tuned, restore_tuned, tuning_of
from hitl.pool import Pool
from hitl.types import Progress, Targets, silent


@dataclass(frozen=True)
class ImageClassifier(Learner):
    """Logistic regression on the rows of a frozen vision encoder; with `tune`, the encoder itself is trained.

    `encoder` is the folder of a saved Hugging Face model with its image processor, or its name at the Hub with
    `revision`. A picture's row is the `pooling` ("auto", "cls", "mean") of its patches, less the pool's mean. `C`,
    `class_weight`, `heads` and `calibrate` as in `TextLinear`; `tune` are the options of `Tuning`, `{}` for its
    defaults. `root` is the folder that the pool's references are relative to, by default that of the pool's file;
    like `device` it is no part of the model. Raises `ConfigError`, and `ModelError` where the encoder cannot be had.

    A picture that is missing, corrupt, truncated, animated or too large is an item of `features.unreadable`, with the
    reason; the others go on, and it is not picked.

    >>> ImageClassifier("google/vit-base-patch16-224-in21k", root="images").options()["pooling"]
    'auto'
    """

    encoder: str
    revision: str | None = None
    pooling: str = "auto"
    C: float = 1.0
    class_weight: str | None = "balanced"
    heads: int = 0
    calibrate: bool | str = True
    tune: Tuning | None = None
    root: str | None = field(default=None, compare=False)
    device: str = field(default="auto", compare=False)

    kind: ClassVar[str] = "image_classifier"
    reads: ClassVar[tuple[str, ...]] = ("media",)
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "PIL")
    limits: ClassVar[tuple[str, ...]] = (
        "Sees a picture at the size of its encoder: small print and small details are lost.",
        "Does not read text within pictures unless its encoder does.",
        "Knows the harms of its training items only; check each slice before relying on it.",
    )

    def __post_init__(self) -> None:
        check_method(self.kind, self.calibrate)
        check_head(self.kind, self.C, self.class_weight, self.heads)
        check_encoder(self.kind, self.encoder, self.pooling, ("auto", "cls", "mean"))
        object.__setattr__(self, "tune", tuning_of(self.kind, self.tune, self.heads))

    @cached_property
    def rows(self) -> ImageRows:
        """What makes rows of pictures."""
        return ImageRows(Checkpoint(self.encoder, self.revision), self.root, self.pooling, self.device)

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> DenseFeatures | TunedFeatures:
        """The rows of the pool's pictures, which are their embeddings, too; fine-tuning reads the pictures beside.

        Read from `cache` or computed, and kept there: one run of the encoder for each picture. Raises `ModelError`
        without a media column.
        """
        if pool.columns.media is None:
            raise ModelError(
                f"pool {pool.name!r} has no media for image_classifier; name them with Pool.open(..., media=...)"
            )
        rows = replace(self.rows, root=root_of(self.root, pool))
        dense = dense_features(pool, rows, cache, progress)
        return dense if self.tune is None else TunedFeatures(dense, pool, progress)

    def learn(self, features: Any, targets: Targets, rng: np.random.Generator, *, multi_label: bool) -> Learned:
        """A head on the frozen rows, or the whole network."""
        if self.tune is not None:
            return learn_tuned(features, targets, self.tune, rng, self.rows, multi_label=multi_label)
        fitting = head_fitting(self.C, self.class_weight, self.heads)
        return learn_frozen(features, targets, fitting, rng, self.rows, multi_label=multi_label)

    def restore(self, saved: Saved) -> Core:
        """What a saved model of these options has learned."""
        return restore_frozen(saved, self.rows) if self.tune is None else restore_tuned(saved, self.rows)
