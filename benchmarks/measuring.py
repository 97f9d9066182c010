"""What a process says of its own memory, and measurements that are run in a process of their own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STATUS = Path("/proc/self/status")


def memory(field: str) -> float:
    """A line of this process's status in MiB: `VmHWM`, the most it has held, or `RssAnon`, what is its own by now.

    Pages of mapped files are in the first and not in the second; unlike `ru_maxrss` both start anew with the program.
    """
    found = re.search(rf"{field}:\s+(\d+)", STATUS.read_text())
    return int(found[1]) / 1024 if found else float("nan")


class Watch:
    """Looks at this process's own memory 50 times a second, from a thread; `most` is in MiB."""

    def __init__(self) -> None:
        self.most = memory("RssAnon")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, memory("RssAnon"))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


class Clock:
    """Seconds by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def alone(script: str, job: dict[str, Any]) -> dict[str, Any]:
    """What `SCRIPT --one JOB` prints in its last line, as JSON; it says on stderr what it says there."""
    command = [sys.executable, str(HERE / script), "--one", json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE)
    if done.returncode:
        raise SystemExit(f"{script}: {job} died ({done.returncode})")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
