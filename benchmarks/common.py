"""What the benchmarks share: goals, where results go, and the machine they ran on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from hitl.console import table

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True)
class Goal:
    """A figure that this run wanted, and what it got."""

    name: str
    goal: str
    measured: str
    met: bool


def machine() -> str:
    """The machine, in words."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}"


def finish(name: str, goals: list[Goal], rows: list[list[str]], headers: list[str]) -> None:
    """Print the table and the goals, and write `benchmarks/out/NAME.json`."""
    console = Console(width=160)
    console.print(table(headers, rows, title=f"{name}: {machine()}, {date.today()}"))
    for goal in goals:
        console.print(f"{'met   ' if goal.met else 'MISSED'}  {goal.name}: {goal.measured} (goal: {goal.goal})")
    OUT.mkdir(exist_ok=True)
    told = {
        "benchmark": name,
        "machine": machine(),
        "date": str(date.today()),
        "goals": [asdict(goal) for goal in goals],
        "headers": headers,
        "rows": rows,
    }
    (OUT / f"{name}.json").write_text(json.dumps(told, indent=2))


def shared() -> Path | None:
    """The folder of real data sets, None where it is absent."""
    folder = Path(os.environ.get("HITL_SHARED", Path(__file__).parent.parent.parent / "shared"))
    return folder if (folder / "data").is_dir() else None
