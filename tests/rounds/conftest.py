"""A small campaign on the demo's stream with the in-memory reviewers."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.config import truth_from
from hitl.demo.stream import demo_policy, generate
from hitl.rounds import findings
from hitl.rounds.walk import Walk


@dataclass
class Stand:
    """What a campaign is made of, so that tests can make it again as a new process would."""

    folder: Path
    pool: hitl.Pool
    plan: hitl.Plan
    policy: hitl.Policy

    def campaign(self, folder="run", **changes):
        home = self.folder / folder
        desk = {key: changes.pop(key) for key in ("auto", "reviewers") if key in changes}
        connector = hitl.MemoryConnector(truth_from(self.pool, "truth"), folder=home / "desk", **desk)
        parts = {"policy": self.policy, "pool": self.pool, "model": hitl.TextLinear(), "plan": self.plan}
        return hitl.Campaign("trial", connector=connector, folder=home, **(parts | changes))


@pytest.fixture(scope="session")
def stream():
    return hitl.Pool.open(
        generate(700, seed=3), text="text", id="id", reach="reach", language="language", region="region",
        facets=("truth", "wave"),
    )  # fmt: skip


def make_stand(folder, pool):
    plan = hitl.Plan(rounds=2, budget=30, benchmark=40, replay="wave", seed=5)
    return Stand(folder, pool, plan, demo_policy())


@pytest.fixture(scope="session")
def new_stand():
    return make_stand


@pytest.fixture
def stand(tmp_path, stream):
    return make_stand(tmp_path, stream)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, stream):
    """A campaign that was left in peace, and its rounds."""
    campaign = make_stand(tmp_path_factory.mktemp("finished"), stream).campaign()
    return campaign, list(campaign)


@pytest.fixture(scope="session")
def emerging(tmp_path_factory):
    """A campaign on the demo's stream, scam emerging in its second round, under a policy that does not know scam."""
    whole = demo_policy()
    known = [label for label in whole.labels if label.name != "scam"]
    regions = {name: region.model_copy(update={"labels": {}}) for name, region in whole.regions.items()}
    policy = whole.model_copy(update={"labels": tuple(known), "regions": regions})
    table = generate(1600, seed=3)
    table = table.append_column("came", pa.array((table["wave"].to_numpy() >= 3).astype(np.int8)))
    pool = hitl.Pool.open(
        table, text="text", id="id", reach="reach", language="language", region="region", facets=("truth", "came"),
    )  # fmt: skip
    plan = hitl.Plan(rounds=1, budget=60, seed_budget=60, benchmark=40, replay="came", audit=0.4, random=0.3, seed=5)
    stand = Stand(tmp_path_factory.mktemp("emerging"), pool, plan, policy)
    campaign = stand.campaign(model=hitl.TextLinear(heads=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "FINDINGS", {})
        for _ in campaign:
            pass
    return campaign


@pytest.fixture
def staged():
    """Make a campaign of which only pool, plan and record are there; the record is one of lists by round."""

    def make(pool, policy, *, picks=(), settled=(), embeddings=None, **plan):
        ledger = SimpleNamespace(
            picks=lambda number: picks[number] if number < len(picks) else [],
            resolutions=lambda number, items=None: list(settled),
            asked_items=lambda: [one.item_id for one in settled],
            tasks=lambda *a, **more: [],
            annotations=lambda *a: [],
            events=lambda *kinds: [],
        )
        model = SimpleNamespace(features=lambda *a: SimpleNamespace(embeddings=embeddings))
        return Walk(
            "staged", policy, pool, model, hitl.Plan(**plan), None, ledger, Path(), None, None
        )  # fmt: skip

    return make


@pytest.fixture
def examined():
    """A round of a campaign as a finding sees it, without any model."""

    def make(walk, number=1):
        rng = lambda name: walk.rng(number, name)  # noqa: E731
        return SimpleNamespace(
            walk=walk, number=number, old=None, new=None, benchmark=None, before=None, audit=None, rng=rng
        )

    return make
