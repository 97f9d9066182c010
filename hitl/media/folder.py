"""References in a pool's media column → files under one folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from hitl.errors import ConfigError, MediaError
from hitl.media.frames import Frames, FrameSampling, sample_frames
from hitl.media.limits import Limits
from hitl.media.open import open_image

if TYPE_CHECKING:
    from PIL.Image import Image

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LOCAL_FILES = "/data/local-files"
_SHOWN = 120


@dataclass(frozen=True)
class MediaFolder(Limits):
    """The folder that references are resolved in, and how much of a file is opened at most; small and picklable.

    A reference is a path relative to `root`, an absolute path or `file://` URL within it, or Label Studio's URL of a
    local file, `/data/local-files/?d=PATH` with or without a host. Nothing outside `root` is opened, whatever `..` or
    symbolic links say. What cannot be opened raises `MediaError`; a `root` that is no folder, `ConfigError`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     _ = Path(root, "zonk.png").write_bytes(b"")
    ...     MediaFolder(Path(root)).path("/data/local-files/?d=zonk.png").name
    'zonk.png'
    """

    root: Path

    def path(self, reference: str) -> Path:
        """The file that a reference means; raises `MediaError` when there is none within the root."""
        root = Path(self.root).resolve()
        try:
            path = (root / _local(reference)).resolve()
            if not path.is_relative_to(root):
                raise MediaError(f"{shown(reference)}: leads out of the media folder; move the file into it")
            if path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):  # a name too long, a zero byte, links in a circle
            raise MediaError(f"{shown(reference)}: is no path of a file; mend the reference") from None
        if not root.is_dir():
            raise ConfigError(f"the media folder {self.root} is not there; name the folder that references are in")
        raise MediaError(
            f"{shown(reference)}: there is no such file in the media folder; put it there, or mend the path"
        )

    def image(self, reference: str) -> Image:
        """The picture that a reference means, in RGB and upright; see `open_image`."""
        return open_image(self.path(reference), self, shown(reference))

    def frames(self, reference: str, sampling: FrameSampling) -> Frames:
        """Frames of the clip that a reference means; see `sample_frames`."""
        return sample_frames(self.path(reference), sampling, self, shown(reference))


def shown(reference: str) -> str:
    """A reference as messages may show it: one line, not too long, and without a URL's query, which may hold a key.

    >>> shown("https://host.example/a.png?signature=secret"), shown("data:image/png;base64,AAAA")
    ("'https://host.example/a.png'", "'data:...'")
    """
    if reference.startswith("data:"):
        return "'data:...'"
    if _SCHEME.match(reference) and _LOCAL_FILES not in reference:
        reference = reference.partition("?")[0]
        reference = re.sub(r"//[^/@]*@", "//", reference)
    return repr(reference if len(reference) <= _SHOWN else f"{reference[:_SHOWN]}...")


def _local(reference: str) -> str:
    """The path within a reference; raises `MediaError` when it lies elsewhere."""
    if not reference.strip():
        raise MediaError("the media reference is empty; give a path, or leave the item without media")
    address = urlsplit(reference) if _SCHEME.match(reference) or reference.startswith("/data/") else None
    if address is None:
        return reference
    if address.path.rstrip("/").endswith(_LOCAL_FILES) and address.scheme in ("", "http", "https"):
        asked = parse_qs(address.query).get("d", [""])[0].lstrip("/")
        if not asked:
            raise MediaError(f"{shown(reference)}: names no file; Label Studio's URLs end in ?d=PATH")
        return asked
    if address.scheme == "file" and address.netloc in ("", "localhost"):
        return unquote(address.path)
    if not address.scheme:
        return reference
    raise MediaError(
        f"{shown(reference)}: is not on this machine; download the files first and set root to their folder"
    )
