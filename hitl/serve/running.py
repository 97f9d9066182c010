"""Running it all: the socket, the server in a thread of its own, the worker in the main one, signals, and the end."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from types import FrameType
from urllib.parse import urlsplit

from rich.console import Console

from hitl.config import CampaignConfig, LabelStudioConfig, secret
from hitl.connectors.studio.backend import Backend
from hitl.connectors.studio.http import Http
from hitl.console import bars, say
from hitl.errors import CampaignError, ConfigError
from hitl.serve.auth import USER, Keys, find_keys, is_loopback
from hitl.serve.joint import StudioJoint
from hitl.serve.opinions import Opinions
from hitl.serve.worker import Joint, Pace, Stopper, Worker
from hitl.types import Progress, silent

MOST_CALLERS = 64
"""Connections at once; more are answered 503."""

START_SECONDS = 20.0
INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Where to serve and how often to look; `url` is where Label Studio reaches us, if not at host and port.

    Raises `ConfigError` where nobody could know how to reach it.
    """

    host: str = "127.0.0.1"
    port: int = 9090
    every: float = 30.0
    url: str | None = None

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url or "http://host")
            named = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.query)
        except ValueError:
            named = False
        if not named:
            raise ConfigError("--url must read http(s)://host[:port], without a user or password")
        if self.url is None and self.host in ("0.0.0.0", "::", ""):
            raise ConfigError(f"--host {self.host or '(empty)'} is no address to be reached at; give --url, too")

    def address(self, port: int) -> str:
        """Where Label Studio reaches us."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.url or f"http://{host}:{port}").rstrip("/")

    @property
    def names(self) -> frozenset[str]:
        """The names by which callers may call us."""
        told = {self.host.lower(), (urlsplit(self.url).hostname or "") if self.url else ""} - {""}
        return frozenset(told | ({"localhost", "127.0.0.1", "::1"} if is_loopback(self.host) else set()))


def serve(config: CampaignConfig, serving: Serving, console: Console) -> int:
    """Serve until SIGTERM (0) or SIGINT (130): predictions of the newest model, and rounds that begin by themselves.

    Raises `ConfigError` when config, secret or address cannot be used; what fails later is told and tried again.
    """
    if not all(find_spec(package) for package in ("starlette", "uvicorn")):
        raise ConfigError("serving needs packages that are not installed: pip install 'hitl[serve]'")
    keys = find_keys(config.where, public=not is_loopback(serving.host))
    http = None
    if isinstance(config.connect, LabelStudioConfig):
        http = Http(config.connect.url, secret(config.connect.token_env, "the Label Studio token"))

    def tell(line: str) -> None:
        say(console, line[:1].upper() + line[1:])

    with _listening(serving) as bound, _progress(console) as progress:
        stopper = Stopper(progress)
        campaign = config.open(stopper)
        opinions = Opinions(campaign.walk, config.media_of(campaign.walk.pool))
        address = serving.address(bound.getsockname()[1])
        backend = Backend(address, USER, keys.secret, keys.hint)
        joint: Joint | None = StudioJoint(http, campaign, backend, lambda: opinions.version, tell) if http else None
        worker = Worker(campaign, stopper, tell, Pace(every=serving.every), joint)
        with _signals(worker) as came, _answering(bound, opinions, worker.hint, keys, serving):
            tell(f"answering at {address}; Ctrl+C stops it")
            worker.run()
    return INTERRUPTED if came[0] == signal.SIGINT else 0


def _progress(console: Console) -> AbstractContextManager[Progress]:
    """Bars on a terminal; elsewhere a line a round says enough."""
    return bars(console) if console.is_terminal else nullcontext(silent)


@contextmanager
def _listening(serving: Serving) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(serving.host, serving.port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((serving.host, serving.port), family=family)
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(
            f"cannot listen at {serving.host}:{serving.port} ({told}); take another --port or --host"
        ) from None
    with bound:
        yield bound


@contextmanager
def _signals(worker: Worker) -> Iterator[list[int]]:
    """SIGINT and SIGTERM end the worker after the step in hand, and a second one at once; which came, in order."""
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt
        worker.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _answering(
    bound: socket.socket, opinions: Opinions, hint: Callable[[], None], keys: Keys, serving: Serving
) -> Iterator[None]:
    """Requests are answered by a thread, from the first line within until the last."""
    import uvicorn

    from hitl.serve.app import make_app

    config = uvicorn.Config(
        make_app(opinions, hint, keys, serving.names),
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        log_level=logging.CRITICAL,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CALLERS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="hitl serve", daemon=True)
    thread.start()
    until = time.monotonic() + START_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    if not server.started:
        raise CampaignError("the server did not come up; is the port taken by another program?")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
