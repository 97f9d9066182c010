"""A PostgreSQL of its own on this machine, that forgets everything afterwards; for tests and benchmarks."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "kept-out-of-sight"


def binary(name: str) -> str | None:
    """Where a program of PostgreSQL is; None where it is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return next(map(str, reversed(installed)), None) or shutil.which(name)


@contextmanager
def throwaway(*settings: str) -> Iterator[str]:
    """Start a cluster with a password, and more settings as `name=value`; its URL."""
    initdb, control = binary("initdb") or "initdb", binary("pg_ctl") or "pg_ctl"
    user = {"user": "postgres"} if os.geteuid() == 0 else {}  # PostgreSQL refuses to run as root
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="hitl-pg-") as folder:
        secret = Path(folder) / "password"
        secret.write_text(PASSWORD)
        for path in (Path(folder), secret) if user else ():
            shutil.chown(path, "postgres")
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **user}
        data, who = f"{folder}/data", ["-U", "hitl", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
        subprocess.run([initdb, "-D", data, *who, "--no-sync"], **quiet)
        options = "".join(f" -c {one}" for one in ("listen_addresses=127.0.0.1", *settings))
        start = [control, "-D", data, "-o", f"-p {port} -k {folder}{options}", "-l", f"{folder}/log", "-w", "start"]
        subprocess.run(start, **quiet)
        try:
            yield f"postgresql+psycopg://hitl:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([control, "-D", data, "-m", "immediate", "-w", "stop"], **quiet)
