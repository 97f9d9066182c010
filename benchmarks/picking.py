"""Our side of the benchmarks of selection: from plain arrays to a round's picks, by scan and select."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hitl.policy import Policy
from hitl.sampling.aims import Standing, aims
from hitl.sampling.plan import Plan
from hitl.sampling.scan import Job, ScanBatch, scan
from hitl.sampling.select import Before, Reading, Texts, select
from hitl.sampling.view import Stakes, Viewer
from hitl.types import PoolView, Selection

BATCH = 65_536
NONE = np.zeros(BATCH, dtype=np.int64)
POLICY = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}, {name: threat}]}")


@dataclass(frozen=True)
class Data:
    """A pool of N items: proba (N, 3), embeddings (N, d) on the grid, keys (N,) and reach (N,)."""

    proba: np.ndarray
    embeddings: np.ndarray
    keys: np.ndarray
    reach: np.ndarray


def choose(plan: Plan, standing: Standing, data: Data, texts: Texts, before: Before | None = None) -> Selection:
    """A round's picks by the plan: by one scan of the pool and what `select` makes of it."""
    task = Job(plan, aims(plan, standing), ("",), Stakes.of(POLICY, ("",), data.reach), seed=1)
    every = np.ones(BATCH, dtype=np.bool_)
    batches = (ScanBatch(at, view, NONE[: len(at)], every[: len(at)]) for at, view in views(data))
    read = Reading(
        ids=lambda at: [f"item {position}" for position in at.tolist()],
        texts=texts,
        embeddings=lambda at: data.embeddings[at],
        proba=lambda at: data.proba[at],
    )
    return select(scan(batches, task), plan, read, np.random.default_rng(1), before)


def views(data: Data) -> Iterator[tuple[np.ndarray, PoolView]]:
    """The pool in batches: positions and what a scorer sees."""
    viewer = Viewer(POLICY, ("",), seed=1)
    for start in range(0, len(data.proba), BATCH):
        at = np.arange(start, min(start + BATCH, len(data.proba)))
        rows = slice(start, start + BATCH)
        yield at, viewer.view(data.keys[rows], data.proba[rows], data.reach[rows], NONE[: len(at)])
