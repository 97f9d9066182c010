"""Campaigns on data whose labels are known: what each strategy picks, and how good the model is after each batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import average_precision_score, f1_score

import hitl
from hitl.deciding import decide
from hitl.metrics.prevalence import Drawn, pooled_prevalence
from hitl.models.thresholds import prevalence_thresholds
from hitl.sampling.aims import Standing, aims
from hitl.sampling.known import know
from hitl.sampling.mix import Yield, adapted, rarity
from hitl.sampling.scan import Job, ScanBatch, scan
from hitl.sampling.select import Before, Reading, select
from hitl.sampling.view import Stakes, Viewer
from hitl.types import Pick, Predictions, Targets

SEED_ITEMS, LABELS, TEST = 50, 2050, 0.3

POLICY = """
name: {name}
version: 1
labels:
{labels}
"""


@dataclass(frozen=True, eq=False)
class Data:
    """A data set with its truth: class codes (N,) into `labels`, of which `rare` is the harm that is looked for."""

    name: str
    pool: hitl.Pool
    policy: hitl.Policy
    truth: np.ndarray
    rare: int

    @property
    def labels(self) -> tuple[str, ...]:
        return self.policy.names


@dataclass(frozen=True)
class Source:
    """Where a data set is from: its file's column, the values that are kept, and the severity of each."""

    file: str
    column: str
    severity: Mapping[str, float]  # value → severity, 0 for what is fine; the others are left out
    rare: str


SOURCES = {
    "davidson": Source("davidson", "label", {"neither": 0, "offensive": 1, "hate": 3}, "hate"),
    "stormfront": Source("stormfront", "label", {"noHate": 0, "hate": 1}, "hate"),
    "clickbait": Source("clickbait", "label", {"news": 0, "clickbait": 1}, "clickbait"),
    "id_religion": Source("id_hs_multilabel", "label_HS_Religion", {"0": 0, "1": 1}, "1"),
    "id_strong": Source("id_hs_multilabel", "label_HS_Strong", {"0": 0, "1": 1}, "1"),
}
"""The sets of the issue; two labels of id_hs_multilabel: hate of a religion (6.0 %), strong hate (3.6 %)."""


def load(name: str, shared: Path) -> Data:
    """A set as a pool, a policy and its truth."""
    source = SOURCES[name]
    table = pq.read_table(shared / "data/text" / source.file / "items.parquet")
    values = np.array(table[source.column].cast(pa.string()).to_pylist(), dtype=object)
    kept = np.flatnonzero(np.isin(values, list(source.severity)))
    names = list(source.severity)
    labels = "\n".join(
        f"  - {{name: '{value}', severity: {severity}}}" if severity else f"  - {{name: '{value}', violating: false}}"
        for value, severity in source.severity.items()
    )
    return Data(
        name,
        hitl.Pool.open(table.select(["id", "text"]).take(kept), id="id", text="text"),
        hitl.Policy.parse(POLICY.format(name=name, labels=labels)),
        np.array([names.index(value) for value in values[kept]]),
        names.index(source.rare),
    )


@dataclass(eq=False)
class Split:
    """One seed's division of a set: a test set that nobody picks from, the pool, and what is labelled so far."""

    data: Data
    seed: int
    test: np.ndarray
    pool: np.ndarray
    labelled: list[int]
    rng: np.random.Generator
    picks: list[tuple[Pick, ...]] = field(default_factory=list)  # of each batch
    memory: dict[Any, Any] = field(default_factory=dict)  # what a strategy keeps between its queries

    @classmethod
    def of(cls, data: Data, seed: int) -> Split:
        order = np.random.default_rng(1000 + seed).permutation(len(data.truth))
        test, pool = np.split(order, [int(TEST * len(order))])
        return cls(data, seed, test, np.sort(pool), pool[:SEED_ITEMS].tolist(), np.random.default_rng(seed))

    @property
    def unlabelled(self) -> np.ndarray:
        return np.setdiff1d(self.pool, self.labelled)

    def targets(self) -> Targets:
        rows = np.array(self.labelled)
        y = np.eye(len(self.data.labels))[self.data.truth[rows]]
        return Targets(rows, y, self.data.labels, np.ones(len(rows)))


Strategy = Callable[[Split, Any, Predictions, int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Ours:
    """The library's own walk: aims, scan and select by a plan, in memory."""

    plan: hitl.Plan

    def __call__(self, split: Split, features: Any, predicted: Predictions, n: int) -> np.ndarray:
        data, at = split.data, split.pool
        plan = self.plan.model_copy(update={"budget": n})
        labelled = np.array(split.labelled)
        counts = Counter(data.truth[labelled].tolist())
        positives = {label.name: counts[code] for code, label in enumerate(data.policy.labels) if label.violating}
        standing = Standing(positives, len(labelled), views=False)
        stakes = Stakes.of(data.policy, ("",), np.ones(len(at)))
        seed = int(split.rng.integers(2**53))
        wanted = aims(plan, standing, adapted(plan, _yields(split, positives)))
        known = know(
            features.embeddings[labelled],
            np.eye(len(data.labels))[data.truth[labelled]],
            data.policy.violating,
            np.random.default_rng(seed),
        )
        viewer = Viewer(data.policy, ("",), seed)
        none = np.zeros(len(at), dtype=np.int64)
        view = viewer.view(
            data.pool.keys[at], predicted.proba[at], np.ones(len(at)), none,
            embeddings=features.embeddings[at], known=known,
        )  # fmt: skip
        batch = ScanBatch(at, view, none, ~np.isin(at, labelled))
        found = scan([batch], Job(plan, wanted, ("",), stakes, seed))
        reading = Reading(
            ids=lambda rows: [str(row) for row in rows],
            texts=data.pool.texts,
            embeddings=lambda rows: np.asarray(features.embeddings[rows]),
            proba=lambda rows: predicted.proba[rows],
        )
        before = Before(data.pool.texts(labelled))
        picks = select(found, plan, reading, np.random.default_rng(seed), before).picks
        split.picks.append(picks)
        return np.array([pick.position for pick in picks])


def _yields(split: Split, positives: Mapping[str, int]) -> list[Yield]:
    rare = rarity(positives, len(split.labelled))
    worth = np.array([rare.get(label, 0.0) for label in split.data.labels])
    found = []
    for number, picks in enumerate(split.picks, start=1):
        by_arm: dict[str, list[float]] = {}
        for pick in picks:
            by_arm.setdefault(pick.arm, []).append(worth[split.data.truth[pick.position]])
        found += [Yield(number, arm, len(values), sum(values)) for arm, values in by_arm.items()]
    return found


def figures(split: Split, proba: np.ndarray, thresholds: np.ndarray | None = None) -> list[float]:
    """Labels so far, macro-F1 and average precision of the rare label on the test set, rare positives found."""
    truth, rare = split.data.truth, split.data.rare
    given = decide(proba[split.test], thresholds).argmax(axis=1)
    every = np.arange(len(split.data.labels))
    return [
        len(split.labelled),
        f1_score(truth[split.test], given, average="macro", labels=every, zero_division=0),
        average_precision_score(truth[split.test] == rare, proba[split.test, rare]),
        int((truth[split.labelled] == rare).sum()),
    ]


def learn(split: Split, features: Any, recipe: Any) -> Predictions:
    """The model of what is labelled, on all items."""
    fitted = recipe.fit(features, split.targets(), np.random.default_rng(split.seed), multi_label=False)
    return fitted.predict(features.slice(0, len(features)))


def simulate(split: Split, features: Any, recipe: Any, strategy: Strategy, batch: int) -> np.ndarray:
    """A whole campaign: figures (rounds, 4) after the seed items and after each batch, up to `LABELS` labels."""
    told = []
    while True:
        predicted = learn(split, features, recipe)
        thresholds = audited_thresholds(split, predicted.proba) if isinstance(strategy, System) else None
        told.append(figures(split, predicted.proba, thresholds))
        n = min(batch, LABELS - len(split.labelled))
        if not n:
            return np.array(told)
        picked = strategy(split, features, predicted, n)
        split.labelled += [int(position) for position in dict.fromkeys(picked.tolist())][:n]


@dataclass(frozen=True, eq=False)
class System(Ours):
    """The library with its thresholds, too: set from what its own audit and random picks say of the prevalence."""


def audited_thresholds(split: Split, proba: np.ndarray) -> np.ndarray:
    """Thresholds from the seed items, the audit draws and the random arm, as a campaign sets them."""
    pool, one_hot = proba[split.pool], np.eye(len(split.data.labels))[split.data.truth]
    draws, before = [], 0

    def drawn(positions: list[int], inclusion: list[float]) -> None:
        earlier = one_hot[split.labelled[:before]]
        draws.append(Drawn(one_hot[positions], np.array(inclusion), earlier.sum(axis=0), before, len(split.pool)))

    drawn(split.labelled[:SEED_ITEMS], [1.0] * SEED_ITEMS)
    before = SEED_ITEMS
    for picks in split.picks:
        for arm in ("audit", "random"):
            mine = [pick for pick in picks if pick.arm == arm]
            drawn([pick.position for pick in mine], [pick.inclusion or 1.0 for pick in mine])
        before += len(picks)
    return prevalence_thresholds(pooled_prevalence(draws, decide(pool).mean(axis=0)), pool, False)
