"""Clips: which frames come out, with their times, and what a broken clip gives."""

import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hitl.errors import ConfigError, MediaError
from hitl.media import FrameSampling, Limits, MediaFolder, sample_frames

av = pytest.importorskip("av")

SHARED = Path(os.environ.get("HITL_SHARED", "../shared")) / "data" / "video"


def levels(frames) -> list[float]:
    return [float(image.mean()) for image in frames.images]


def ramp(n: int) -> list[int]:
    """A grey level for each frame that tells which frame it is."""
    return np.linspace(20, 230, n).round().astype(int).tolist()


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mpeg4"), ("a.avi", "mpeg4"), ("a.mkv", "libx264")])
def test_uniform_frames_are_those_shown_at_their_times(clip, name, codec):
    shades = ramp(40)
    frames = sample_frames(clip(shades, name, codec=codec), FrameSampling(uniform=8, scenes=0))
    assert frames.times.tolist() == pytest.approx([0.2, 0.7, 1.2, 1.7, 2.2, 2.7, 3.2, 3.7], abs=0.06)
    shown = [shades[round(at * 10)] for at in frames.times]
    assert levels(frames) == pytest.approx(shown, abs=8)
    assert frames.seconds == pytest.approx(4.0, abs=0.11)
    assert not frames.changes.any()


def test_changes_are_found_where_they_are(clip):
    shades = [60] * 13 + [180] * 10 + [90] * 9 + [95] * 8
    frames = sample_frames(clip(shades), FrameSampling(uniform=1, scenes=2, rate=10))
    assert frames.times[frames.changes].tolist() == pytest.approx([1.3, 2.3])
    more = sample_frames(clip(shades), FrameSampling(uniform=1, scenes=9, rate=10))
    assert more.times[more.changes].tolist() == pytest.approx([1.3, 2.3, 3.2])


def test_a_still_clip_has_no_changes(clip):
    frames = sample_frames(clip([128] * 30), FrameSampling(uniform=4, scenes=8))
    assert len(frames) == 4
    assert not frames.changes.any()


def test_times_ascend_and_no_frame_comes_twice(clip):
    for n in (1, 2, 3, 17):
        frames = sample_frames(clip(np.arange(n) * 12, f"{n}.mp4"), FrameSampling(uniform=16, scenes=8, rate=10))
        assert (np.diff(frames.times) > 0).all()
        assert 1 <= len(frames) <= min(n, 24)
        assert len(frames.images) == len(frames.changes) == len(frames.times)


def test_frames_are_scaled_down_and_never_up(clip):
    path = clip([80] * 5)  # 48 × 64
    for size, shape in [(24, (24, 32, 3)), (48, (48, 64, 3)), (300, (48, 64, 3))]:
        frames = sample_frames(path, FrameSampling(size=size))
        assert {image.shape for image in frames.images} == {shape}
        assert frames.images[0].dtype == np.uint8


def test_a_clip_turned_by_its_header_is_upright(clip):
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    picture[:, :32] = 200  # the left half is bright
    path = clip([picture] * 5)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44  # after the type: 4 version and flags, 20 times and ids, 16 layer and volume
    one = (1 << 16).to_bytes(4, "big")
    assert content[matrix : matrix + 4] == one
    zero, minus = bytes(4), (-(1 << 16)).to_bytes(4, "big", signed=True)
    content[matrix : matrix + 20] = zero + one + zero + minus + zero  # a quarter clockwise
    path.write_bytes(content)
    upright = sample_frames(path, FrameSampling(uniform=2)).images[0]
    assert upright.shape == (64, 48, 3)
    assert upright[:28].mean() > 150 > 50 > upright[36:].mean()  # now the upper one


def test_a_long_clip_is_sampled_from_its_key_frames(clip):
    shades = ramp(6400)
    shades[3700:] = [250 - shade for shade in shades[3700:]]
    path = clip(shades, gop=16, fps=20)
    sampling = FrameSampling(uniform=8, scenes=1, rate=1)
    frames = sample_frames(path, sampling)
    at = np.rint(frames.times * 20).astype(int)
    with av.open(str(path)) as container:
        keys = {round(packet.pts * packet.time_base * 20) for packet in container.demux(video=0) if packet.is_keyframe}
    assert set(at.tolist()) <= keys
    assert levels(frames) == pytest.approx([shades[i] for i in at], abs=8)
    assert np.abs(frames.times[~frames.changes] - (np.arange(8) + 0.5) * 40).max() <= 0.8
    assert frames.times[frames.changes].tolist() == pytest.approx([185], abs=1)
    again = sample_frames(path, sampling)
    assert all((a == b).all() for a, b in zip(frames.images, again.images, strict=True))


def test_memory_is_that_of_the_frames_kept(clip):
    path = clip(np.arange(600) % 250)
    tracemalloc.start()
    sample_frames(path, FrameSampling(uniform=4, scenes=4, rate=100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 48 * 64 * 3  # of 600 frames


@pytest.mark.parametrize("share", [0.8, 0.5])
def test_a_truncated_clip_gives_the_frames_that_are_there(clip, share):
    rng = np.random.default_rng(3)
    path = clip([rng.integers(0, 256, size=(48, 64, 3), dtype=np.uint8) for _ in range(60)], "a.mkv")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    frames = sample_frames(path, FrameSampling(uniform=8))
    assert frames.seconds == pytest.approx(6 * share, abs=0.5)
    assert frames.times.max() <= frames.seconds
    assert len(frames) >= 8


def test_a_clip_cut_before_its_table_is_refused(clip):
    path = clip(ramp(60))
    path.write_bytes(path.read_bytes()[:-200])  # an MP4's table stands at its end
    with pytest.raises(MediaError, match="damaged"):
        sample_frames(path, FrameSampling())


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_bytes_turned_over_give_frames_or_a_media_error(clip, name):
    path = clip(ramp(40), name)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(5)
    for _ in range(20):
        broken = whole.copy()
        broken[rng.integers(0, len(whole), size=20)] = rng.integers(0, 256, size=20)
        path.write_bytes(broken.tobytes())
        try:
            frames = sample_frames(path, FrameSampling(uniform=4, scenes=2))
        except MediaError:
            continue
        assert len(frames) >= 1
        assert (np.diff(frames.times) > 0).all()


def sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for at in range(4):
            samples = np.zeros((1, 1024), dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, 1024 * at
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_sound_alone_is_no_clip(tmp_path):
    with pytest.raises(MediaError, match="sound only"):
        sample_frames(sound(tmp_path / "a.mp4"), FrameSampling())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"zonk wub " * 100, "no clip"),
        (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "no clip"),
        (b"ffconcat version 1.0\nfile clip.mp4\n", "no clip"),
    ],
)
def test_what_is_no_clip(tmp_path, clip, content, told):
    clip([90] * 5)
    path = tmp_path / "zonk.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=told):
        sample_frames(path, FrameSampling())


def test_limits_and_missing_files(tmp_path, clip):
    path = clip([90] * 30)
    with pytest.raises(MediaError, match="most_seconds"):
        sample_frames(path, FrameSampling(), Limits(most_seconds=2))
    with pytest.raises(MediaError, match="most_pixels"):
        sample_frames(path, FrameSampling(), Limits(most_pixels=1000))
    with pytest.raises(MediaError, match="cannot be opened"):
        sample_frames(tmp_path / "none.mp4", FrameSampling())
    with pytest.raises(MediaError, match="item 7"):
        sample_frames(tmp_path / "none.mp4", FrameSampling(), name="item 7")
    assert len(MediaFolder(tmp_path).frames("clip.mp4", FrameSampling(uniform=3))) == 3


def test_without_pyav_the_extra_is_named(clip, monkeypatch):
    path = clip([90] * 5)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"hitl\[video\]"):
        sample_frames(path, FrameSampling())


@pytest.mark.parametrize("options", [{"uniform": 0}, {"scenes": -1}, {"size": 0}, {"rate": 0.0}])
def test_a_sampling_that_gives_nothing_is_refused(options):
    with pytest.raises(ConfigError):
        FrameSampling(**options)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the clips in HITL_SHARED")
def test_real_clips():
    for path in sorted(SHARED.iterdir())[::3]:
        frames = sample_frames(path, FrameSampling())
        with av.open(str(path)) as container:
            times = np.array([frame.time for frame in container.decode(video=0)])
        assert 16 <= len(frames) <= 24
        assert np.abs(frames.times[:, None] - times).min(axis=1).max() < 1e-6
        assert frames.seconds == pytest.approx(times[-1] - times[0], abs=0.2)
        assert min(frames.images[0].shape[:2]) <= 256
