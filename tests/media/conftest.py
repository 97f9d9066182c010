"""Clips and pictures made by code, by `clips.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip


def flat(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, dtype=np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    """`clip(levels, name="clip.mp4", ...)`: a clip of one flat grey picture for each level, or of pictures given."""

    def make(levels: Sequence[int] | Sequence[np.ndarray], name: str = "clip.mp4", **options: Any) -> Path:
        pictures = [level if isinstance(level, np.ndarray) and level.ndim else flat(int(level)) for level in levels]
        return write_clip(tmp_path / name, pictures, **options)

    return make
