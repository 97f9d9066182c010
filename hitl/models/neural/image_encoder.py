"""Images → embeddings by a Hugging Face encoder: vision transformers, CLIP's image tower, convolutional nets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, DataError, ModelError
from hitl.models.neural.devices import choose, precision
from hitl.models.neural.loading import Loaded, fingerprint, load_image_processor, load_model, needed, resolve

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

VERSION = 1
"""Raised whenever the same image would get another embedding."""

ImagePooling = Literal["auto", "cls", "mean"]
Picture: TypeAlias = "Image | NDArray[np.uint8]"

MOST_OBLONG = 4
"""Of an image that is to be scaled by its short side, no more than the middle of this proportion is looked at."""


@dataclass(frozen=True)
class ImageEncoding:
    """How images become rows: `pooling` of the encoder's output, and `batch` images at a time (not seen in the rows).

    `pooling`: "cls" for the first token, "mean" of all patches or places, "auto" for the encoder's own pooling where
    its weights were trained (CLIP, DINOv2, ResNet), else the first token or, in convolutional nets, the mean.
    `precision`: see `devices.precision`.

    >>> ImageEncoding().pooling
    'auto'
    """

    pooling: ImagePooling = "auto"
    batch: int = 32
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.pooling not in get_args(ImagePooling):
            raise ConfigError(f"pooling {self.pooling!r}: choose one of {', '.join(get_args(ImagePooling))}")
        if self.batch < 1:
            raise ConfigError("batch must be at least 1 image")


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """An encoder that is ready to run: torch module and image processor. Made by `ImageEncoder.open`."""

    loaded: Loaded
    processor: Any
    options: ImageEncoding
    device: torch.device
    fingerprint: str
    """Changes with the weights, the image processor, and the options that the rows depend on."""

    @classmethod
    def open(
        cls,
        name: str | Path,
        options: ImageEncoding | None = None,
        device: str = "auto",
        *,
        revision: str | None = None,
    ) -> ImageEncoder:
        """The encoder of this Hub name or in this folder, on this device; of CLIP and its like, the image tower.

        Raises `ModelError` when it cannot be had or loaded, `ConfigError` when the device is not here.
        """
        options = options or ImageEncoding()
        needed()
        place = choose(device)
        dtype = precision(place, options.precision)
        folder = resolve(name, revision)
        processor = load_image_processor(folder)
        loaded = load_model(folder, dtype=dtype)
        tower = getattr(loaded.module, "vision_model", loaded.module).to(place).requires_grad_(False)
        told = [VERSION, fingerprint(folder), options.pooling, str(dtype)]
        hashed = hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
        return cls(Loaded(tower, loaded.untrained), processor, options, place, hashed)

    @property
    def module(self) -> Any:
        """The torch module."""
        return self.loaded.module

    @cached_property
    def width(self) -> int:
        """Number of columns of an embedding, seen by that of a black image."""
        import torch

        with torch.inference_mode():
            return int(self.pooled(self.pixels([np.zeros((64, 64, 3), dtype=np.uint8)])).shape[1])

    def embed(self, images: Sequence[Picture]) -> NDArray[np.float32]:
        """Embeddings (n, width) of n images, in their order: Pillow images or uint8 arrays (height, width, 3).

        Raises `DataError` with the position of an array that is no image. O(n) time; memory: the result and one batch.
        """
        import torch

        result = np.zeros((len(images), self.width), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(images), self.options.batch):
                rows = slice(start, start + self.options.batch)
                result[rows] = self.pooled(self.pixels(images[rows], start)).cpu().numpy()
        return result

    def pixels(self, images: Sequence[Picture], first: int = 0) -> torch.Tensor:
        """Images prepared as the encoder's processor says (b, 3, height, width), on the device, in its precision.

        `first` is where the batch begins, for messages.
        """
        return prepared(self.processor, images, first).to(self.device, self.module.dtype)

    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeddings (b, width) float32 of prepared images, as `options.pooling` says; gradients flow if they are on.

        Raises `ModelError` when the first token is asked of an encoder that has none.
        """
        told, pooling = self.module(pixel_values=pixels), self.options.pooling
        own: torch.Tensor | None = getattr(told, "pooler_output", None)
        states: torch.Tensor = told.last_hidden_state
        if pooling == "auto" and own is not None and not self.loaded.untrained:
            return own.flatten(1).float()
        if states.dim() == 3:
            return self._patches(states, pixels).float().mean(dim=1) if pooling == "mean" else states[:, 0].float()
        if pooling == "cls":
            raise ModelError("pooling 'cls': a convolutional encoder has no class token; choose 'mean' or 'auto'")
        return states.float().mean(dim=(2, 3))

    def _patches(self, states: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
        """The states without the class token and registers, which stand before those of the patches."""
        patch = getattr(self.module.config, "patch_size", None)
        if not isinstance(patch, int):
            return states
        count = (pixels.shape[2] // patch) * (pixels.shape[3] // patch)
        return states[:, max(0, states.shape[1] - count) :]


def _as_array(image: Picture, at: int, scaled_by_side: bool) -> NDArray[np.uint8]:
    """The image as RGB (height, width, 3), without the ends that an oblong one would lose after it was scaled up."""
    array = image if isinstance(image, np.ndarray) else np.asarray(image.convert("RGB"))
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise DataError(f"image {at}: {array.dtype} {array.shape}; give Pillow images or uint8 (height, width, 3)")
    if not scaled_by_side:
        return array
    most = MOST_OBLONG * min(array.shape[:2])
    top, left = (max(0, side - most) // 2 for side in array.shape[:2])
    return array[top : top + most, left : left + most]


def prepared(processor: Any, images: Sequence[Picture], first: int = 0) -> torch.Tensor:
    """Images as an encoder's processor prepares them (b, 3, height, width) float32; see `ImageEncoder.pixels`."""
    scaled_by_side = "shortest_edge" in dict(getattr(processor, "size", None) or {})
    ready = [_as_array(image, first + at, scaled_by_side) for at, image in enumerate(images)]
    told = processor(ready, return_tensors="pt", input_data_format="channels_last")
    pixels: torch.Tensor = told["pixel_values"]
    return pixels
