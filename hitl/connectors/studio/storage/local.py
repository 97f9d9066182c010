"""A folder of media, served by Label Studio as local files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.storage.shown import HEAD, UNSAFE, kind_of, wrong
from hitl.connectors.studio.storage.trying import any_project, as_user, told, try_all, verdict
from hitl.errors import ConfigError, ConnectorError, HitlError, MediaError, ServerRefused
from hitl.media import MediaFolder
from hitl.media.folder import shown
from hitl.types import Finding

_STORAGES = "/api/storages/localfiles"
_DOOR = "/data/local-files/?d="
_UNSEEN = "Label Studio does not find it: has it another folder there, or lost the project's storage?"


@dataclass(frozen=True)
class LocalMedia:
    """The folder `root` that references lie in, shown through a local storage of each project.

    `seen_as` is the folder's absolute path on Label Studio's machine, where it is another one (a container's mount);
    `document_root` is the server's LOCAL_FILES_DOCUMENT_ROOT, by default the folder that holds `seen_as`. Everybody on
    the server may open every file of the folder: keep nothing else in it. References resolve as in `MediaFolder`;
    what leads out of the folder (`..`, symbolic links, absolute paths) is refused as that item's `MediaError`. Raises
    `ConfigError` when `seen_as` does not lie below `document_root`.

    >>> LocalMedia(Path("pictures"), seen_as="/files/pictures").place
    'pictures'
    """

    root: Path
    seen_as: str | None = None
    document_root: str | None = None

    def __post_init__(self) -> None:
        folder, above = PurePosixPath(self.folder), PurePosixPath(self.document_root or "/")
        if not folder.is_absolute() or not above.is_absolute() or ".." in (*folder.parts, *above.parts):
            raise ConfigError(f"media: {folder} and {above} are paths on the server: write them absolute, without `..`")
        if above not in folder.parents:
            raise ConfigError(
                f"media: Label Studio serves folders below {above}, its document root, and not {folder}; "
                "name the folder by `seen_as` as the server sees it, or mend `document_root`"
            )

    @cached_property
    def folder(self) -> str:
        """The folder as the server sees it."""
        return str(PurePosixPath(self.seen_as or Path(self.root).resolve().as_posix()))

    @cached_property
    def place(self) -> str:
        """The folder below the server's document root."""
        folder = PurePosixPath(self.folder)
        return str(folder.relative_to(self.document_root or folder.parent))

    def prepare(self, http: Http, project: int) -> None:
        """Give the project a storage of the folder, once; it adds no tasks by itself.

        Raises `ConnectorError` when the server serves no local files, or not this folder.
        """
        if not self._held(http, project):
            self._ask(http, _STORAGES, project)

    def link(self, reference: str) -> str:
        """Label Studio's link of a file; raises `MediaError` when there is none within the folder."""
        return self._link(self._path(reference))

    def broken(self, http: Http, references: Sequence[str]) -> dict[str, str]:
        """Files that are missing, empty, of another type than browsers show, or not served by Label Studio."""

        def look(reference: str) -> str:
            path = self._path(reference)
            return _file(path) or verdict(path.name, as_user(http, self._link(path)), _UNSEEN)

        return try_all(references, look)

    def look(self, http: Http, project: int | None, references: Sequence[str]) -> Finding:
        """Whether the server serves the folder; links are tried where the project has its storage."""
        try:
            witness = any_project(http, project)
            if witness is not None:
                self._ask(http, f"{_STORAGES}/validate", witness)
            if project is not None and self._held(http, project):
                return told(f"Label Studio serves {self.folder}", references, self.broken(http, references), "links")
            bad = try_all(references, lambda reference: _file(self._path(reference)))
            return told(f"Label Studio is to serve {self.folder}", references, bad, "files")
        except HitlError as error:
            return Finding("media", "fail", str(error), "mend `connect.media`, or the server's settings")

    @cached_property
    def _files(self) -> MediaFolder:
        return MediaFolder(Path(self.root).resolve())

    def _path(self, reference: str) -> Path:
        path = self._files.path(reference)
        if UNSAFE.search(str(path)):
            raise MediaError(f"{shown(reference)}: its name holds a backslash or control character; rename the file")
        return path

    def _link(self, path: Path) -> str:
        return _DOOR + quote(f"{self.place}/{path.relative_to(self._files.root).as_posix()}")

    def _held(self, http: Http, project: int) -> bool:
        return any(held.get("path") == self.folder for held in http.rows(_STORAGES, {"project": project}))

    def _ask(self, http: Http, where: str, project: int) -> None:
        storage = {"project": project, "title": "hitl", "path": self.folder}
        try:
            # Not to be synchronised: that would make tasks of the files.
            http.rewrite("POST", where, {**storage, "use_blob_urls": True, "synchronizable": False})
        except ServerRefused:
            if as_user(http, f"{_DOOR}{quote(self.place)}/").status == 403:
                raise ConnectorError(
                    f"{http.url} serves no local files: set LOCAL_FILES_SERVING_ENABLED=true and "
                    "LOCAL_FILES_DOCUMENT_ROOT where Label Studio starts, and restart it"
                ) from None
            raise ConnectorError(
                f"{http.url} does not serve {self.folder}: is it there on the server's machine (`seen_as`), "
                "and does LOCAL_FILES_DOCUMENT_ROOT lie above it?"
            ) from None


def _file(path: Path) -> str:
    """What is wrong with a file as it lies here."""
    kind = kind_of(path.name)
    try:
        with path.open("rb") as file:
            return wrong(kind, file.read(HEAD))
    except OSError as error:
        return f"cannot be read ({error.strerror}); check its permissions"
