"""The process of a folder's server: noted before it runs, known again, ended with whoever started it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# The server would outlive a run that is killed: this watcher ends it when the pipe from the run closes. It holds the
# folder's lock meanwhile, so that the next start waits instead of taking over a server that is about to go.
WATCHER = """
import fcntl, os, signal, sys, time
pid, lock = int(sys.argv[1]), open(sys.argv[2], "ab")
sys.stdin.buffer.read()
fcntl.flock(lock, fcntl.LOCK_EX)
try:
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(pid, number)
        for _ in range(60):
            time.sleep(0.05)
            os.killpg(pid, 0)
except ProcessLookupError:
    pass
"""

# The shell notes its own number and becomes the server, so that no moment exists with a server and no note of it.
NOTE_AND_RUN = 'echo $$ > "$0"; exec "$@"'


def process_of(folder: Path) -> int | None:
    """The number noted in the folder, if a process of that number still is this folder's server."""
    try:
        pid = int((folder / "server.pid").read_text())
        if Path("/proc/self/environ").exists():
            ours = str((folder / "data").resolve()).encode() in Path(f"/proc/{pid}/environ").read_bytes()
        else:
            told = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False).stdout
            ours = b"label-studio" in told
    except (OSError, ValueError):
        return None
    return pid if ours else None


def running(pid: int, process: subprocess.Popen[bytes] | None) -> bool:
    """Whether a process is there and no zombie; `process` is it, where we started it."""
    if process is not None and process.pid == pid:
        return process.poll() is None
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/status")
        return not status.exists() or "\nState:\tZ" not in status.read_text()
    except OSError:
        return False


def told_since(path: Path, mark: int) -> bytes:
    """What was written to a log since it was this long."""
    with path.open("rb") as file:
        file.seek(mark)
        return file.read()
