"""A server of one's own comes up, keeps its data through kill -9, and does not outlive a killed run."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from hitl.connectors.studio.http import Http
from hitl.demo import installed
from hitl.demo.installed import find_executable, server_version, template
from hitl.demo.people import sign_up
from hitl.demo.server import LabelStudioServer
from hitl.errors import ConfigError, NotAllowed, ServerRefused, ServerUnreachable


def pretend(root: Path, script: str) -> Path:
    """Something installed that calls itself label-studio."""
    about = root / "lib/python3.11/site-packages/label_studio-9.9.9.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: label-studio\nVersion: 9.9.9\n")
    executable = root / "bin/label-studio"
    executable.parent.mkdir()
    executable.write_text(f"#!/bin/sh\n{script}\n")
    executable.chmod(0o755)
    return executable


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HITL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_label_studio_that_is_not_there_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HITL_LABEL_STUDIO", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="make setup"):
        LabelStudioServer(tmp_path / "run").start()
    assert not (tmp_path / "run").exists()


def test_the_template_is_built_once_by_whoever_comes_first(tmp_path, cache):
    executable = pretend(tmp_path / "env", 'sleep 0.3; echo x >> "$LABEL_STUDIO_BASE_DATA_DIR/built"')
    found: list[Path] = []
    several = [threading.Thread(target=lambda: found.append(template(executable))) for _ in range(3)]
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert found == [cache / "label-studio" / server_version(executable)] * 3
    assert (found[0] / "built").read_text() == "x\n"
    assert server_version(executable) == "9.9.9"


def test_a_template_that_failed_is_never_used(tmp_path, cache):
    executable = pretend(tmp_path / "env", 'touch "$LABEL_STUDIO_BASE_DATA_DIR/half"; exit 3')
    for _ in range(2):
        with pytest.raises(ServerUnreachable, match="exit 3"):
            template(executable)
    assert not (cache / "label-studio/9.9.9").exists()
    executable.write_text("#!/bin/sh\ntrue\n")
    assert not (template(executable) / "half").exists()


@pytest.mark.usefixtures("cache")
def test_a_server_that_never_comes_up_is_told_with_its_log(tmp_path):
    executable = pretend(tmp_path / "env", "test $1 = version || { echo broken disk; exit 1; }")
    server = LabelStudioServer(tmp_path / "run", executable=executable)
    with pytest.raises(ServerUnreachable, match=r"server\.log"):
        server.start()
    assert "broken disk" in (tmp_path / "run/server.log").read_text()
    assert not server.alive()


def test_data_without_a_record_are_not_touched(tmp_path, cache):
    executable = pretend(tmp_path / "env", "true")
    (tmp_path / "run/data").mkdir(parents=True)
    (tmp_path / "run/data/precious").write_text("x")
    with pytest.raises(ConfigError, match="move it away"):
        LabelStudioServer(tmp_path / "run", executable=executable).start()
    assert (tmp_path / "run/data/precious").exists()
    assert cache.parent.exists()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of listening sockets")
def test_the_server_listens_on_loopback_alone_and_keeps_its_secrets(server):
    record = server.folder / "server.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert server.token not in repr(server)
    assert server.password not in repr(server)
    for secret in (server.token, server.password):
        assert secret not in (server.folder / "server.log").read_text(errors="replace")
    port = int(server.url.rsplit(":", 1)[1])
    hexed = f":{port:04X} "
    listening = [line for line in Path("/proc/net/tcp").read_text().splitlines() if hexed in line and " 0A " in line]
    assert [line.split()[1].split(":")[0] for line in listening] == ["0100007F"]
    with socket.socket(socket.AF_INET6) as probe:
        assert probe.connect_ex(("::1", port)) != 0


def test_a_running_server_is_taken_over_and_not_started_twice(server):
    other = LabelStudioServer(server.folder).start()
    assert (other.url, other.pid) == (server.url, server.pid)


def test_people_sign_up_once_and_log_in_ever_after(server):
    made = sign_up(server.url, server.token, "nova@hitl.invalid", "long-enough-1")
    assert sign_up(server.url, server.token, "nova@hitl.invalid", "long-enough-1") == made
    assert made.token not in repr(made)
    who = httpx.get(f"{server.url}/api/current-user/whoami", headers={"Authorization": f"Token {made.token}"}).json()
    assert (who["id"], who["email"]) == (made.user_id, "nova@hitl.invalid")
    with pytest.raises(NotAllowed, match="nova"):
        sign_up(server.url, server.token, "nova@hitl.invalid", "another-word-2")


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_what_was_done_survives_kill_9_and_a_new_port(tmp_path):
    with LabelStudioServer(tmp_path / "run") as server:
        http = Http(server.url, server.token)
        made = http.write("POST", "/api/projects/", {"title": "kept through everything"})
        first = (server.url, server.token)
        server.sigkill()
        assert not server.alive()
        server.start()
        assert server.url != first[0]
        assert server.token == first[1]
        assert Http(server.url, server.token).read(f"/api/projects/{made['id']}/")["title"] == "kept through everything"
    assert not server.alive()
    assert server.pid is None


RUN = """
import sys, time
from pathlib import Path
from hitl.demo.server import LabelStudioServer
server = LabelStudioServer(Path(sys.argv[1])).start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_a_killed_run_leaves_no_server_behind(tmp_path):
    run = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    pid = int(run.stdout.readline())
    assert LabelStudioServer(tmp_path / "run").alive()
    run.kill()
    run.communicate()
    # Whoever starts next waits for the lock until the old server is gone.
    limit = time.monotonic() + 60
    while LabelStudioServer(tmp_path / "run").pid == pid and time.monotonic() < limit:
        time.sleep(0.05)
    assert not LabelStudioServer(tmp_path / "run").alive()


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_a_server_that_runs_with_less_than_is_asked_for_is_started_anew(tmp_path):
    (tmp_path / "pictures").mkdir()
    with LabelStudioServer(tmp_path / "run") as closed:
        http, first = Http(closed.url, closed.token), closed.pid
        door = "/data/local-files/?d=pictures/"
        headers = {"Authorization": f"Token {closed.token}"}
        assert httpx.get(closed.url + door, headers=headers).status_code == 403
        project = http.write("POST", "/api/projects/", {"title": "kept"})["id"]
        hook = {"project": project, "url": "http://127.0.0.1:9/", "send_payload": False}
        with pytest.raises((ServerRefused, NotAllowed)):
            http.write("POST", "/api/webhooks/", hook)
        media = tmp_path / "pictures"
        with LabelStudioServer(tmp_path / "run", media=media, webhooks_to_loopback=True) as opened:
            assert opened.pid != first
            assert httpx.get(opened.url + door, headers=headers).status_code == 404
            http = Http(opened.url, opened.token)
            http.write("POST", "/api/webhooks/", hook)
            assert LabelStudioServer(tmp_path / "run").start().pid == opened.pid


@pytest.mark.parametrize("folder", ["nowhere", "/"])
def test_a_media_folder_that_cannot_be_served_is_refused(tmp_path, folder):
    with pytest.raises(ConfigError, match="served"):
        LabelStudioServer(tmp_path / "run", media=tmp_path / folder)


def test_a_server_is_closed_unless_it_is_asked_to_open(tmp_path):
    told = installed.environment(tmp_path, installed.options(None, False))
    assert told["LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED"] == "false"
    assert not [name for name in told if "SSRF" in name or "DOCUMENT_ROOT" in name]
    told = installed.environment(tmp_path, installed.options(tmp_path, True))
    assert told["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] == str(tmp_path.resolve().parent)
    assert told["LABEL_STUDIO_SSRF_PROTECTION_ENABLED"] == "false"


def test_the_environment_holds_nothing_of_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("HITL_TOKEN", "secret")
    told = installed.environment(tmp_path, {"USERNAME": "a"})
    assert "HOST" not in told
    assert "secret" not in told.values()
    assert told["LABEL_STUDIO_USERNAME"] == "a"
    assert told["LABEL_STUDIO_COLLECT_ANALYTICS"] == "false"
    assert find_executable(Path(sys.executable)).is_absolute()
