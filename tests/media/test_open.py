"""Pictures: shown as they are meant to be seen, or refused with a reason."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from hitl.errors import ConfigError, MediaError
from hitl.media import Limits, open_image

Image = pytest.importorskip("PIL.Image")


def picture(height: int = 24, width: int = 40) -> np.ndarray:
    """A smooth picture whose left half is red and whose top is dark."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([200 * (columns < width // 2), 4 * rows, 2 * columns], axis=2).astype(np.uint8)


def write(path: Path, image, **options) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "gif", "jpg"])
def test_formats(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    opened = open_image(write(tmp_path / f"zonk.{suffix}", Image.fromarray(picture()), **options))
    assert (opened.mode, opened.size) == ("RGB", (40, 24))
    assert np.abs(np.asarray(opened, dtype=int) - picture()).mean() < (8 if suffix in ("gif", "jpg") else 0.01)


def test_it_is_turned_by_its_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    path = write(tmp_path / "turned.png", Image.fromarray(picture()), exif=exif)
    assert (np.asarray(open_image(path)) == np.rot90(picture(), k=-1)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path, mode):
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 127))
    if mode == "P":
        image = Image.new("P", (4, 2), 1)
        image.putpalette([9, 9, 9, 0, 0, 0])
        image.putpixel((0, 0), 0)
        path = write(tmp_path / "seen.png", image, transparency=0)
    else:
        path = write(tmp_path / "seen.png", image.convert(mode))
    seen = np.asarray(open_image(path))
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[1, 1].tolist() == [0, 0, 0]
    assert mode == "P" or 120 <= seen[0, 1, 0] <= 136


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    grey = np.linspace(0, 65_535, 64 * 8).reshape(8, 64).astype(np.uint16)
    for name in ("deep.png", "deep.tiff"):
        seen = np.asarray(open_image(write(tmp_path / name, Image.fromarray(grey))))
        assert np.abs(seen[..., 0] - grey / 257).max() <= 1


def test_numbers_without_a_scale_take_their_range(tmp_path):
    path = write(tmp_path / "heat.tiff", Image.fromarray(np.array([[-2.0, 0.0], [1.0, np.nan]], dtype=np.float32)))
    assert np.asarray(open_image(path))[..., 0].tolist() == [[0, 170], [255, 170]]


def test_colours_for_print(tmp_path):
    path = write(tmp_path / "ink.jpg", Image.fromarray(picture()).convert("CMYK"), quality=95)
    assert np.abs(np.asarray(open_image(path), dtype=int) - picture()).mean() < 10


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(9_000, 9_000), (12_000, 10_000), (60_000, 60_000)])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, width, height):
    (tmp_path / "bomb.png").write_bytes(png_header(width, height))
    with pytest.raises(MediaError, match="pixels"):
        open_image(tmp_path / "bomb.png")


def saved(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(200, 300)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_picture_is_not_shown_in_part(tmp_path, kind):
    whole = saved(kind)
    path = tmp_path / "cut.bin"
    path.write_bytes(whole)
    open_image(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"damaged|no picture"):
        open_image(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_bytes_turned_over_give_a_picture_or_a_media_error(tmp_path, kind):
    rng = np.random.default_rng(7)
    path = tmp_path / "noise.bin"
    for _ in range(25):
        broken = np.frombuffer(saved(kind), dtype=np.uint8).copy()
        broken[rng.integers(8, len(broken), size=6)] = rng.integers(0, 256, size=6)
        path.write_bytes(broken.tobytes())
        try:
            assert open_image(path).mode == "RGB"
        except MediaError:
            continue


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"zonk wub", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
    ],
)
def test_what_is_no_picture(tmp_path, content, told):
    path = tmp_path / "zonk.png"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=told):
        open_image(path)


def test_limits_and_missing_files(tmp_path):
    path = write(tmp_path / "zonk.png", Image.fromarray(picture()))
    with pytest.raises(MediaError, match="most_bytes"):
        open_image(path, Limits(most_bytes=10))
    with pytest.raises(MediaError, match=r"960 pixels.*most_pixels"):
        open_image(path, Limits(most_pixels=959))
    assert open_image(path, Limits(most_pixels=960)).size == (40, 24)
    with pytest.raises(MediaError, match="cannot be opened"):
        open_image(tmp_path / "none.png")
    with pytest.raises(MediaError, match="item 7"):
        open_image(tmp_path / "none.png", name="item 7")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_what_moves_is_no_picture(tmp_path, kind):
    frames = [Image.fromarray(np.roll(picture(), shift, axis=1)) for shift in (0, 9, 18)]
    path = write(tmp_path / "moves", frames[0], format=kind, save_all=True, append_images=frames[1:])
    with pytest.raises(MediaError, match=r"\b3 (frames|pages)"):
        open_image(path)


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "zonk.png", Image.fromarray(picture()))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigError, match=r"hitl\[image\]"):
        open_image(path)


def test_pillow_is_left_as_it_was(tmp_path):
    from PIL import ImageFile

    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    open_image(write(tmp_path / "zonk.png", Image.fromarray(picture())))
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before == (89_478_485, False)
