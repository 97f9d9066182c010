"""Labels saved: our default plan against random picking and the peers' strategies, on data whose labels are known.

(a) The same model for all: what a strategy picks is all that differs. (b) System against system: our default model,
plan and thresholds against the peer's best strategy on TF-IDF and logistic regression, both of scikit-learn at their
defaults. Each run begins with the same 50 random items of its seed and buys labels in batches up to 2,050; figures are
of a test set that nobody picks from.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import OUT, Goal, finish, shared
from peers import PEERS
from peers import State as PeerState
from simulated import LABELS, SOURCES, Ours, Split, System, load, simulate
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

import hitl
from hitl.types import Predictions

SAME = hitl.TextLinear(lsa_scale=0, naive_bayes=0)
"""The model of all in (a): TF-IDF of words and characters, balanced logistic regression, the likeliest label."""

RANDOM, MINE = "random", "hitl default plan"
EVERYWHERE = (RANDOM, MINE, "small-text BreakingTies", "scikit-activeml entropy")
"""Strategies that also run with batches of 25."""

MORE = (
    "small-text LeastConfidence",
    "small-text LightweightCoreset",
    "small-text AnchorSubsampling + BreakingTies",
    "scikit-activeml margin",
    "scikit-activeml Falcun",
    "scikit-activeml QueryByCommittee",
)
"""Those that run with batches of 100 alone; slower ones (BADGE, TypiClust, SEALS, ...) are timed in `peers.py`."""

THEIRS = ("small-text BreakingTies", "small-text LeastConfidence", "scikit-activeml Falcun", "random")
"""Strategies of the peer's system in (b)."""


@dataclass(frozen=True)
class Job:
    """One run: which set, seed, batch size and strategy, with the model of all, of the peers, or ours."""

    name: str
    seed: int
    batch: int
    strategy: str
    model: str = "same"


@cache
def prepared(name: str) -> tuple[Any, Any]:
    """A set with its features, computed once in each process and kept on disk."""
    folder = shared()
    if folder is None:
        raise SystemExit("skipped: HITL_SHARED names no folder with data/text")
    data = load(name, folder)
    return data, hitl.TextLinear().features(data.pool, OUT / "features")


@dataclass(frozen=True, eq=False)
class Peer:
    """A peer's strategy on the state of a run."""

    name: str

    def __call__(self, split: Split, features: Any, predicted: Predictions, n: int) -> np.ndarray:
        at, labelled = split.pool, np.searchsorted(split.pool, split.labelled)
        if "x" not in split.memory:
            unit = np.asarray(features.embeddings[at], dtype=np.float32) / 2048
            x = features.take(at).astype(np.float64)
            split.memory |= {"x": x[:, np.unique(x.indices)], "embeddings": unit, "kept": {}}
        y = split.data.truth[at][labelled]
        model = LogisticRegression(class_weight="balanced", max_iter=300)
        if self.name == "scikit-activeml QueryByCommittee":
            if np.bincount(y).max() > len(y) - 5:  # its members cannot be fitted on samples of one class
                return split.rng.choice(split.unlabelled, n, replace=False)
            model.fit(split.memory["x"][labelled], y)  # the one that refits it
        state = PeerState(
            split.memory["x"], split.memory["embeddings"], predicted.proba[at], labelled, y, model,
            np.setdiff1d(np.arange(len(at)), labelled), split.memory["kept"],
        )  # fmt: skip
        return at[PEERS[self.name](state, n, split.rng)]


@dataclass(frozen=True, eq=False)
class Plain:
    """scikit-learn's own TF-IDF and logistic regression at their defaults, as a recipe."""

    x: Any

    def fit(self, features: Any, targets: Any, rng: Any, *, multi_label: bool) -> Plain:
        y = targets.y.argmax(axis=1)
        model = LogisticRegression() if len(np.unique(y)) > 1 else DummyClassifier()
        return _Fitted(self.x, model.fit(self.x[targets.positions], y), targets)


@dataclass(frozen=True, eq=False)
class _Fitted:
    x: Any
    model: Any
    targets: Any

    def predict(self, _: Any) -> Predictions:
        proba = np.zeros((self.x.shape[0], self.targets.y.shape[1]), dtype=np.float32)
        proba[:, self.model.classes_] = self.model.predict_proba(self.x)
        return Predictions(proba, self.targets.labels, "scikit-learn")


@cache
def plain(name: str) -> Plain:
    pool = prepared(name)[0].pool
    return Plain(TfidfVectorizer().fit_transform(pool.texts(np.arange(len(pool)))))


def ran(job: Job) -> tuple[Job, list[list[float]], float]:
    """One run and its seconds."""
    data, features = prepared(job.name)
    split, begun = Split.of(data, job.seed), time.perf_counter()
    plan = hitl.Plan()
    if job.model == "ours":
        told = simulate(split, features, hitl.TextLinear(), System(plan), job.batch)
    else:
        strategy = Ours(plan) if job.strategy == MINE else Peer(job.strategy)
        told = simulate(split, features, SAME if job.model == "same" else plain(job.name), strategy, job.batch)
    return job, told.tolist(), time.perf_counter() - begun


def jobs(names: list[str], seeds: int, quick: bool) -> list[Job]:
    """Seed by seed, so that an interrupted call leaves whole seeds."""
    found = []
    for seed in range(seeds):
        wide = EVERYWHERE[:3] if quick else (*EVERYWHERE, *MORE)
        found += [Job(name, seed, 100, who) for name in names for who in wide]
        found += [] if quick else [Job(name, seed, 25, who) for name in names for who in EVERYWHERE]
        found += [Job(name, seed, 100, "hitl", "ours") for name in names]
        found += [Job(name, seed, 100, who, "plain") for name in names for who in (THEIRS[:1] if quick else THEIRS)]
    return found


Runs = dict[Job, np.ndarray]


def everything(wanted: list[Job], kept: Path, processes: int) -> Runs:
    """All runs; those that an interrupted call left in `kept` are not done again."""
    found: Runs = {}
    if kept.exists():
        for line in kept.read_text().splitlines():
            row = json.loads(line)
            found[Job(**row["job"])] = np.array(row["told"])
    left = [job for job in wanted if job not in found]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("spawn").Pool(processes) as pool, kept.open("a") as file:
        for number, (job, told, seconds) in enumerate(pool.imap_unordered(ran, left), start=1):
            found[job] = np.array(told)
            file.write(json.dumps({"job": vars(job), "told": told, "seconds": seconds}) + "\n")
            file.flush()
            print(f"{number}/{len(left)} {job.name} {job.strategy} {job.model} {job.batch} {seconds:.0f} s", flush=True)
    return {job: found[job] for job in wanted}


def summary(told: np.ndarray) -> dict[str, float]:
    """A run's figures: areas under the curves of macro-F1 and average precision, and rare positives found."""
    labels = told[:, 0]
    at = {count: told[min(np.searchsorted(labels, count), len(told) - 1), 3] for count in (500, 2000)}
    width = labels[-1] - labels[0]
    return {
        "macro-F1": float(np.trapezoid(told[:, 1], labels) / width),
        "AP": float(np.trapezoid(told[:, 2], labels) / width),
        "rare at 500": float(at[500]),
        "rare at 2,000": float(at[2000]),
        "last F1": float(told[-1, 1]),
    }


FIGURES = ("macro-F1", "AP", "rare at 500", "rare at 2,000")


@cache
def all_data(name: str, seed: int) -> float:
    """Macro-F1 of the model of all when the whole pool is labelled."""
    data, features = prepared(name)
    split = Split.of(data, seed)
    split.labelled = split.pool.tolist()
    from simulated import figures, learn

    return figures(split, learn(split, features, SAME).proba)[1]


def reached(told: np.ndarray, level: float) -> float:
    """Labels at which macro-F1 first comes to a level and stays there on average; infinite when it does not."""
    smooth = np.array([told[max(row - 1, 0) : row + 2, 1].mean() for row in range(len(told))])
    over = np.flatnonzero(smooth >= level)
    return float(told[over[0], 0]) if len(over) else float("inf")


def paired(mine: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Mean difference over the seeds, with the half width of its 95 % interval (Student's t), and the p value."""
    from scipy.stats import t

    difference = np.array(mine) - np.array(theirs)
    error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else float("inf")
    if not error:
        return float(difference.mean()), 0.0, 0.0 if difference.mean() else 1.0
    p = 2 * t.sf(abs(difference.mean()) / error, len(difference) - 1)
    return float(difference.mean()), float(t.ppf(0.975, len(difference) - 1) * error), float(p)


def table(runs: Runs, names: list[str], seeds: int) -> tuple[list[list[str]], dict[Any, dict[str, list[float]]]]:
    """A row a set, batch and strategy: mean ± deviation of each figure, and our paired difference where it is clear."""
    told: dict[Any, dict[str, list[float]]] = {}
    for job, run in runs.items():
        if job.model == "same":
            place = told.setdefault((job.name, job.batch, job.strategy), {figure: [] for figure in FIGURES})
            for figure in FIGURES:
                place[figure].append(summary(run)[figure])
    rows = []
    for (name, batch, who), values in told.items():
        mine = told[name, batch, MINE]
        row = [name, str(batch), who]
        for figure in FIGURES:
            places = 3 if figure in ("macro-F1", "AP") else 0
            cell = f"{np.mean(values[figure]):.{places}f} ± {np.std(values[figure]):.{places}f}"
            if who != MINE:
                gap, half, _ = paired(mine[figure], values[figure])
                cell += f"  ({gap:+.{places}f} ± {half:.{places}f})"
            row.append(cell)
        levels = [
            np.median([reached(runs[Job(name, s, batch, who)], share * all_data(name, s)) for s in range(seeds)])
            for share in (0.9, 0.95, 0.99)
        ]
        rows.append([*row, " / ".join(f"{level:.0f}" if np.isfinite(level) else "–" for level in levels)])
    return sorted(rows, key=lambda row: (row[0], int(row[1]), row[2] != MINE, row[2])), told


def same_model(told: dict[Any, dict[str, list[float]]]) -> list[Goal]:
    """Goal (a): nobody clearly ahead of us on any set, batch and figure; random nowhere above; and clearly more rare
    positives than everybody whose macro-F1 is no better."""
    places = sorted({(name, batch) for name, batch, _ in told})
    ahead, below, rare_won, rare_all = [], [], 0, 0
    for name, batch in places:
        mine = told[name, batch, MINE]
        for (other, size, who), values in told.items():
            if (other, size) != (name, batch) or who == MINE:
                continue
            for figure in FIGURES:
                gap, half, _ = paired(mine[figure], values[figure])
                if gap + half < 0:
                    ahead.append(f"{who} on {name}/{batch} {figure} {gap:+.3g}")
                if who == RANDOM and gap < 0 and figure in ("macro-F1", "AP"):
                    below.append(f"{name}/{batch} {figure} {gap:+.3g}")
            gap, half, _ = paired(mine["macro-F1"], values["macro-F1"])
            if abs(gap) <= half or gap >= 0:
                for figure in ("rare at 500", "rare at 2,000"):
                    rare_gap, rare_half, _ = paired(mine[figure], values[figure])
                    rare_all += 1
                    rare_won += rare_gap - rare_half > 0
    total = sum(1 for name, batch, who in told if who != MINE) * len(FIGURES)
    return [
        Goal(
            "(a) nobody clearly ahead of the default plan",
            "0 comparisons",
            f"{len(ahead)} of {total}: {'; '.join(ahead[:12]) or 'none'}",
            not ahead,
        ),
        Goal("(a) never under random (macro-F1, AP)", "0 comparisons", "; ".join(below) or "0", not below),
        Goal(
            "(a) clearly more rare positives than whoever has no better macro-F1",
            "all comparisons",
            f"{rare_won} of {rare_all}",
            rare_won == rare_all,
        ),
    ]


def systems(runs: Runs, names: list[str], seeds: int) -> tuple[list[Goal], list[list[str]]]:
    """Goal (b): labels at which our system has the macro-F1 of the peers' best system at the end."""
    rows, met = [], []
    for name in names:
        others = {job.strategy for job in runs if job.model == "plain" and job.name == name}
        last = {who: [runs[Job(name, s, 100, who, "plain")][-1, 1] for s in range(seeds)] for who in others}
        best = max(last, key=lambda who: np.mean(last[who]))
        level = float(np.mean(last[best]))
        curve = np.mean([runs[Job(name, s, 100, "hitl", "ours")][:, :2] for s in range(seeds)], axis=0)
        labels = reached(curve, level)
        each = [reached(runs[Job(name, s, 100, "hitl", "ours")], last[best][s]) for s in range(seeds)]
        met.append(labels <= LABELS / 2)
        told = f"{labels:.0f}" if np.isfinite(labels) else "not reached"
        by_seed = ", ".join(f"{one:.0f}" if np.isfinite(one) else "–" for one in each)
        rows.append([name, best, f"{level:.3f}", told, f"{labels / LABELS:.2f}", by_seed, f"{curve[-1, 1]:.3f}"])
    measured = ", ".join(f"{row[0]} {row[4]}" for row in rows)
    goal = Goal("(b) share of 2,050 labels for the best peer system's macro-F1", "≤ 0.50 on each", measured, all(met))
    return [goal], rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sets, two seeds, batch 100, two peers")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="keep the runs of an interrupted call with the same code")
    chosen = parser.parse_args()
    names = ["stormfront", "id_religion"] if chosen.quick else list(SOURCES)
    seeds = 2 if chosen.quick else chosen.seeds
    kept = OUT / f"label_efficiency{'_quick' if chosen.quick else ''}_runs.jsonl"
    if not chosen.resume:
        kept.unlink(missing_ok=True)
    for name in names:
        prepared(name)
    runs = everything(jobs(names, seeds, chosen.quick), kept, chosen.processes)
    rows, told = table(runs, names, seeds)
    goals, system_rows = systems(runs, names, seeds)
    headers = [
        "set",
        "best peer system",
        "its macro-F1 at 2,050",
        "our labels for it",
        "share",
        "by seed",
        "ours at 2,050",
    ]
    finish("label_efficiency_systems", goals, system_rows, headers)
    levels = "labels to 90 / 95 / 99 % of all data"
    headers = ["set", "batch", "strategy", *(f"{figure} (ours - it)" for figure in FIGURES), levels]
    finish("label_efficiency", same_model(told) + goals, rows, headers)


if __name__ == "__main__":
    main()
