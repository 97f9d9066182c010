"""Pictures and clips that are broken or mean harm, and references that lead elsewhere."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from bad import Bad, file
from clips import write_clip
from PIL import Image

from hitl.errors import ConfigError, MediaError
from hitl.media import FrameSampling, Limits, MediaFolder


def picture(kind: str, name: str, content: bytes, *words: str) -> Bad:
    def look(path: Path) -> object:
        return MediaFolder(path.parent).image(path.name)

    return Bad(f"picture: {kind}", file(name, content), look, MediaError, (name, *words))


def clip(kind: str, name: str, content: bytes | Callable[[Path], bytes], *words: str, most: float = 60.0) -> Bad:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content(folder))
        return folder / name

    def look(path: Path) -> object:
        return MediaFolder(path.parent, most_pixels=100_000, most_seconds=most).frames(
            path.name, FrameSampling(uniform=2)
        )

    return Bad(f"clip: {kind}", make, look, MediaError, (name, *words))


def reference(kind: str, given: str, *words: str) -> Bad:
    def make(folder: Path) -> Path:
        (folder / "root").mkdir()
        (folder / "secret.png").write_bytes(saved("PNG"))
        (folder / "root/out.png").symlink_to(folder / "secret.png")
        (folder / "root/loop.png").symlink_to(folder / "root/loop.png")
        return folder / "root"

    return Bad(f"reference: {kind}", make, lambda root: MediaFolder(root).path(given), MediaError, words)


def saved(kind: str, size: tuple[int, int] = (8, 6)) -> bytes:
    held = BytesIO()
    Image.fromarray(np.zeros((size[1], size[0], 3), dtype=np.uint8)).save(held, kind)
    return held.getvalue()


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    held = BytesIO()
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 255)]
    frames[0].save(held, kind, save_all=True, append_images=frames[1:])
    return held.getvalue()


def filmed(folder: Path, frames: int = 8, side: int = 64) -> bytes:
    pictures = [np.full((side, side, 3), at * 9 % 250, dtype=np.uint8) for at in range(frames)]
    made = write_clip(folder / "made.mp4", pictures)
    content = made.read_bytes()
    made.unlink()
    return content


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
CASES = [
    picture("nothing", "p.png", b"", "is empty", "get the file again"),
    picture("a text called PNG", "p.png", b"zonk", "no picture", "convert it"),
    picture("cut off", "p.png", saved("PNG", (64, 64))[:60], "damaged", "get the file again"),
    picture("cut off JPEG", "p.jpg", saved("JPEG", (64, 64))[:-40], "damaged"),
    picture(
        "a bit turned over", "p.png", saved("PNG", (64, 64))[:45] + b"\xff" + saved("PNG", (64, 64))[46:], "damaged"
    ),
    picture("a gigapixel in a header", "p.png", png(60_000, 60_000), "pixels", "scale it down"),
    picture("sixty-five million pixels", "p.png", png(8_100, 8_100, b"\0" * 999), "above 64,000,000", "most_pixels"),
    picture("without a side", "p.png", png(0, 5), "p.png"),
    picture("a program in PostScript", "p.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
    picture(
        "a drawing with a script", "p.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "no picture"
    ),
    picture("animated GIF", "p.gif", animated("GIF"), "animated, with 2 frames", "convert it to a clip"),
    picture("TIFF of several pages", "p.tiff", animated("TIFF"), "2 pages", "one picture each"),
    picture("a clip called JPEG", "p.jpg", b"\0\0\0\x20ftypisom", "no picture"),
    picture("over the bytes", "p.png", saved("PNG") + b"\0" * (64 << 20), "above 67,108,864", "most_bytes"),
    clip("nothing", "c.mp4", b"", "is empty"),
    clip("a text called MP4", "c.mp4", b"zonk" * 99, "no clip", "convert it"),
    clip("cut off before its index", "c.mp4", lambda folder: filmed(folder)[:600], "damaged", "get the file again"),
    clip("a playlist that opens other files", "c.m3u8", PLAYLIST, "no clip"),
    clip("a playlist called MP4", "c.mp4", PLAYLIST, "no clip"),
    clip("a list of files to join", "c.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n", "no clip"),
    clip("frames too large", "c.mp4", lambda folder: filmed(folder, side=512), "above 100,000", "most_pixels"),
    clip("too long", "c.mp4", lambda folder: filmed(folder, 30), "lasts 3 s, above 1", "most_seconds", most=1.0),
    reference("nothing", "", "empty", "give a path"),
    reference("blanks", "  ", "empty"),
    reference("a file that is not there", "no.png", "'no.png'", "no such file"),
    reference("up and out", "../secret.png", "leads out", "move the file"),
    reference("out by its whole path", "/etc/hostname", "leads out"),
    reference("out by a link", "out.png", "leads out"),
    reference("out by a URL of a file", "file:///etc/hostname", "leads out"),
    reference("out by percent signs", "file:///%2e%2e/%2e%2e/etc/hostname", "leads out"),
    reference("out by Label Studio's URL", "/data/local-files/?d=../secret.png", "leads out"),
    reference("Label Studio's URL of nothing", "/data/local-files/?d=", "names no file"),
    reference("a link to itself", "loop.png", "no path of a file", "mend"),
    reference("a zero", "a\0b.png", "no path of a file"),
    reference("a name too long", "a" * 5000, "no path of a file"),
    reference(
        "a page elsewhere", "https://host.example/a.png?key=swordfish", "'https://host.example/a.png'", "download"
    ),
    reference("bytes in a URL", "data:image/png;base64,AAAA", "'data:...'", "not on this machine"),
    reference("a share elsewhere", "smb://host/a.png", "not on this machine"),
    reference("a file on another machine", "file://elsewhere/a.png", "not on this machine"),
    reference("a bracket that never closes", "http://[::1/a.png", "mend the reference"),
    reference("half a character", "\ud800.png", "mend the"),
    Bad(
        "media: limits of nothing",
        lambda _: 0,
        lambda n: Limits(most_bytes=n),
        ConfigError,
        ("most_bytes=0", "above 0"),
    ),
    Bad(
        "media: limits of no number",
        lambda _: float("nan"),
        lambda n: Limits(most_seconds=n),
        ConfigError,
        ("most_seconds",),
    ),
    Bad("media: limits above Pillow's", lambda _: 10**9, lambda n: Limits(most_pixels=n), ConfigError, ("Pillow",)),
    Bad("media: no frames", lambda _: 0, lambda n: FrameSampling(uniform=n), ConfigError, ("uniform=0", "1 uniform")),
    Bad(
        "media: no root",
        lambda f: f / "no",
        lambda f: MediaFolder(f).path("a.png"),
        ConfigError,
        ("media folder", "name the"),
    ),
]
