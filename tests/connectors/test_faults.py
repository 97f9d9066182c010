"""The line that fails, and what is left of a campaign behind it: nothing lost, twice or wrong."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from faulty import FAULTS, Line
from outcome import Outcome
from scenario import Place, brisk, run
from weather import READS, WRITES, Weather

from hitl.connectors.studio import http as ls_http
from hitl.connectors.studio.http import Http
from hitl.demo.people import sign_up
from hitl.errors import ConnectorError

ON_THE_LINE = tuple(kind for kind in FAULTS if not kind.startswith("kill"))
TOKEN = "5ec4e7" * 6 + "abcd"
LONG = "x" * 2000


class Upstream:
    """A server that counts what it was asked to do."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        done = self.done

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"path": self.path, "long": LONG})

            def do_POST(self) -> None:
                done[json.loads(self.rfile.read(int(self.headers["content-length"])))["name"]] += 1
                self._answer({"done": True})

            def _answer(self, told: object) -> None:
                content = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Upstream:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ls_http, "WRITE_SECONDS", 0.3)
    monkeypatch.setattr(ls_http.time, "sleep", lambda seconds: None)


def walked(upstream: Upstream, weather: Weather) -> tuple[Line, list[str]]:
    """Reads and writes over a line; what of the writes was confirmed."""
    confirmed = []
    with Line(upstream.url, weather) as line:
        client = Http(line.url, TOKEN, timeout=0.3)
        for number in range(WRITES):
            told = client.read(f"/read/{number}")
            assert told == {"path": f"/read/{number}", "long": LONG}
            with suppress(ConnectorError):
                assert client.write("POST", "/write", {"name": str(number)}) == {"done": True}
                confirmed.append(str(number))
        client.close()
        line.calm()
    return line, confirmed


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ON_THE_LINE)
def test_reads_come_through_and_a_confirmed_write_was_done(upstream, kind):
    for seed in range(3 if kind in ("silence", "drip") else 12):
        upstream.done.clear()
        line, confirmed = walked(upstream, Weather(seed, (kind,)))
        assert sum(line.injected.values()) >= 2
        assert set(confirmed) <= set(upstream.done)
        twice = {name for name, times in upstream.done.items() if times > 1}
        assert kind == "doubled" or not twice


@pytest.mark.usefixtures("impatient")
def test_a_seed_does_the_same_again(upstream):
    weather = Weather(7, ("reset", "500", "truncated", "late"))
    one, two = (walked(upstream, weather)[0] for _ in range(2))
    assert one.trace == two.trace
    assert weather.plan == Weather(7, weather.kinds).plan != Weather(8, weather.kinds).plan
    assert {at for _, at in weather.plan} <= set(range(max(READS, WRITES)))


@pytest.mark.usefixtures("impatient")
def test_each_way_of_failing_is_what_it_says(upstream):
    def told(kind: str) -> tuple[int, str]:
        seed = next(
            n for n in range(100) if (fault := Weather(n, (kind,)).plan.get(("write", 0))) and not fault.forwarded
        )
        upstream.done.clear()
        with Line(upstream.url, Weather(seed, (kind,))) as line:
            client = Http(line.url, TOKEN, timeout=0.3)
            try:
                client.write("POST", "/write", {"name": "it"})
                error = ""
            except ConnectorError as failed:
                error = type(failed).__name__
            client.close()
        return upstream.done["it"], error

    assert {kind: told(kind) for kind in ON_THE_LINE if kind != "drip"} == {
        "reset": (0, "ServerUnreachable"),
        "silence": (0, "ServerUnreachable"),
        "429": (0, "ServerUnreachable"),
        "500": (0, "ServerBroke"),
        "502": (0, "ServerUnreachable"),
        "truncated": (1, "ServerUnreachable"),
        "doubled": (2, ""),
        "late": (0, "ServerUnreachable"),
        "split": (1, ""),
    }


@pytest.fixture(scope="module")
def place(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (("http", "WRITE_SECONDS"), ("http", "CONNECT_SECONDS"), ("tasks", "SETTLE_SECONDS")):
            patch.setattr(f"hitl.connectors.studio.{module}.{name}", (0.1, 0.2, 0.4, 0.8) if module == "tasks" else 4.0)
        brisk(folder)
        people = tuple(sign_up(server.url, server.token, f"faults-{n}@hitl.invalid", "long-enough-1") for n in range(5))
        yield Place(server, people, folder)
        for person in people:
            person.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [8, 10, 12])
def test_a_campaign_over_a_failing_line_ends_as_in_peace(place, seed):
    outcome: Outcome = run(place, seed)
    assert outcome.injected
    assert outcome.good, outcome
