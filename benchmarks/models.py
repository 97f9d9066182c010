"""The figures of the models: each part in a process of its own, one after another, and their goals together.

Every part is a benchmark by itself, with a table and `benchmarks/out/PART.json`; `--quick` is handed on to it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from common import OUT, Goal, finish

PARTS = {
    "linear_speed": "TextLinear beside scikit-learn, and a pool scored twice",
    "million": "a campaign on a million texts: peak memory, seconds by step",
    "frozen_round": "a round with a frozen transformer on 100,000 texts",
    "inference": "a transformer's texts a second beside the transformers pipeline",
    "sign_digits": "pictures from 200 labels with an encoder trained here",
    "planted_video": "the frames of planted events in videos",
}
HERE = Path(__file__).parent
Told = tuple[list[Goal], list[str]]


def run(part: str, quick: bool) -> Told:
    """Run a part, which prints its own table; its goals, and its row of the summary."""
    begun = time.perf_counter()
    command = [sys.executable, str(HERE / f"{part}.py"), *(["--quick"] if quick else [])]
    print(f"== {part}: {PARTS[part]}", flush=True)
    code = subprocess.run(command, cwd=HERE).returncode
    spent = f"{time.perf_counter() - begun:.0f}"
    if code:
        goals = [Goal(part, "ends well", f"exit status {code}", met=False)]
    else:
        told = json.loads((OUT / f"{part}.json").read_text())
        goals = [Goal(f"{part}: {goal.pop('name')}", **goal) for goal in told["goals"]]
    return goals, [part, spent, f"{sum(goal.met for goal in goals)} of {len(goals)}", PARTS[part]]


def main(parts: list[str], quick: bool) -> None:
    told = [run(part, quick) for part in parts]
    goals = [goal for found, _ in told for goal in found]
    finish("models", goals, [row for _, row in told], ["part", "seconds", "goals met", "what"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes of everything, within 10 minutes")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args()
    main(chosen.only or [*PARTS], chosen.quick)
