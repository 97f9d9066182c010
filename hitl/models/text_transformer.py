"""Text classifier on any Hugging Face encoder: frozen with a head for rounds of seconds, or fine-tuned for the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hitl.errors import ConfigError, ModelError
from hitl.models.calibration import check_method
from hitl.models.dense import DenseFeatures, dense_features
from hitl.models.encoding import Checkpoint, TextRows
from hitl.models.fitted import Core, Learned, Learner
from hitl.models.frozen import check_encoder, check_head, head_fitting, learn_frozen, restore_frozen
from hitl.models.neural.tuning import Tuning
from hitl.models.saving import Saved
from hitl.models.tuned import TunedFeatures, learn_tuned, restore_tuned, tuning_of
from hitl.pool import Pool
from hitl.types import Progress, Targets, silent


@dataclass(frozen=True)
class TextTransformer(Learner):
    """Logistic regression on the rows of a frozen encoder; with `tune`, the encoder itself is trained.

    `encoder` is the folder of a saved Hugging Face model, or its name at the Hub with `revision`. A text's row is the
    `pooling` ("mean", "cls" or "last") of its first `max_length` tokens, less the pool's mean. `C`, `class_weight`,
    `heads` and `calibrate` as in `TextLinear`. `tune` are the options of `Tuning`, `{}` for its defaults. `device` is
    where it runs: "auto", "cpu", "cuda", "cuda:1", "mps"; it is no part of the model. Raises `ConfigError` for options
    that cannot be, `ModelError` where the encoder cannot be had.

    Rows are computed once and kept by the hash of their text, so that a round trains the head in seconds; a loop on
    frozen features comes close to fine-tuning in every round (Vysogorets & Gopal 2024). Fine-tune the final model.

    >>> TextTransformer("distilbert-base-uncased", tune={"epochs": 2}).options()["tune"]["epochs"]
    2
    """

    encoder: str
    revision: str | None = None
    pooling: str = "mean"
    max_length: int = 256
    C: float = 1.0
    class_weight: str | None = "balanced"
    heads: int = 0
    calibrate: bool | str = True
    tune: Tuning | None = None
    device: str = field(default="auto", compare=False)

    kind: ClassVar[str] = "text_transformer"
    reads: ClassVar[tuple[str, ...]] = ("text",)
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    limits: ClassVar[tuple[str, ...]] = (
        "Knows what its encoder learned: languages, dialects and topics that were rare there are read worse.",
        "Reads the beginning of a long text only, up to max_length tokens.",
        "Knows the harms of its training items only; check each slice before relying on it.",
    )

    def __post_init__(self) -> None:
        check_method(self.kind, self.calibrate)
        check_head(self.kind, self.C, self.class_weight, self.heads)
        check_encoder(self.kind, self.encoder, self.pooling, ("mean", "cls", "last"))
        if not isinstance(self.max_length, int) or not 8 <= self.max_length <= 8192:
            raise ConfigError(f"text_transformer: max_length={self.max_length!r} must be from 8 to 8192 tokens")
        object.__setattr__(self, "tune", tuning_of(self.kind, self.tune, self.heads))

    @cached_property
    def rows(self) -> TextRows:
        """What makes rows of texts."""
        return TextRows(Checkpoint(self.encoder, self.revision), self.pooling, self.max_length, self.device)

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> DenseFeatures | TunedFeatures:
        """The rows of the pool's texts, which are their embeddings, too; fine-tuning reads tokens beside.

        Read from `cache` or computed, and kept there: O(tokens) runs of the encoder, once for each text. Raises
        `ModelError` without a text column.
        """
        if pool.columns.text is None:
            raise ModelError(
                f"pool {pool.name!r} has no text for text_transformer; name one with Pool.open(..., text=...)"
            )
        dense = dense_features(pool, self.rows, cache, progress)
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
