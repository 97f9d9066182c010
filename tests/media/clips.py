"""Clips made by code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest


def write_clip(path: Path, pictures: Sequence[np.ndarray], fps: int = 10, codec: str = "mpeg4", gop: int = 12) -> Path:
    """A clip of these RGB pictures (h, w, 3), `fps` to the second, a key frame every `gop`."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.gop_size, stream.bit_rate = "yuv420p", gop, 2_000_000
        stream.codec_context.time_base = Fraction(1, fps)
        for at, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
