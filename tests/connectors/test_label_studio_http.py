"""What a real server cannot be made to do: wander off, fall silent, and answer with secrets."""

from __future__ import annotations

import base64
import datetime
import io
import json
import logging
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio import answer as ls_answer
from hitl.connectors.studio import http as ls_http
from hitl.connectors.studio.http import Http
from hitl.errors import ConfigError, ConnectorError, NotAllowed, ServerRefused, ServerUnreachable
from hitl.policy import Label, Policy
from hitl.tasks import Form

FORM = Form(policy=Policy(name="abuse", version="1", labels=(Label(name="fine", violating=False), Label(name="rude"))))
LEGACY = "5ec4e7" * 6 + "abcd"
CONTENT = "a piece of content nobody should read in a log"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(ls_http.time, "sleep", waited.append)
    return waited


def http(answer: Callable[[httpx.Request], httpx.Response], token: str = LEGACY) -> Http:
    return Http("https://label.invalid", token, transport=httpx.MockTransport(answer))


def jwt(seconds: float) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds}).encode()).decode().rstrip("=")
    return f"head{seconds:.0f}.{payload}.tail"


def test_a_read_is_tried_again_with_growing_pauses_and_then_told(pauses):
    seen = []

    def busy(request):
        seen.append(request)
        raise httpx.ConnectTimeout("silence")

    with pytest.raises(ServerUnreachable, match=r"label\.invalid"):
        http(busy).read("/api/version/")
    assert len(seen) == ls_http.READ_TRIES
    assert len(pauses) == len(seen) - 1
    assert pauses[-1] > pauses[0]


def test_a_write_is_sent_once(pauses):
    for answer in (httpx.Response(503), httpx.Response(500), httpx.Response(429)):
        seen = []

        def failing(request, seen=seen, answer=answer):
            seen.append(request)
            return answer

        with pytest.raises(ConnectorError):
            http(failing).write("POST", "/api/projects/1/import", [])
        assert len(seen) == 1
    assert pauses == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_so_that_the_token_stays(status):
    hosts = []

    def wandering(request):
        hosts.append(request.url.host)
        return httpx.Response(status, headers={"location": f"https://elsewhere.invalid/x?token={LEGACY}"})

    with pytest.raises(ServerRefused, match=r"https://elsewhere\.invalid") as told:
        http(wandering).read("/api/version/")
    assert hosts == ["label.invalid"]
    assert LEGACY not in str(told.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ServerRefused), (401, NotAllowed), (403, NotAllowed), (404, ServerRefused), (500, ServerRefused)],
)
def test_no_error_holds_the_token_or_the_content(status, kind):
    def complaining(request):
        body = {"detail": "Validation error", "validation_errors": {"data": [CONTENT]}, "token": LEGACY}
        return httpx.Response(status, json=body, headers={"set-cookie": "sessionid=s3cret"})

    with pytest.raises(kind) as told:
        http(complaining).write("POST", "/api/projects/1/import", [{"text": CONTENT}])
    chain = f"{told.value!r} {told.value.__cause__!r} {told.value.__suppress_context__}"
    assert LEGACY not in chain
    assert CONTENT not in chain
    assert "s3cret" not in chain


def test_a_page_instead_of_an_answer_is_an_error_without_its_text():
    with pytest.raises(ServerRefused) as told:
        http(lambda request: httpx.Response(404, html=f"<html>{CONTENT}</html>")).read("/api/projects/7/")
    assert CONTENT not in str(told.value)


def test_nothing_shows_the_token():
    connector = LabelStudio("https://label.invalid", LEGACY)
    assert LEGACY not in f"{connector!r} {connector._http!r} {vars(connector._http)!r}"
    assert repr(connector) == "LabelStudio('https://label.invalid')"


def test_a_legacy_token_is_sent_as_it_is():
    def answer(request):
        return httpx.Response(200, json={"sent": request.headers["authorization"]})

    assert http(answer).read("/")["sent"] == f"Token {LEGACY}"


def test_a_personal_token_is_exchanged_and_renewed_before_it_runs_out():
    lives, refreshed, token = [400.0, 20.0, 300.0], [], jwt(9e6)

    def answer(request):
        if request.url.path == "/api/token/refresh/":
            assert json.loads(request.content) == {"refresh": token}
            refreshed.append(jwt(lives[len(refreshed)]))
            return httpx.Response(200, json={"access": refreshed[-1]})
        if request.headers["authorization"] != f"Bearer {refreshed[-1]}":
            return httpx.Response(401)
        return httpx.Response(200, json={})

    server = http(answer, token=token)
    server.read("/")
    server.read("/")
    assert len(refreshed) == 1
    server._access_until = time.time() + 5
    server.read("/")
    assert len(refreshed) == 2
    server.read("/")
    assert len(refreshed) == 3


def test_a_revoked_personal_token_is_named_and_not_shown():
    token = jwt(9e6)
    with pytest.raises(NotAllowed, match="Personal Access Token") as told:
        http(lambda request: httpx.Response(401, json={"detail": token}), token=token).read("/")
    assert token not in str(told.value)


@pytest.mark.parametrize("url", ["label.invalid", "ftp://label.invalid", "https://user:word@label.invalid", "https://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="address"):
        Http(url, LEGACY)


@pytest.mark.parametrize("token", ["", "  ", "two words"])
def test_a_token_that_is_none_is_refused(token):
    with pytest.raises(ConfigError, match="token"):
        Http("https://label.invalid", token)


def test_doctor_tells_what_is_wrong_and_what_to_do():
    unreachable = LabelStudio("https://label.invalid", LEGACY, transport=httpx.MockTransport(_dead))
    (finding,) = unreachable.check("trial", FORM)
    assert (finding.check, finding.state) == ("server", "fail")
    assert finding.remedy
    with pytest.warns(UserWarning, match="not encrypted"):
        refused = LabelStudio("http://label.invalid", LEGACY, transport=httpx.MockTransport(_stranger))
    server, token = refused.check("trial", FORM)
    assert (server.state, token.state) == ("warn", "fail")
    assert "https" in server.remedy


def test_a_failing_server_is_read_again_and_a_write_is_not(pauses):
    answers = [httpx.Response(500), httpx.Response(200, html="<html>half a"), httpx.Response(200, json={"at": "last"})]
    assert http(lambda request: answers.pop(0)).read("/") == {"at": "last"}
    assert len(pauses) == 2


@pytest.mark.parametrize("body", [b"<html>a page</html>", b'{"tasks": [', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_told_without_its_text(body):
    with pytest.raises(ServerUnreachable, match="other than JSON") as told:
        http(lambda request: httpx.Response(200, content=body)).write("POST", "/api/projects/1/import", [])
    assert "page" not in str(told.value)
    assert told.value.__context__ is None


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ("7", 6.5, 8.0),
        ("86400", 59.0, 67.0),
        ("Wed, 21 Oct 2065 07:28:00 GMT", 59.0, 67.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0, 0.3),
        ("-5", 0.0, 0.3),
        ("soon", 0.0, 0.3),
        (None, 0.0, 0.3),
    ],
)
def test_a_server_that_asks_for_a_pause_gets_it_within_bounds(pauses, told, least, most):
    busy = httpx.Response(429, headers={"retry-after": told} if told else {})
    answers = [busy, httpx.Response(200, json={})]
    assert http(lambda request: answers.pop(0)).read("/") == {}
    assert least <= max(pauses) <= most


def test_a_pause_that_a_write_was_asked_for_is_kept_by_the_next_call(pauses):
    answers = [httpx.Response(503, headers={"retry-after": "9"}), httpx.Response(200, json={})]
    client = http(lambda request: answers.pop(0))
    with pytest.raises(ServerUnreachable):
        client.write("POST", "/api/projects/1/import", [])
    assert pauses == []
    client.read("/")
    assert 8.0 < max(pauses) < 10.0


def test_nothing_is_tried_again_beyond_the_patience_for_reads(pauses, monkeypatch):
    monkeypatch.setattr(ls_http, "READ_SECONDS", 5.0)
    seen = []

    def busy(request):
        seen.append(request)
        return httpx.Response(429, headers={"retry-after": "30"})

    with pytest.raises(ServerUnreachable):
        http(busy).read("/")
    assert (len(seen), pauses) == (1, [])


class Dripping(httpx.SyncByteStream):
    def __init__(self, size: int, pause: float = 0.0) -> None:
        self.size, self.pause, self.read = size, pause, 0

    def __iter__(self) -> Iterator[bytes]:
        while self.read < self.size:
            self.read += 1000
            threading.Event().wait(self.pause)
            yield b" " * 1000


def test_an_answer_beyond_the_limit_is_refused_and_not_read_on(monkeypatch):
    monkeypatch.setattr(ls_answer, "ANSWER_BYTES", 2**20)
    endless = Dripping(10**9)
    with pytest.raises(ServerRefused, match="larger than 1 MiB"):
        http(lambda request: httpx.Response(200, stream=endless)).read("/")
    assert endless.read < 2 * 2**20


def test_an_answer_that_drips_is_given_up(monkeypatch):
    monkeypatch.setattr(ls_http, "READ_TRIES", 1)
    monkeypatch.setattr(ls_answer, "SLOWEST", 1e6)
    client = Http(
        "https://label.invalid",
        LEGACY,
        timeout=0.1,
        transport=httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping(10**6, 0.02))),
    )
    with pytest.raises(ServerUnreachable, match="too slowly"):
        client.read("/")


def test_a_redirect_to_nowhere_is_refused():
    for there in ("http://[", "", f"https://user:{LEGACY}@elsewhere.invalid"):
        with pytest.raises(ServerRefused, match="points to") as told:
            http(lambda request, there=there: httpx.Response(302, headers={"location": there})).read("/")
        assert LEGACY not in str(told.value)


@pytest.mark.parametrize(
    ("token", "renews"), [(LEGACY, False), (jwt(9e6), True), (jwt(9e6), False)], ids=["legacy", "renewing", "personal"]
)
def test_the_token_is_in_no_log_and_in_no_traceback_with_its_locals(token, renews, caplog):
    from rich.console import Console
    from rich.traceback import Traceback

    def answer(request):
        if renews and request.url.path == "/api/token/refresh/":
            return httpx.Response(200, json={"access": "short.lived.access"})
        raise httpx.ReadError(f"broke while sending {token}")

    caplog.set_level(logging.DEBUG)
    with pytest.raises(ServerUnreachable) as told:
        http(answer, token=token).read("/api/projects/", {"page": 1}, {"filters": "some"})
    error, page = told.value, io.StringIO()
    assert (error.__cause__, error.__context__) == (None, None)
    inside = error.__traceback__.tb_next  # the test itself knows the token
    shown = Traceback.from_exception(type(error), error, inside, show_locals=True, width=300)
    Console(file=page, width=300).print(shown)
    assert "_patiently" in page.getvalue()
    for secret in (token, "short.lived.access"):
        assert secret not in page.getvalue()
        assert secret not in caplog.text


def test_a_detail_that_repeats_the_token_is_cleaned_before_it_is_shortened():
    def echoing(request):
        return httpx.Response(400, json={"detail": "x" * 150 + LEGACY})

    with pytest.raises(ServerRefused) as told:
        http(echoing).read("/")
    assert LEGACY[:8] not in str(told.value)


def test_an_unencrypted_way_to_another_host_is_warned_of():
    with pytest.warns(UserWarning, match="not encrypted"):
        Http("http://label.invalid", LEGACY).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for url in ("https://label.invalid", "http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"):
            Http(url, LEGACY).close()


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    with SelfSigned(tmp_path) as url, pytest.raises(NotAllowed, match="certificate"):
        Http(url, LEGACY).read("/api/version/")


class SelfSigned:
    """A server on loopback with a certificate of its own making; its address."""

    def __init__(self, folder: Path) -> None:
        pem = folder / "server.pem"
        pem.write_bytes(_certificate())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return f"https://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _certificate() -> bytes:
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return bytes(private + made.public_bytes(serialization.Encoding.PEM))


def _dead(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def _stranger(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/api/version/":
        return httpx.Response(200, json={"release": "1.23.2"})
    return httpx.Response(401, json={"detail": "Invalid token."})
