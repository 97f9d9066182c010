"""Clips: copies share their frames, others do not."""

import os
from pathlib import Path

import numpy as np
import pytest

from hitl.hashes import clip_hash, shared_frames
from hitl.hashes.video import KEY_FRAMES
from hitl.media import sample_frames

pytest.importorskip("av")
pytest.importorskip("PIL")

SHARED = Path(os.environ.get("HITL_SHARED", "../shared")) / "data" / "video"


def hashed(path: Path):
    return clip_hash(sample_frames(path, KEY_FRAMES))


@pytest.fixture(scope="module")
def scenes(picture):
    """Three scenes of eight frames each, in which the picture moves a little."""
    return [np.roll(picture(seed, 96, 128), at, axis=1) for seed in (1, 2, 3) for at in range(8)]


def test_copies_share_frames_and_excerpts_are_in_the_whole(tmp_path, write_clip, scenes, picture):
    whole = hashed(write_clip(tmp_path / "whole.mp4", scenes))
    smaller = hashed(write_clip(tmp_path / "smaller.mkv", [scene[::2, ::2] for scene in scenes], fps=20, gop=3))
    excerpt = hashed(write_clip(tmp_path / "excerpt.mp4", scenes[8:16]))
    other = hashed(write_clip(tmp_path / "other.mp4", [picture(9, 96, 128)] * 12))
    shares = shared_frames(whole, [whole, smaller, excerpt, other])
    assert shares[0].tolist() == [1, 1]
    assert shares[1].min() > 0.8
    assert shares[2, 0] == pytest.approx(1 / 3, abs=0.15)
    assert shares[2, 1] > 0.9
    assert shares[3].tolist() == [0, 0]
    assert shared_frames(excerpt, [whole])[0].tolist() == shares[2, ::-1].tolist()


def test_frames_with_nothing_in_them_are_left_out(tmp_path, write_clip, scenes):
    dark = [np.zeros((96, 128, 3), dtype=np.uint8)] * 8
    mixed = hashed(write_clip(tmp_path / "mixed.mp4", [*dark, *scenes[:8]]))
    assert 0 < len(mixed) <= 9
    assert mixed.times.min() >= 0.8
    nothing = hashed(write_clip(tmp_path / "dark.mp4", dark))
    assert shared_frames(nothing, [mixed, nothing]).tolist() == [[0, 0], [0, 0]]
    assert shared_frames(mixed, []).shape == (0, 2)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the clips in HITL_SHARED")
def test_real_clips_in_two_formats():
    one, same, other = (hashed(SHARED / name) for name in ("frog.mp4", "frog.webm", "rabbit.webm"))
    shares = shared_frames(one, [same, other])
    assert shares[0].min() > 0.9
    assert shares[1].max() < 0.1
