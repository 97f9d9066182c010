"""What answers amount to: our resolvers beside crowd-kit's, by accuracy on real crowds, and by time and memory.

Each fit runs in a process of its own, and one that passes its time limit is told as that. Ties count in expectation.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
from common import Goal, finish, shared

from hitl.labels import RESOLVERS, AnswerTable, DawidSkene

SETS = ("cubam_bluebirds", "gal_adult2", "gal_hitspam_cf", "act_CF_amt", "act_SP_amt")
OURS = ("majority", "weighted_majority", "dawid_skene", "one_coin")
PEERS = ("MajorityVote", "DawidSkene", "GLAD", "MACE")
DEFAULT = "dawid_skene"
SAME = 1e-9
POINTS = 0.005
GIB = 2**30

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Three columns of words: task, worker, label."""


@dataclass(frozen=True)
class Belief:
    """What a method believes: rows of probabilities (t, k), and what its rows and columns are about."""

    tasks: Sequence[str]
    labels: Sequence[str]
    posterior: np.ndarray


def ours(name: str, rows: Rows) -> Belief:
    table = AnswerTable.from_columns(*rows)
    return Belief(table.tasks, table.labels, RESOLVERS[name](table).posterior)


def peer(name: str, rows: Rows) -> Belief:
    import pandas as pd
    from crowdkit import aggregation

    warnings.simplefilter("ignore")
    options = {"random_state": 0} if name == "MACE" else {}
    frame = pd.DataFrame(
        dict(zip(("task", "worker", "label"), (column.astype(object) for column in rows), strict=True))
    )
    found = getattr(aggregation, name)(**options).fit_predict_proba(frame).fillna(0.0)
    return Belief([str(t) for t in found.index], [str(label) for label in found.columns], found.to_numpy(np.float64))


def right(belief: Belief, tasks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How far each truth is what is believed most, ties in part; a task or label that is not known counts as wrong."""
    row = {task: at for at, task in enumerate(belief.tasks)}
    column = {label: at for at, label in enumerate(belief.labels)}
    top = belief.posterior >= belief.posterior.max(axis=1, keepdims=True) - SAME
    each = top / top.sum(axis=1, keepdims=True)
    pairs = zip(tasks.tolist(), truth.tolist(), strict=True)
    return np.array([each[row[t], column[y]] if t in row and y in column else 0.0 for t, y in pairs])


def on_gold(folder: Path, name: str, fit: Callable[[Rows], Belief]) -> float:
    answers = parquet.read_table(folder / f"{name}_answers.parquet")
    gold = parquet.read_table(folder / f"{name}_gold.parquet")
    task, truth = (gold[column].to_numpy() for column in ("task", "gold"))
    rows = tuple(answers[column].to_numpy() for column in ("task", "worker", "label"))
    answered = np.isin(task.astype(str), rows[0].astype(str))
    return float(right(fit(rows), task[answered], truth[answered]).mean())


def on_the_one_left_out(folder: Path, fit: Callable[[Rows], Belief]) -> float:
    """convabuse has no gold: how often seven people's answers foretell the eighth's, where two or more gave one."""
    answers = parquet.read_table(folder / "annotations.parquet")
    task, worker, label = (answers[column].to_numpy().astype(str) for column in ("id", "annotator", "label"))
    found = []
    for who in np.unique(worker):
        out = worker == who
        pairs = np.unique(np.stack([task[~out], worker[~out]], axis=1), axis=0)
        several, people = np.unique(pairs[:, 0], return_counts=True)
        asked = out & np.isin(task, several[people > 1])
        found.append(right(fit((task[~out], worker[~out], label[~out])), task[asked], label[asked]))
    return float(np.concatenate(found).mean())


def invented(tasks: int, answers: int, workers: int = 500, k: int = 5, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Codes of task, worker and label (m,) in no order, and the truth (t,): people of 50 to 95 %, a class of 4 %."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, tasks, p=np.array([50, 25, 13, 8, 4]) / 100)
    accuracy = rng.uniform(0.5, 0.95, workers)
    task = rng.permutation(np.arange(answers) % tasks)
    worker = rng.integers(workers, size=answers)
    slip = (truth[task] + rng.integers(1, k, size=answers)) % k
    return task, worker, np.where(rng.random(answers) < accuracy[worker], truth[task], slip), truth


def timed_ours(tasks: int, answers: int, steps: int) -> tuple[float, np.ndarray, float]:
    """Seconds to settle a table of codes, the beliefs, and the share right; `steps` without a prior, or 0 for ours."""
    import scipy.sparse
    import scipy.special  # noqa: F401  imports are timed on neither side

    task, worker, label, truth = invented(tasks, answers)
    names = (tuple(map(str, range(tasks))), tuple(map(str, range(500))), tuple(map(str, range(5))))
    by = DawidSkene(right=0.0, error=1e-10, seen=1e-10, tolerance=0.0, steps=steps) if steps else DawidSkene()
    begun = time.perf_counter()
    settled = by(AnswerTable(task, worker, label, *names))
    return time.perf_counter() - begun, settled.posterior, float((settled.labels == truth).mean())


def timed_peer(tasks: int, answers: int) -> tuple[float, np.ndarray, int]:
    """The same of crowd-kit, as it stops by itself; and in how many steps."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene as Peer

    task, worker, label, _ = invented(tasks, answers)
    frame = pd.DataFrame({"task": task, "worker": worker, "label": label})
    begun = time.perf_counter()
    by = Peer()
    found = by.fit_predict_proba(frame).reindex(index=range(tasks), columns=range(5)).to_numpy()
    return time.perf_counter() - begun, found, len(by.loss_history_)


def peak() -> int:
    """Most bytes that this process has held."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) * 1024


def work(job: Callable[..., Any], args: tuple[Any, ...], told: Any) -> None:
    try:
        told.send((job(*args), peak(), ""))
    except Exception as error:  # any peer may fail in any way: it is told in the table
        told.send((None, 0, f"{type(error).__name__}: {error}"[:60]))


def apart(limit: float, job: Callable[..., Any], *args: Any) -> tuple[Any, int, str]:
    """What a job gives, its peak memory, and what was wrong, from a process of its own that is ended at the limit."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    child = spawn.Process(target=work, args=(job, args, there))
    child.start()
    there.close()
    try:
        found = here.recv() if here.poll(limit) else (None, 0, f"over {limit:.0f} s")
    except EOFError:
        found = None, 0, "died"
    child.kill()
    child.join()
    return found


def scored(folder: Path, name: str, side: str, method: str) -> float:
    fit: Callable[[Rows], Belief] = lambda rows: (ours if side == "ours" else peer)(method, rows)  # noqa: E731
    return (
        on_the_one_left_out(folder / "text" / name, fit)
        if name == "convabuse"
        else on_gold(folder / "crowd", name, fit)
    )


def accuracies(folder: Path, limit: float) -> tuple[list[list[str]], list[Goal]]:
    """A row a set, and whether the default resolver is near the best of the peers on each."""
    rows, goals = [], []
    for name in (*SETS, "convabuse"):
        got: dict[tuple[str, str], float] = {}
        cells = [name]
        for side, method in [("crowd-kit", peer) for peer in PEERS] + [("ours", resolver) for resolver in OURS]:
            found, _, wrong = apart(limit, scored, folder, name, side, method)
            cells.append(wrong or f"{found:.4f}")
            if not wrong:
                got[side, method] = found
        print(*cells, sep=" | ", flush=True)
        rows.append(cells)
        peers = {method: value for (side, method), value in got.items() if side == "crowd-kit"}
        best, mine = max(peers, key=peers.__getitem__, default=""), got.get(("ours", DEFAULT), float("nan"))
        top = peers.get(best, float("nan"))
        told = f"{mine:.4f}, and the best of crowd-kit, {best}, {top:.4f}"
        goals.append(
            Goal(f"accuracy on {name}", "0.5 points below the best or better", told, mine >= top - POINTS - SAME)
        )
    return rows, goals


def beside(answers: int, limit: float) -> list[Goal]:
    """Dawid and Skene's own equations, without a prior, here and there, step for step: the last ones hardly move."""
    peers, _, other = apart(limit, timed_peer, answers // 5, answers)
    mine, _, wrong = apart(limit, timed_ours, answers // 5, answers, 0 if other else peers[2])
    name, goal = f"Dawid-Skene of {answers:,} answers beside crowd-kit", "20 times as fast, the same answer"
    if wrong or other:
        return [Goal(name, goal, f"ours: {wrong or 'done'}; crowd-kit: {other or 'done'}", False)]
    same = float((mine[1].argmax(axis=1) == peers[1].argmax(axis=1)).mean())
    far = float(np.abs(mine[1] - peers[1]).max())
    ratio = peers[0] / mine[0]
    alike = f"{same:.4%} of the labels alike, beliefs at most {far:.1e} apart"
    told = f"{mine[0]:.2f} s and {peers[0]:.1f} s for {peers[2]} steps: {ratio:.1f} times; {alike}"
    return [Goal(name, goal, told, ratio >= 20 and same == 1.0)]


def large(answers: int, limit: float) -> list[Goal]:
    """The default resolver on a large table, to convergence."""
    found, most, wrong = apart(limit, timed_ours, answers // 5, answers, 0)
    name = f"Dawid-Skene of {answers:,} answers"
    if wrong:
        return [Goal(name, "under 30 s and 4 GiB", wrong, False)]
    told = f"{found[0]:.1f} s, {most / GIB:.2f} GiB at most, inventing the answers included; {found[2]:.4f} right"
    return [Goal(name, "under 30 s and 4 GiB", told, found[0] < 30 and most < 4 * GIB)]


def main(quick: bool, small: int, big: int, only_speed: bool) -> None:
    limit = 60.0 if quick else 1800.0
    goals = [*large(big, 300.0), *beside(small, 300.0 if quick else 1800.0)]
    for goal in goals:
        print(goal.name, goal.measured, flush=True)
    rows: list[list[str]] = []
    folder = shared()
    if folder is None:
        print("no accuracies: the folder of real crowds is absent; set HITL_SHARED")
    elif not only_speed:
        rows, met = accuracies(folder / "data", limit)
        goals += met
    headers = ["set", *(f"crowd-kit {name}" for name in PEERS), *(f"ours: {name}" for name in OURS)]
    finish("truth_inference", goals, rows, headers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="peers get a minute a set and not half an hour")
    parser.add_argument("--speed", action="store_true", help="time and memory alone")
    parser.add_argument("--small", type=int, default=1_000_000, help="answers beside crowd-kit")
    parser.add_argument("--big", type=int, default=10_000_000, help="answers of the large table")
    chosen = parser.parse_args()
    main(chosen.quick, chosen.small, chosen.big, chosen.speed)
