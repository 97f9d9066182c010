"""Raw rows → unit rows: a text encoder on the text column, an image encoder on the media column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.errors import ConfigError, MediaError
from hitl.models.neural import loading
from hitl.models.saving import sha256_of
from hitl.pool import Pool
from hitl.pool.keys import hash_text
from hitl.sampling.diversity.crowd import on_grid
from hitl.types import Embeddings, Keys

if TYPE_CHECKING:
    from hitl.media import MediaFolder
    from hitl.models.neural.image_encoder import ImageEncoder
    from hitl.models.neural.text_encoder import TextEncoder


@dataclass(frozen=True)
class Checkpoint:
    """Where an encoder's files are: a folder, or a name and revision at the Hub; looked for when first asked.

    `brought`: the folder of a saved model, whose files were checked, and which may do without the weights.
    """

    name: str
    revision: str | None = None
    brought: bool = False

    @cached_property
    def folder(self) -> Path:
        """The folder with the files; raises `ModelError` with the remedy when they cannot be had."""
        return Path(self.name) if self.brought else loading.resolve(self.name, self.revision)

    def check(self) -> None:
        """Raise `ModelError` when it is a folder, and not one of an encoder; a name at the Hub is not looked for."""
        if loading.is_path(self.name) or Path(self.name).expanduser().is_dir():
            loading.resolve(self.name, self.revision)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of weights, configuration and tokenizer."""
        return loading.fingerprint(self.folder)

    @property
    def reading(self) -> str:
        """A hash of all files but the weights: tokenizer, image processor, configuration."""
        kept = [path for path in loading.files(self.folder) if path.suffix != ".safetensors"]
        return mark([(path.name, sha256_of(path)) for path in kept])

    @property
    def files(self) -> dict[str, Path]:
        """What a saved model takes along of it, by the name that it has there."""
        return {f"{BUNDLED}/{path.name}": path for path in loading.files(self.folder)}


BUNDLED = "encoder"
"""The folder, in that of a saved model, that its encoder lies in."""


def without_caches(value: Any) -> dict[str, Any]:
    """The fields of a frozen value alone, so that what it opened does not travel when it is pickled."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def mark(*parts: Any) -> str:
    """A hash of plain values."""
    return blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class TextRows:
    """Texts by a text encoder: pooled by `pooling`, cut at `max_length` tokens."""

    checkpoint: Checkpoint
    pooling: str = "mean"
    max_length: int = 256
    device: str = "auto"

    columns: ClassVar[tuple[str, ...]] = ("text",)
    batch: ClassVar[int] = 8192

    @cached_property
    def encoder(self) -> TextEncoder:
        """The encoder, opened when first asked for."""
        from hitl.models.neural.text_encoder import TextEncoder, TextEncoding

        options = TextEncoding(pooling=cast(Any, self.pooling), max_length=self.max_length)
        return TextEncoder.open(self.checkpoint.folder, options, device=self.device)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the encoder's files and with the options."""
        from hitl.models.neural.text_encoder import VERSION

        return mark("text", VERSION, self.checkpoint.fingerprint, self.pooling, self.max_length)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.encoder.width

    def keys(self, rows: pa.Table) -> tuple[Keys, list[str]]:
        """A hash of each text (n,); any text can be read."""
        return hash_text(rows["text"]), [""] * len(rows)

    def embed(self, rows: pa.Table) -> tuple[Embeddings, list[str]]:
        """Unit rows (n, width) on the grid 1/2048; a text may differ by one step with the batch that it is in.

        Zero for a text without tokens of its own.
        """
        if not len(rows):
            return np.zeros((0, self.width), dtype=np.int16), []
        tokens = self.encoder.tokens(rows["text"])
        found = on_grid(self.encoder.embed_tokens(tokens))
        found[tokens.lengths <= self.encoder.specials] = 0
        return found, [""] * len(rows)

    def bundled(self, folder: Path) -> Self:
        """The same with the encoder that a saved model has brought along."""
        return replace(self, checkpoint=Checkpoint(str(folder / BUNDLED), brought=True))

    def __getstate__(self) -> dict[str, Any]:
        return without_caches(self)


@dataclass(frozen=True)
class ImageRows:
    """Pictures by an image encoder, found under the folder `root`; what cannot be opened is one item's error."""

    checkpoint: Checkpoint
    root: str | None
    pooling: str = "auto"
    device: str = "auto"

    columns: ClassVar[tuple[str, ...]] = ("media",)
    batch: ClassVar[int] = 64

    @cached_property
    def encoder(self) -> ImageEncoder:
        """The encoder, opened when first asked for."""
        from hitl.models.neural.image_encoder import ImageEncoder, ImageEncoding

        return ImageEncoder.open(
            self.checkpoint.folder, ImageEncoding(pooling=cast(Any, self.pooling)), device=self.device
        )

    @cached_property
    def media(self) -> MediaFolder:
        """The folder that references are looked for in."""
        return media_folder(self.root)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the encoder's files and with the options."""
        from hitl.models.neural.image_encoder import VERSION

        return mark("image", VERSION, self.checkpoint.fingerprint, self.pooling)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.encoder.width

    def keys(self, rows: pa.Table) -> tuple[Keys, list[str]]:
        """A hash of each file's bytes (n,), and why it cannot be read, "" where it can."""
        return file_keys(self.media, references_of(rows))

    def embed(self, rows: pa.Table) -> tuple[Embeddings, list[str]]:
        """Unit rows (n, width) on the grid 1/2048, zero where a picture cannot be opened, and why not."""
        found = np.zeros((len(rows), self.width), dtype=np.int16)
        pictures, reasons = pictures_of(self.media, references_of(rows))
        at = [row for row, picture in enumerate(pictures) if picture is not None]
        if at:
            found[at] = on_grid(self.encoder.embed([pictures[row] for row in at]))
        return found, reasons

    def bundled(self, folder: Path) -> Self:
        """The same with the encoder that a saved model has brought along."""
        return replace(self, checkpoint=Checkpoint(str(folder / BUNDLED), brought=True))

    def __getstate__(self) -> dict[str, Any]:
        return without_caches(self)


def references_of(rows: pa.Table) -> list[str]:
    """The references in the media column, "" where there is none."""
    references: list[str] = pc.fill_null(rows["media"].cast(pa.string()), "").to_pylist()
    return references


def media_folder(root: str | None) -> MediaFolder:
    """The folder of a pool's files; raises `ConfigError` when none is named."""
    from hitl.media import MediaFolder

    if root is None:
        raise ConfigError("media of a pool that is no file: name their folder with the model's option root")
    return MediaFolder(root=Path(root))


def root_of(root: str | None, pool: Pool) -> str | None:
    """The folder that a pool's references are relative to: the one that was named, else that of the pool's file."""
    return root if root is not None or pool.folder is None else str(pool.folder)


def file_keys(media: MediaFolder, references: Sequence[str]) -> tuple[Keys, list[str]]:
    """A hash of the bytes of each file (n,), 0 where there is none, and why, "" where there is; in bounded memory."""
    keys, reasons = np.zeros(len(references), dtype=np.uint64), [""] * len(references)
    for row, reference in enumerate(references):
        try:
            with media.path(reference).open("rb") as file:
                told = file_digest(file, lambda: blake2b(digest_size=8))
            keys[row] = int.from_bytes(told.digest(), "big")
        except MediaError as error:
            reasons[row] = str(error)
        except OSError as error:
            reasons[row] = f"the file cannot be read ({error.strerror or error})"
    return keys, reasons


def pictures_of(media: MediaFolder, references: Sequence[str]) -> tuple[list[Any], list[str]]:
    """The pictures, None where one cannot be opened, and why, "" where it can."""

    def opened(reference: str) -> tuple[Any, str]:
        try:
            return media.image(reference), ""
        except MediaError as error:
            return None, str(error)

    with ThreadPoolExecutor(4) as threads:  # decoding leaves the interpreter free
        found = list(threads.map(opened, references))
    return [picture for picture, _ in found], [why for _, why in found]
