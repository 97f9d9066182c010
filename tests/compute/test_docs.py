"""What docs/ray.md shows runs as it stands there, on shards and a model that are here, and without a cluster."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from hitl.compute.local import Local
from hitl.compute.on_ray import OnRay
from hitl.config import ComputeConfig
from hitl.pool.keys import hash_text

TEXT = (Path(__file__).parents[2] / "docs/ray.md").read_text()


def snippet(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return found


def test_the_snippet_gives_a_scan(world, truth, monkeypatch, tmp_path):
    addresses = []
    monkeypatch.setattr(OnRay, "run", lambda self, work: addresses.append(self.address) or Local(1).run(work))
    code = snippet("python")
    for name, here in {
        "s3://bucket/pool": world.folder,
        "/shared/models/round-3": world.fitted.save(tmp_path / "model"),
    }.items():
        assert name in code
        code = code.replace(name, str(here))
    given = {name: getattr(world, name) for name in ("plan", "policy", "features")}
    names = {**given, "columns": world.pool().columns, "asked_keys": np.sort(hash_text(pa.array(world.asked)))}
    exec(compile(code, "docs/ray.md", "exec"), names)
    assert set(addresses) == {"10.0.0.5:6379"}
    assert names["found"].stats.seen == truth.stats.seen
    assert names["found"].stats.eligible == len(world.pool()) - len(world.asked)


def test_the_options_are_those_that_the_docs_tell():
    given = ComputeConfig.model_validate(yaml.safe_load(snippet("yaml"))["compute"])
    assert given.kind == "ray"
    assert set(given.model_extra) == set(OnRay.__dataclass_fields__)
    for name, value in given.model_extra.items():
        assert f"`{name}`" in TEXT
        assert getattr(OnRay(**given.model_extra), name) == value


@pytest.mark.parametrize("link", re.findall(r"hitl(?:\.[a-z_]+)+\.[A-Z]\w+", TEXT))
def test_names_in_the_docs_are_there(link):
    module, name = link.rsplit(".", 1)
    assert hasattr(__import__(module, fromlist=[name]), name)
