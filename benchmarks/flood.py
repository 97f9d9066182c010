"""A flood: 30 % of a pool are near-copies of 20 texts of which the model is unsure. How many different texts are asked?

A copy has other numbers and punctuation and sometimes a swapped word. Nothing of the flood is labelled yet, as when a
campaign has just begun. Ours are the picks of the default plan's arms; the peers are asked for as many.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from common import Goal, finish
from peers import PEERS, State
from picking import Data, choose
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from hitl.sampling.aims import Standing
from hitl.sampling.diversity import on_grid
from hitl.sampling.plan import ARMS, Plan
from hitl.sampling.select import Before

POOL, FLOOD, TEMPLATES, LABELLED = 5_000, 0.3, 20, 300
CONSONANTS = [*"bdfgjklmnprstvwxz", "qu", "sh", "tr"]
VOWELS = [*"aeiou", "ai", "ou"]
ENDS = ("", ".", "!", "!!", " ...", "?")
SLOW = ("GreedyCoreset", "BatchBALD", "ProbCover", "MaxHerding", "(McPAL)")
"""Peers that take from some seconds to minutes for each query; what they look at others look at, too."""


@dataclass(frozen=True)
class Flood:
    """A pool with a planted group for each item (a text of its own, or the template that it copies), and the seed."""

    texts: list[str]
    groups: np.ndarray  # (N,)
    truth: np.ndarray  # (N,) class codes
    seeds: np.ndarray  # (LABELLED,) positions


def words(rng: np.random.Generator, count: int) -> np.ndarray:
    """Invented words."""
    pairs = [[rng.choice(CONSONANTS, 3), rng.choice(VOWELS, 3)] for _ in range(count)]
    return np.array(["".join(np.array(pair).T.ravel()[: rng.integers(3, 7)]) for pair in pairs])


def written(rng: np.random.Generator, lexicons: list[np.ndarray], truth: int, sure: float) -> list[str]:
    """A text of 10 to 24 words and a number: `sure` of what marks a class is of its own, the rest of another one."""
    marked = rng.random(int(rng.integers(10, 25))) < 0.5
    other = int((truth + rng.integers(1, 3)) % 3)
    classes = np.where(rng.random(len(marked)) < sure, truth, other)
    text = [str(rng.choice(lexicons[c + 1] if mark else lexicons[0])) for mark, c in zip(marked, classes, strict=True)]
    return [*text, str(rng.integers(10, 10_000))]


def copied(rng: np.random.Generator, template: list[str], common: np.ndarray) -> str:
    """A near-copy: another number, other punctuation, and in three of ten cases another word."""
    text = [*template[:-1], str(rng.integers(10, 10_000))]
    if rng.random() < 0.3:
        text[rng.integers(len(text) - 1)] = str(rng.choice(common))
    if rng.random() < 0.5:
        text[rng.integers(len(text))] += ","
    return " ".join(text) + str(rng.choice(ENDS))


def planted(seed: int) -> Flood:
    """A pool in random order; its seed set is drawn from what is not of the flood."""
    rng = np.random.default_rng(seed)
    lexicons = [words(rng, 1500), *(words(rng, 80) for _ in range(3))]
    truth = rng.choice(3, POOL, p=[0.6, 0.25, 0.15])
    groups = TEMPLATES + np.arange(POOL)
    flooded = rng.permutation(POOL)[: int(POOL * FLOOD)]
    groups[flooded] = rng.integers(TEMPLATES, size=len(flooded))
    templates = [written(rng, lexicons, code % 3, sure=0.5) for code in range(TEMPLATES)]
    truth[flooded] = groups[flooded] % 3
    texts = [
        copied(rng, templates[group], lexicons[0])
        if group < TEMPLATES
        else " ".join(written(rng, lexicons, code, sure=0.95))
        for group, code in zip(groups.tolist(), truth.tolist(), strict=True)
    ]
    seeds = np.sort(rng.choice(np.flatnonzero(groups >= TEMPLATES), LABELLED, replace=False))
    return Flood(texts, groups, truth, seeds)


def state_of(flood: Flood, seed: int) -> State:
    """TF-IDF, a logistic regression fitted on the seed set, and LSA embeddings."""
    x = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(flood.texts)
    embeddings = normalize(TruncatedSVD(64, random_state=seed).fit_transform(x)).astype(np.float32)
    y = flood.truth[flood.seeds]
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(x[flood.seeds], y)
    rest = np.delete(np.arange(POOL), flood.seeds)
    return State(x, embeddings, model.predict_proba(x).astype(np.float32), flood.seeds, y, model, rest)


def ours(flood: Flood, state: State, n: int) -> np.ndarray:
    """The arms' picks under the default plan, with a budget that gives them `n`."""
    plans = (Plan(budget=budget) for budget in range(n, 3 * n))
    plan = next(plan for plan in plans if sum(plan.counts()[arm] for arm in plan.arms) == n)
    at = state.unlabelled
    data = Data(state.proba[at], on_grid(state.embeddings[at]), at.astype(np.uint64), np.ones(len(at)))
    held = {"spam": int((state.y == 1).sum()), "threat": int((state.y == 2).sum())}
    standing = Standing(held, labelled=len(state.y), views=False)
    before = Before(texts=[flood.texts[p] for p in state.labelled.tolist()])
    read = partial(texts_at, flood.texts, at)
    picks = [pick for pick in choose(plan, standing, data, read, before).picks if pick.arm in ARMS]
    return at[[pick.position for pick in picks]]


def texts_at(texts: list[str], positions: np.ndarray, rows: np.ndarray) -> list[str]:
    return [texts[position] for position in positions[rows].tolist()]


def asked(flood: Flood, state: State, n: int, seed: int) -> dict[str, tuple[float, float, int]]:
    """For each side, the share of its picks that are different texts, that of the flood, and how many picks it made."""
    ways: dict[str, Callable[[], np.ndarray]] = {"ours, default plan": lambda: ours(flood, state, n)}
    for name, pick in PEERS.items():
        if not name.endswith(SLOW):
            ways[name] = partial(pick, state, n, np.random.default_rng(seed))
    found = {}
    for name, way in ways.items():
        groups = flood.groups[way()]
        found[name] = (len(np.unique(groups)) / len(groups), float((groups < TEMPLATES).mean()), len(groups))
        state.memory.clear()
    return found


def main(seeds: int) -> None:
    pools = [planted(seed) for seed in range(seeds)]
    states = [state_of(flood, seed) for seed, flood in enumerate(pools)]
    told = {
        n: [asked(flood, state, n, seed) for seed, (flood, state) in enumerate(zip(pools, states, strict=True))]
        for n in (25, 100)
    }
    rows, goals = [], []
    for name in told[25][0]:
        cells = [name]
        for runs in told.values():
            distinct, flooded, _ = np.array([run[name] for run in runs]).T
            cells += [f"{distinct.mean():.1%} ± {distinct.std():.1%}", f"{distinct.min():.0%}", f"{flooded.mean():.0%}"]
        rows.append(cells)
    for n, runs in told.items():
        mine = [run["ours, default plan"][0] for run in runs]
        peers = {name: np.mean([run[name][0] for run in runs]) for name in runs[0] if not name.startswith("ours")}
        worst, best = min(peers.values()), max(peers.values())
        figures = f"{min(mine):.0%} at worst of {seeds} pools; peers' means {worst:.1%} to {best:.1%}"
        goals.append(Goal(f"different texts, batch {n}", "100 %", figures, min(mine) == 1))
        fewest = min(run["ours, default plan"][2] for run in runs)
        goals.append(Goal(f"places that the arms filled, batch {n}", str(n), f"{fewest} at worst", fewest == n))
    headers = ["strategy", *(f"{n}: {what}" for n in told for what in ("different texts", "worst", "of the flood"))]
    finish("flood", goals, rows, headers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 pools instead of 5")
    main(2 if parser.parse_args().quick else 5)
