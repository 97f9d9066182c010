"""The moments of clips that mattered for a label, so that a reviewer is led to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.models.neural.attention import Clips
from hitl.types import Floats

LEAST = 0.1
"""Of the clip's heaviest frame: one that counts less is not named."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Of n clips the times in seconds (n, top), the heaviest first, and their share of the attention (n, top).

    NaN and 0 where a clip has fewer moments that matter.
    """

    times: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        return f"Moments({len(self):,} clips × up to {self.times.shape[1]})"

    def texts(self) -> list[str]:
        """As a reviewer reads them, the heaviest first, e.g. "0:03, 0:07"; "" for a clip without any."""
        return [", ".join(clock(time) for time in row if time == time) for row in self.times.tolist()]


def heaviest(clips: Clips, attention: Floats, top: int = 3, apart: float = 1.0) -> Moments:
    """The `top` frames of each clip by `attention` (n, F), none within `apart` seconds of a heavier one. O(n F top).

    >>> frames, times = np.zeros((1, 4, 8), dtype=np.int16), np.array([[0.0, 3.0, 3.5, 7.0]], dtype=np.float32)
    >>> heaviest(Clips(frames, times, np.array([4])), np.array([[0.1, 0.4, 0.3, 0.2]]), top=2).texts()
    ['0:03, 0:07']
    """
    n = np.arange(len(clips))
    left = np.where(clips.there, attention, 0.0)
    least = LEAST * left.max(axis=1, initial=0.0)
    times, weights = np.full((len(clips), top), np.nan), np.zeros((len(clips), top))
    for place in range(top if clips.shape[1] else 0):
        at = left.argmax(axis=1)
        weight, time = left[n, at], clips.times[n, at].astype(np.float64)
        kept = (weight >= least) & (weight > 0)
        times[kept, place], weights[kept, place] = time[kept], weight[kept]
        left[np.abs(clips.times - time[:, None]) < apart] = 0.0
        left[n, at] = 0.0
    return Moments(times, weights)


def clock(seconds: float) -> str:
    """Seconds from a clip's beginning as a player shows them.

    >>> clock(7.9), clock(83), clock(3723.5)
    ('0:07', '1:23', '1:02:03')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
