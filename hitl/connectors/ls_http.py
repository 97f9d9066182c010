"""Talking to Label Studio over HTTP: both kinds of token, patient reads, writes that are never sent twice unasked."""

from __future__ import annotations

import base64
import json
import random
import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from hitl.errors import ConfigError, ConnectorError, NotAllowed, ServerRefused, ServerUnreachable

READ_TRIES = 6
WRITE_SECONDS = 900.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_BUSY = {429, 502, 503, 504}


class Http:
    """One server, one token. Every call raises `ServerUnreachable`, `NotAllowed` or `ServerRefused`.

    Reads are tried again, with growing random pauses. Writes are not, unless the caller says that repeating one does
    no harm: a server may have done what it did not live to confirm. Redirects are refused, so that the token goes to
    the named host alone; no message holds the token or a server's words beyond its short `detail`.
    """

    def __init__(
        self, url: str, token: SecretStr | str, timeout: float = 60.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ConfigError("the Label Studio address must read http(s)://host[:port], without a user or password")
        self.local = parts.hostname in _LOOPBACK
        self.encrypted = parts.scheme == "https"
        self._token = SecretStr(token) if isinstance(token, str) else token
        if not re.fullmatch(r"[\x21-\x7e]+", self._token.get_secret_value().strip()):
            raise ConfigError("the Label Studio token is empty or holds blanks; copy it again from Account & Settings")
        self._access, self._access_until = SecretStr(""), 0.0
        self._refreshing = threading.Lock()
        # A proxy from the environment is for hosts outside.
        self._client = httpx.Client(
            base_url=self.url,
            timeout=httpx.Timeout(timeout, connect=10.0),
            transport=transport,
            trust_env=not self.local,
        )
        self._jitter = random.Random()

    def __repr__(self) -> str:
        return f"Http({self.url!r})"

    @property
    def personal(self) -> bool:
        """Whether the token is a personal access token (a JWT), not a legacy one."""
        return self._token.get_secret_value().count(".") == 2

    def read(self, path: str, params: Mapping[str, Any] | None = None, body: object = None) -> Any:
        """GET, as often as it takes within bounds; the answer's JSON."""
        return self._patiently("GET", path, params, body).json()

    def write(self, method: str, path: str, body: object, params: Mapping[str, Any] | None = None) -> Any:
        """One try to change something; `ServerUnreachable` says that it may or may not have happened."""
        answer = self._once(method, path, params, body, WRITE_SECONDS)
        return answer.json() if answer.content else None

    def rewrite(self, method: str, path: str, body: object) -> Any:
        """Change something that may be changed twice without harm, as patiently as a read."""
        answer = self._patiently(method, path, None, body)
        return answer.json() if answer.content else None

    def date(self) -> str:
        """The server's clock, as its `Date` header."""
        return str(self._patiently("GET", "/api/version/", None, None).headers.get("date", ""))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _patiently(self, method: str, path: str, params: Mapping[str, Any] | None, body: object) -> httpx.Response:
        for attempt in range(READ_TRIES - 1):
            try:
                return self._once(method, path, params, body, None)
            except ServerUnreachable:
                time.sleep(min(4.0, 0.2 * 2**attempt) * self._jitter.uniform(0.5, 1.0))
        return self._once(method, path, params, body, None)

    def _once(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: object, seconds: float | None
    ) -> httpx.Response:
        answer = self._send(method, path, params, body, seconds)
        if answer.status_code == 401 and self.personal:
            # The server did nothing yet: the short-lived half of the token ran out on the way.
            self._access_until = 0.0
            answer = self._send(method, path, params, body, seconds)
        _check(answer, method, path, self.url)
        return answer

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: object, seconds: float | None
    ) -> httpx.Response:
        headers = {"Authorization": self._credentials(), "Accept": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        timeout = httpx.USE_CLIENT_DEFAULT if seconds is None else httpx.Timeout(seconds, connect=10.0)
        try:
            return self._client.request(method, path, params=params, content=content, headers=headers, timeout=timeout)
        except httpx.HTTPError as error:
            raise _unreachable(self.url, error) from None

    def _credentials(self) -> str:
        secret = self._token.get_secret_value().strip()
        if not self.personal:
            return f"Token {secret}"
        with self._refreshing:
            if time.time() > self._access_until - 30:
                self._refresh(secret)
            return f"Bearer {self._access.get_secret_value()}"

    def _refresh(self, secret: str) -> None:
        try:
            answer = self._client.post("/api/token/refresh/", json={"refresh": secret})
        except httpx.HTTPError as error:
            raise _unreachable(self.url, error) from None
        if answer.status_code in (400, 401, 403):
            raise NotAllowed(
                f"{self.url} does not take the personal access token: it expired, was revoked, or is of another "
                "server; make a new one under Account & Settings → Personal Access Token"
            )
        _check(answer, "POST", "/api/token/refresh/", self.url)
        access = str(answer.json()["access"])
        self._access, self._access_until = SecretStr(access), _expiry(access)


def _check(answer: httpx.Response, method: str, path: str, url: str) -> None:
    status, where = answer.status_code, f"{method} {path}"
    if answer.is_success:
        return
    if answer.is_redirect:
        there = urlsplit(answer.headers.get("location", ""))
        raise ServerRefused(
            f"{where}: the server points to {there.scheme}://{there.netloc}, and the token stays with {url}; "
            "if that address is right, put it into the configuration"
        )
    if status in (401, 403):
        raise NotAllowed(
            f"{where}: {status}, {_detail(answer) or 'not allowed'}; check the token and its user's rights"
        )
    if status in _BUSY:
        raise ServerUnreachable(f"{where}: {url} is busy or restarting ({status}); nothing is lost, try again")
    if status >= 500:
        raise ServerBroke(f"{where}: the server failed ({status}); look into its log")
    raise ServerRefused(f"{where}: {status} {_detail(answer)}".rstrip())


class ServerBroke(ServerRefused):
    """The server failed while it worked: what was asked may have been done."""


def _unreachable(url: str, error: httpx.HTTPError) -> ConnectorError:
    what = type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NotAllowed(f"{url}: its certificate cannot be verified; install the issuing authority (SSL_CERT_FILE)")
    return ServerUnreachable(f"{url} does not answer ({what}); is it running? Nothing is lost: call again")


def _detail(answer: httpx.Response) -> str:
    """A server's `detail` and the names of the fields it complains about; their content stays out."""
    try:
        told = answer.json()
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    fields = told.get("validation_errors")
    named = f" (about {', '.join(map(str, fields))})" if isinstance(fields, dict) else ""
    return f"{str(told.get('detail', ''))[:120]}{named}"


def _expiry(access: str) -> float:
    try:
        payload = access.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return time.time() + 60
