"""A small campaign with the in-memory reviewers, who work when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl.config import truth_from
from hitl.demo.stream import demo_policy, generate


@pytest.fixture(scope="session")
def posts() -> hitl.Pool:
    return hitl.Pool.open(
        generate(400, seed=4), text="text", id="id", reach="reach", language="language", region="region",
        facets=("truth",),
    )  # fmt: skip


Make = Callable[..., hitl.Campaign]


def maker(folder: Path, posts: hitl.Pool) -> Make:
    def make(home: str = "run", auto: bool = False, rounds: int = 2, **parts: Any) -> hitl.Campaign:
        desk = hitl.MemoryConnector(truth_from(posts, "truth"), folder=folder / home / "desk", auto=auto)
        plan = hitl.Plan(rounds=rounds, budget=20, benchmark=20, seed=5, third_opinion=False)
        given = {"policy": demo_policy(), "pool": posts, "model": hitl.TextLinear(), "plan": plan, "connector": desk}
        return hitl.Campaign("served", folder=folder / home, **(given | parts))

    return make


@pytest.fixture
def make(tmp_path: Path, posts: hitl.Pool) -> Make:
    return maker(tmp_path, posts)


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory, posts: hitl.Pool) -> hitl.Campaign:
    """A campaign with one model, whose first active round waits for people."""
    campaign = maker(tmp_path_factory.mktemp("walked"), posts)()
    campaign.run()
    while campaign.status.round == 0:
        campaign.walk.connector.work()  # type: ignore[attr-defined]
        campaign.run()
    assert campaign.status.state == "waiting"
    return campaign
