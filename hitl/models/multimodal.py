"""Text, picture and metadata of an item in one head; a part may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models import make_model
from hitl.models.calibration import check_method
from hitl.models.dense import VERSION, DenseFeatures, DenseReader
from hitl.models.encoding import mark
from hitl.models.fitted import Learned, Learner
from hitl.models.frozen import check_head, head_fitting
from hitl.models.head import Head, fit_head
from hitl.models.metadata import Metadata
from hitl.models.saving import Saved, plain
from hitl.pool import Pool
from hitl.sampling.diversity.crowd import GRID, on_grid
from hitl.types import Embeddings, Floats, Ints, Proba, Progress, Targets, Unreadable, silent

PARTS = {"text": "text_transformer", "image": "image_classifier"}
"""The parts that encoders read, and the kind of model whose rows each is."""


@dataclass(frozen=True)
class Multimodal(Learner):
    """Logistic regression on the rows of text and picture, and on metadata, side by side.

    `text` and `image` are options of `TextTransformer` and `ImageClassifier`, whose frozen rows are read; None leaves a
    part out. `columns` are the pool's: reach and flags by their logarithm, region, language, modality and facets by
    name. A part that an item lacks is zero, and a column says that it is there. `root` and `device` as in those
    models. Raises `ConfigError` for options that cannot be.

    >>> Multimodal(text={"encoder": "some/encoder"}, columns=["language", "reach"]).columns
    ('language', 'reach')
    """

    text: Mapping[str, Any] | None = None
    image: Mapping[str, Any] | None = None
    columns: tuple[str, ...] = ()
    C: float = 1.0
    class_weight: str | None = "balanced"
    heads: int = 0
    calibrate: bool | str = True
    root: str | None = field(default=None, compare=False)
    device: str = field(default="auto", compare=False)

    kind: ClassVar[str] = "multimodal"
    reads: ClassVar[tuple[str, ...]] = ("text", "media")
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "PIL")
    limits: ClassVar[tuple[str, ...]] = (
        "Adds up what text, picture and metadata say; misses memes whose parts are harmless and whose whole is not.",
        "Metadata such as language, region or reach can stand for people: check the slices before it decides.",
        "Knows the harms of its training items only.",
    )

    def __post_init__(self) -> None:
        check_method(self.kind, self.calibrate)
        check_head(self.kind, self.C, self.class_weight, self.heads)
        object.__setattr__(self, "columns", tuple(self.columns))
        if not (self.text or self.image):
            raise ConfigError("multimodal: give text, image or both, e.g. text={'encoder': NAME}")
        for part in self._models.values():
            if part.options().get("tune"):
                raise ConfigError("multimodal: its encoders stay frozen; leave out tune")

    @cached_property
    def _models(self) -> dict[str, Any]:
        given = {part: getattr(self, part) for part in PARTS if getattr(self, part)}
        return {
            part: make_model(PARTS[part], options, root=self.root, device=self.device)
            for part, options in given.items()
        }

    def options(self) -> dict[str, Any]:
        """The options as plain values."""
        parts = {part: dict(getattr(self, part)) if getattr(self, part) else None for part in PARTS}
        rest = {name: getattr(self, name) for name in ("columns", "C", "class_weight", "heads", "calibrate")}
        options: dict[str, Any] = plain({**parts, **rest})
        return options

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> MultiFeatures:
        """The rows of every part that the pool has, kept in `cache` part by part.

        Raises `ModelError` when the pool has none of the parts.
        """
        there = {"text": pool.columns.text, "image": pool.columns.media}
        parts = {
            part: model.features(pool, cache, progress)
            for part, model in self._models.items()
            if there[part] is not None
        }
        if not parts:
            raise ModelError(
                f"pool {pool.name!r} has neither of {', '.join(self._models)} for multimodal; name columns"
            )
        metadata = Metadata.of(pool, self.columns)
        batches = [metadata.rows(batch.table) for batch in pool.batches(8192, list(metadata.columns) or ["id"])]
        rows = np.concatenate([np.zeros((0, metadata.width), dtype=np.int16), *batches])
        readers = {part: features.reader for part, features in parts.items()}
        return MultiFeatures(len(pool), parts, rows, MultiReader(readers, metadata))

    def learn(self, features: Any, targets: Targets, rng: np.random.Generator, *, multi_label: bool) -> Learned:
        """A head on all parts."""
        if not isinstance(features, MultiFeatures) or not set(features.parts) <= set(self._models):
            raise ModelError("these features are not of this multimodal; compute them with its features(pool, cache)")
        fitting = head_fitting(self.C, self.class_weight, self.heads)
        head, told = fit_head(features.take(targets.positions), targets, fitting, rng, multi_label=multi_label)
        return Learned(MultiCore(head, features.reader), told)

    def restore(self, saved: Saved) -> MultiCore:
        """The head of a saved model, with the encoders that it brought along."""
        told = saved.card["depends"]
        readers = {}
        for part in told["parts"]:
            encoder = self._models[part].rows.bundled(saved.folder / part)
            readers[part] = DenseReader(encoder, np.asarray(saved.arrays[f"centre_{part}"]))
        reader = MultiReader(readers, Metadata.restored(told["metadata"]))
        return MultiCore(Head.of(saved.arrays, softmax=not saved.card["multi_label"]), reader)


@dataclass(frozen=True, eq=False)
class MultiReader:
    """Reads rows part by part, and puts them side by side."""

    parts: Mapping[str, DenseReader]
    metadata: Metadata

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the pool's tables that are read."""
        read = [name for one in self.parts.values() for name in one.columns]
        return tuple(dict.fromkeys([*read, *self.metadata.columns]))

    def read(self, rows: pa.Table) -> tuple[Embeddings, Embeddings]:
        """The features (n, d) of rows, zero where a part is missing; and the embeddings, which are they to length 1."""
        found = []
        for one in self.parts.values():
            there = set(one.columns) <= set(rows.column_names)
            found.append(one.read(rows)[0] if there else np.zeros((len(rows), len(one.centre)), dtype=np.int16))
        x = beside(found, self.metadata.rows(rows))
        return x, on_grid(x.astype(np.float32))


def beside(parts: list[Embeddings], metadata: Embeddings) -> Embeddings:
    """Rows (n, d) of several parts side by side with the metadata, and for each part a column that says it is there."""
    there = [np.where(part.any(axis=1), GRID // 2, 0).astype(np.int16)[:, None] for part in parts]
    return np.concatenate([*parts, metadata, *there], axis=1)


@dataclass(frozen=True, eq=False)
class MultiFeatures:
    """The rows of every part of n items, put side by side when asked for."""

    items: int
    parts: Mapping[str, DenseFeatures]
    metadata: Embeddings
    reader: MultiReader

    block: ClassVar[int] = 16_384

    def __len__(self) -> int:
        return self.items

    @property
    def fingerprint(self) -> str:
        """Changes with those of the parts and with the metadata."""
        return mark([one.fingerprint for one in self.parts.values()], self.reader.metadata.told)[:24]

    @property
    def embeddings(self) -> Embeddings:
        """The rows to length 1 (n, d), computed for those that are asked for."""
        return cast(Embeddings, _Directions(self))

    @property
    def unreadable(self) -> Unreadable:
        """Items of which no part could be read."""
        told: dict[int, list[str]] = {}
        for one in self.parts.values():
            for at, why in zip(one.unreadable.positions.tolist(), one.unreadable.reasons, strict=True):
                told.setdefault(at, []).append(why)
        suspects = np.array(sorted(told), dtype=np.int64)
        empty = ~np.any([one.take(suspects).any(axis=1) for one in self.parts.values()], axis=0)
        lost = suspects[empty]
        return Unreadable(lost, tuple("; ".join(told[at]) for at in lost.tolist()))

    def take(self, positions: Ints) -> Embeddings:
        """The rows at these positions, in this order."""
        at = np.asarray(positions, dtype=np.int64)
        return beside([one.take(at) for one in self.parts.values()], self.metadata[at])

    def slice(self, start: int, stop: int) -> Embeddings:
        """Consecutive rows."""
        return beside([one.slice(start, stop) for one in self.parts.values()], self.metadata[start:stop])


@dataclass(frozen=True, eq=False)
class _Directions:
    """Looks like the array of embeddings, and holds none of it."""

    features: MultiFeatures
    dtype: ClassVar[Any] = np.dtype(np.int16)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.features), self.features.take(np.zeros(0, dtype=np.int64)).shape[1]

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, at: Any) -> Embeddings:
        rows = np.arange(*at.indices(len(self))) if isinstance(at, slice) else np.asarray(at)
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        found = on_grid(self.features.take(rows.reshape(-1)).astype(np.float32))
        return found.reshape(*rows.shape, found.shape[1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or np.int16)


@dataclass(frozen=True, eq=False)
class MultiCore:
    """A head on several parts, and the reader of what it reads."""

    head: Head
    reader: MultiReader

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""
        return self.head.constant

    @property
    def depends(self) -> dict[str, Any]:
        """The encoders of the parts, and how metadata is read."""
        encoders = [one.encoder.fingerprint for one in self.reader.parts.values()]
        return {
            "dense": VERSION,
            "parts": list(self.reader.parts),
            "encoders": encoders,
            "metadata": self.reader.metadata.told,
        }

    def scores(self, x: NDArray[np.int16]) -> tuple[Floats, Proba | None]:
        """Logits (n, k) of rows (n, d), and the committee's probabilities (h, n, k) if there is one."""
        return self.head.scores(x)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and centres by name."""
        centres = {f"centre_{part}": one.centre for part, one in self.reader.parts.items()}
        return {**self.head.arrays(), **centres}

    def files(self) -> dict[str, Path]:
        """The encoders' own files, by part and name."""
        return {
            f"{part}/{name}": path
            for part, one in self.reader.parts.items()
            for name, path in cast(Any, one.encoder).checkpoint.files.items()
        }
