"""Media whose references are links that a browser opens as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.storage.trying import as_user, told, try_all
from hitl.errors import HitlError, MediaError
from hitl.media.folder import shown
from hitl.types import Finding

_OWN = ("/data/local-files/", "/data/upload/")
_INLINE = ("data:image/", "data:video/", "data:audio/")
_REMEDY = "set `connect.media`, so that Label Studio shows the files"


@dataclass(frozen=True)
class AsIs:
    """References that are http(s) links, `data:image/...` and the like, or Label Studio's own links (`/data/...`).

    Label Studio's own links are tried. Other hosts are not called from here: what a pool names is not to be trusted.

    >>> AsIs().link("https://host.example/a.png")
    'https://host.example/a.png'
    """

    def prepare(self, http: Http, project: int) -> None:
        """Nothing is needed."""

    def link(self, reference: str) -> str:
        """The reference itself; raises `MediaError` when no browser opens it."""
        address = urlsplit(reference)
        if reference.startswith(_OWN + _INLINE) or (address.scheme in ("http", "https") and address.hostname):
            return reference
        raise MediaError(f"{shown(reference)}: is no link that a browser opens; {_REMEDY}")

    def broken(self, http: Http, references: Sequence[str]) -> dict[str, str]:
        """References that are no links, or that this server does not serve though they are its own."""

        def look(reference: str) -> str:
            if not self.link(reference).startswith(_OWN):
                return ""
            status = as_user(http, reference).status
            return "" if status in (200, 206) else f"Label Studio answers {status}; {_REMEDY}"

        return try_all(references, look)

    def look(self, http: Http, project: int | None, references: Sequence[str]) -> Finding:
        """Whether the references are links, and Label Studio serves its own."""
        try:
            return told("shown from where the pool's links lead", references, self.broken(http, references), "links")
        except HitlError as error:
            return Finding("media", "fail", str(error), _REMEDY)
