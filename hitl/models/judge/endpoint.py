"""A language model behind an OpenAI-compatible endpoint: asked patiently, no faster than allowed, and counted."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from hitl.errors import ConfigError

LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]+")
_WHOLE = {"retries": 0, "concurrency": 1, "seed": 0, "completion": 1}
_RATES = ("requests_per_minute", "tokens_per_minute")


@dataclass(frozen=True)
class Endpoint:
    """Where a model is asked: `POST {url}/chat/completions`, as vLLM, Ollama, llama.cpp and many providers serve it.

    `model` is the pinned name, which the answer must name, too, or one of `served_as`. The key is in the environment
    variable `key_env`; None where there is none. `timeout` is in seconds, for a whole answer, which has `completion`
    tokens at most, a model's thoughts among them. A request is tried again `retries` times; `concurrency` are under way
    at once. `price_in` and `price_out` are money for a million tokens. Raises `ConfigError` for what cannot be.
    """

    url: str
    model: str
    key_env: str | None = "OPENAI_API_KEY"
    timeout: float = 60.0
    retries: int = 5
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0
    concurrency: int = 4
    served_as: tuple[str, ...] = ()
    seed: int = 0
    completion: int = 1_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", self.url.rstrip("/"))
        object.__setattr__(self, "served_as", tuple(self.served_as))
        self._check_address()
        for name, least in _WHOLE.items():
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise ConfigError(f"endpoint: {name}={getattr(self, name)!r} must be a whole number from {least}")
        for name in _RATES:
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < float("inf"):
                raise ConfigError(f"endpoint: {name}={rate!r} must be positive, or null for no limit")
        if not (0 < self.timeout < float("inf")):
            raise ConfigError(f"endpoint: timeout={self.timeout!r} must be seconds, e.g. 60")
        if not (0 <= self.price_in < float("inf") and 0 <= self.price_out < float("inf")):
            raise ConfigError("endpoint: prices are money for a million tokens, 0 or more")

    def _check_address(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc) and parts.port != 0
        except ValueError:
            usable = None
        if not usable or parts.query or parts.fragment:
            raise ConfigError(
                "the endpoint's url must read http(s)://host[:port][/path], e.g. http://localhost:11434/v1, without "
                "user, password or query; the key belongs in an environment variable, named by key_env"
            )
        if parts.scheme == "http" and self.key_env is not None and not self.local:
            raise ConfigError(
                f"{self.url}: a key would travel unencrypted; use https, or key_env=null if the endpoint wants no key"
            )

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return urlsplit(self.url).hostname in LOCAL_HOSTS

    def key(self) -> SecretStr | None:
        """The key from the environment; raises `ConfigError` when it is not there."""
        if self.key_env is None:
            return None
        found = os.environ.get(self.key_env, "").strip()
        if not re.fullmatch(r"[\x21-\x7e]+", found):
            raise ConfigError(
                f"the environment variable {self.key_env} holds no key for {self.url} (it is empty, or holds blanks); "
                "set it, or key_env=null if the endpoint wants no key"
            )
        return SecretStr(found)

    def money(self, prompt: int, completion: int) -> float:
        """What so many tokens cost."""
        return (prompt * self.price_in + completion * self.price_out) / 1e6


@dataclass(frozen=True)
class Message:
    """A turn of a conversation: `role` is system, user or assistant."""

    role: str
    content: str


@dataclass
class Demands:
    """The parts of a request that an endpoint may not know; those it refused are asked for no more, by any thread."""

    refused: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def without(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """What may be demanded of `wanted`."""
        with self.lock:
            return {name: value for name, value in wanted.items() if name not in self.refused}

    def refuse(self, names: Sequence[str]) -> None:
        """Ask for these no more."""
        with self.lock:
            self.refused.update(names)
