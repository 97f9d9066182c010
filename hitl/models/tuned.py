"""A fine-tuned network as a model: what it reads of raw rows, how it learns, and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models.dense import DenseFeatures
from hitl.models.encoding import (
    BUNDLED,
    Checkpoint,
    ImageRows,
    TextRows,
    mark,
    pictures_of,
    references_of,
    without_caches,
)
from hitl.models.fitted import Learned
from hitl.models.neural.tuned import Tuned
from hitl.models.neural.tuning import Tuning, TuningJob, tune
from hitl.models.neural.tuning_data import ImageInputs, Inputs, TextInputs
from hitl.models.saving import Saved
from hitl.pool import Pool
from hitl.sampling.uniforms import mix
from hitl.types import Embeddings, Floats, Ints, Progress, Targets, Unreadable, silent

NETWORK = "network.json"
"""The network's configuration among the files of a saved model."""

_OFFSET = ("roberta", "camembert", "mpnet", "xmod", "longformer")
"""Kinds of networks whose positions begin behind that of the pad."""


def tuning_of(kind: str, given: Tuning | Mapping[str, Any] | None, heads: int) -> Tuning | None:
    """The options of fine-tuning, if it is wanted, from plain values; raises `ConfigError` for what cannot be."""
    if given is not None and heads:
        raise ConfigError(f"{kind}: a fine-tuned model has no heads; leave out heads, or tune")
    if given is None or isinstance(given, Tuning):
        return given
    known = [one.name for one in fields(Tuning)]
    for option in given:
        if option not in known:
            near = get_close_matches(option, known, n=1) or known
            raise ConfigError(f"{kind}: tune has no option {option!r}; did you mean {', '.join(map(repr, near))}?")
    return Tuning(**given)


@dataclass(frozen=True, eq=False)
class RawRows:
    """n items as they are, for a network that reads them itself."""

    table: pa.Table

    @property
    def shape(self) -> tuple[int, int]:
        """Items and columns."""
        return len(self.table), self.table.num_columns


@dataclass(frozen=True, eq=False)
class RawReader:
    """Hands rows on, beside the embeddings of the encoder that the network began from, if there is one."""

    columns: tuple[str, ...]
    encoder: Any = None

    def read(self, rows: pa.Table) -> tuple[RawRows, Embeddings | None]:
        """The rows, and their embeddings (n, d)."""
        return RawRows(rows.select(self.columns)), None if self.encoder is None else self.encoder.read(rows)[1]


@dataclass(frozen=True, eq=False)
class TunedFeatures:
    """The pool's rows as they are, and the frozen encoder's embeddings of them for picking."""

    dense: DenseFeatures
    pool: Pool
    progress: Progress = silent  # of the fine-tuning that learns from them

    block: ClassVar[int] = 1024

    def __len__(self) -> int:
        return len(self.dense)

    @property
    def fingerprint(self) -> str:
        """Changes with the pool and the encoder."""
        return self.dense.fingerprint

    @property
    def embeddings(self) -> Embeddings:
        """The frozen encoder's (n, d)."""
        return self.dense.embeddings

    @property
    def reader(self) -> RawReader:
        """Reads raw rows."""
        return RawReader(self.dense.reader.columns, self.dense.reader)

    @property
    def unreadable(self) -> Unreadable:
        """Items that the encoder could not read."""
        return self.dense.unreadable

    def take(self, positions: Ints) -> RawRows:
        """The rows at these positions, in this order."""
        return RawRows(self.pool.rows(np.asarray(positions, dtype=np.int64), list(self.dense.reader.columns)))

    def slice(self, start: int, stop: int) -> RawRows:
        """Consecutive rows."""
        return self.take(np.arange(*slice(start, stop).indices(len(self))))


class Reading(Protocol):
    """How a network reads raw rows; its files lie in the folder of `checkpoint`."""

    @property
    def checkpoint(self) -> Checkpoint:
        """Where tokenizer or image processor are."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""

    @property
    def told(self) -> str:
        """A hash of all that the reading depends on beside the files."""

    def inputs(self, rows: RawRows) -> Inputs:
        """The items as the network takes them."""


@dataclass(frozen=True)
class TextReading:
    """Texts as tokens, cut at `max_length`."""

    checkpoint: Checkpoint
    max_length: int

    columns: ClassVar[tuple[str, ...]] = ("text",)

    @property
    def told(self) -> str:
        """A hash of length and tokenizer."""
        return mark("text", self.max_length, self.checkpoint.reading)

    @cached_property
    def _tokenizer(self) -> Any:
        from hitl.models.neural.loading import load_tokenizer

        return load_tokenizer(self.checkpoint.folder)

    @cached_property
    def longest(self) -> int:
        """How many tokens a text may have, by the option, the tokenizer and the network's positions."""
        config = json.loads((self.checkpoint.folder / "config.json").read_text(encoding="utf-8"))
        positions = int(config.get("max_position_embeddings") or config.get("n_positions") or 1 << 30)
        if any(name in str(config.get("model_type")) for name in _OFFSET):
            positions -= int(config.get("pad_token_id") or 0) + 1
        return min(self.max_length, int(self._tokenizer.model_max_length), positions)

    def inputs(self, rows: RawRows) -> Inputs:
        """The texts' tokens."""
        from hitl.models.neural.text_encoder import tokenise

        tokens = tokenise(self._tokenizer, rows.table["text"], self.longest)
        pad = self._tokenizer.pad_token_id
        return TextInputs(tokens, int(pad if pad is not None else 0))

    def __getstate__(self) -> dict[str, Any]:
        return without_caches(self)


@dataclass(frozen=True)
class PictureReading:
    """Pictures as pixels, as the encoder's own processor prepares them; one that cannot be opened is black."""

    checkpoint: Checkpoint
    rows: ImageRows

    columns: ClassVar[tuple[str, ...]] = ("media",)

    @property
    def told(self) -> str:
        """A hash of the image processor."""
        return mark("image", self.checkpoint.reading)

    @cached_property
    def _processor(self) -> Any:
        from hitl.models.neural.loading import load_image_processor

        return load_image_processor(self.checkpoint.folder)

    def inputs(self, rows: RawRows) -> Inputs:
        """The pictures' pixels, opened batch by batch."""
        from hitl.models.neural.image_encoder import prepared

        references = references_of(rows.table)
        black = np.zeros((32, 32, 3), dtype=np.uint8)

        def read(at: Ints) -> NDArray[np.float32]:
            pictures, _ = pictures_of(self.rows.media, [references[row] for row in at.tolist()])
            pixels = prepared(self._processor, [black if one is None else one for one in pictures])
            return np.asarray(pixels.numpy())

        return ImageInputs(len(references), read)

    def __getstate__(self) -> dict[str, Any]:
        return without_caches(self)


def reading_of(rows: TextRows | ImageRows, checkpoint: Checkpoint) -> Reading:
    """How a network that began as this encoder reads, with the files at `checkpoint`."""
    if isinstance(rows, TextRows):
        return TextReading(checkpoint, rows.max_length)
    return PictureReading(checkpoint, rows)


@dataclass(frozen=True, eq=False)
class TunedCore:
    """A network that was tuned, and how it reads raw rows."""

    tuned: Tuned
    reading: Reading

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""
        return self.tuned.constant

    @property
    def reader(self) -> RawReader:
        """Hands rows on."""
        return RawReader(self.reading.columns)

    @property
    def depends(self) -> dict[str, Any]:
        """How rows are read."""
        return {"reading": self.reading.told}

    def scores(self, x: RawRows) -> tuple[Floats, None]:
        """Logits (n, k) of raw rows; a row's may differ in the last digits with the batch that it is in."""
        if not x.shape[0]:
            return np.zeros((0, len(self.constant))), None
        return self.tuned.logits(self.reading.inputs(x)), None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The network's weights by name."""
        return self.tuned.arrays()

    def files(self) -> dict[str, bytes | Path]:
        """The network's configuration, and the files of its tokenizer or image processor."""
        theirs = self.reading.checkpoint.files.items()
        return {
            NETWORK: self.tuned.config.encode(),
            **{name: path for name, path in theirs if path.suffix != ".safetensors"},
        }


def learn_tuned(
    features: Any,
    targets: Targets,
    tuning: Tuning,
    rng: np.random.Generator,
    rows: TextRows | ImageRows,
    *,
    multi_label: bool,
) -> Learned:
    """Fine-tune the encoder of `rows` on the targets; raises `ModelError` as `tune` does."""
    if not isinstance(features, TunedFeatures):
        raise ModelError("these features are of another model; compute them with its own features(pool, cache)")
    placed: Any = features.dense.reader.encoder if isinstance(rows, ImageRows) else rows
    reading = reading_of(placed, rows.checkpoint)
    job = TuningJob(
        encoder=rows.checkpoint.folder,
        inputs=reading.inputs(features.take(targets.positions)),
        y=targets.y,
        weights=targets.weights,
        keys=mix(targets.positions.astype(np.uint64)),
        multi_label=multi_label,
        tuning=tuning,
        device=rows.device,
    )
    tuned = tune(job, rng, features.progress)
    return Learned(TunedCore(tuned, reading), tuned.told, tuned.held_out)


def restore_tuned(saved: Saved, rows: TextRows | ImageRows) -> TunedCore:
    """The network of a saved model, with the tokenizer or image processor that it brought along."""
    tuned = Tuned.restore(saved.arrays, saved.read(NETWORK).decode(), rows.device)
    return TunedCore(tuned, reading_of(rows, Checkpoint(str(saved.folder / BUNDLED), brought=True)))
