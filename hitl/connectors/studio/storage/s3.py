"""Media in a bucket that speaks S3, shown through Label Studio's own S3 storage.

A task holds `s3://bucket/key`, which does not expire. Whenever a page shows it, Label Studio signs a short-lived link,
or hands the content through. So nothing is to be renewed, and no signature is kept.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import SecretStr

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.storage.shown import UNSAFE, kind_of, wrong
from hitl.connectors.studio.storage.trying import RANGE, SECONDS, any_project, as_user, read, told, try_all, verdict
from hitl.errors import ConfigError, ConnectorError, HitlError, MediaError, ServerRefused
from hitl.media.folder import shown
from hitl.types import Finding

_STORAGES = "/api/storages/s3"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_AMAZON = ".amazonaws.com"
_WEEK = 7 * 24 * 60
_LONGEST_KEY = 1024


@dataclass(frozen=True)
class Keys:
    """Credentials for a bucket: they should be allowed to read and list it, and nothing more."""

    id: SecretStr
    secret: SecretStr
    session: SecretStr | None = None

    def told(self) -> dict[str, str]:
        """As Label Studio's storages name them."""
        session = self.session.get_secret_value() if self.session else ""
        return {
            "aws_access_key_id": self.id.get_secret_value(),
            "aws_secret_access_key": self.secret.get_secret_value(),
            "aws_session_token": session,
        }


@dataclass(frozen=True)
class S3Media:
    """A bucket of an S3-compatible store at `endpoint` (Amazon's own without), and the `prefix` all keys begin with.

    References are keys below `prefix`, or `s3://bucket/prefix...`. `keys` go to Label Studio alone, which keeps them
    for the storage and shows them to nobody; without them it takes those of its own environment. With `presign` the
    browser is sent to the store with a link that lives `minutes`; the bucket's CORS rules must then allow GET from
    `page`, the address at which people open Label Studio (ours, if not given). Without, Label Studio hands it through.
    Raises `ConfigError` for a bucket, endpoint or time that cannot be.

    >>> S3Media("pictures", "2026/").link("cat & dog.png")
    's3://pictures/2026/cat & dog.png'
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    keys: Keys | None = field(default=None, repr=False)
    presign: bool = True
    minutes: int = 60
    page: str | None = None
    _prepared: list[int] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _BUCKET.fullmatch(self.bucket):
            raise ConfigError(f"media: {self.bucket!r} is no name of a bucket; write the name alone, in lower case")
        if self._store is not None and (self._store.scheme not in ("http", "https") or not self._store.hostname):
            raise ConfigError("media: the endpoint must read http(s)://host[:port]")
        if self._store is not None and (self._store.username or self._store.password or self._store.query):
            raise ConfigError("media: the endpoint must not hold a user, password or query; keys have their own place")
        if not 1 <= self.minutes <= _WEEK:
            raise ConfigError(
                f"media: minutes={self.minutes}; signed links live 1 to {_WEEK:,} minutes, which is 7 days"
            )
        if self.prefix and _bad(self.prefix.removesuffix("/")):
            raise ConfigError(f"media: the prefix {_bad(self.prefix.removesuffix('/'))}")

    def prepare(self, http: Http, project: int) -> None:
        """Give the project a storage of the bucket, or bring the one it has up to date with its keys; it adds no tasks.

        Raises `ConfigError` rather than send keys over an open line, `ConnectorError` when the server cannot read the
        bucket with them.
        """
        held = self._held(http, project)
        if held:
            self._ask(http, "PATCH", f"{_STORAGES}/{held[0]}", project)
        else:
            self._ask(http, "POST", _STORAGES, project)
        self._prepared.append(project)

    def link(self, reference: str) -> str:
        """`s3://bucket/key`; raises `MediaError` for one that leads elsewhere, or that Label Studio cannot resolve."""
        start = f"s3://{self.bucket}/"
        if reference.startswith("s3://"):
            if not reference.startswith(start + self.prefix):
                raise MediaError(f"{shown(reference)}: lies outside {start}{self.prefix}; move the object, or mend it")
            key = reference.removeprefix(start)
        else:
            key = self.prefix + reference
        problem = _bad(key) if key != self.prefix else "names no object"
        if problem:
            raise MediaError(f"{shown(reference)}: {problem}")
        return start + key

    def broken(self, http: Http, references: Sequence[str]) -> dict[str, str]:
        """Keys without an object, with an empty one or one that browsers do not show, or links that are refused.

        Raises `ConnectorError` before `prepare`.
        """
        if not self._prepared:
            raise ConnectorError("no project has the bucket's storage yet: call prepare(http, project) first")
        return self._try(http, self._prepared[-1], references)

    def look(self, http: Http, project: int | None, references: Sequence[str]) -> Finding:
        """Whether the server can read the bucket; links are tried where there is a project that has its storage."""
        place = f"s3://{self.bucket}/{self.prefix}"
        try:
            witness = any_project(http, project)
            if witness is not None:
                self._ask(http, "POST", f"{_STORAGES}/validate", witness)
            if project is not None and self._held(http, project):
                return told(f"Label Studio serves {place}", references, self._try(http, project, references), "links")
            bad = try_all(references, lambda reference: "" if kind_of(self.link(reference)) else wrong(None, b""))
            return told(f"Label Studio is to serve {place}", references, bad, "names")
        except HitlError as error:
            return Finding("media", "fail", str(error), "mend `connect.media`, its keys, or the server's settings")

    def _try(self, http: Http, project: int, references: Sequence[str]) -> dict[str, str]:
        page = self.page or "{0.scheme}://{0.netloc}".format(urlsplit(http.url))
        # A proxy from the environment is for hosts outside, as with Label Studio itself.
        with httpx.Client(timeout=SECONDS, trust_env=not self._near) as store:

            def look(reference: str) -> str:
                link = self.link(reference)
                if kind_of(link) is None:
                    return wrong(None, b"")
                name = base64.urlsafe_b64encode(link.encode()).decode()
                tried = as_user(http, f"/projects/{project}/resolve/?fileuri={name}")
                if not tried.location:
                    return verdict(link, tried, "Label Studio does not get it; is it there, and the project's storage?")
                if not self._leads_home(urlsplit(tried.location)):
                    return "Label Studio points to another host than the bucket's; mend `endpoint`, or its storage"
                # Without the token: the store needs the signature alone.
                asked = store.stream("GET", tried.location, headers={**RANGE, "Origin": page})
                there = read(asked, "the bucket's store")
                if there.status in (200, 206) and there.readers not in ("*", page):
                    return f"the bucket lets no page of {page} read it: allow GET from there in its CORS rules"
                return verdict(link, there, "there is no such object in the bucket; put it there, or mend the key")

            return try_all(references, look)

    def _held(self, http: Http, project: int) -> list[int]:
        """The project's storages of this part of the bucket."""
        listed = http.rows(_STORAGES, {"project": project})
        wanted = (self.bucket, self.prefix)
        return [held["id"] for held in listed if (held.get("bucket"), held.get("prefix") or "") == wanted]

    @cached_property
    def _store(self) -> SplitResult | None:
        return urlsplit(self.endpoint) if self.endpoint is not None else None

    @property
    def _near(self) -> bool:
        return self._store is not None and self._store.hostname in ("localhost", "127.0.0.1", "::1")

    def _leads_home(self, address: SplitResult) -> bool:
        """Whether a signed link leads to the store: its host, or the bucket's name in front of it."""
        if self._store is None:
            return address.scheme == "https" and f".{address.hostname}".endswith(_AMAZON)
        hosts = (self._store.hostname, f"{self.bucket}.{self._store.hostname}")
        return (address.scheme, address.port) == (self._store.scheme, self._store.port) and address.hostname in hosts

    def _ask(self, http: Http, method: str, where: str, project: int) -> None:
        if self.keys and not http.encrypted and not http.local:
            raise ConfigError(
                f"media: {http.url} is not encrypted, and the bucket's keys go there; use an https address"
            )
        storage: dict[str, Any] = {
            "project": project,
            "title": "hitl",
            "bucket": self.bucket,
            "prefix": self.prefix,
            "s3_endpoint": self.endpoint or "",
            "region_name": self.region or "",
            "presign": self.presign,
            "presign_ttl": self.minutes,
            "use_blob_urls": True,
            "synchronizable": False,
            **(self.keys.told() if self.keys else {}),
        }
        try:
            http.rewrite(method, where, storage)
        except ServerRefused as refused:
            raise ConnectorError(
                f"{http.url} cannot read s3://{self.bucket}/{self.prefix}: check bucket, prefix (one object at least), "
                f"endpoint, region and keys; a store on a private address needs SSRF_PROTECTION_ENABLED=false, or "
                f"S3_ENDPOINT in the server's environment instead of `endpoint` ({str(refused)[-80:]})"
            ) from None


class _Unsigned(logging.Filter):
    """Keeps signed links out of the log of requests: whoever has one may read the object."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Signature=" not in record.getMessage()


logging.getLogger("httpx").addFilter(_Unsigned())


def _bad(key: str) -> str:
    """What is wrong with a key, "" when nothing. Label Studio cuts keys at a `?`, and blanks at their ends."""
    if len(key.encode(errors="replace")) > _LONGEST_KEY or UNSAFE.search(key):
        return "holds a backslash or control character, or is over 1,024 bytes; rename the object"
    if any(part in ("", ".", "..") for part in key.split("/")):
        return "is no plain key: no `..`, `//` or leading slash; mend it"
    if "://" in key or "?" in key or key != key.strip():
        return "Label Studio cannot resolve a key with `?`, `://` or blanks at its ends; rename the object"
    return ""
