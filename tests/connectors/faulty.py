"""A line that fails as networks and servers do, by a plan that a seed repeats: it stands between us and a server.

Each request and each answer is passed on whole, over a connection of its own.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO
from urllib.parse import urlsplit

from weather import CALM, Fault, Weather

UPSTREAM_SECONDS = 120.0
GIVE_UP_SECONDS = 30.0
_STEADY = threading.Event()
"""Waits in real time, also where a test has done away with sleep."""

Deed = Callable[[], None]
"""What a line does beyond the line: it ends a process."""


class Line:
    """A proxy on loopback before the server at `upstream`; `url` is its address.

    `deeds` are what the kinds "kill" and "kill server" call. `trace` tells every request and what befell it,
    `injected` counts the faults. A late request is answered by a reset, and delivered behind some that come after it.
    """

    def __init__(self, upstream: str, weather: Weather = CALM, deeds: Mapping[str, Deed] | None = None) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.deeds = dict(deeds or {})
        self.trace: list[str] = []
        self.injected: Counter[str] = Counter()
        self._plan = weather.plan
        self._came: Counter[str] = Counter()
        self._held: list[tuple[int, bytes]] = []
        self._lock = threading.Lock()
        line = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                request = _read_request(self.rfile)
                if request:
                    with suppress(OSError):
                        line._serve(Call(line, request, self.connection))

        self._server = _Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Where the line is entered."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calm(self) -> None:
        """From now on nothing fails; what was held back is delivered."""
        self._plan = {}
        self._deliver(everything=True)

    def hold(self, request: bytes, behind: int) -> None:
        """Deliver a request once so many later ones have been answered."""
        with self._lock:
            self._held.append((behind, request))

    def exchange(self, request: bytes) -> bytes:
        """Pass a request on; the whole answer. Raises `OSError` when the server is not there."""
        with socket.create_connection(self.upstream, timeout=UPSTREAM_SECONDS) as server:
            server.sendall(request)
            parts = []
            while part := server.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def _serve(self, call: Call) -> None:
        with self._lock:
            what = "read" if call.request.startswith((b"GET ", b"HEAD ")) else "write"
            fault = self._plan.pop((what, self._came[what]), None)
            self._came[what] += 1
            self.trace.append(f"{call.named}{f'  ← {fault}' if fault else ''}")
            if fault:
                self.injected[fault.kind] += 1
        if fault:
            FAULTS[fault.kind](call, fault)
        else:
            call.answer(call.forward())
            self._deliver()

    def _deliver(self, *, everything: bool = False) -> None:
        with self._lock:
            due = [request for behind, request in self._held if behind <= 1 or everything]
            self._held = [] if everything else [(behind - 1, held) for behind, held in self._held if behind > 1]
        for request in due:
            self.trace.append(f"{_named(request)}  delivered late")
            with suppress(OSError):
                self.exchange(request)

    def __enter__(self) -> Line:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    block_on_close = False


@dataclass(frozen=True)
class Call:
    """One request that came, and the connection that waits for its answer."""

    line: Line
    request: bytes = field(repr=False)
    client: socket.socket = field(repr=False)

    @property
    def named(self) -> str:
        """Method and path, without the query."""
        return _named(self.request)

    def forward(self) -> bytes:
        """The server's answer; the client is cut off when there is none."""
        try:
            return self.line.exchange(self.request)
        except OSError:
            self.reset()
            raise

    def answer(self, answer: bytes) -> None:
        """Give the client its answer whole."""
        self.client.sendall(answer)

    def refuse(self, status: str, *headers: str) -> None:
        """Answer as a proxy or a failing server does: with a page."""
        page = b"<html><body>something went wrong</body></html>"
        head = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(page)}", *headers]
        self.client.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode() + page)

    def reset(self) -> None:
        """Cut the connection: the client sees a reset."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()

    def await_the_end(self) -> None:
        """Say nothing until the client gives up."""
        self.client.settimeout(GIVE_UP_SECONDS)
        with suppress(OSError):
            self.client.recv(1)

    def do(self, deed: str) -> None:
        """Do what the line was given to do for this kind."""
        self.line.deeds[deed]()


def _reset(call: Call, fault: Fault) -> None:
    if fault.forwarded:
        call.forward()
    call.reset()


def _silence(call: Call, fault: Fault) -> None:
    if fault.forwarded:
        call.forward()
    call.await_the_end()


def _failing(status: str) -> Callable[[Call, Fault], None]:
    def refuse(call: Call, fault: Fault) -> None:
        if fault.forwarded:
            call.forward()
        call.refuse(status)

    return refuse


def _rate_limit(call: Call, fault: Fault) -> None:
    call.refuse("429 Too Many Requests", *(["Retry-After: 1"] if fault.forwarded else []))


def _drip(call: Call, fault: Fault) -> None:
    head, mark, body = call.forward().partition(b"\r\n\r\n")
    call.answer(head + mark)
    end = time.monotonic() + GIVE_UP_SECONDS
    for number in range(len(body)):
        call.answer(body[number : number + 1])
        _STEADY.wait(0.1)
        if time.monotonic() > end:
            return


def _truncated(call: Call, fault: Fault) -> None:
    answer = call.forward()
    kept = answer.find(b"\r\n\r\n") + 4
    call.answer(answer[: kept + (len(answer) - kept) // 2 or -1])


def _doubled(call: Call, fault: Fault) -> None:
    first = call.forward()
    call.forward()
    call.answer(first)


def _late(call: Call, fault: Fault) -> None:
    call.line.hold(call.request, fault.behind)
    call.reset()


def _split(call: Call, fault: Fault) -> None:
    answer = call.forward()
    size = max(1, len(answer) // 50)
    for start in range(0, len(answer), size):
        call.answer(answer[start : start + size])
        _STEADY.wait(0.001)


def _kill(deed: str) -> Callable[[Call, Fault], None]:
    def kill(call: Call, fault: Fault) -> None:
        if fault.forwarded:
            call.forward()
        call.do(deed)
        call.reset()

    return kill


FAULTS: dict[str, Callable[[Call, Fault], None]] = {
    "reset": _reset,
    "silence": _silence,
    "429": _rate_limit,
    "500": _failing("500 Internal Server Error"),
    "502": _failing("502 Bad Gateway"),
    "drip": _drip,
    "truncated": _truncated,
    "doubled": _doubled,
    "late": _late,
    "split": _split,
    "kill": _kill("kill"),
    "kill server": _kill("kill server"),
}
"""What a line can do to a request, by kind."""


def _read_request(stream: BinaryIO) -> bytes:
    """A request as it came, but for the connection, which is for this one alone; empty when none came."""
    lines = [stream.readline(65536)]
    while lines[-1].strip():
        lines.append(stream.readline(65536))
    if len(lines) < 2:
        return b""
    headers = [line for line in lines[1:-1] if not line.lower().startswith(b"connection:")]
    length = next((int(line.split(b":")[1]) for line in headers if line.lower().startswith(b"content-length:")), 0)
    return b"".join([lines[0], *headers, b"Connection: close\r\n\r\n", stream.read(length)])


def _named(request: bytes) -> str:
    method, path, _ = request.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ", 2)
    return f"{method} {path.partition('?')[0]}"
