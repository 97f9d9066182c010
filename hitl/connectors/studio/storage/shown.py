"""What browsers show: kinds of files by name, by the type a server gives, and by their first bytes."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

Kind = Literal["image", "video", "audio"]

HEAD = 64
"""How many bytes of a file tell its kind."""

UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\\]")
"""What no name may hold: control characters, halves of surrogate pairs, and the backslash, a slash to some servers."""

# SVG and HTML are left out: opened by themselves they run scripts in Label Studio's name. TIFF, HEIC, AVI, MKV and
# their like are shown by no browser, or not by all.
_NAMES: dict[Kind, str] = {
    "image": "jpg jpeg jfif png apng gif webp avif bmp",
    "video": "mp4 m4v mov webm ogv",
    "audio": "mp3 wav ogg oga opus flac m4a aac weba",
}
_KINDS = {f".{name}": kind for kind, names in _NAMES.items() for name in names.split()}
_UNTOLD = {"", "application/octet-stream", "binary/octet-stream", "application/ogg", "application/mp4"}
_BOX = rb"....(?:ftyp|moov|mdat|free|wide|skip|pnot)"
_STARTS: dict[Kind, re.Pattern[bytes]] = {
    "image": re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|BM|....ftyp", re.DOTALL),
    "video": re.compile(_BOX + rb"|\x1aE\xdf\xa3|OggS", re.DOTALL),
    "audio": re.compile(_BOX + rb"|\x1aE\xdf\xa3|OggS|ID3|\xff[\xe0-\xff]|RIFF....WAVE|fLaC", re.DOTALL),
}


def kind_of(name: str) -> Kind | None:
    """The kind of a file by the ending of its name, None when not every browser shows it.

    >>> kind_of("a/b.JPEG"), kind_of("c.mp4"), kind_of("d.svg")
    ('image', 'video', None)
    """
    return _KINDS.get(PurePosixPath(name).suffix.lower())


def wrong(kind: Kind | None, head: bytes, told: str = "") -> str:
    """What is wrong with a file of this kind by its first bytes and the type that a server gives; "" when nothing.

    >>> wrong("image", b"GIF89a..."), wrong("image", b"<html>", "text/html; charset=utf-8")
    ('', 'comes as text/html, not as image; look what is in its place')
    """
    if kind is None:
        return "not every browser shows such a file; convert it to JPEG, PNG, GIF, WebP, MP4, WebM, MP3 or the like"
    given = told.partition(";")[0].strip().lower()
    if given not in _UNTOLD and not given.startswith(f"{kind}/"):
        return f"comes as {_plain(given)}, not as {kind}; look what is in its place"
    if not head:
        return "is empty; get the file again"
    if not _STARTS[kind].match(head):
        return f"does not begin like {kind} that browsers show; it is damaged, or of another type than its name says"
    return ""


def _plain(given: str) -> str:
    return given if re.fullmatch(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}", given) else "something else"
