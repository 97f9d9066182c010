"""How long a selection takes and how much memory: ours and the peers', each in a process of its own.

Items are rows of three probabilities and a 128-d embedding; nobody pays for a model's prediction. A measurement that
passes its time or memory limit is told as that, and larger ones of the same kind are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import Goal, finish
from picking import NONE, Data, choose, views

from hitl.sampling.aims import Standing
from hitl.sampling.candidates import Candidates
from hitl.sampling.plan import ArmPlan, Plan
from hitl.sampling.scorers import scorer
from hitl.sampling.sketch import TopM

D, BLOCK = 128, 250_000
START = 300
"""Seconds that a process may take besides to import and to read."""
HERE = Path(__file__).parent
GIB = 2**30
STANDING = Standing({"spam": 300, "threat": 50}, labelled=1000)
"""One violating label has its share of the labelled items and one is starved: all of the default arms are at work."""
OURS = ("margin", "entropy", "diverse", "whole plan")
UNCERTAIN = ("margin", "entropy")
JOBS = {
    "small-text BreakingTies": "margin",
    "scikit-activeml margin": "margin",
    "modAL margin": "margin",
    "small-text PredictionEntropy": "entropy",
    "scikit-activeml entropy": "entropy",
    "modAL entropy": "entropy",
    "scikit-activeml Badge": "diverse",
    "scikit-activeml Clue": "diverse",
    "scikit-activeml DropQuery": "diverse",
    "modAL ranked batch": "diverse",
    "scikit-activeml Falcun": "in part",
    "scikit-activeml CoreSet": "in part",
    "small-text EmbeddingKMeans": "in part",
    "small-text LightweightCoreset": "in part",
    "small-text AnchorSubsampling + BreakingTies": "in part",
    "small-text SEALS + BreakingTies": "in part",
}
"""What each peer does: the margin's or the entropy's top, uncertain and unlike items, or one half of the latter."""
QUICK = ("BreakingTies", "margin", "PredictionEntropy", "entropy", "Badge", "Clue", "Falcun", "LightweightCoreset")


@dataclass(frozen=True)
class Job:
    side: str  # "ours", "read", or a peer's name
    what: str
    items: int
    batch: int
    folder: str
    memory: float  # bytes of address space
    limit: float  # seconds, from when all is read and imported


def write(folder: Path, items: int) -> None:
    """Probabilities (N, 3) float32 of a model that is mostly sure, and clustered unit rows (N, 128) on the grid."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((1000, D), dtype=np.float32)
    form = np.lib.format.open_memmap
    proba = form(folder / "proba.npy", mode="w+", dtype=np.float32, shape=(items, 3))
    embeddings = form(folder / "embeddings.npy", mode="w+", dtype=np.int16, shape=(items, D))
    for start in range(0, items, BLOCK):
        rows = slice(start, min(start + BLOCK, items))
        n = rows.stop - start
        logits = np.exp(2.5 * rng.standard_normal((n, 3), dtype=np.float32))
        proba[rows] = logits / logits.sum(axis=1, keepdims=True)
        x = rng.standard_normal((n, D), dtype=np.float32) + centres[rng.integers(1000, size=n)]
        embeddings[rows] = np.rint(x * (2048 / np.linalg.norm(x, axis=1, keepdims=True)))
    proba.flush()
    embeddings.flush()


def texts(positions: np.ndarray) -> list[str]:
    """Invented texts: three in ten repeat one of a thousand but for a number."""
    rows = []
    for position in positions.tolist():
        copy = position % 10 < 3
        seed = position % 1000 if copy else position
        words = [f"w{(seed * 7919 + place * 104_729) % 5003}" for place in range(12)]
        rows.append(" ".join([*words, str(position)] if copy else words))
    return rows


def load(job: Job) -> Data:
    """The first rows of the files; the probabilities in memory, the embeddings where they are."""
    rng, folder = np.random.default_rng(1), Path(job.folder)
    return Data(
        np.array(np.load(folder / "proba.npy", mmap_mode="r")[: job.items]),
        np.load(folder / "embeddings.npy", mmap_mode="r")[: job.items],
        rng.integers(2**64, size=job.items, dtype=np.uint64),
        rng.pareto(1.2, job.items) * 100,
    )


def ours(job: Job, data: Data) -> np.ndarray:
    """Our selection of one kind, from the arrays to positions."""
    if job.what in UNCERTAIN:
        return top(job, data)
    plan = Plan(budget=job.batch)
    if job.what == "diverse":
        apart = {"apart": ArmPlan(scores={"margin": 1}, diversity="badge")}
        plan = Plan(budget=job.batch, audit=0, random=0, arms=apart, fold_at=None)
    chosen = choose(plan, STANDING, data, texts)
    return np.array([pick.position for pick in chosen.picks])


def top(job: Job, data: Data) -> np.ndarray:
    """The `batch` items of highest score, ties by each item's draw."""
    best, score = TopM(job.batch, 1), scorer(job.what)
    for at, view in views(data):
        best.feed(Candidates(at, view.keys, view.draw, NONE[: len(at)], score(view).values))
    return best.result().positions


def peer(job: Job, data: Data) -> Callable[[], np.ndarray]:
    """A peer's query, all that it is given being made before the clock runs."""
    from peers import JUST_PROBA, PEERS, State
    from scipy.sparse import csr_matrix

    asked = np.arange(100)
    few = np.empty((job.items, 0), dtype=np.float32)
    embeddings = few if job.what in UNCERTAIN or job.side in JUST_PROBA else data.embeddings / np.float32(2048)
    rest = (csr_matrix((1, 1)), embeddings, data.proba, asked, asked % 3, None, np.arange(job.items))
    return lambda: PEERS[job.side](State(*rest), job.batch, np.random.default_rng(0))


def work_of(job: Job, data: Data) -> Callable[[], np.ndarray]:
    if job.side == "ours":
        return lambda: ours(job, data)
    reads = {"sum": data.proba.sum, "copy": data.proba.copy}
    return reads[job.what] if job.side == "read" else peer(job, data)


def peak() -> float:
    """The most memory that this process has held, in MiB; unlike `ru_maxrss` it starts anew with the program."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def measure(job: Job) -> dict[str, Any]:
    """Seconds (the median of five when short), MiB held before, and MiB that the work added at its peak."""
    try:
        resource.setrlimit(resource.RLIMIT_AS, (int(job.memory), int(job.memory)))
        data = load(job)
        work = work_of(job, data)
        signal.setitimer(signal.ITIMER_REAL, job.limit)  # ends the process, whatever code it is in
        before, seconds, began = peak(), [], time.perf_counter()
        while len(seconds) < 5 and (not seconds or time.perf_counter() - began < 3):
            begun = time.perf_counter()
            result = work()
            seconds.append(time.perf_counter() - begun)
        told = f"{job.batch - len(np.unique(result))} picked twice" if job.side not in ("ours", "read") else ""
        told = "" if told.startswith("0 ") else told
        return {"seconds": float(np.median(seconds)), "before": before, "added": peak() - before, "note": told}
    except MemoryError:
        return {"note": f"MemoryError at {job.memory / GIB:.0f} GiB"}
    except Exception as error:  # any peer may fail in any way: it is told in the table
        return {"note": f"{type(error).__name__}: {error}"[:80]}


def run(job: Job) -> dict[str, Any]:
    """A measurement in a fresh process, which ends itself at the limit."""
    command = [sys.executable, __file__, "--one", json.dumps(asdict(job))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=job.limit + START, cwd=HERE)
    except subprocess.TimeoutExpired:
        return {"note": "did not end"}
    if done.returncode == -signal.SIGALRM:
        return {"note": f"over {job.limit:.0f} s"}
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 and lines else {"note": f"died ({done.returncode})"}


Results = dict[tuple[str, str, int, int], dict[str, Any]]
Limits = tuple[float, float]


def run_all(
    sizes: list[int], batches: list[int], names: list[str], folder: Path, limits: tuple[float, float]
) -> Results:
    """All measurements, the small before the large, so that what failed need not fail again."""
    seconds, memory = limits
    found: Results = {}
    kinds = [("read", "sum"), ("read", "copy"), *(("ours", what) for what in OURS), *((n, JOBS[n]) for n in names)]
    for side, what in kinds:
        for batch in batches if side != "read" else batches[:1]:
            failed = ""
            for size in sizes:
                job = Job(side, what, size, batch, str(folder), memory, seconds)
                told = {"note": failed} if failed else run(job)
                if "seconds" not in told and not failed:
                    failed = f"not tried: {told['note']} with {size:,}"
                found[side, what, size, batch] = told
                print(side, what, f"{size:,}", batch, told, flush=True)
    return found


def as_rows(found: Results) -> list[list[str]]:
    rows = []
    for (side, what, size, batch), told in found.items():
        mine = found.get(("ours", "diverse" if what == "in part" else what, size, batch), {}).get("seconds")
        spent = told.get("seconds")
        ratio = f"{spent / mine:.1f}" if spent and mine and side not in ("ours", "read") else ""
        cells = ["", ""] if spent is None else [f"{spent:.4f}" if spent < 1 else f"{spent:.1f}", f"{told['added']:.0f}"]
        rows.append([what, side, f"{size:,}", str(batch), *cells, ratio, told.get("note", "")])
    return rows


def goals_of(found: Results, sizes: list[int], batches: list[int]) -> list[Goal]:
    million, goals = 1_000_000, []
    for batch in batches:
        for what in UNCERTAIN:
            spent = found["ours", what, million, batch].get("seconds", np.inf)
            read = found["read", "sum", million, batches[0]]["seconds"]
            told = f"{spent:.3f} s"
            goals.append(Goal(f"{what}, 1 M, batch {batch}", "< 0.1 s", told, spent < 0.1))
            reads = f"{spent / read:.1f} × {read * 1000:.1f} ms"
            goals.append(Goal(f"{what}, 1 M, batch {batch}, in reads", "≤ 3 reads", reads, spent <= 3 * read))
        for size, limit in ((million, 3), (10_000_000, 30)):
            if size in sizes:
                told = found["ours", "whole plan", size, batch]
                spent, held = told.get("seconds", np.inf), (told.get("before", np.inf) + told.get("added", 0)) / 1024
                name = f"whole plan, {size:,}, batch {batch}"
                goals.append(Goal(name, f"< {limit} s", f"{spent:.2f} s {told['note']}".strip(), spent < limit))
                goals.append(Goal(f"{name}, all memory", "< 8 GiB", f"{held:.2f} GiB", held < 8))
        goals += [beside(found, what, batch) for what in (*UNCERTAIN, "diverse")]
    return goals


def beside(found: Results, what: str, batch: int) -> Goal:
    """Ours against the fastest peer that does the same, at the largest size that any of them managed."""
    peers = [
        (-size, told["seconds"], side)
        for (side, kind, size, n), told in found.items()
        if kind == what and n == batch and side not in ("ours", "read") and "seconds" in told
    ]
    if not peers:
        return Goal(f"{what}, batch {batch}, beside the fastest peer", "≥ 20 ×", "no peer finished", True)
    size, seconds, side = min(peers)
    mine = found["ours", what, -size, batch].get("seconds", np.inf)
    told = f"{seconds / mine:.1f} × ({side}: {seconds:.3f} s, ours {mine:.3f} s at {-size:,})"
    return Goal(f"{what}, batch {batch}, beside the fastest peer", "≥ 20 ×", told, seconds >= 20 * mine)


def main(quick: bool, limit: float, memory: float) -> None:
    sizes = [10_000, 100_000, 1_000_000] + ([] if quick else [10_000_000])
    batches = [100] if quick else [100, 1000]
    names = [name for name in JOBS if not quick or name.split()[1] in QUICK]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), max(sizes))
        found = run_all(sizes, batches, names, Path(folder), (limit, memory * GIB))
    headers = ["job", "side", "items", "batch", "seconds", "MiB added", "ratio to ours", "remarks"]
    finish("selection_speed", goals_of(found, sizes, batches), as_rows(found), headers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to a million items, batch 100, and some of the peers")
    parser.add_argument("--limit", type=float, help="seconds for a measurement (120; quick: 20)")
    parser.add_argument("--memory", type=float, default=8 + 4, help="GiB of address space for a measurement")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        told = measure(Job(**json.loads(chosen.one)))
        print(json.dumps(told))
        sys.stdout.flush()
        os._exit(0)  # a peer's threads must not hold the process
    main(chosen.quick, chosen.limit or (20 if chosen.quick else 120), chosen.memory)
