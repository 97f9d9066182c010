"""PDQ, the perceptual hash of pictures that hash lists are exchanged in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hitl.errors import DataError
from hitl.hashes.bits import Hashes
from hitl.types import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LEAST_QUALITY = 50
"""A hash of lower quality is of a picture with too little in it to tell it from others; its authors drop those."""

_SIDE, _KEPT = 64, 16
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def pdq_hashes(images: Sequence[Any]) -> tuple[Hashes, Ints]:
    """PDQ hashes (n, 32) of pictures, bytes in the order of the usual 64 hex digits, and their quality (n,), 0 to 100.

    A picture is RGB, (h, w, 3) of uint8 or Pillow's. Its luminance is blurred by a box filter, twice each way, sampled
    at 64 × 64 points, and transformed by a discrete cosine transform; a bit says whether one of the 16 × 16 lowest
    frequencies is above their median. Half the bits are set; unrelated pictures differ in about 128. Copies that were
    scaled, compressed or slightly changed differ in few; cropped, turned or mirrored ones do not match. Below 64 pixels
    a side, points coincide and bits near the median are a matter of rounding. O(pixels) time an image, 12 bytes a pixel
    of one image in memory. Raises `DataError` for an array that is no picture. Davis, Rosen,
    "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook 2019).

    >>> blocks = np.random.default_rng(7).integers(0, 256, size=(9, 9, 3), dtype=np.uint8)
    >>> hashes, quality = pdq_hashes([blocks.repeat(30, axis=0).repeat(30, axis=1)])
    >>> hashes.shape, int(np.unpackbits(hashes).sum()), quality.tolist()
    ((1, 32), 128, [100])
    """
    points = np.empty((len(images), _SIDE, _SIDE))
    for at, image in enumerate(images):
        points[at] = _points(_luma(image))
    basis = _cosines()
    waves = (basis @ points @ basis.T).reshape(len(images), _KEPT * _KEPT)
    # The reference takes the lower of the two middle values, and writes the last frequency first.
    middle = np.partition(waves, _KEPT * _KEPT // 2 - 1, axis=1)[:, _KEPT * _KEPT // 2 - 1]
    bits = waves > middle[:, None]
    return np.packbits(bits[:, ::-1], axis=1), _quality(points)


def _luma(image: Any) -> Any:
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise DataError(f"an array of {pixels.dtype}, {pixels.shape}, is no RGB picture; give uint8 (h, w, 3)")
    luma = pixels[..., 0] * _LUMA[0]
    for channel in (1, 2):
        luma += pixels[..., channel] * _LUMA[channel]
    return luma


def _points(luma: Any) -> Floats:
    """The blurred luminance at 64 × 64 points; both are linear, so one sparse matrix for each side does it."""
    height, width = luma.shape
    points: Floats = _sampling(width) @ (_sampling(height) @ luma).T
    return points.T


@lru_cache(maxsize=256)
def _sampling(length: int) -> csr_array:
    """The matrix (64, length) of two box filters and the choice of 64 points."""
    from scipy.sparse import coo_array, csr_array, eye_array

    window = (length + 2 * _SIDE - 1) // (2 * _SIDE)
    ahead = (window + 2) // 2
    at = np.arange(length)
    first, last = np.maximum(at - (window - ahead), 0), np.minimum(at + ahead, length)
    counts = last - first
    rows = np.repeat(at, counts)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    box = coo_array((1 / counts[rows], (rows, columns)), shape=(length, length)).tocsr()
    chosen = ((np.arange(_SIDE) + 0.5) * length / _SIDE).astype(np.int64)
    return csr_array(eye_array(length, format="csr")[chosen] @ box @ box)


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    """The rows 1 to 16 of the discrete cosine transform of 64 points, (16, 64)."""
    wave, point = np.arange(1, _KEPT + 1)[:, None], np.arange(_SIDE)[None, :]
    return np.asarray(np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * wave * (2 * point + 1)))


def _quality(points: Floats) -> Ints:
    """How much there is to see, (n,): the steps between neighbouring points, in whole hundredths of the full range."""
    total = np.zeros(len(points), dtype=np.int64)
    for axis in (1, 2):
        steps = np.trunc(np.diff(points, axis=axis) * 100 / 255)
        total += np.abs(steps).sum(axis=(1, 2)).astype(np.int64)
    return np.minimum(total // 90, 100)
