"""What a real server cannot be made to do: wander off, fall silent, and answer with secrets."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import httpx
import pytest

from hitl.connectors import ls_http
from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.ls_http import Http
from hitl.errors import ConfigError, ConnectorError, NotAllowed, ServerRefused, ServerUnreachable
from hitl.policy import Label, Policy
from hitl.tasks.form import Form

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
    refused = LabelStudio("http://label.invalid", LEGACY, transport=httpx.MockTransport(_stranger))
    server, token = refused.check("trial", FORM)
    assert (server.state, token.state) == ("warn", "fail")
    assert "https" in server.remedy


def _dead(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def _stranger(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/api/version/":
        return httpx.Response(200, json={"release": "1.23.2"})
    return httpx.Response(401, json={"detail": "Invalid token."})
