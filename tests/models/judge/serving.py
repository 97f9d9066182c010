"""A local server that answers as an OpenAI-compatible endpoint does, and behaves badly on demand."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "zonk-1b"
KEY = "sk-zonk-5ec4e7-wub"


@dataclass(frozen=True)
class Answer:
    """What comes back, and how: `drop` resets the connection, `missing` bytes are announced and never sent."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    missing: int = 0
    wait: float = 0.0
    drip: float = 0.0  # seconds between single bytes


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    @property
    def content(self) -> str:
        return json.loads(self.body["messages"][1]["content"])["content"]


@dataclass
class Served:
    """What was asked of the server, and what it answers: `behave` gets the number of the request and the request."""

    url: str = ""
    behave: Callable[[int, Asked], Answer] = lambda number, asked: said(judged(asked))
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def contents(self) -> list[str]:
        return [asked.content for asked in self.asked]


def judged(asked: Asked) -> str:
    """An honest judge: `rude` by the share of "zonk" among the words, `fine` for the rest."""
    words = asked.content.split()
    rude = round(sum(word == "zonk" for word in words) / max(1, len(words)), 3)
    return json.dumps({"rationale": f"{len(words)} words", "labels": {"fine": round(1 - rude, 3), "rude": rude}})


def said(text: Any, **changes: Any) -> Answer:
    """A completion with this text."""
    told = {
        "id": "x",
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20},
        **changes,
    }
    return Answer(json.dumps(told).encode())


def failed(status: int, code: str = "", words: str = "", **headers: str) -> Answer:
    """An error as OpenAI's, whose sentences quote the request and the key."""
    error = {"message": f"{words} {KEY} zonk", "type": "invalid_request_error", "code": code}
    return Answer(
        json.dumps({"error": error}).encode(), status, {name.replace("_", "-"): v for name, v in headers.items()}
    )


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Connections that break are what is tested."""


@contextmanager
def serving() -> Iterator[Served]:
    """The server, while it runs."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked = Asked(self.path, dict(self.headers), body)
            with served.lock:
                number = len(served.asked)
                served.asked.append(asked)
                served.at_once += 1
                served.most_at_once = max(served.most_at_once, served.at_once)
            try:
                self._give(served.behave(number, asked))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with served.lock:
                    served.at_once -= 1

        def _give(self, answer: Answer) -> None:
            time.sleep(answer.wait)
            if answer.drop:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + answer.missing))
            self.end_headers()
            for piece in [bytes([one]) for one in answer.body] if answer.drip else [answer.body]:
                self.wfile.write(piece)
                time.sleep(answer.drip)
            self.close_connection = self.close_connection or bool(answer.missing)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
