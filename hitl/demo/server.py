"""A Label Studio of one's own: on SQLite, on loopback, in a directory, started and stopped from here.

The first start on a machine migrates an empty database once, into a template for that version of Label Studio; every
later directory starts from a copy of it, in seconds. The data stay in the directory between starts, so that neither
`kill -9` of the server nor a new port loses anything.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType

import httpx

from hitl.demo.installed import environment, find_executable, locked, options, template
from hitl.demo.processes import NOTE_AND_RUN, WATCHER, process_of, running, told_since
from hitl.errors import ConfigError, ServerUnreachable
from hitl.types import Progress, silent

ADMIN = "admin@hitl.invalid"
START_SECONDS = 240.0


@dataclass(frozen=True)
class _Record:
    """What a folder knows of its server; `ready` once it has answered with our token."""

    port: int
    token: str = field(repr=False)
    password: str = field(repr=False)
    email: str = ADMIN
    ready: bool = False
    options: dict[str, str] = field(default_factory=dict)


class LabelStudioServer:
    """A Label Studio in `folder`, reachable at `url` with `token`, or in a browser with `email` and `password`.

    As a context manager it starts (or finds) the server and stops it at the end. With `outlive` False the server also
    ends when this process is killed; the next start goes on from the same data. `executable` is looked for in
    `HITL_LABEL_STUDIO`, then in `.venv-server` beside the project.

    With `media`, projects can have storages of that folder or of folders in it (`LocalMedia`). A server calls no host
    of this machine unless `webhooks_to_loopback`, which lifts its guard for all it calls, stores of media included.

    Raises `ConfigError` when Label Studio is not installed, `ServerUnreachable` when it does not come up.

    >>> LabelStudioServer(Path("somewhere"))  # nothing is started yet
    LabelStudioServer('somewhere', stopped)
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        executable: Path | None = None,
        *,
        outlive: bool = False,
        media: Path | None = None,
        webhooks_to_loopback: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self._port = port
        self._executable = executable
        self._outlive = outlive
        self._options = options(media, webhooks_to_loopback)
        self._record: _Record | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def start(self, progress: Progress = silent) -> LabelStudioServer:
        """Start the server, or take over the one that already runs in this folder; returns when it answers.

        One that runs with less than the options of this one is started anew.
        """
        executable = find_executable(self._executable)
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "server.lock"):
            found = self._read()
            if found and found.options.items() >= self._options.items() and _answers(found):
                self._record = found
                return self
            self._end_process()
            record = self._prepare(executable, found, progress)
            for attempt in range(3):
                record = self._launch(executable, record, self._port or free_port(), progress)
                if record.ready:
                    self._write(record)
                    self._record = record
                    return self
                self._end_process()
                if self._port and attempt == 0:
                    break
        raise ServerUnreachable(
            f"Label Studio did not come up on 127.0.0.1:{record.port} in {START_SECONDS:.0f} s; "
            f"its last words are in {self.folder / 'server.log'}; is the port taken, or the disk full?"
        )

    def stop(self) -> None:
        """End the server (SIGTERM, then SIGKILL); its data stay. Does nothing when it is not running."""
        with locked(self.folder / "server.lock"):
            self._end_process()
        self._record = None

    def sigkill(self) -> None:
        """Kill the server as a power cut would; `start` brings it back with what it had committed."""
        pid = self.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            while running(pid, self._process):
                time.sleep(0.02)

    def alive(self) -> bool:
        """Whether this folder's server answers with our token."""
        record = self._record or self._read()
        return record is not None and _answers(record)

    @property
    def url(self) -> str:
        """Where the server answers, on loopback."""
        return f"http://127.0.0.1:{self._started.port}"

    @property
    def token(self) -> str:
        """The administrator's legacy API token."""
        return self._started.token

    @property
    def email(self) -> str:
        """The administrator's log-in."""
        return self._started.email

    @property
    def password(self) -> str:
        """The administrator's password."""
        return self._started.password

    @property
    def pid(self) -> int | None:
        """The server's process, None when there is none."""
        return process_of(self.folder)

    @property
    def _started(self) -> _Record:
        record = self._record or self._read()
        if record is None:
            raise ConfigError(f"no server was started in {self.folder}; call start() first")
        return record

    def _prepare(self, executable: Path, found: _Record | None, progress: Progress) -> _Record:
        """Put the data in place; a first start that never answered held nothing, so it begins afresh."""
        data = self.folder / "data"
        if found and found.ready:
            if not data.is_dir():
                raise ConfigError(
                    f"{data} is gone, but {self.folder / 'server.json'} is there; remove it to start anew"
                )
            return found
        if data.exists() and not found:
            raise ConfigError(f"{data} is there without its server.json; move it away, or name another folder")
        copy = self.folder / "data.copy"
        for leftover in (data, copy):
            shutil.rmtree(leftover, ignore_errors=True)
        record = _Record(port=0, token=secrets.token_hex(20), password=secrets.token_urlsafe(12))
        self._write(record)
        shutil.copytree(template(executable, progress), copy)
        copy.rename(data)
        return record

    def _launch(self, executable: Path, record: _Record, port: int, progress: Progress) -> _Record:
        record = replace(record, port=port, options=self._options)
        self._write(record)
        data = (self.folder / "data").resolve()
        account = {"USERNAME": record.email, "PASSWORD": record.password, "USER_TOKEN": record.token}
        command = [str(executable), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
        with (self.folder / "server.log").open("ab") as log:
            mark = log.tell()
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", NOTE_AND_RUN, str(self.folder.resolve() / "server.pid"), *command],
                cwd=data,
                env=environment(data, account | self._options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not self._outlive:
            self._watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", WATCHER, str(self._process.pid), str(self.folder / "server.lock")],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        began = time.monotonic()
        while (passed := time.monotonic() - began) < START_SECONDS and self._process.poll() is None:
            if _answers(record):
                return replace(record, ready=True)
            if b"is in use." in told_since(self.folder / "server.log", mark):
                return replace(record, ready=False)
            progress("starting Label Studio", int(passed), None)
            time.sleep(0.2)
        return replace(record, ready=False)

    def _end_process(self) -> None:
        pid = process_of(self.folder)
        for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
            if pid is None or not running(pid, self._process):
                break
            with suppress(ProcessLookupError):
                os.killpg(pid, number)
            limit = time.monotonic() + patience
            while running(pid, self._process) and time.monotonic() < limit:
                time.sleep(0.05)
        if self._watcher and self._watcher.stdin:
            self._watcher.kill()
            self._watcher.stdin.close()
            self._watcher.wait()
        (self.folder / "server.pid").unlink(missing_ok=True)
        self._process = self._watcher = None

    def _read(self) -> _Record | None:
        try:
            return _Record(**json.loads((self.folder / "server.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _write(self, record: _Record) -> None:
        fresh = self.folder / "server.json.new"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(record), file, indent=1)
        fresh.replace(self.folder / "server.json")

    def __enter__(self) -> LabelStudioServer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"at {self.url}" if self._record else "stopped"
        return f"LabelStudioServer({str(self.folder)!r}, {state})"


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(record: _Record) -> bool:
    """Whether the server on this port knows our token, which proves that it is ours."""
    try:
        who = httpx.get(
            f"http://127.0.0.1:{record.port}/api/current-user/whoami",
            headers={"Authorization": f"Token {record.token}"},
            timeout=5,
            trust_env=False,
        )
        return who.status_code == 200 and who.json().get("email") == record.email
    except (httpx.HTTPError, ValueError):
        return False
