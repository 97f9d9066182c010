"""The protocol over HTTP: answered to those who know the secret, and never with a 500, whatever is sent."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.testclient import TestClient

from hitl.errors import ModelError
from hitl.serve import app as serve_app
from hitl.serve.app import HINT_BYTES, PREDICT_BYTES, make_app
from hitl.serve.auth import USER, Keys

KEYS = Keys(SecretStr("a-secret-of-the-tests"))
SECRET = KEYS.secret.get_secret_value()
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


class Thinker:
    """Says one thing of everything, or what it was told to raise."""

    version = "kind-1"

    def __init__(self) -> None:
        self.error: Exception | None = None

    def predict(self, tasks):
        if self.error:
            raise self.error
        return [{"result": [], "score": 0.5, "model_version": self.version} for _ in tasks]


class Stand:
    def __init__(self) -> None:
        self.thinker, self.hints = Thinker(), 0
        hosts = frozenset({"testserver"})
        self.app = make_app(self.thinker, self.hint, KEYS, hosts)
        self.client = TestClient(self.app)
        self.client.auth = (USER, SECRET)
        self.stranger = TestClient(self.app)

    def hint(self) -> None:
        self.hints += 1


@pytest.fixture
def stand():
    return Stand()


STAND = Stand()


def test_health_is_told_to_everybody_and_nothing_else_is(stand):
    assert stand.stranger.get("/health").json() == {"status": "UP", "model_class": "hitl"}
    for method, path in [("GET", "/"), ("GET", "/versions"), ("POST", "/predict"), ("POST", "/setup"), ("GET", "/no")]:
        told = stand.stranger.request(method, path)
        assert told.status_code == 401
        assert told.headers["www-authenticate"].startswith("Basic")
    assert stand.client.get("/").status_code == 200


def test_setup_and_versions_tell_the_model(stand):
    token = "the-owners-token"
    told = stand.client.post("/setup", json={"project": "1.2", "schema": "<View/>", "access_token": token})
    assert told.json() == {"model_version": "kind-1"}
    assert stand.client.get("/versions").json() == {"versions": ["kind-1"]}


def test_a_prediction_for_each_task(stand):
    told = stand.client.post("/predict", json={"tasks": [{"id": 1, "data": {}}, 7], "project": "1.2"})
    assert told.status_code == 200
    assert len(told.json()["results"]) == 2


def test_a_webhook_needs_its_key_and_is_a_hint(stand):
    hint = {"Authorization": f"Bearer {KEYS.hint.get_secret_value()}"}
    assert stand.stranger.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 401
    assert stand.hints == 0
    assert stand.stranger.post("/webhook", json={"action": "ANNOTATION_CREATED"}, headers=hint).status_code == 200
    assert stand.hints == 1
    assert stand.stranger.post("/predict", json={"tasks": []}, headers=hint).status_code == 401
    assert stand.stranger.post("/train", json={}, headers=hint).status_code == 401
    assert stand.client.post("/train", json={}).status_code == 200
    assert stand.hints == 2


@given(ANY)
def test_any_json_is_answered_without_a_500(body):
    for path in ("/predict", "/setup", "/webhook"):
        told = STAND.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert told.status_code in (200, 400)


@given(st.binary(max_size=60), st.sampled_from(["application/json", "text/plain", "", "application/json; charset=x"]))
def test_any_bytes_are_answered_without_a_500(body, kind):
    told = STAND.client.post("/webhook", content=body, headers={"Content-Type": kind})
    assert told.status_code in (200, 400, 415)
    assert set(told.json()) <= {"error", "status"}


@pytest.mark.parametrize("body", ["[" * 100_000, '{"tasks": [NaN]}', '{"a": ' + "9" * 5000 + "}", "", "[]", '"x"'])
def test_what_no_parser_should_swallow_is_a_400(body, stand):
    told = stand.client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert told.status_code == 400


def test_bodies_are_bounded(stand):
    for path, most in (("/webhook", HINT_BYTES), ("/setup", HINT_BYTES), ("/predict", PREDICT_BYTES)):
        within = json.dumps({"tasks": [], "x": ""}).encode()
        within += b" " * (most - len(within))
        headers = {"Content-Type": "application/json"}
        assert stand.client.post(path, content=within, headers=headers).status_code == 200
        assert stand.client.post(path, content=within + b" ", headers=headers).status_code == 413
    assert stand.hints == 1


def test_a_body_that_drips_is_given_up(stand, monkeypatch):
    import asyncio

    monkeypatch.setattr(serve_app, "BODY_SECONDS", 0.05)
    scope = {
        "type": "http", "method": "POST", "path": "/webhook", "raw_path": b"/webhook", "query_string": b"",
        "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("testserver", 80), "client": None,
        "headers": [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {SECRET}".encode()),
        ],
    }  # fmt: skip
    sent = []

    async def receive():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message):
        sent.append(message)

    asyncio.run(stand.app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert stand.hints == 0


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "", "a b", "testserver@evil"])
def test_another_host_name_is_refused_before_anything(host, stand):
    told = stand.client.get("/health", headers={"Host": host})
    assert told.status_code == 400
    assert host not in told.json()["error"] or not host


def test_a_model_that_cannot_be_read_is_a_503_and_a_bug_shows_nothing(stand, caplog):
    stand.thinker.error = ModelError("zonk.safetensors was changed")
    with caplog.at_level(logging.INFO):
        told = stand.client.post("/predict", json={"tasks": [{"data": {"text": "blip"}}]})
        assert told.status_code == 503
        stand.thinker.error = ValueError("blip, the content")
        broken = stand.client.post("/predict", json={"tasks": [{"data": {"text": "blip"}}]})
    assert broken.status_code == 500
    for said in (told.text, broken.text, caplog.text):
        assert "blip" not in said
        assert "zonk" not in said
        assert "Traceback" not in said
    assert "ValueError at test_app.py:" in caplog.text


def test_other_methods_and_places_are_told_apart(stand):
    assert stand.client.get("/predict").status_code == 405
    assert stand.client.post("/nowhere", json={}).status_code == 404
