"""Five hundred campaigns over lines that fail, with kill -9 of us and of the server, on real Label Studios.

Each scenario is told by its seed: the kind of fault, which requests meet it, and the script of a small campaign with
annotators at work. In the end record and server must tell what they tell after the same script in peace.
`--seed N` plays one of them and shows what befell which request. Outcomes are kept as they come, in
`benchmarks/out/faults`: a run that was stopped goes on with `--go-on`, on the same code.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from common import Goal, finish

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "connectors"))

from outcome import Outcome
from scenario import KINDS, Place, brisk, run

from hitl.demo.people import sign_up
from hitl.demo.server import LabelStudioServer, free_port

SCENARIOS, QUICK = 500, 42
PEOPLE = 5
KEPT = Path(__file__).parent / "out" / "faults"


def play(seeds: list[int], told: Path) -> None:
    """Play scenarios on a server of one's own; a line of JSON for each."""
    with tempfile.TemporaryDirectory() as folder, LabelStudioServer(Path(folder) / "server", free_port()) as server:
        brisk(Path(folder))
        people = tuple(
            sign_up(server.url, server.token, f"reader-{n}@hitl.invalid", f"long-enough-{n}") for n in range(PEOPLE)
        )
        place = Place(server, people, Path(folder))
        with told.open("a") as file:
            for seed in seeds:
                file.write(json.dumps(asdict(run(place, seed))) + "\n")
                file.flush()


def played(seeds: list[int], workers: int, folder: Path) -> list[Outcome]:
    """Share the seeds that the folder knows no outcome of out among processes; the outcomes of all."""
    wanted = set(seeds)
    left = sorted(wanted - {one.seed for one in kept(folder)})
    command = [sys.executable, __file__, "--play"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    ends = [
        subprocess.Popen([*command, str(folder / f"{worker}.jsonl"), *map(str, left[worker::workers])], env=env)
        for worker in range(min(workers, len(left)))
    ]
    for end in ends:
        if end.wait():
            raise SystemExit(f"a worker ended with {end.returncode}")
    return [one for one in kept(folder) if one.seed in wanted]


def kept(folder: Path) -> list[Outcome]:
    """What the processes told so far, in the order of the seeds."""
    lines = [line for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]
    return sorted((Outcome(**json.loads(line)) for line in lines), key=lambda one: one.seed)


def tell(outcomes: list[Outcome]) -> None:
    """The table by kind of fault, and the goals."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    rows = [_row(kind, by_kind[kind]) for kind in KINDS if kind in by_kind]
    bad = [outcome for outcome in outcomes if not outcome.good]
    goals = [
        Goal(name, "0", str(figure), figure == 0)
        for name, figure in (
            ("tasks and answers lost", sum(one.lost for one in outcomes)),
            ("tasks and answers twice", sum(one.duplicated for one in outcomes)),
            ("tasks and answers wrong", sum(one.wrong for one in outcomes)),
            ("scenarios whose record differs", sum(bool(one.differs) for one in outcomes)),
        )
    ]
    rows.append(_row("all", outcomes))
    finish(
        "faults", goals, rows, ["fault", "scenarios", "injected", "lost", "twice", "wrong", "record differs", "s each"]
    )
    for outcome in bad:
        print(f"seed {outcome.seed} ({outcome.kind}): {', '.join(outcome.differs)[:200]}")


def _row(kind: str, outcomes: list[Outcome]) -> list[str]:
    figures = [len(outcomes), *(sum(getattr(one, name) for one in outcomes) for name in ("injected", "lost"))]
    figures += [sum(one.duplicated for one in outcomes), sum(one.wrong for one in outcomes)]
    figures += [sum(bool(one.differs) for one in outcomes)]
    return [kind, *map(str, figures), f"{sum(one.seconds for one in outcomes) / len(outcomes):.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} scenarios instead of {SCENARIOS}")
    parser.add_argument("--seed", type=int, help="play this one, and show what befell which request")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--go-on", action="store_true", help="play those that a run that was stopped did not")
    parser.add_argument("--play", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.play:
        return play(list(map(int, chosen.play[1:])), Path(chosen.play[0]))
    if chosen.seed is not None:
        with tempfile.TemporaryDirectory() as folder:
            (outcome,) = played([chosen.seed], 1, Path(folder))
        print("\n".join(outcome.trace))
        print({name: value for name, value in asdict(outcome).items() if name != "trace"})
        return None
    if not chosen.go_on:
        shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    tell(played(list(range(QUICK if chosen.quick else SCENARIOS)), chosen.workers, KEPT))
    return None


if __name__ == "__main__":
    main()
