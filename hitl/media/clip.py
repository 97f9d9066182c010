"""A clip's file, read packet by packet through PyAV; the one file that knows PyAV."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from hitl.errors import ConfigError, MediaError
from hitl.media.limits import Limits
from hitl.types import Bools, Floats, Ints

# No playlists or scripts (HLS, DASH, concat, SDP): they make a player open other files and addresses.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,gif,mp3,wav,flac,aac"
_SAFELY = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_ONE_FRAME = 0.04
_KNOWN = "MP4, MOV, WebM, MKV, AVI, MPEG, FLV, WMV or Ogg"


class Clip:
    """The video stream of one opened file. Read its timeline, or decode it: each is one pass, and needs a fresh one."""

    def __init__(self, container: Any, stream: Any, limits: Limits, name: str) -> None:
        self._container, self._stream, self._limits, self._name = container, stream, limits, name
        self.unit = float(stream.time_base)  # seconds of one step of a timestamp
        self.skipped = 0
        # One thread: with several, what a damaged clip still gives depends on their timing.
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": str(limits.most_pixels)}
        self._check(stream.codec_context)

    def _check(self, sized: Any) -> None:
        """Refuse a clip whose frames are too large, by its header or one of them."""
        pixels = sized.width * sized.height
        if pixels > self._limits.most_pixels:
            raise MediaError(
                f"{self._name}: frames of {pixels:,} pixels, above {self._limits.most_pixels:,}; scale the clip down, "
                "or raise most_pixels"
            )

    def timeline(self) -> tuple[Ints, Bools, float]:
        """The timestamps of all frames in order, (n,), which are key frames, and the clip's length in seconds.

        Raises `MediaError` without any, or when the clip is too long.
        """
        stamps, keys = array("q"), array("b")
        for packet in self._packets():
            at = _stamp(packet)
            if at is not None and not packet.is_discard:
                stamps.append(at)
                keys.append(packet.is_keyframe)
        if not stamps:
            raise MediaError(f"{self._name}: its video holds no frame with a time; get the file again, or convert it")
        pts, where = np.unique(np.frombuffer(stamps, dtype=np.int64), return_index=True)
        seconds, most = self._seconds(pts), self._limits.most_seconds
        if seconds > most:
            raise MediaError(f"{self._name}: lasts {seconds:,.0f} s, above {most:,.0f}; cut it, or raise most_seconds")
        return pts, np.frombuffer(keys, dtype=np.int8)[where] > 0, seconds

    def _seconds(self, pts: Ints) -> float:
        """From the first timestamp to the last, and one frame more."""
        steps = np.diff(pts.astype(np.float64))  # hostile timestamps lie further apart than 64 bits
        rate = self._stream.average_rate
        last = float(np.median(steps)) * self.unit if len(steps) else float(1 / rate) if rate else _ONE_FRAME
        return float(steps.sum()) * self.unit + last

    def times(self, at: Ints, pts: Ints) -> Floats:
        """Timestamps as seconds from the clip's beginning, as a player counts them."""
        begins = self._container.start_time
        start = round(begins / 1e6 / self.unit) if begins is not None else int(pts[0])
        return np.asarray((at - min(start, int(pts[0]))) * self.unit, dtype=np.float64)

    def decode(self, fed: Ints | None, last: int) -> Iterator[tuple[Any, int]]:
        """Frames with their timestamps, strictly ascending, until `last`; of the packets at `fed` only, if given."""
        chosen = None if fed is None else set(fed.tolist())
        wanted = (packet for packet in self._packets() if chosen is None or _stamp(packet) in chosen)
        before = None
        for packet in chain(wanted, [None]):  # none: what the decoder still holds
            for frame in self._decoded(packet):
                at = _stamp(frame)
                if at is not None and (before is None or at > before):
                    self._check(frame)
                    before = at
                    yield frame, at
            if before is not None and before >= last:
                return

    def _packets(self) -> Iterator[Any]:
        """Packets in the order of the file; a damaged file ends where it breaks."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, ValueError):
                return
            if packet is None:
                return
            if packet.size:
                yield packet

    def _decoded(self, packet: Any) -> list[Any]:
        import av

        try:
            return list(self._stream.codec_context.decode(packet))
        except (av.FFmpegError, ValueError):
            self.skipped += packet is not None
            return []


def _stamp(timed: Any) -> int | None:
    at = timed.dts if timed.pts is None else timed.pts
    return None if at is None else int(at)


@contextmanager
def opened(path: Path, limits: Limits, name: str) -> Iterator[Clip]:
    """Open a clip; raises `MediaError` when it is no clip or breaks while it is read, `ConfigError` without PyAV."""
    try:
        import av
    except ImportError:
        raise ConfigError("opening clips needs PyAV: pip install 'hitl[video]'") from None
    try:
        if not path.stat().st_size:
            raise MediaError(f"{name}: is empty; get the file again")
        with av.open(str(path), options=_SAFELY) as container:
            yield Clip(container, _video_of(container, name), limits, name)
    except OSError as error:
        raise MediaError(f"{name}: cannot be opened ({error.strerror}); check the file") from None
    except (av.FFmpegError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        raise MediaError(
            f"{name}: is damaged, or no clip in a format that is opened ({_KNOWN}); get the file again, or convert it "
            f"({type(error).__name__})"
        ) from None


def _video_of(container: Any, name: str) -> Any:
    """The first video stream that is no cover picture."""
    import av

    cover = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & cover and stream.codec_context is not None:
            return stream
    sound = "sound only" if container.streams.audio else "no video"
    raise MediaError(f"{name}: holds {sound}; leave it out of the media column, or get the file again")
