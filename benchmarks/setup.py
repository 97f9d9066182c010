"""What a stranger waits for: the README's commands in a fresh clone, with empty caches of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from common import Goal, finish

ROOT = Path(__file__).parent.parent


def timed(command: str, where: Path, environment: dict[str, str]) -> float:
    begun = time.monotonic()
    ran = subprocess.run(command, shell=True, cwd=where, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"`{command}` ended with {ran.returncode}:\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}")
    print(f"{command}: {time.monotonic() - begun:.0f} s", flush=True)
    return time.monotonic() - begun


def main(quick: bool) -> None:
    rows, goals = [], []
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        caches = {name: str(home / name) for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME")}
        shared = os.environ.get("HITL_SHARED", str(ROOT.parent / "shared"))
        environment = {**os.environ, **caches, "HITL_SHARED": shared}
        environment.pop("HITL_CACHE", None)
        steps = [("make demo", "with downloads", 480.0)]
        if not quick:
            steps += [("rm -rf demo-run && make demo", "set up", 180.0), ("make test", "set up", 900.0)]
        for command, state, limit in steps:
            seconds = timed(command, clone, environment)
            rows.append([command, state, f"{seconds:.0f} s"])
            goals.append(
                Goal(f"{command.split('&& ')[-1]}, {state}", f"< {limit:.0f} s", f"{seconds:.0f} s", seconds < limit)
            )
    finish("setup", goals, rows, ["command", "state", "wall time"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the first demo only")
    main(parser.parse_args().quick)
