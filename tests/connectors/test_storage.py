"""Media in Label Studio: links that a browser opens, broken ones found before anybody sees them, nothing let out."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hitl.config import LabelStudioConfig
from hitl.connectors.studio.http import Http
from hitl.connectors.studio.storage import AsIs, LocalMedia, S3Media, Storage, trying
from hitl.connectors.studio.storage.s3 import Keys
from hitl.demo.installed import find_executable
from hitl.demo.people import sign_up
from hitl.demo.server import LabelStudioServer
from hitl.doctor import examine
from hitl.errors import ConfigError, ConnectorError, MediaError, NotAllowed, ServerUnreachable
from hitl.types import Finding

PNG = b"\x89PNG\r\n\x1a\n" + b"zonk" * 40
MP4 = b"\x00\x00\x00\x18ftypisom" + b"zonk" * 40
ODD = ["plain.png", "a b.PNG", "c#d&e%41=?.png", "ü雪\u202fمر.webp", "sub/deep/x.jpg", "clip.mp4", "'\"<i>.png"]
KEY_ID, SECRET = "AKIAZONKZONK", "s3cr3t-of-the-bucket"
KEYS = Keys(SecretStr(KEY_ID), SecretStr(SECRET))


def fill(folder: Path, names: list[str] = ODD) -> Path:
    heads = {".jpg": b"\xff\xd8\xff\xe0", ".webp": b"RIFF0000WEBP", ".mp4": MP4}
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(heads.get(Path(name).suffix.lower(), PNG) + b"zonk" * 40)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the server's document root is."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def studio(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """A Label Studio that serves local files and calls hosts on loopback."""
    try:
        find_executable()
    except ConfigError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    (served / "media").mkdir()
    folder = tmp_path_factory.mktemp("studio")
    with LabelStudioServer(folder, media=served / "media", webhooks_to_loopback=True) as running:
        yield running


@pytest.fixture
def http(studio: LabelStudioServer) -> Iterator[Http]:
    admin = Http(studio.url, studio.token)
    yield admin
    admin.close()


@pytest.fixture
def project(http: Http) -> int:
    return int(http.write("POST", "/api/projects/", {"title": "storage"})["id"])


@pytest.fixture
def folder(served: Path, tmp_path: Path) -> Path:
    made = served / tmp_path.name
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """An S3-compatible store on loopback."""
    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(store: str, tmp_path: Path) -> str:
    import boto3

    client = boto3.client(
        "s3", endpoint_url=store, aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    name = "".join(mark for mark in tmp_path.name.lower() if mark.isalnum())
    client.create_bucket(Bucket=name)
    for key in ("plain.png", "a b.png", "c#d&e%41=;.png", "ü雪\u202fمر.png", "sub/x.png"):
        client.put_object(Bucket=name, Key=f"in/{key}", Body=PNG)
    client.put_object(Bucket=name, Key="in/empty.png", Body=b"")
    client.put_object(Bucket=name, Key="in/page.png", Body=b"<html>")
    client.put_object(Bucket=name, Key="apart.png", Body=PNG)
    return name


def test_all_kinds_meet_the_contract(tmp_path):
    for kind in (AsIs(), LocalMedia(tmp_path), S3Media("pictures")):
        assert isinstance(kind, Storage)


def test_local_files_are_served_to_people_and_to_nobody_else(http, project, folder, served, studio):
    fill(folder)
    storage = LocalMedia(folder)
    for _ in range(2):
        storage.prepare(http, project)
    (held,) = http.read("/api/storages/localfiles", {"project": project})
    assert (held["path"], held["synchronizable"]) == (str(folder), False)
    assert storage.broken(http, ODD * 2) == {}
    assert storage.look(http, project, ODD).state == "ok"
    (served / "apart.png").write_bytes(PNG)
    person = sign_up(studio.url, studio.token, "looker@hitl.invalid", "long-enough-1")
    with httpx.Client(base_url=studio.url, headers={"Authorization": f"Token {person.token}"}) as browser:
        shown = [browser.get(storage.link(name)) for name in ODD]
        assert [answer.content for answer in shown] == [(folder / name).read_bytes() for name in ODD]
        assert browser.get("/data/local-files/?d=apart.png").status_code == 404
    assert httpx.get(f"{studio.url}{storage.link(ODD[0])}").status_code == 401
    person.close()


def test_what_leads_out_of_the_folder_is_refused_as_that_items_error(http, project, folder, served):
    fill(folder, ["plain.png"])
    (served / "apart.png").write_bytes(PNG)
    (folder / "inside.png").symlink_to(folder / "plain.png")
    (folder / "outside.png").symlink_to(served / "apart.png")
    (folder / "up").symlink_to(served)
    (folder / "back\\slash.png").write_bytes(PNG)
    storage = LocalMedia(folder)
    storage.prepare(http, project)
    bad = [
        *("../apart.png", "outside.png", "up/apart.png", str(served / "apart.png"), "/etc/passwd", "a\x00b.png", ""),
        *("%2e%2e/apart.png", "..%2fapart.png", "..\\apart.png", "back\\slash.png", "file:///etc/passwd", " ", "."),
        *("/data/local-files/?d=../apart.png", "/data/local-files/?d=%2e%2e%2fapart.png", "https://host.invalid/a.png"),
    ]
    assert set(storage.broken(http, [*bad, "plain.png", "inside.png", str(folder / "plain.png")])) == set(bad)
    for reference in bad:
        with pytest.raises(MediaError):
            storage.link(reference)


@given(st.text(max_size=40))
def test_no_reference_makes_a_link_to_anything_but_a_file_of_the_folder(tmp_path_factory, reference):
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder.parent / "apart.png").write_bytes(PNG)
    (folder / "a b.png").write_bytes(PNG)
    storage = LocalMedia(folder)
    for asked in (reference, f"../{reference}", f"{reference}/../apart.png", "a b.png"):
        try:
            link = storage.link(asked)
        except MediaError:
            assert asked != "a b.png"
            continue
        name = parse_qs(urlsplit(link).query, strict_parsing=True)["d"][0]
        assert (folder.parent / name).resolve().is_relative_to(folder)


def test_each_broken_file_says_why(http, project, folder):
    fill(folder, ["plain.png"])
    wrong = {
        "nowhere.png": "no such file",
        "empty.png": "empty",
        "page.png": "does not begin like image",
        "clip.mp4": "does not begin like video",
        "draw.svg": "not every browser",
        "scan.tiff": "not every browser",
        "folder.png": "no such file",
    }
    for name, content in (("empty.png", b""), ("page.png", b"<html>"), ("clip.mp4", PNG), ("draw.svg", b"<svg/>")):
        (folder / name).write_bytes(content)
    (folder / "scan.tiff").write_bytes(b"II*\0")
    (folder / "folder.png").mkdir()
    storage = LocalMedia(folder)
    before = storage.look(http, None, [*wrong, "plain.png"])
    assert (before.state, "7 broken" in before.detail) == ("warn", True)
    storage.prepare(http, project)
    found = storage.broken(http, [*wrong, "plain.png"])
    assert found.keys() == wrong.keys()
    assert all(wrong[name] in why for name, why in found.items())
    (held,) = http.read("/api/storages/localfiles", {"project": project})
    http.rewrite("DELETE", f"/api/storages/localfiles/{held['id']}", None)
    assert "lost the project's storage" in storage.broken(http, ["plain.png"])["plain.png"]


def test_a_server_that_sees_the_folder_elsewhere(http, project, folder, served, tmp_path):
    fill(folder, ["sub/plain.png"])
    (tmp_path / "mount").symlink_to(folder / "sub")
    storage = LocalMedia(tmp_path / "mount", seen_as=f"{folder}/sub", document_root=str(served))
    storage.prepare(http, project)
    assert storage.place == f"{folder.name}/sub"
    assert storage.broken(http, ["plain.png"]) == {}
    elsewhere = LocalMedia(folder, seen_as="/not/there")
    assert elsewhere.look(http, None, []).state == "fail"
    with pytest.raises(ConnectorError, match="seen_as"):
        elsewhere.prepare(http, project)
    for wrong in ({"seen_as": "relative"}, {"document_root": "/elsewhere"}, {"seen_as": "/a/../b"}):
        with pytest.raises(ConfigError, match="media"):
            LocalMedia(folder, **wrong)


def test_a_server_that_serves_no_local_files_is_told_what_to_set(server, folder):
    fill(folder, ["plain.png"])
    closed = Http(server.url, server.token)
    project = closed.write("POST", "/api/projects/", {"title": "closed"})["id"]
    with pytest.raises(ConnectorError, match="LOCAL_FILES_SERVING_ENABLED=true"):
        LocalMedia(folder).prepare(closed, project)
    assert "LOCAL_FILES_SERVING_ENABLED=true" in LocalMedia(folder).look(closed, None, ["plain.png"]).detail
    assert closed.read("/api/storages/localfiles", {"project": project}) == []
    closed.close()


def test_links_are_left_as_they_are_and_paths_are_no_links(http, project, folder):
    fill(folder, ["plain.png"])
    LocalMedia(folder).prepare(http, project)
    own = f"/data/local-files/?d={folder.name}/"
    good = ["https://host.invalid/a.png", "data:image/png;base64,AAAA", f"{own}plain.png"]
    bad = ["a.png", "file:///a.png", "javascript:alert(1)", "data:text/html,x", "", "http://", f"{own}nowhere.png"]
    assert set(AsIs().broken(http, good + bad)) == set(bad)
    assert [AsIs().link(link) for link in good] == good
    assert [AsIs().look(http, None, some).state for some in (good, good + bad, bad)] == ["ok", "warn", "fail"]


def test_a_bucket_is_shown_by_links_that_do_not_expire(http, project, bucket, store, caplog, capfd, studio):
    caplog.set_level(logging.INFO)
    storage = S3Media(bucket, "in/", store, "us-east-1", KEYS)
    good = ["plain.png", "a b.png", "c#d&e%41=;.png", "ü雪\u202fمر.png", "sub/x.png", f"s3://{bucket}/in/plain.png"]
    assert storage.look(http, None, good).state == "ok"
    assert http.read("/api/storages/s3", {"project": project}) == []
    for _ in range(2):
        storage.prepare(http, project)
    (held,) = http.read("/api/storages/s3", {"project": project})
    assert (held["presign"], held["presign_ttl"], held["synchronizable"]) == (True, 60, False)
    assert storage.broken(http, good) == {}
    assert storage.link("a b.png") == f"s3://{bucket}/in/a b.png"
    bad = {
        "empty.png": "empty",
        "page.png": "does not begin like image",
        "nowhere.png": "40",
        "draw.svg": "not every browser",
        "../apart.png": "no plain key",
        "%2e%2e/apart.png": "40",
        "..\\apart.png": "backslash",
        "a\x00.png": "control character",
        f"s3://{bucket}/apart.png": "lies outside",
        "s3://elsewhere/in/plain.png": "lies outside",
        "what?.png": "cannot resolve",
        " ": "cannot resolve",
        "": "names no object",
        "https://host.invalid/a.png": "no plain key",
    }
    found = storage.broken(http, [*bad, "plain.png"])
    assert found.keys() == bad.keys()
    assert all(bad[reference] in why for reference, why in found.items())
    everything = [repr(storage), repr(found), repr(held), caplog.text, *capfd.readouterr(), repr(storage.__dict__)]
    everything.append((studio.folder / "server.log").read_text(errors="replace"))
    assert not [text for text in everything if SECRET in text or "Signature=" in text]
    assert not [text for text in everything[:3] if KEY_ID in text]


def test_a_bucket_that_label_studio_hands_through(http, project, bucket, store):
    storage = S3Media(bucket, "in/", store, keys=KEYS, presign=False)
    storage.prepare(http, project)
    assert set(storage.broken(http, ["plain.png", "a b.png", "nowhere.png"])) == {"nowhere.png"}


def test_rotated_keys_reach_the_storage_that_is_there(http, project, bucket, store):
    S3Media(bucket, "in/", store, keys=Keys(SecretStr("old"), SecretStr("old"))).prepare(http, project)
    S3Media(bucket, "in/", store, keys=KEYS, minutes=5).prepare(http, project)
    (held,) = http.read("/api/storages/s3", {"project": project})
    assert held["presign_ttl"] == 5


def test_keys_do_not_travel_over_an_open_line():
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(200, json=[])

    with pytest.warns(UserWarning, match="not encrypted"):
        far = Http("http://label-studio.invalid", "0" * 40, transport=httpx.MockTransport(answer))
    with pytest.raises(ConfigError, match="https"):
        S3Media("pictures", keys=KEYS).prepare(far, 1)
    assert set(sent) == {"GET"}
    S3Media("pictures").prepare(far, 1)
    assert sent[-1] == "POST"


@pytest.mark.parametrize(
    "wrong",
    [
        {"bucket": "s3://pictures"},
        {"bucket": "Pictures"},
        {"endpoint": "ftp://host"},
        {"endpoint": "https://user:word@host"},
        {"minutes": 0},
        {"minutes": 10_081},
        {"prefix": "../up/"},
        {"prefix": "/in"},
    ],
)
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError, match="media"):
        S3Media(**{"bucket": "pictures", **wrong})


class Odd(BaseHTTPRequestHandler):
    """Something that is no sound Label Studio: the path says how it answers."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)["d"][0].rsplit("/", 1)[-1].removesuffix(".png")
        status, kind, location = {
            "away": (302, "text/html", "https://elsewhere.invalid/login"),
            "page": (200, "text/html; charset=utf-8", ""),
            "refused": (403, "text/html", ""),
            "token": (401, "application/json", ""),
            "busy": (503, "text/html", ""),
        }.get(asked, (200, "image/png", ""))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(PNG * (100_000 if asked == "large" else 1))

    def log_message(self, *told: object) -> None:
        """Nothing is told."""


@pytest.fixture
def odd() -> Iterator[Http]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    http = Http(f"http://127.0.0.1:{running.server_address[1]}", "0" * 40)
    yield http
    http.close()
    running.shutdown()
    running.server_close()


def test_what_a_server_may_say_to_a_link(odd, tmp_path, monkeypatch):
    monkeypatch.setattr(trying, "PAUSE", 0.0)
    names = ["away", "page", "refused", "busy", "large", "plain"]
    storage = LocalMedia(fill(tmp_path, [f"{name}.png" for name in [*names, "token"]]))
    found = storage.broken(odd, [f"{name}.png" for name in names])
    told = {"away": "302", "page": "text/html", "refused": "403", "busy": "503"}
    assert found.keys() == {f"{name}.png" for name in told}
    assert all(words in found[f"{name}.png"] for name, words in told.items())
    with pytest.raises(NotAllowed, match="token"):
        storage.broken(odd, ["token.png"])


def test_a_server_that_serves_nothing_now_breaks_no_item(odd, tmp_path, monkeypatch):
    monkeypatch.setattr(trying, "PAUSE", 0.0)
    storage = LocalMedia(fill(tmp_path, ["busy.png", "plain.png"]))
    with pytest.raises(ServerUnreachable, match="503"):
        storage.broken(odd, ["busy.png"])
    with pytest.raises(ServerUnreachable, match="does not answer"):
        storage.broken(Http("http://127.0.0.1:9", "0" * 40), ["plain.png"])


def test_the_config_opens_each_kind_and_holds_no_secret(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    monkeypatch.setenv("HITL_S3_KEY_ID", KEY_ID)
    monkeypatch.setenv("HITL_S3_SECRET", SECRET)

    def opened(media: dict[str, object] | None) -> Storage:
        config = LabelStudioConfig(kind="label_studio", url="http://127.0.0.1:1", media=media)
        assert SECRET not in json.dumps(config.model_dump(mode="json")) + repr(config)
        return config.open_media(tmp_path)

    assert opened(None) == AsIs()
    assert opened({"kind": "local", "root": "pictures"}) == LocalMedia(tmp_path / "pictures")
    bucket = opened({"kind": "s3", "bucket": "pictures", "prefix": "in/", "presign": False})
    assert bucket == S3Media("pictures", "in/", keys=KEYS, presign=False)
    assert opened({"kind": "s3", "bucket": "pictures", "key_env": None}) == S3Media("pictures")
    with pytest.raises(ConfigError, match="no folder"):
        opened({"kind": "local", "root": "nowhere"})
    monkeypatch.delenv("HITL_S3_SECRET")
    with pytest.raises(ConfigError, match="HITL_S3_SECRET"):
        opened({"kind": "s3", "bucket": "pictures"})


def test_doctor_tries_some_media_and_makes_nothing(studio, http, folder, tmp_path, monkeypatch):
    names = [f"item {number}.png" for number in range(60)]
    fill(folder, names[:-1])
    pq.write_table(pa.table({"id": names, "media": names}), tmp_path / "items.parquet")
    (tmp_path / "policy.yaml").write_text("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: bad}]}")
    monkeypatch.setenv("HITL_TEST_TOKEN", studio.token)

    def found(media: dict[str, object] | None) -> Finding:
        connect = {"kind": "label_studio", "url": studio.url, "token_env": "HITL_TEST_TOKEN", "media": media}
        config = {
            "campaign": "looked at",
            "policy": "policy.yaml",
            "pool": {"path": "items.parquet", "id": "id", "media": "media"},
            "model": {"kind": "image_classifier", "encoder": "some/name"},
            "connect": connect,
        }
        (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(config))
        return {finding.check: finding for finding in examine(tmp_path / "hitl.yaml")}["media"]

    before = http.read("/api/projects/", {"page_size": 1})["count"]
    warned = found({"kind": "local", "root": str(folder)})
    assert (warned.state, "24 files tried, 1 broken" in warned.detail) == ("warn", True)
    fill(folder, names)
    assert found({"kind": "local", "root": str(folder)}).state == "ok"
    assert found({"kind": "local", "root": str(folder), "seen_as": "/not/there"}).state == "fail"
    assert found(None).state == "fail"
    assert http.read("/api/projects/", {"page_size": 1})["count"] == before
