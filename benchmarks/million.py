"""A campaign on a million texts: each step's seconds, and the most memory that the process ever held.

Seed round and two rounds of 100 with the default plan and the default text model; reviewers are simulated in memory and
make their errors. All but the writing of the pool's file happens in one process, from opening the file on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from common import Goal, finish, shared
from measuring import Clock, Watch, alone, memory
from short_texts import POLICY, write

import hitl
from hitl.config import truth_from
from hitl.rounds.campaign import STEPS

ROUNDS, BUDGET, LIMIT = 2, 100, 4 * 1024


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """The whole campaign: seconds by part and by round and step, and MiB at the peak, all in all and anonymous."""
    clock = Clock()
    with Watch() as watch:
        with clock("open"):
            pool = hitl.Pool.open(job["path"], id="id", text="text", reach="views", facets=("label",))
        campaign = hitl.Campaign(
            "million",
            policy=POLICY,
            pool=pool,
            model=hitl.TextLinear(),
            plan=hitl.Plan(rounds=ROUNDS, budget=BUDGET),
            connector=hitl.MemoryConnector(truth_from(pool, "label")),
            folder=job["folder"],
        )
        with clock("features"):
            features = len(campaign.walk.features)
        held = {"features": memory("VmHWM")}
        with clock("rounds"):
            labels = [done.labels_so_far for done in campaign]
    steps = {n: {name: row["seconds"] for name, row in campaign.ledger.steps(n).items()} for n in range(ROUNDS + 1)}
    return clock.seconds | {
        "steps": steps, "items": features, "labels": labels,
        "held": held, "peak": memory("VmHWM"), "anonymous": watch.most,
    }  # fmt: skip


def main(items: int) -> None:
    data = shared()
    if data is None:
        raise SystemExit("skipped: HITL_SHARED names no folder with data/text")
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "posts.parquet", items, data)
        told = alone("million.py", {"path": str(path), "folder": str(Path(folder) / "campaign")})
        kept = (
            sum(file.stat().st_size for file in (Path(folder) / "campaign/cache").rglob("*") if file.is_file()) / 2**20
        )
    steps = [told["steps"][str(number)] for number in range(ROUNDS + 1)]
    rows = [["open the pool", f"{told['open']:.2f}"], ["features (once)", f"{told['features']:.2f}"]]
    rows += [[name, *(f"{step[name]:.2f}" for step in steps)] for name in STEPS]
    rest = told["rounds"] - sum(sum(step.values()) for step in steps)
    rows += [["report and the rest, all rounds", f"{rest:.2f}"], ["labels by then", *map(str, told["labels"])]]
    headers = ["seconds", "seed round", *(f"round {number + 1}" for number in range(ROUNDS))]
    rows = [row + [""] * (len(headers) - len(row)) for row in rows]
    finish("million", goals_of(told, kept), rows, headers)


def goals_of(told: dict[str, Any], kept: float) -> list[Goal]:
    peak, own, made = told["peak"], told["anonymous"], told["held"]["features"]
    figures = f"{peak / 1024:.2f} GiB with mapped pages ({made / 1024:.2f} by when the features were there); "
    figures += f"{own / 1024:.2f} GiB anonymous; features on disk {kept / 1024:.2f} GiB"
    return [Goal(f"peak memory of a campaign on {told['items']:,} texts", "< 4 GiB", figures, peak < LIMIT)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 texts instead of a million")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(json.loads(chosen.one))))
    else:
        main(100_000 if chosen.quick else 1_000_000)
