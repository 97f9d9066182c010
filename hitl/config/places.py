"""Parts of a campaign's file that say where people work, and where their pages get media from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SecretStr

from hitl.config.sections import Section
from hitl.connectors import Connector
from hitl.errors import ConfigError
from hitl.pool import Pool
from hitl.reading import Address, Place, Variable
from hitl.types import Task
from hitl.workforce.exposure import ExposureCap

if TYPE_CHECKING:
    from hitl.connectors.studio.storage import Storage

LARGEST = 2**31 - 1
"""The largest whole number of a plan: what a column of the record holds."""


class LocalMediaConfig(Section):
    """A folder of media that Label Studio serves as local files; see `LocalMedia`."""

    kind: Literal["local"]
    root: Place
    seen_as: Place | None = None
    document_root: Place | None = None

    def open(self, base: Path) -> Storage:
        """The folder; `root` is relative to `base`, and must be there."""
        from hitl.connectors.studio.storage import LocalMedia

        if not (base / self.root).is_dir():
            raise ConfigError(
                f"connect.media.root: {base / self.root} is no folder; name the one that the media lie in"
            )
        return LocalMedia(base / self.root, self.seen_as, self.document_root)


class S3MediaConfig(Section):
    """A bucket of media, see `S3Media`; keys come from the environment, or from the server's with `key_env: null`."""

    kind: Literal["s3"]
    bucket: str
    prefix: str = ""
    endpoint: Address | None = None
    region: str | None = None
    key_env: Variable | None = "HITL_S3_KEY_ID"
    secret_env: Variable = "HITL_S3_SECRET"
    presign: bool = True
    minutes: Annotated[int, Field(ge=1, le=10_080)] = 60
    page: Address | None = None

    def open(self, base: Path) -> Storage:
        """The bucket; raises `ConfigError` when its keys are not in the environment."""
        from hitl.connectors.studio.storage.s3 import Keys, S3Media

        what = "the bucket's key"
        keys = Keys(secret(self.key_env, what), secret(self.secret_env, what)) if self.key_env else None
        where = (self.bucket, self.prefix, self.endpoint, self.region)
        return S3Media(*where, keys, self.presign, self.minutes, self.page)


class LabelStudioConfig(Section):
    """A Label Studio server; the token is read from the environment variable `token_env`.

    Without `media`, the pool's references must be links that browsers open.
    """

    kind: Literal["label_studio"]
    url: Address
    token_env: Variable = "LABEL_STUDIO_TOKEN"
    project: str | None = None
    media: Annotated[LocalMediaConfig | S3MediaConfig, Field(discriminator="kind")] | None = None

    def open(self, base: Path = Path("."), *, show_predictions: bool = False) -> Connector:
        """The server; raises `ConfigError` when a secret is not in the environment. Nothing is sent yet."""
        from hitl.connectors.label_studio import LabelStudio

        token = secret(self.token_env, "the Label Studio token")
        media, show = self.open_media(base), show_predictions
        return LabelStudio(self.url, token, project=self.project, show_predictions=show, media=media)

    def open_media(self, base: Path = Path(".")) -> Storage:
        """Where people's pages get media from; paths are relative to `base`."""
        from hitl.connectors.studio.storage import AsIs

        return self.media.open(base) if self.media else AsIs()


class MemoryConfig(Section):
    """Simulated reviewers, who answer from a labelled column of the pool, with errors."""

    kind: Literal["memory"]
    truth: str
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0

    def open(self, pool: Pool, folder: Path, caps: Sequence[ExposureCap] = ()) -> Connector:
        """The reviewers, who keep what they did in `folder`, and are dealt no more severe content than the caps say."""
        from hitl.connectors.memory import MemoryConnector

        return MemoryConnector(truth_from(pool, self.truth), seed=self.seed, folder=folder, caps=caps)


def secret(variable: str, what: str) -> SecretStr:
    """A secret from the environment; raises `ConfigError` that names the variable only."""
    value = os.environ.get(variable, "")
    if not value:
        raise ConfigError(f"{what} is not set: put it into the environment variable {variable}, not into a file")
    return SecretStr(value)


def truth_from(pool: Pool, column: str, names: Mapping[str, str] | None = None) -> Callable[[Task], tuple[str, ...]]:
    """What a labelled column says of a task's item; several labels are joined by `|`, an empty cell is none."""
    codes, values = pool.codes(column)

    def truth(task: Task) -> tuple[str, ...]:
        value = values[codes[task.position]]
        return tuple((names or {}).get(part, part) for part in value.split("|") if part)

    return truth
