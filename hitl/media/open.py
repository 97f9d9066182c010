"""One picture, opened as if it came from somebody who means harm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hitl.errors import ConfigError, MediaError
from hitl.media.limits import Limits

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow's other formats are rare in posts; some of them run programs (EPS) or hold pictures that no header tells of.
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000")
_KNOWN = "JPEG, PNG, GIF, WebP, AVIF, BMP, TIFF or JPEG 2000"
_SIXTEEN_BITS = 65_535


def open_image(path: Path, limits: Limits | None = None, name: str = "") -> Image:
    """A picture as it is meant to be seen: RGB, turned by its EXIF orientation, transparency on white.

    Grey of 16 bits is scaled to 8, and numbers without a scale (32 bits, floats) to their own range. `name` is what
    messages call the file. Raises `MediaError` for a file that is missing, empty, over the limits, no picture,
    animated, or damaged: a truncated picture is not shown in part. Sizes are checked before any pixel is decoded;
    3 bytes a pixel in memory, about twice while converting.
    """
    limits, name = limits or Limits(), name or repr(str(path))
    pillow = _pillow()
    _check_bytes(path, limits, name)
    try:
        with pillow.open(path, formats=[known for known in _FORMATS if known in pillow.OPEN]) as opened:
            _check_header(opened, limits, name)
            opened.load()
            return _plain(_upright(opened))
    except MediaError:
        raise
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning):
        raise MediaError(f"{name}: has more pixels than can be opened safely; scale it down") from None
    except pillow.UnidentifiedImageError:
        raise MediaError(f"{name}: is no picture in a format that is opened ({_KNOWN}); convert it") from None
    except Exception as error:  # decoders meet hostile bytes with errors of every type
        raise MediaError(f"{name}: is damaged ({type(error).__name__}); get the file again") from None


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ConfigError("opening pictures needs Pillow: pip install 'hitl[image]'") from None
    Image.init()
    return Image


def _check_bytes(path: Path, limits: Limits, name: str) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MediaError(f"{name}: cannot be opened ({error.strerror}); check the file") from None
    if not size:
        raise MediaError(f"{name}: is empty; get the file again")
    if size > limits.most_bytes:
        raise MediaError(f"{name}: {size:,} bytes, above {limits.most_bytes:,}; scale it down, or raise most_bytes")


def _check_header(opened: Any, limits: Limits, name: str) -> None:
    pixels = opened.width * opened.height
    if pixels > limits.most_pixels:
        raise MediaError(
            f"{name}: {pixels:,} pixels, above {limits.most_pixels:,}; scale it down, or raise most_pixels"
        )
    # A phone's MPO holds the same view twice, which is no animation.
    frames = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)
    if frames > 1:
        kind = f"a TIFF of {frames} pages" if opened.format == "TIFF" else f"animated, with {frames} frames"
        raise MediaError(f"{name}: is {kind}; convert it to a clip (MP4), or to one picture each")


def _upright(opened: Any) -> Any:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(opened)
    except Exception:  # damaged metadata around a sound picture
        return opened


def _plain(image: Any) -> Image:
    """Any of Pillow's modes as RGB."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        sheet = Image.new("RGBA", image.size, "white")
        sheet.alpha_composite(image.convert("RGBA"))
        image = sheet
    plain: Image.Image = image.convert("RGB")
    return plain


def _eight_bits(image: Any) -> Any:
    """Grey of 16 bits by its scale; of 32 bits or floats by the range of the picture."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I") and low >= 0 and high <= _SIXTEEN_BITS:
        low, high = 0.0, _SIXTEEN_BITS
    return Image.fromarray(np.rint((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8))
