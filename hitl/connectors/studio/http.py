"""Talking to Label Studio over HTTP: both kinds of token, patient reads, writes that are never sent twice unasked."""

from __future__ import annotations

import base64
import json
import random
import re
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from hitl.connectors.studio.answer import Answer, receive
from hitl.errors import ConfigError, ConnectorError, NotAllowed, ServerRefused, ServerUnreachable

READ_TRIES = 6
READ_SECONDS = 300.0
"""After this long no read is tried once more."""

WRITE_SECONDS = 900.0
CONNECT_SECONDS = 10.0
DETAIL = 160
"""Characters that a message takes over from the server."""

_BUSY = {408, 429, 502, 503, 504}


class Http:
    """One server, one token. Every call raises `ServerUnreachable`, `NotAllowed` or `ServerRefused`.

    Reads are tried again, with growing random pauses, or after the pause that the server names. Writes are not, unless
    the caller says that repeating one does no harm: a server may have done what it did not live to confirm. Answers
    are bounded in size and time. Redirects are refused, so that the token goes to the named host alone; no message
    holds the token or a server's words beyond its short `detail`. Proxies of the environment are used for hosts
    outside only. Warns where the token would travel unencrypted.
    """

    def __init__(
        self, url: str, token: SecretStr | str, timeout: float = 60.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ConfigError("the Label Studio address must read http(s)://host[:port], without a user or password")
        self.local = _is_loopback(parts.hostname)
        self.encrypted = parts.scheme == "https"
        if not self.local and not self.encrypted:
            warnings.warn(
                f"{self.url} is not encrypted: whoever is on the way reads the token; use https", stacklevel=3
            )
        self._token = SecretStr(token) if isinstance(token, str) else token
        if not re.fullmatch(r"[\x21-\x7e]+", self._token.get_secret_value().strip()):
            raise ConfigError("the Label Studio token is empty or holds blanks; copy it again from Account & Settings")
        self._access, self._access_until = SecretStr(""), 0.0
        self._refreshing = threading.Lock()
        self._timeout = timeout
        self._client = httpx.Client(
            base_url=self.url,
            auth=self._sign,
            headers={"Accept": "application/json"},
            transport=transport,
            trust_env=not self.local,
        )
        self._jitter = random.Random()
        self._not_before = 0.0
        self._date = ""

    def __repr__(self) -> str:
        return f"Http({self.url!r})"

    @property
    def personal(self) -> bool:
        """Whether the token is a personal access token (a JWT), not a legacy one."""
        return self._token.get_secret_value().count(".") == 2

    @property
    def clock(self) -> datetime | None:
        """The server's clock when it last answered, None while it has not told."""
        try:
            told = parsedate_to_datetime(self._date)
        except ValueError:
            return None
        return told if told.tzinfo else told.replace(tzinfo=UTC)

    def read(self, path: str, params: Mapping[str, Any] | None = None, body: object = None) -> Any:
        """GET, as often as it takes within bounds; the answer's JSON."""
        return self._patiently(_Asked("GET", path, params, body))

    def row(
        self, path: str, params: Mapping[str, Any] | None = None, body: object = None, *, each: Sequence[str] = ()
    ) -> dict[str, Any]:
        """An object as the server tells of it; raises `ServerRefused` when it is none, or lacks a field of `each`."""
        told = self.read(path, params, body)
        if isinstance(told, dict) and all(name in told for name in each):
            return told
        raise self._strange(path)

    def rows(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        under: str = "",
        each: Sequence[str] = ("id",),
    ) -> list[dict[str, Any]]:
        """A listing, all pages of it where it lies `under` a name of the answer; as `row` for every row."""
        told, rows = self.read(path, params), list[dict[str, Any]]()
        while True:
            listed = told.get(under) if under and isinstance(told, dict) else told
            if not isinstance(listed, list) or not all(
                isinstance(row, dict) and row.keys() >= {*each} for row in listed
            ):
                raise self._strange(path)
            rows += listed
            if not under or not told.get("next"):
                return rows
            params = {**(params or {}), "page": (params or {}).get("page", 1) + 1}
            told = self.read(path, params)

    def _strange(self, path: str) -> ServerRefused:
        return ServerRefused(
            f"GET {path}: {self.url} answers with something else than Label Studio does; "
            "is it one, and is the address right?"
        )

    def write(self, method: str, path: str, body: object, params: Mapping[str, Any] | None = None) -> Any:
        """One try to change something; `ServerUnreachable` says that it may or may not have happened."""
        return self._once(_Asked(method, path, params, body), WRITE_SECONDS)

    def rewrite(self, method: str, path: str, body: object) -> Any:
        """Change something that may be changed twice without harm, as patiently as a read."""
        return self._patiently(_Asked(method, path, None, body))

    def date(self) -> str:
        """The server's clock, as its `Date` header."""
        self.read("/api/version/")
        return self._date

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _patiently(self, asked: _Asked) -> Any:
        until = time.monotonic() + READ_SECONDS
        for attempt in range(READ_TRIES - 1):
            try:
                return self._once(asked, self._timeout)
            except (ServerUnreachable, ServerBroke):
                pause = min(4.0, 0.2 * 2**attempt) * self._jitter.uniform(0.5, 1.0)
                if max(time.monotonic() + pause, self._not_before) > until:
                    raise
                time.sleep(pause)
        return self._once(asked, self._timeout)

    def _once(self, asked: _Asked, seconds: float) -> Any:
        wait = self._not_before - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        answer = self._send(asked, seconds)
        if answer.status == 401 and self.personal:
            # The server did nothing yet: the short-lived half of the token ran out on the way.
            self._access_until = 0.0
            answer = self._send(asked, seconds)
        self._check(answer, asked)
        return self._told(answer, asked)

    def _send(self, asked: _Asked, seconds: float, *, signed: bool = True) -> Answer:
        try:
            with self._client.stream(
                asked.method,
                asked.path,
                params=asked.params,
                content=asked.content,
                headers={} if asked.body is None else {"Content-Type": "application/json"},
                timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
                auth=httpx.USE_CLIENT_DEFAULT if signed else None,
            ) as answer:
                self._date = answer.headers.get("date", self._date)
                return receive(answer, f"{asked.method} {asked.path}", seconds)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            failed = _unreachable(self.url, error)
        # Outside the handler: nothing of the request, whose headers hold the token, travels along with the error.
        raise failed

    def _sign(self, request: httpx.Request) -> httpx.Request:
        if self.personal:
            with self._refreshing:
                if time.time() > self._access_until - 30:
                    self._refresh()
                request.headers["Authorization"] = f"Bearer {self._access.get_secret_value()}"
        else:
            request.headers["Authorization"] = f"Token {self._token.get_secret_value().strip()}"
        return request

    def _refresh(self) -> None:
        asked = _Asked("POST", "/api/token/refresh/", None, {"refresh": self._token.get_secret_value().strip()})
        answer = self._send(asked, self._timeout, signed=False)
        if answer.status in (400, 401, 403):
            raise NotAllowed(
                f"{self.url} does not take the personal access token: it expired, was revoked, or is of another "
                "server; make a new one under Account & Settings → Personal Access Token"
            )
        self._check(answer, asked)
        told = self._told(answer, asked)
        if not isinstance(told, dict) or not isinstance(told.get("access"), str):
            raise ServerUnreachable(f"{self.url} gives no access for the personal access token; is it a Label Studio?")
        self._access = SecretStr(told["access"])
        self._access_until = _expiry(self._access)

    def _told(self, answer: Answer, asked: _Asked) -> Any:
        try:
            return answer.told
        except ValueError:
            pass
        raise ServerUnreachable(
            f"{asked.method} {asked.path}: {self.url} answered {answer.status} with something other than JSON, or with "
            "half of it; is it a Label Studio, and is a proxy between?"
        )

    def _check(self, answer: Answer, asked: _Asked) -> None:
        status, where = answer.status, f"{asked.method} {asked.path}"
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            raise ServerRefused(
                f"{where}: the server points to {answer.pointed}, and the token stays with {self.url}; "
                "if that address is right, put it into the configuration"
            )
        detail = answer.detail.replace(self._token.get_secret_value().strip(), "…")[:DETAIL]
        if status in (401, 403):
            raise NotAllowed(f"{where}: {status}, {detail or 'not allowed'}; check the token and its user's rights")
        if status in _BUSY:
            self._not_before = time.monotonic() + answer.retry_after * self._jitter.uniform(1.0, 1.1)
            raise ServerUnreachable(f"{where}: {self.url} is busy or restarting ({status}); nothing is lost, try again")
        if status >= 500:
            raise ServerBroke(f"{where}: the server failed ({status}); look into its log")
        raise (Gone if status == 404 else ServerRefused)(f"{where}: {status} {detail}".rstrip())


class Gone(ServerRefused):
    """What was asked about is not there, or no more."""


class ServerBroke(ServerRefused):
    """The server failed while it worked: what was asked may have been done."""


@dataclass(frozen=True)
class _Asked:
    method: str
    path: str
    params: Mapping[str, Any] | None
    body: object = field(repr=False)

    @property
    def content(self) -> bytes | None:
        """The body as it is sent; no variable holds it, since a traceback may show those, and a token be in it."""
        return None if self.body is None else json.dumps(self.body).encode()


def _unreachable(url: str, error: Exception) -> ConnectorError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NotAllowed(f"{url}: its certificate cannot be verified; install the issuing authority (SSL_CERT_FILE)")
    what = type(error).__name__
    return ServerUnreachable(f"{url} does not answer ({what}); is it running? Nothing is lost: call again")


def _expiry(access: SecretStr) -> float:
    try:
        payload = access.get_secret_value().split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return time.time() + 60


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
