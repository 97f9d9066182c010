"""Who may ask what: one secret for Label Studio's requests, and one made of it that allows no more than a hint."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from hitl.errors import ConfigError

VARIABLE = "HITL_SERVE_SECRET"
FILE = "serve.secret"
USER = "hitl"
"""The user of Basic authentication, which Label Studio wants one for."""

LEAST = 16


@dataclass(frozen=True)
class Keys:
    """What a caller must know.

    Every member of a project can read the headers of its webhooks. So the `hint` that stands there is made of the
    secret one way, and opens nothing but the webhook.

    >>> keys = Keys(SecretStr("a secret of the tests"))
    >>> keys.admit(f"Bearer {keys.hint.get_secret_value()}", hint=True), keys.admit("Bearer zonk", hint=True)
    (True, False)
    """

    secret: SecretStr

    @property
    def hint(self) -> SecretStr:
        """The key of the webhook: HMAC-SHA-256 of its purpose by the secret, in hex."""
        return SecretStr(hmac.new(self.secret.get_secret_value().encode(), b"webhook", "sha256").hexdigest())

    def admit(self, authorization: str, *, hint: bool) -> bool:
        """Whether an `Authorization` header opens a door, one for hints only or any; takes the same time for all."""
        given = _given(authorization)
        opens = hmac.compare_digest(given, self.secret.get_secret_value().encode())
        hints = hmac.compare_digest(given, self.hint.get_secret_value().encode())
        return opens or (hint and hints)


def find_keys(folder: Path, *, public: bool) -> Keys:
    """The keys by the environment's secret, or by one that is made once and kept in the campaign's folder, mode 0600.

    Raises `ConfigError` when the secret is too weak, the file open to others, or a `public` address has no secret of
    its own.
    """
    told = os.environ.get(VARIABLE, "")
    if told:
        return Keys(_checked(told, f"the environment variable {VARIABLE}"))
    if public:
        raise ConfigError(
            f"other machines can reach this address: put a secret of {LEAST} characters or more into the environment "
            f"variable {VARIABLE}, or take --host 127.0.0.1"
        )
    return Keys(_kept(folder / FILE))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that is bound to `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(header: str) -> str:
    """The name in a `Host` header, without its port; "" where it is no name.

    >>> host_of("Example.org:9090"), host_of("[::1]:9090"), host_of("a b")
    ('example.org', '::1', '')
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?", header)
    return (found[1] or found[2]).lower() if found else ""


def _given(authorization: str) -> bytes:
    kind, _, rest = authorization.partition(" ")
    if kind.lower() == "bearer":
        return rest.strip().encode("utf-8", "replace")
    if kind.lower() != "basic":
        return b""
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b""
    return password if user == USER.encode() else b""


def _checked(secret: str, where: str) -> SecretStr:
    if not re.fullmatch(rf"[\x21-\x7e]{{{LEAST},}}", secret):
        raise ConfigError(
            f"{where} holds no secret that can be used: give {LEAST} characters or more, letters, digits and signs, "
            "without blanks"
        )
    return SecretStr(secret)


def _kept(path: Path) -> SecretStr:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written to ({error.strerror}); set {VARIABLE} instead") from None
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others may read the secret in it; `chmod 600 {path}`, or remove it")
        return _checked(path.read_text(encoding="ascii"), str(path))
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path}: cannot be read; remove it, and it is made anew") from None
