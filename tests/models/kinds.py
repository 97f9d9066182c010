"""Every kind of model on a small pool that it can learn: what the contract suite runs over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tiny
from clips import write_clip
from PIL import Image

from hitl.models import Model, make_model
from hitl.pool import Pool

LABELS = ("fine", "rude", "spam")
WORDS = {"fine": "plim morv grint", "rude": "zonk wub zonkish", "spam": "bliz bliz 999"}
COMMON = ("ta", "bo", "ke", "lu", "sim", "vor")
COLOURS = {"fine": (40, 60, 200), "rude": (200, 40, 60), "spam": (60, 200, 40)}
N = 90
TUNE = {"epochs": 16, "min_steps": 0, "learning_rate": 8e-3, "patience": 0, "batch": 8}


@dataclass(frozen=True)
class Kind:
    """One way to make a model, and what may be asked of it.

    `exact`: the same row gives the same bits in any batch. `convex`: each label is learned by itself, to one optimum.
    `reads` are the columns that its pool has. `judges`: it has its opinion from elsewhere, by a policy of its own.
    `grid`: by how many steps a row may differ that an encoder made in another batch.
    """

    make: Callable[[Path], Model]
    reads: tuple[str, ...] = ("text",)
    exact: bool = True
    convex: bool = True

    grid: float = 0
    judges: bool = False
    shows: Callable[[Path], list[str]] = lambda folder: pictures(folder)

    @property
    def tolerance(self) -> float:
        """How far the same features may be scored apart in other batches."""
        return 0.0 if self.exact else 1e-5

    @property
    def near(self) -> float:
        """How far the same content may be scored apart, read in another batch."""
        return 0.02 if self.grid else self.tolerance


def text_linear(**options: Any) -> Callable[[Path], Model]:
    return lambda folder: make_model("text_linear", options)


def on_text(**options: Any) -> Callable[[Path], Model]:
    return lambda folder: make_model(
        "text_transformer", {"encoder": str(encoder(folder, "text")), **options}, device="cpu"
    )


def on_images(**options: Any) -> Callable[[Path], Model]:
    return lambda folder: make_model(
        "image_classifier", {"encoder": str(encoder(folder, "image")), **options}, device="cpu", root=str(folder)
    )


def by_policy(folder: Path) -> Model:
    labels = ", ".join(f"{{name: {label}, violating: {str(label != 'fine').lower()}}}" for label in LABELS)
    policy = f"{{name: contract, version: 1, labels: [{labels}]}}"
    lm = folder / "lm" if (folder / "lm").exists() else tiny.tiny_causal_lm(folder / "lm")
    return make_model("policy_judge", {"policy": policy, "model": str(lm), "most_items": 100_000}, device="cpu")


def on_clips(folder: Path) -> Model:
    options = {"encoder": str(encoder(folder, "image")), "uniform": 3, "scenes": 0, "size": 32}
    return make_model("video_classifier", options, device="cpu", root=str(folder))


def on_both(folder: Path) -> Model:
    parts = {"text": {"encoder": str(encoder(folder, "text"))}, "image": {"encoder": str(encoder(folder, "image"))}}
    return make_model("multimodal", {**parts, "columns": ["reach"]}, device="cpu", root=str(folder))


def ensemble(folder: Path) -> Model:
    members = [
        {"kind": "text_linear", "buckets": 1 << 12},
        {"kind": "text_transformer", "encoder": str(encoder(folder, "text"))},
    ]
    return make_model("ensemble", {"members": members, "weights": [2, 1]}, device="cpu")


def truth(n: int = N) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3, n)


def texts() -> list[str]:
    rng = np.random.default_rng(2)
    return [
        " ".join(rng.permutation([*rng.choice(WORDS[LABELS[label]].split(), 2), *rng.choice(COMMON, 4)]))
        for label in truth()
    ]


def pool_of(kind: Kind, folder: Path) -> Pool:
    """Items whose label can be seen in whatever the kind reads."""
    columns: dict[str, Any] = {"id": [f"it-{row}" for row in range(N)], "views": np.arange(1, N + 1)}
    columns |= {"text": texts()} if "text" in kind.reads else {}
    columns |= {"file": kind.shows(folder)} if "media" in kind.reads else {}
    media = "file" if "media" in kind.reads else None
    return Pool.open(pa.table(columns), reach="views", media=media, text="text" if "text" in kind.reads else None)


def pictures(folder: Path) -> list[str]:
    """A picture of noise and its label's colour for each item."""
    names = [f"{row}.png" for row in range(N)]
    if not (folder / names[-1]).exists():
        rng = np.random.default_rng(3)
        for name, label in zip(names, truth(), strict=True):
            noise = rng.integers(-90, 90, (tiny.IMAGE, tiny.IMAGE, 3))
            pixels = np.clip(np.array(COLOURS[LABELS[label]]) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name)
    return names


def clips_of(folder: Path) -> list[str]:
    """A clip for each item, the picture of its label in the middle of two of noise."""
    names = [f"{row}.mp4" for row in range(N)]
    if not (folder / names[-1]).exists():
        rng = np.random.default_rng(4)
        for name, picture in zip(names, pictures(folder), strict=True):
            noise = rng.integers(0, 255, (2, tiny.IMAGE, tiny.IMAGE, 3)).astype(np.uint8)
            shown = np.asarray(Image.open(folder / picture))
            write_clip(folder / name, [noise[0], shown, shown, noise[1]], fps=2)
    return names


@cache
def encoder(folder: Path, kind: str) -> Path:
    """A tiny encoder that knows the words of the texts."""
    vocabulary = [*(word for words in WORDS.values() for word in words.split()), *COMMON]
    made = {"text": tiny.tiny_text_encoder, "image": tiny.tiny_image_encoder}[kind]
    more = {"texts": vocabulary * 3} if kind == "text" else {}
    return made(folder / f"{kind}-encoder", **more)


def apart(one: Any, other: Any) -> float:
    """How far two x are from one another: 0 when they are the same, infinite when they are of other shape."""
    if hasattr(one, "nnz"):
        return (
            float(abs(one - other).max())
            if one.shape == other.shape and one.nnz + other.nnz
            else float(one.shape != other.shape)
        )
    if isinstance(one, np.ndarray):
        if one.shape != other.shape:
            return np.inf
        if one.dtype == object or one.dtype.kind in "US":
            return 0.0 if (one == other).all() else np.inf
        return float(np.abs(one.astype(float) - other.astype(float)).max(initial=0.0))
    if isinstance(one, pa.Table | pa.Array | pa.ChunkedArray):
        return 0.0 if one.equals(other) else np.inf
    if is_dataclass(one):
        return max(
            (apart(getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.name != "cost"), default=0.0
        )
    if isinstance(one, tuple | list):
        pairs = zip(one, other, strict=True) if len(one) == len(other) else [(0, 1)]
        return max((apart(*pair) for pair in pairs), default=0.0)
    return 0.0 if one is other or one == other else np.inf


KINDS: dict[str, Kind] = {
    "text_linear": Kind(text_linear(buckets=1 << 12)),
    "text_linear across words": Kind(text_linear(word=(1, 1), char=(2, 4), buckets=1 << 10, within_words=False)),
    "text_linear unweighted": Kind(text_linear(buckets=1 << 12, class_weight=None, C=5.0)),
    "text_linear plain": Kind(text_linear(buckets=1 << 12, lsa=0, naive_bayes=0.0)),
    "text_linear with heads": Kind(text_linear(buckets=1 << 12, lsa=8, lsa_scale=3.0, heads=3)),
    "text_linear uncalibrated": Kind(text_linear(buckets=1 << 12, calibrate=False)),
    "text_transformer": Kind(on_text(), grid=1),
    "text_transformer with heads": Kind(on_text(heads=3, pooling="cls", C=4.0), grid=1),
    "text_transformer tuned": Kind(on_text(tune=TUNE), exact=False, convex=False, grid=1),
    "image_classifier": Kind(on_images(), reads=("media",), grid=1),
    "image_classifier tuned": Kind(on_images(tune=TUNE), reads=("media",), exact=False, convex=False, grid=1),
    "video_classifier": Kind(on_clips, reads=("media",), shows=clips_of, exact=False, convex=False, grid=1),
    "multimodal": Kind(on_both, reads=("text", "media"), grid=1),
    "policy_judge": Kind(by_policy, exact=False, convex=False, judges=True, grid=1e-4),
    "ensemble": Kind(ensemble, grid=1),
}
