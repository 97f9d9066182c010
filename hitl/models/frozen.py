"""A frozen encoder with a head that learns: what its kinds, of text, of images and of both, have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models.dense import VERSION, DenseFeatures, DenseReader, Embeds
from hitl.models.encoding import Checkpoint
from hitl.models.fitted import Learned
from hitl.models.head import Head, fit_head
from hitl.models.linear.fitting import Fitting
from hitl.models.linear.logistic import Penalty
from hitl.models.saving import Saved
from hitl.types import Floats, Proba, Targets


class Bundles(Embeds, Protocol):
    """An encoder that a saved model takes along."""

    @property
    def checkpoint(self) -> Checkpoint:
        """Where its files are."""

    def bundled(self, folder: Path) -> Self:
        """The same with the files that a saved model has brought along."""


@dataclass(frozen=True, eq=False)
class FrozenCore:
    """A head, and the reader of the rows that it reads."""

    head: Head
    reader: DenseReader
    files_of: Mapping[str, Path]

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""
        return self.head.constant

    @property
    def depends(self) -> dict[str, Any]:
        """The encoder that made the rows."""
        return {"encoder": self.reader.encoder.fingerprint, "dense": VERSION}

    def scores(self, x: NDArray[np.int16]) -> tuple[Floats, Proba | None]:
        """Logits (n, k) of rows (n, d), and the committee's probabilities (h, n, k) if there is one."""
        return self.head.scores(x)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and centre by name."""
        return {**self.head.arrays(), "centre": self.reader.centre}

    def files(self) -> Mapping[str, Path]:
        """The encoder's own files."""
        return self.files_of


def check_head(kind: str, C: float, class_weight: str | None, heads: int) -> None:
    """Raise `ConfigError` for options of a head that cannot be."""
    if not (np.isfinite(C) and C > 0):
        raise ConfigError(f"{kind}: C={C} must be a number above 0")
    if class_weight not in ("balanced", None):
        raise ConfigError(f'{kind}: class_weight={class_weight!r} must be "balanced" or null')
    if not isinstance(heads, int) or not 0 <= heads <= 1000:
        raise ConfigError(f"{kind}: heads={heads!r} must be a whole number from 0 (none) to 1000")


def check_encoder(kind: str, encoder: str, pooling: str, poolings: Sequence[str]) -> None:
    """Raise `ConfigError` for an encoder that is not named, or a pooling other than `poolings`."""
    if not encoder or not isinstance(encoder, str):
        raise ConfigError(f"{kind}: name an encoder, the folder of a saved model or its name at the Hub")
    if pooling not in poolings:
        *rest, last = (f'"{name}"' for name in poolings)
        raise ConfigError(f"{kind}: pooling={pooling!r} must be {', '.join(rest)} or {last}")


def learn_frozen(
    features: Any, targets: Targets, fitting: Fitting, rng: np.random.Generator, encoder: Bundles, *, multi_label: bool
) -> Learned:
    """A head on the rows of frozen features; raises `ModelError` when they are another encoder's."""
    if not isinstance(features, DenseFeatures) or features.reader.encoder.fingerprint != encoder.fingerprint:
        raise ModelError("these features are of another model; compute them with its own features(pool, cache)")
    head, told = fit_head(features.take(targets.positions), targets, fitting, rng, multi_label=multi_label)
    return Learned(FrozenCore(head, features.reader, encoder.checkpoint.files), told)


def restore_frozen(saved: Saved, encoder: Bundles) -> FrozenCore:
    """The head of a saved model, with the encoder that it brought along."""
    there = encoder.bundled(saved.folder)
    reader = DenseReader(there, np.asarray(saved.arrays["centre"]))
    return FrozenCore(Head.of(saved.arrays, softmax=not saved.card["multi_label"]), reader, there.checkpoint.files)


def head_fitting(C: float, class_weight: str | None, heads: int) -> Fitting:
    """How a head learns."""
    return Fitting(Penalty(C, class_weight == "balanced", 1000, tolerance=1e-6), heads=heads)
