"""How much of a file is opened at most."""

from __future__ import annotations

from dataclasses import dataclass

from hitl.errors import ConfigError

_PILLOWS_OWN = 89_478_485


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest files that are opened; raises `ConfigError` for limits that cannot be kept.

    `most_bytes` bounds a picture's file, `most_pixels` width × height of a picture or of a clip's frame (3 bytes each
    in memory; Pillow refuses more than 89,478,485 of its own), `most_seconds` the length of a clip.

    >>> Limits(most_pixels=1_000_000).most_bytes
    67108864
    """

    most_bytes: int = 64 << 20
    most_pixels: int = 64_000_000
    most_seconds: float = 6 * 3600.0

    def __post_init__(self) -> None:
        for name in ("most_bytes", "most_pixels", "most_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)!r} opens nothing; give a number above 0")
        if self.most_pixels > _PILLOWS_OWN:
            raise ConfigError(f"most_pixels={self.most_pixels:,} is above Pillow's own limit; give {_PILLOWS_OWN:,}")
