"""A small world for passes over shards: a pool in three shards, a model, a policy with regions, and the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hitl
from hitl.compute import Compute
from hitl.compute.scanning import Eligible, Judge, ScanShards
from hitl.compute.shards import Shards
from hitl.compute.survey import Survey
from hitl.config import truth_from
from hitl.demo.stream import demo_policy, generate
from hitl.models.text_linear import TextLinear
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.pool.keys import hash_text
from hitl.sampling.aims import Standing, aims
from hitl.sampling.known import know
from hitl.sampling.plan import ArmPlan, Plan
from hitl.sampling.scan import Job, Scan, ScanBatch, scan
from hitl.sampling.view import Stakes, Viewer, join_strata
from hitl.types import Pick, Targets

POLICY = """
name: abuse
version: 1
labels:
  - {name: ok, violating: false}
  - {name: insult, severity: 2, actions: {review: 0.3, limit: 0.6}}
  - {name: threat, severity: 9, wrong_action_cost: 4, actions: {remove: 0.8}}
regions:
  ID: {labels: {insult: {severity: 5, actions: {remove: 0.7}}}}
"""
ARMS = {
    "uncertain": ArmPlan(scores={"margin": 1, "impact": 1, "committee": 1}),
    "contested": ArmPlan(scores={"neighbours": 1, "novelty": 1}, each_label=True),
}
PLAN = Plan(budget=12, audit=0.4, random=0.2, shortlist=2, arms=ARMS, strata=("language", "source"))
COLUMNS: dict[str, Any] = {"reach": "views", "region": "land", "language": "lang", "facets": ("source", "wave")}
SIZES = (700, 1, 950)
SEED, ROUND = 11, 2


def items(count: int, first: int, rng: np.random.Generator) -> pa.Table:
    """Rows with all that a pool may hold; the last shard holds names that no other does."""
    words = np.array(["zonk", "wub", "plim", "grint", "morv", "zorb"])
    lands = ["", "ID", "NO"] if first > 700 else ["", "ID"]
    return pa.table(
        {
            "id": pa.array([f"item-{first + row}" for row in range(count)], pa.string()),
            "text": pa.array([" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(count)], pa.string()),
            "views": pa.array(rng.pareto(1.0, count)),
            "land": pa.array(rng.choice(lands, count), pa.string()),
            "lang": pa.array(
                [None if value == "-" else str(value) for value in rng.choice(["en", "id", "-"], count)], pa.string()
            ),
            "source": pa.array(rng.choice(["", "synthetic"], count, p=[0.9, 0.1]), pa.string()),
            "wave": pa.array(rng.integers(0, 4, count)),
        }
    )


@dataclass(frozen=True)
class World:
    """Shards, a model and what a scan of them must come to."""

    folder: Path
    policy: Policy
    plan: Plan
    features: Any
    fitted: Any
    asked: tuple[str, ...]

    def pool(self) -> Pool:
        return Pool.open(self.folder, **COLUMNS, on_error="quarantine", quarantine_to=self.folder / "aside.jsonl")

    def shards(self, source: Any = None, block_rows: int = 300) -> Shards:
        return Shards.open(source or self.folder, self.pool().columns, block_rows=block_rows)

    def truth(self) -> Scan:
        """The scan in one process, over the pool as `Pool.open` gives it, in batches of its own."""
        pool = self.pool()
        codes, names = pool.codes("region")
        strata, strata_names = join_strata([pool.codes(name) for name in self.plan.strata], len(pool))
        waves = np.array([int(name) for name in pool.codes("wave")[1]])[pool.codes("wave")[0]]
        free = waves <= ROUND
        free[pool.position_of(self.asked)] = False
        viewer = Viewer(self.policy, names, SEED)
        x, embeddings = self.features.reader.read(pool.rows(range(len(pool)), ["text"]))
        predicted = self.fitted.predict(x)

        def batch(start: int) -> ScanBatch:
            rows = slice(start, min(start + 77, len(pool)))
            view = viewer.view(
                pool.keys[rows],
                predicted.opinion[rows],
                pool.reach[rows],
                codes[rows],
                embeddings=embeddings[rows],
                committee=predicted.committee[:, rows],
                known=self.known,
            )
            return ScanBatch(np.arange(rows.start, rows.stop), view, strata[rows], free[rows], predicted.proba[rows])

        stakes = Survey.of(pool, self.plan.strata).stakes(self.policy)
        return scan(map(batch, range(0, len(pool), 77)), self.job(strata_names, stakes))

    def job(self, strata: tuple[str, ...], stakes: Stakes) -> Job:
        """Arms for all items and for one starved label, by scores that need embeddings and a committee, too."""
        return Job(self.plan, aims(self.plan, Standing({"insult": 30, "threat": 2}, 60)), strata, stakes, SEED)

    @property
    def known(self) -> Any:
        embeddings = self.features.embeddings[:60]
        return know(embeddings, np.eye(3)[np.arange(60) % 3], self.policy.violating, np.random.default_rng(0))

    def work(self, shards: Shards, survey: Survey, judge: Callable[[], Any] | None = None) -> ScanShards:
        fitted = self.fitted
        return ScanShards(
            shards=shards,
            survey=survey,
            viewer=Viewer(self.policy, survey.regions, SEED),
            job=self.job(survey.strata, survey.stakes(self.policy)),
            judge=Judge(self.features.reader, judge or (lambda: fitted)),
            eligible=Eligible(np.sort(hash_text(pa.array(self.asked))), "wave", ROUND),
            known=self.known,
        )


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    first = 0
    for number, size in enumerate(SIZES):
        pq.write_table(items(size, first, rng), folder / f"part-{number}.parquet", row_group_size=200)
        first += size
    pq.write_table(items(0, 0, rng), folder / "part-9.parquet")
    pool = Pool.open(folder, **COLUMNS)
    model = TextLinear(buckets=1 << 10, char=(3, 3), lsa=8, heads=3)
    y = np.eye(3)[rng.integers(0, 3, 60)]
    targets = Targets(np.arange(60), y, ("ok", "insult", "threat"), np.ones(60))
    features = model.features(pool, None)
    fitted = model.fit(features, targets, rng, multi_label=False)
    asked = tuple(f"item-{row}" for row in range(0, first, 13))
    return World(folder, Policy.parse(POLICY), PLAN, features, fitted, asked)


@pytest.fixture(scope="session")
def truth(world: World) -> Scan:
    return world.truth()


def told(found: Scan) -> dict[str, Any]:
    """All that a scan holds as bytes and plain values, so that equal means equal bit by bit."""
    parts = {"audit": found.audit.items, "random": found.random}
    parts |= {aim.name: items for aim, items in zip(found.aims, found.shortlists, strict=True)}
    columns: dict[str, Any] = {"inclusion": found.audit.inclusion.tobytes(), "stats": found.stats.as_dict()}
    for name, rows in parts.items():
        arrays = {"at": rows.positions, "keys": rows.keys, "draws": rows.draws, "strata": rows.strata}
        for column, values in {**arrays, "scores": rows.scores, **rows.parts}.items():
            columns[f"{name}.{column}"] = values.tobytes()
    return {**columns, "strata": found.strata}


@pytest.fixture(scope="session")
def same() -> Callable[[Scan, Scan], None]:
    """Asserts that two scans are the same bit by bit."""

    def check(one: Scan, other: Scan) -> None:
        left, right = told(one), told(other)
        assert left.keys() == right.keys()
        assert not [name for name in left if left[name] != right[name]]

    return check


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """The demo's posts in two shards."""
    folder, posts = tmp_path_factory.mktemp("stream"), generate(600, seed=3)
    for number, start in enumerate((0, 250)):
        pq.write_table(posts.slice(start, 350 if number else 250), folder / f"{number}.parquet", row_group_size=100)
    columns = {name: name for name in ("id", "text", "reach", "language", "region")}
    return Pool.open(folder, **columns, facets=("truth", "wave", "source"))


@pytest.fixture
def picks(stream: Pool, tmp_path: Path) -> Callable[[Compute], list[list[Pick]]]:
    """What a campaign with a seed round and an active one picks, by what it scans with."""

    def run(compute: Compute) -> list[list[Pick]]:
        folder = tmp_path / type(compute).__name__
        campaign = hitl.Campaign(
            "trial",
            policy=demo_policy(),
            pool=stream,
            model=TextLinear(buckets=1 << 12, lsa=8, heads=3),
            plan=Plan(rounds=1, budget=24, benchmark=40, replay="wave", strata=PLAN.strata, seed=5, arms=ARMS),
            connector=hitl.MemoryConnector(truth_from(stream, "truth"), folder=folder / "desk"),
            folder=folder,
            compute=compute,
        )
        assert campaign.run().state == "done"
        return [campaign.ledger.picks(number) for number in (0, 1)]

    return run
