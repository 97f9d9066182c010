"""A small campaign on the demo's stream with the in-memory reviewers."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import hitl
from hitl.config import truth_from
from hitl.demo.stream import demo_policy, generate


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
