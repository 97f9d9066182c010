"""The peers' own query strategies behind one call: `PEERS[name](state, n, rng)` gives positions in the pool.

Nothing is re-implemented here: each adapter builds the peer's class and calls its `query`. What a peer answers is
handed on as it is, a position that it names twice included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from adapters import (
    Activeml,
    Modal,
    Pick,
    SmallText,
    State,
    at_random,
    by_both,
    by_committee,
    by_discriminator,
    by_embeddings,
    by_evidence,
    by_linear,
    by_proba,
)
from common import finish
from modAL.batch import uncertainty_batch_sampling
from modAL.uncertainty import entropy_sampling, margin_sampling
from scipy.sparse import csr_matrix, random_array
from skactiveml import pool as activeml
from sklearn.linear_model import LogisticRegression
from small_text import query_strategies as small_text
from small_text.classifiers.factories import SklearnClassifierFactory

__all__ = ["JUST_PROBA", "PEERS", "State"]


def uncertain(method: str) -> Activeml:
    return Activeml(lambda **options: activeml.UncertaintySampling(method=method, **options), by_proba)


def silently(make: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def discriminative(_: int) -> Any:
    """small-text's discriminative strategy on embeddings, in ten rounds."""
    return small_text.DiscriminativeActiveLearning(SklearnClassifierFactory(LogisticRegression(max_iter=300), 2), 10)


def ties() -> Any:
    return small_text.BreakingTies()


PEERS: dict[str, Pick] = {
    "random": at_random,
    "small-text BreakingTies": SmallText(lambda _: ties()),
    "small-text LeastConfidence": SmallText(lambda _: small_text.LeastConfidence()),
    "small-text PredictionEntropy": SmallText(lambda _: small_text.PredictionEntropy()),
    "small-text EmbeddingKMeans": SmallText(lambda _: small_text.EmbeddingKMeans()),
    "small-text LightweightCoreset": SmallText(lambda _: small_text.LightweightCoreset()),
    "small-text GreedyCoreset": SmallText(lambda _: silently(small_text.GreedyCoreset)),
    "small-text ContrastiveActiveLearning": SmallText(lambda _: small_text.ContrastiveActiveLearning(pbar=None)),
    "small-text AnchorSubsampling + BreakingTies": SmallText(lambda _: small_text.AnchorSubsampling(ties())),
    "small-text SEALS + BreakingTies": SmallText(lambda _: small_text.SEALS(ties())),
    "small-text DiscriminativeActiveLearning": SmallText(discriminative, features="embeddings"),
    "scikit-activeml margin": uncertain("margin_sampling"),
    "scikit-activeml entropy": uncertain("entropy"),
    "scikit-activeml least_confident": uncertain("least_confident"),
    "scikit-activeml ProbabilisticAL (McPAL)": Activeml(activeml.ProbabilisticAL, by_evidence),
    "scikit-activeml Badge": Activeml(activeml.Badge, by_both),
    "scikit-activeml Clue": Activeml(activeml.Clue, by_both),
    "scikit-activeml Falcun": Activeml(activeml.Falcun, by_proba),
    "scikit-activeml DropQuery": Activeml(activeml.DropQuery, by_linear),
    "scikit-activeml ContrastiveAL": Activeml(activeml.ContrastiveAL, by_both),
    "scikit-activeml QueryByCommittee": Activeml(activeml.QueryByCommittee, by_committee),
    "scikit-activeml GreedyBALD": Activeml(activeml.GreedyBALD, by_committee),
    "scikit-activeml BatchBALD": Activeml(activeml.BatchBALD, by_committee),
    "scikit-activeml CoreSet": Activeml(activeml.CoreSet, by_embeddings),
    "scikit-activeml TypiClust": Activeml(activeml.TypiClust, by_embeddings),
    "scikit-activeml ProbCover": Activeml(activeml.ProbCover, by_embeddings),
    "scikit-activeml MaxHerding": Activeml(activeml.MaxHerding, by_embeddings),
    "scikit-activeml DiscriminativeAL": Activeml(activeml.DiscriminativeAL, by_discriminator),
    "modAL margin": Modal(margin_sampling),
    "modAL entropy": Modal(entropy_sampling),
    "modAL ranked batch": Modal(uncertainty_batch_sampling, embeds=True),
}

JUST_PROBA = frozenset(name for name, pick in PEERS.items() if isinstance(pick, Activeml) and pick.ask is by_proba)
"""Strategies of scikit-activeml that never look at embeddings."""


def invented(total: int, labelled: int, seed: int = 0) -> State:
    """A pool of noise with planted classes, 10 % rare, and a model fitted on the labelled items."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, total, p=[0.6, 0.3, 0.1])
    x = csr_matrix(random_array((total, 2000), density=0.01, rng=rng))
    embeddings = rng.standard_normal((total, 128)) + 2 * rng.standard_normal((3, 128))[y]
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    positions = rng.permutation(total)
    asked, rest = np.sort(positions[:labelled]), np.sort(positions[labelled:])
    model = LogisticRegression().fit(x[asked], y[asked])
    logits = embeddings @ rng.standard_normal((128, 3))
    proba = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    return State(x, embeddings, proba.astype(np.float32), asked, y[asked], model, rest)


def queried(name: str, state: State, n: int, told: Any) -> None:
    """Two queries of one run, the second with what the first found; sends seconds and what was wrong."""
    rng, seconds, wrong = np.random.default_rng(0), [], set()
    try:
        for _ in range(2):
            begun = time.perf_counter()
            picks = PEERS[name](state, n, rng)
            seconds.append(time.perf_counter() - begun)
            wrong |= {"repeats a position"} if len(np.unique(picks)) < len(picks) else set()
            wrong |= {f"{len(picks)} picks"} if len(picks) != n else set()
            wrong |= {"picks what is labelled"} if np.isin(picks, state.labelled).any() else set()
            asked = np.union1d(state.labelled, picks)
            y = np.arange(len(asked)) % 3
            rest = np.setdiff1d(np.arange(len(state.proba)), asked)
            state = State(state.x, state.embeddings, state.proba, asked, y, state.classifier, rest, memory=state.memory)
    except Exception as error:  # any peer may fail in any way: it is told in the table
        wrong.add(f"{type(error).__name__}: {error}"[:60])
    told.send((seconds, sorted(wrong)))


def within(limit: float, name: str, state: State, n: int) -> tuple[list[str], str]:
    """Seconds of the first and second query and remarks, from a process of its own that is ended at the limit."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    child = fork.Process(target=queried, args=(name, state, n, there))
    child.start()
    there.close()
    try:
        seconds, wrong = here.recv() if here.poll(limit) else ([], [f"over {limit:.0f} s"])
    except EOFError:
        seconds, wrong = [], ["died"]
    child.kill()
    child.join()
    return [f"{spent:.2f}" for spent in seconds], "; ".join(wrong)


def main(sizes: list[int], labelled: int, n: int, limit: float) -> None:
    states = [invented(size, labelled) for size in sizes]
    rows = []
    for name in PEERS:
        ran = [within(limit, name, state, n) for state in states]
        rows.append([name, *(" / ".join(seconds) or "-" for seconds, _ in ran), "; ".join({w: 0 for _, w in ran if w})])
        print(*rows[-1], sep=" | ", flush=True)
    headers = ["strategy", *(f"{size:,} items: 1st / 2nd query, s" for size in sizes), "remarks"]
    finish("peers", [], rows, headers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Each peer once, on invented data: two queries of one run, timed.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[11_000, 25_000])
    parser.add_argument("--labelled", type=int, default=1_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--limit", type=float, default=30, help="seconds for the two queries of a peer")
    chosen = parser.parse_args()
    main(chosen.sizes, chosen.labelled, chosen.batch, chosen.limit)
