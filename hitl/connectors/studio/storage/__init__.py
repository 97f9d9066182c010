"""Where Label Studio gets the pictures and clips that people see: one contract, and a file for each kind of place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.storage.as_is import AsIs
from hitl.connectors.studio.storage.local import LocalMedia
from hitl.connectors.studio.storage.s3 import S3Media
from hitl.types import Finding

__all__ = ["AsIs", "LocalMedia", "S3Media", "Storage"]


@runtime_checkable
class Storage(Protocol):
    """A place of media; every call may be repeated. Calls that ask the server raise what `Http` raises."""

    def prepare(self, http: Http, project: int) -> None:
        """Make what a project needs to show the media, if it is not there."""
        ...

    def link(self, reference: str) -> str:
        """What stands in a task's data for a pool's reference; raises `MediaError` for one that leads elsewhere."""
        ...

    def broken(self, http: Http, references: Sequence[str]) -> Mapping[str, str]:
        """References that no annotator would see, and why, after `prepare`; each is tried as the token's user."""
        ...

    def look(self, http: Http, project: int | None, references: Sequence[str]) -> Finding:
        """Whether the server can show the media, with what to do about it; makes nothing, raises nothing."""
        ...
