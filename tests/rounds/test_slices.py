"""The finding on slices: which sample, which facets, and what the record keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.metrics.sample import LabelledSample
from hitl.rounds import slices as finding
from hitl.rounds.judged import Measured
from hitl.types import Resolution

POLICY = hitl.Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
N = 240


def walk(**columns: Any) -> Any:
    """As much of a campaign as a finding reads: a pool, a policy and a plan."""
    facets = tuple(name for name in columns if name not in ("language", "region"))
    table = pa.table({"text": ["zonk"] * N, **columns})
    parts = {name: name for name in ("language", "region") if name in columns}
    pool = hitl.Pool.open(table, facets=facets, **parts)
    return SimpleNamespace(pool=pool, policy=POLICY, plan=hitl.Plan(replay="wave", gold_column="known"))


def judged(errs: Any = None) -> Any:
    """All items of the pool, a third of them spam; the model errs in some."""
    spam = np.arange(N) % 3 == 0
    says = spam ^ (np.zeros(N, dtype=bool) if errs is None else errs)
    settled = [Resolution(f"{at}", at, ("spam",) if one else ("ok",), 1.0, "m", "1") for at, one in enumerate(spam)]
    proba = np.where(says, 0.9, 0.1)
    sample = LabelledSample.of(POLICY, settled, np.stack([1 - proba, proba], axis=1))
    return SimpleNamespace(sample=sample, positions=np.arange(N))


def measured(walk: Any, *, benchmark: Any, audit: Any = None) -> Measured:
    new, old = SimpleNamespace(model_id="new"), SimpleNamespace(model_id="old")
    at = Measured(walk, 1, new, old)  # type: ignore[arg-type]
    walk.rng = lambda number, step: np.random.default_rng(0)
    at.__dict__.update(benchmark=benchmark, audit=audit)
    return at


LANGUAGE = ["en", "en", "id", "id"] * (N // 4)


def test_the_benchmark_is_looked_at_and_the_audit_where_there_is_none():
    stand = walk(language=LANGUAGE)
    errs = np.array(LANGUAGE) == "id"
    told = finding.slices(measured(stand, benchmark=judged(errs), audit=judged()))
    assert told is not None
    assert (told["sample"], told["model_id"], told["items"]) == ("benchmark", "new", N)
    assert [one["where"] for one in told["slices"]] == [{"language": "en"}, {"language": "id"}]
    assert {str(one["where"]) for one in told["worst"]} == {"{'language': 'id'}"}
    audited = finding.slices(measured(stand, benchmark=None, audit=judged()))
    assert audited is not None
    assert (audited["sample"], audited["model_id"]) == ("audit", "old")
    assert audited["worst"] == []
    assert finding.slices(measured(stand, benchmark=None)) is None


def test_labels_and_rounds_are_no_facets():
    truth = ["spam" if at % 3 == 0 else "ok" for at in range(N)]
    many = ["ok|spam", "spam", "", "ok"] * (N // 4)
    stand = walk(
        language=LANGUAGE, truth=truth, many=many, wave=["0", "1"] * (N // 2), known=["ok", ""] * (N // 2),
        vendor=["a", "b", "c", ""] * (N // 4), same=["x"] * N,
    )  # fmt: skip
    assert finding.facets_of(stand, judged()).names == ("language", "vendor")
    assert finding.slices(measured(walk(truth=truth), benchmark=judged())) is None


def test_rare_values_of_a_facet_are_one():
    authors = [f"author {min(at // 3, 70)}" for at in range(N)]
    facets = finding.facets_of(walk(author=authors), judged())
    (values,) = facets.values
    assert len(values) == finding.MOST_VALUES
    assert values[-1] == finding.OTHERS
    assert np.bincount(facets.codes[:, 0]).sum() == N
    kept = values.index("author 70")
    assert (facets.codes[:, 0] == kept).sum() == authors.count("author 70")


def test_what_is_kept_is_json_and_pairs_are_bounded():
    rng = np.random.default_rng(0)
    columns = {name: rng.choice(list("abcd"), N).tolist() for name in ("f", "g", "h", "i")}
    told = finding.slices(measured(walk(**columns), benchmark=judged(rng.random(N) < 0.2)))
    assert told is not None
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    pairs = [one for one in told["slices"] if len(one["where"]) == 2]
    assert len(pairs) == finding.MOST_PAIRS
    assert told["left_out"] > 0
    assert told["small"] == dict.fromkeys(columns, 0)
    assert len(json.dumps(told)) < 250_000


def test_the_same_round_tells_the_same():
    stand = walk(language=LANGUAGE, vendor=["a", "b", "c"] * (N // 3))
    errs = np.random.default_rng(1).random(N) < 0.2
    one, two = (finding.slices(measured(stand, benchmark=judged(errs))) for _ in range(2))
    assert one == two


def test_a_campaign_keeps_it(finished):
    campaign, _ = finished
    for number in range(3):
        told = (campaign.ledger.step(number, "examine") or {})["slices"]
        assert set(told["facets"]) == {"language", "region"}
        assert told["items"] == len(campaign.walk.benchmark_items()) or told["items"] > 20
    assert campaign.history()["rounds"][-1]["findings"]["slices"]["model_id"] == campaign.rounds[-1].model_id


@pytest.mark.parametrize("part", ["benchmark", "audit"])
def test_a_sample_with_nothing_settled_is_told_as_unknown(part):
    stand = walk(language=LANGUAGE)
    empty = judged()
    hollow = SimpleNamespace(
        sample=replace(empty.sample, y=np.full_like(empty.sample.y, np.nan)), positions=np.arange(N)
    )
    told = finding.slices(measured(stand, **({"benchmark": None} | {part: hollow})))
    assert told is not None
    assert {one["value"] for one in told["overall"] if one["name"] != "acted_on"} == {None}
    assert told["worst"] == []
