"""Pictures as varied as photographs, and clips of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def picture() -> Callable[..., np.ndarray]:
    """`picture(seed)`: clouds in colour, (h, w, 3), with a photograph's spectrum; another seed, another picture."""

    def make(seed: int, height: int = 180, width: int = 240) -> np.ndarray:
        rng = np.random.default_rng(seed)
        waves = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width)[None] * width)
        waves[0, 0] = 1
        planes = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(height, width))) / waves**1.3).real for _ in range(3)]
        return np.stack([np.clip(128 + 50 * plane / plane.std(), 0, 255) for plane in planes], axis=2).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., Path]:
    """`write_clip(path, pictures)`, of tests/media/clips.py."""
    spec = importlib.util.spec_from_file_location("clips", Path(__file__).parents[1] / "media" / "clips.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_clip
