"""Frames of a clip: evenly spaced ones, and those at which the scene changes."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, MediaError
from hitl.media.clip import opened
from hitl.media.limits import Limits
from hitl.types import Bools, Floats, Ints

Picture = NDArray[np.uint8]

_MOST_COMPARED = 4000
_LONG = 6000
_ASPECT = 4
_THUMB = 32
_STILL = 1.0


@dataclass(frozen=True)
class FrameSampling:
    """Which frames of a clip are looked at, and how large.

    `uniform` frames evenly spaced over the clip, and up to `scenes` more where the scene changes most, among frames
    at most `rate` to the second. `size` is what the shortest side is scaled down to, never up; the longest side is
    four times that at most. Raises `ConfigError` for a choice that gives no frame.
    """

    uniform: int = 16
    scenes: int = 8
    size: int = 256
    rate: float = 4.0

    def __post_init__(self) -> None:
        if self.uniform < 1 or self.scenes < 0:
            raise ConfigError(
                f"uniform={self.uniform}, scenes={self.scenes}: take 1 uniform frame or more, 0 scenes or more"
            )
        if self.size < 1 or not self.rate > 0:
            raise ConfigError(f"size={self.size}, rate={self.rate}: give numbers above 0")


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of one clip in the order of their times.

    `times` are presentation times in seconds from the clip's beginning, ascending and distinct; `images` RGB (h, w, 3)
    each. `changes` says which are the frames of a scene change. `seconds` is the length of the clip, `skipped`
    how many of its packets could not be decoded on the way.
    """

    times: Floats  # (f,)
    images: tuple[Picture, ...]  # f times (h, w, 3) of 0 to 255
    changes: Bools  # (f,)
    seconds: float
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Frames({len(self)} of {self.seconds:.1f} s, {int(self.changes.sum())} at scene changes)"


def sample_frames(path: Path, sampling: FrameSampling, limits: Limits | None = None, name: str = "") -> Frames:
    """Sample a clip by `sampling`, upright by its rotation; `name` is what messages call the file.

    The file is read once for its timestamps, which holds whatever its header says, and decoded once. A frame's change
    is the mean absolute difference of luma thumbnails (32 × 32) to the frame compared before it; below one grey level
    nothing has changed. A clip of over 6,000 frames whose key frames lie close enough is sampled from its key frames
    alone. A damaged or truncated clip gives the frames that decode. Memory is that of the frames kept, besides 9 bytes
    a frame of the clip; time that of decoding. Raises `MediaError` when there is no video, no frame that decodes, or
    more than the limits allow.
    """
    limits, name = limits or Limits(), name or repr(str(path))
    with opened(path, limits, name) as clip:
        pts, keys, seconds = clip.timeline()
    with opened(path, limits, name) as clip:
        plan = _plan(pts, keys, seconds / clip.unit, sampling, sampling.rate * clip.unit)
        kept = _Kept(sampling, plan)
        for frame, at in clip.decode(plan.fed, plan.last):
            kept.look(frame, at)
        found = kept.settle()
        if not found:
            raise MediaError(f"{name}: no frame of it can be decoded; get the file again")
        times = clip.times(np.array([at for at, _, _ in found], dtype=np.int64), pts)
        changes = np.array([change for _, _, change in found], dtype=np.bool_)
        return Frames(times, tuple(image for _, image, _ in found), changes, seconds, clip.skipped)


@dataclass(frozen=True, eq=False)
class _Plan:
    """Timestamps to keep (u,), to compare (c,), and to decode at all (None for every one)."""

    uniform: Ints
    compared: Ints
    fed: Ints | None
    last: int


def _plan(pts: Ints, keys: Bools, length: float, sampling: FrameSampling, rate: float) -> _Plan:
    """The frames wanted, known before any is decoded: from timestamps (n,), key frames, and the clip's length.

    `length` and `rate` are in steps of a timestamp.
    """
    start, spacing = pts[0], length / sampling.uniform
    key = pts[keys]
    sparse = len(key) < 2 * (sampling.uniform + sampling.scenes)
    sparse = sparse or np.diff(np.r_[start, key, start + length]).max() > spacing
    among = pts if sparse or len(pts) <= _LONG else key
    centres = start + spacing * (np.arange(sampling.uniform) + 0.5)
    uniform = np.unique(among[np.maximum(np.searchsorted(among, centres, side="right") - 1, 0)])
    compared = among[:0]
    if sampling.scenes:
        slots = np.floor((among - start) / max(1 / rate, length / _MOST_COMPARED) + 1e-9).astype(np.int64)
        compared = among[np.r_[True, slots[1:] > slots[:-1]]]
    wanted = np.union1d(uniform, compared)
    return _Plan(uniform, compared, None if among is pts else wanted, int(wanted[-1]))


@dataclass(eq=False)
class _Kept:
    """The frames worth keeping so far: the uniform ones, and a heap of the greatest changes."""

    sampling: FrameSampling
    plan: _Plan
    _uniform: dict[int, Picture] = field(default_factory=dict)
    _heap: list[tuple[float, int, Picture]] = field(default_factory=list)
    _thumb: NDArray[np.int16] | None = None
    _next: list[int] = field(default_factory=lambda: [0, 0])

    def look(self, frame: Any, at: int) -> None:
        """Keep the frame if it is wanted; one that is missing is stood for by the next that decodes."""
        if self._due(0, self.plan.uniform, at):
            self._uniform[at] = _small(frame, self.sampling.size)
        if self._due(1, self.plan.compared, at):
            thumb = frame.reformat(_THUMB, _THUMB, "gray", interpolation="AREA").to_ndarray().astype(np.int16)
            change = 0.0 if self._thumb is None else float(np.abs(thumb - self._thumb).mean())
            self._thumb = thumb
            fits = len(self._heap) < self.sampling.scenes
            if change >= _STILL and (fits or (change, -at) > self._heap[0][:2]):
                image = self._uniform[at] if at in self._uniform else _small(frame, self.sampling.size)
                (heapq.heappush if fits else heapq.heapreplace)(self._heap, (change, -at, image))

    def _due(self, which: int, wanted: Ints, at: int) -> bool:
        passed = int(np.searchsorted(wanted, at, side="right"))
        due = passed > self._next[which]
        self._next[which] = max(passed, self._next[which])
        return due

    def settle(self) -> list[tuple[int, Picture, bool]]:
        """Timestamp, picture, and whether it is a change, in the order of time."""
        changes = {-at: image for _, at, image in self._heap}
        return [(at, image, at in changes) for at, image in sorted({**self._uniform, **changes}.items(), key=_first)]


def _first(item: tuple[int, Picture]) -> int:
    return item[0]


def _small(frame: Any, size: int) -> Picture:
    """A frame as RGB (h, w, 3), scaled down and upright."""
    scale = min(1.0, max(size / min(frame.width, frame.height), 1e-9))
    scale = min(scale, _ASPECT * size / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    image = frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(image, k=round(frame.rotation / 90)))
