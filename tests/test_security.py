"""What an attacker would try: secrets that show themselves, code in data, calls that no library of ours may make."""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from hitl.config import CampaignConfig
from hitl.connectors.studio import http as studio_http
from hitl.demo.server import free_port
from hitl.demo.stream import demo_policy, generate
from hitl.errors import HitlError
from hitl.rounds import Campaign

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "hitl").rglob("*.py"))
TOKEN = "5ec4e7feed5ec4e7feed5ec4e7feed5ec4e7feed"
PASSWORD = "swordfish-and-chips"
RUNS = re.compile(
    r"(builtins\.)?(eval|exec|compile|__import__)|os\.(system|popen|exec\w*|spawn\w*)|.*\.?mktemp"
    r"|yaml\.(unsafe_|full_)?load(_all)?"
)
BARRED = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "telnetlib", "xml.dom"}
PICKLED = {"hitl/compute/on_ray.py"}
"""What our own actors send back through Ray, which pickles it in any case; no file and nothing of others."""
COMMANDS = ("run", "status", "pull", "report", "doctor")


@cache
def tree(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's code."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with its dotted name."""
    for node in tree(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((given.value for given in call.keywords if given.arg == name), None)


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def where(path: Path, call: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(call, 'lineno', 0)}"


def unsafe(path: Path) -> list[str]:
    """Calls and imports that run what they read, wait on a shell, or trust a stranger."""
    found = []
    for name, call in calls(path):
        if RUNS.fullmatch(name):
            found.append(f"{where(path, call)}: {name}")
        if keyword(call, "shell") is not None and not is_constant(keyword(call, "shell"), False):
            found.append(f"{where(path, call)}: shell")
        if is_constant(keyword(call, "verify"), False) or is_constant(keyword(call, "allow_pickle"), True):
            found.append(f"{where(path, call)}: {name} trusts")
        if is_constant(keyword(call, "trust_remote_code"), True) or "_create_unverified" in name or "CERT_NONE" in name:
            found.append(f"{where(path, call)}: {name} trusts")
        if name == "torch.load" and not is_constant(keyword(call, "weights_only"), True):
            found.append(f"{where(path, call)}: torch.load")
    for node in tree(path):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if str(path.relative_to(ROOT)) not in PICKLED:
            found += [f"{where(path, node)}: {name}" for name in modules if name in BARRED]
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_what_it_reads(path: Path) -> None:
    assert unsafe(path) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "eval(x)",
        "yaml.load(x, Loader=yaml.Loader)",
        "subprocess.run(x, shell=True)",
        "httpx.get(x, verify=False)",
        "numpy.load(x, allow_pickle=True)",
        "tempfile.mktemp()",
        "torch.load(x)",
        "os.system(x)",
    ],
)
def test_and_it_would_be_seen(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "some.py"
    path.write_text(f"{line}\n")
    assert unsafe(path)


def test_secrets_are_compared_in_constant_time() -> None:
    """No `==` beside a name of a secret; `hmac.compare_digest` takes the same time wherever two differ."""
    secret = re.compile(r"(^|[._])(secret|token|password|signature|authorization)($|[._\[(])", re.IGNORECASE)
    for path in CODE:
        for node in tree(path):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                sides = [node.left, *node.comparators]
                if not any(isinstance(side, ast.Constant) for side in sides):
                    assert not any(secret.search(ast.unparse(side)) for side in sides), where(path, node)


def test_csv_is_written_where_formulas_are_made_inert() -> None:
    writing = {
        path.name
        for path in CODE
        for name, _ in calls(path)
        if re.fullmatch(r".*(csv\.writer|DictWriter|to_csv|write_csv)", name)
    }
    assert writing <= {"known.py", "qa_sheets.py", "roster.py", "transparency_files.py"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("no git repository here")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_this_machine_or_a_registry() -> None:
    homes = {str(Path.home()), str(ROOT), str(ROOT.parent)} - {"/", "/root"}
    registries = [
        ".".join(parts) for parts in (("pypi", "org"), ("files", "pythonhosted", "org"), ("pypi", "python", "org"))
    ]
    hosts = {
        os.environ.get(name, "") for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_FIND_LINKS")
    }
    barred = [name for name in (*homes, *registries, *hosts) if len(name) > 4]
    # A path ends where a word does: another that only begins like it is none of this machine's.
    named = re.compile("|".join(rf"{re.escape(name)}(?![\w-])" for name in barred).encode())
    for path in tracked():
        assert not named.findall(path.read_bytes()), path


class Hostile(BaseHTTPRequestHandler):
    """A server that answers with whatever it was sent, token included, in the way it is told to."""

    way = "401"

    def _answer(self) -> None:
        sent = f"{self.headers.get('Authorization')} {self.path}"
        body = {
            "401": json.dumps({"detail": sent}),
            "500": sent,
            "no JSON": f"<html>{sent}",
        }
        content = body.get(self.way, json.dumps({"detail": sent, "validation_errors": {sent: [sent]}})).encode()
        self.send_response({"401": 401, "500": 500, "400": 400, "redirect": 302}.get(self.way, 200))
        if self.way == "redirect":
            self.send_header("Location", f"http://elsewhere.example/{TOKEN}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a campaign's folder whose config names a server, with the token in the environment."""
    monkeypatch.setenv("HITL_SECURITY_TOKEN", TOKEN)
    monkeypatch.setattr(studio_http, "READ_TRIES", 1)
    monkeypatch.chdir(tmp_path)

    def make(url: str, **sections: Any) -> Path:
        pq.write_table(generate(60, seed=3), tmp_path / "items.parquet")
        (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
        config = {
            "campaign": "trial",
            "policy": "policy.yaml",
            "pool": {"path": "items.parquet", "text": "text", "id": "id"},
            "plan": {"rounds": 0, "budget": 5, "benchmark": 5},
            "connect": {"kind": "label_studio", "url": url, "token_env": "HITL_SECURITY_TOKEN"},
            **sections,
        }
        (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(config))
        return tmp_path / "hitl.yaml"

    return make


def written(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def told(error: BaseException) -> str:
    """All that an error says, with what lies behind it, as Python tells it and as a debugger's frames would."""
    words = [f"{one!s} {one!r} {one.args!r}" for one in chain(error)]
    return "\n".join([*words, *traceback.format_exception(error)])


@pytest.mark.parametrize("way", ["down", "401", "400", "500", "no JSON", "redirect"])
def test_a_token_shows_nowhere(way: str, hostile: str, home, command, caplog, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "httpcore")  # whose debugging repeats what a server sent
    Hostile.way = way
    config = home(f"http://127.0.0.1:{free_port()}" if way == "down" else hostile)
    said = []
    for name in COMMANDS:
        for more in ((), ("--json",)):
            called = command(name, config, *more)
            said.append(called.out + called.err)
            assert "Traceback" not in called.err, (name, way, called.err)
    said += [caplog.text, written(tmp_path).decode("latin-1"), Path("/proc/self/cmdline").read_text()]
    assert not [text for text in said if TOKEN in text]


@pytest.mark.parametrize("way", ["down", "401", "500", "no JSON"])
def test_a_token_is_in_no_error_however_it_is_told(way: str, hostile: str, home) -> None:
    Hostile.way = way
    config = home(f"http://127.0.0.1:{free_port()}" if way == "down" else hostile)
    campaign = CampaignConfig.load(config).open()
    with pytest.raises(HitlError) as raised:
        campaign.run()
    connector = campaign.walk.connector
    assert TOKEN not in told(raised.value) + repr(connector) + repr(campaign) + repr(vars(connector))
    campaign.ledger.close()


def test_a_crash_shows_no_token(home, command, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """A defect of ours ends in Python's own traceback, without the values of variables."""

    def crash(campaign: Campaign, wait: float | None = None) -> None:
        token = os.environ["HITL_SECURITY_TOKEN"]
        raise RuntimeError(f"a defect, {len(token)}")

    monkeypatch.setattr(Campaign, "run", crash)
    config = home("http://127.0.0.1:9")
    with pytest.raises(RuntimeError) as raised:
        command("run", config)
    captured = capsys.readouterr()
    assert TOKEN not in told(raised.value) + captured.out + captured.err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_password_of_a_record_shows_nowhere(name: str, home, command, caplog, tmp_path: Path, monkeypatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HITL_SECURITY_LEDGER", f"postgresql+psycopg://hitl:{PASSWORD}@127.0.0.1:{free_port()}/hitl")
    config = home("http://127.0.0.1:9", ledger_env="HITL_SECURITY_LEDGER")
    for more in ((), ("--json",)):
        called = command(name, config, *more)
        assert called.code in (1, 69, 78)
        assert PASSWORD not in called.out + called.err + caplog.text
    assert PASSWORD.encode() not in written(tmp_path)


def test_the_password_of_a_record_is_in_no_error(home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITL_SECURITY_LEDGER", f"postgresql+psycopg://hitl:{PASSWORD}@127.0.0.1:{free_port()}/hitl")
    config = CampaignConfig.load(home("http://127.0.0.1:9", ledger_env="HITL_SECURITY_LEDGER"))
    with pytest.raises(HitlError) as raised:
        config.open_ledger()
    assert PASSWORD not in told(raised.value) + repr(config)
