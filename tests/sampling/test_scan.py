"""The scan: the same however the pool is cut, complete in its figures, and honest in its audit draw."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.sampling.candidates import Candidates
from hitl.sampling.plan import Plan
from hitl.sampling.scan import ScanBatch, Scanner, scan
from hitl.sampling.scorers import SCORERS
from hitl.sampling.uniforms import draws
from hitl.sampling.view import Stakes, example_view
from hitl.types import PoolView

STRATA = ("en", "id", "")
ROWS = [field.name for field in fields(PoolView) if field.name not in ("labels", "multi_label", "violating")]


def make_pool(n, seed=0, k=3, tied=False):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(k, 0.5), n).reshape(n, k)
    proba = np.round(proba, 1) / np.round(proba, 1).sum(axis=1, keepdims=True) if tied else proba
    keys = rng.permutation(n).astype(np.uint64)
    view = replace(
        example_view(proba, reach=np.ones(n) if tied else rng.pareto(1.0, n), severity=4.0, act_at=0.8),
        keys=keys,
        draw=draws(keys, seed),
    )
    return ScanBatch(np.arange(n), view, rng.integers(0, len(STRATA), n), rng.random(n) < 0.9)


def rows_of(batch, rows):
    view = replace(batch.view, **{name: getattr(batch.view, name)[rows] for name in ROWS})
    return ScanBatch(batch.positions[rows], view, batch.strata[rows], batch.eligible[rows])


def stakes_of(batch):
    return Stakes(float(batch.view.reach.mean()) or 1.0, 4.0) if len(batch) else Stakes(1.0, 4.0)


def columns_of(scan_):
    for items in (scan_.shortlist, scan_.audit.items, scan_.random):
        assert isinstance(items, Candidates)
        yield from (items.positions, items.keys, items.draws, items.strata, items.scores, *items.parts.values())
    yield scan_.audit.inclusion


def assert_same(one, other):
    for left, right in zip(columns_of(one), columns_of(other), strict=True):
        assert (left == right).all()
    assert one.stats == other.stats


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(0, 150),
    cuts=st.lists(st.integers(0, 150), max_size=6),
    seed=st.integers(0, 50),
    tied=st.booleans(),
    scores=st.sampled_from([{"margin": 1.0}, {"entropy": 1.0, "impact": 2.0}, {"likely_positive": 1.0, "random": 0.0}]),
)
def test_neither_cut_nor_order_nor_shards_matter(n, cuts, seed, tied, scores):
    pool = make_pool(n, seed, tied=tied)
    plan = Plan(budget=8, audit=0.5, random=0.25, shortlist=3, scores=scores)
    options = {"strata": STRATA, "stakes": stakes_of(pool), "seed": seed}
    whole = scan([pool], plan, **options)
    order = np.random.default_rng(seed).permutation(n)
    pieces = [rows_of(pool, rows) for rows in np.split(order, sorted(cut % (n + 1) for cut in cuts))]
    shards = []
    for piece in pieces:
        shards.append(Scanner(plan, *options.values()))
        shards[-1].feed(piece)
    for shard in shards[1:]:
        shards[0].merge(shard)
    cut = scan(pieces, plan, **options)
    if n:
        assert_same(cut, whole)
        assert_same(shards[0].result(), whole)
    assert len(cut.shortlist) == len(whole.shortlist)


def test_what_is_kept_and_counted():
    pool = make_pool(500)
    plan = Plan(budget=20, audit=0.4, random=0.2, shortlist=2)
    found = scan([pool], plan, strata=STRATA, stakes=stakes_of(pool), seed=1)
    eligible = set(np.flatnonzero(pool.eligible).tolist())
    for items in (found.shortlist, found.audit.items, found.random):
        assert set(items.positions.tolist()) <= eligible
        assert (items.keys == pool.view.keys[items.positions]).all()
        assert (items.parts["impact"] == SCORERS["impact"](pool.view).values[items.positions]).all()
    assert len(found.audit) == 8
    assert len(found.random) == 40
    assert np.bincount(found.shortlist.strata).tolist() == [2 * 8 + 8] * 3
    assert (found.stats.seen, found.stats.eligible) == (500, len(eligible))
    counts = np.bincount(pool.strata[pool.eligible])
    assert dict(found.stats.strata) == dict(zip(STRATA, counts.tolist(), strict=True))
    assert sum(found.stats.histogram) == len(eligible)
    cost = SCORERS["impact"](pool.view).values[pool.eligible].sum()
    assert found.stats.expected_cost == pytest.approx(cost, rel=1e-4)
    assert found.stats.as_dict()["strata"]["en"] == counts[0]


def test_the_shortlist_is_the_top_of_the_combined_score():
    pool = make_pool(400)
    plan = Plan(budget=5, audit=0, random=0, shortlist=2, scores={"margin": 1.0})
    found = scan([pool], plan, strata=STRATA, stakes=stakes_of(pool), seed=1)
    scores = SCORERS["margin"](pool.view).values
    for stratum in range(3):
        mine = np.flatnonzero((pool.strata == stratum) & pool.eligible)
        expected = mine[np.argsort(-scores[mine], kind="stable")[:10]]
        assert found.shortlist.positions[found.shortlist.strata == stratum].tolist() == expected.tolist()


def test_quantiles_and_mean_of_the_score():
    pool = make_pool(2_000)
    plan = Plan(budget=5, scores={"margin": 1.0})
    stats = scan([pool], plan, strata=STRATA, stakes=stakes_of(pool), seed=1).stats
    scores = SCORERS["margin"](pool.view).values[pool.eligible]
    assert stats.mean_score == pytest.approx(scores.mean(), abs=1e-5)
    for share in (0.1, 0.5, 0.9):
        assert stats.quantile(share) == pytest.approx(np.quantile(scores, share), abs=2 / 64)


def test_an_empty_pool_scans_to_nothing():
    found = scan([], Plan(), strata=STRATA, stakes=Stakes(1.0, 1.0), seed=1)
    assert (len(found.shortlist), len(found.audit), len(found.random)) == (0, 0, 0)
    assert np.isnan(found.stats.mean_score)
    assert np.isnan(found.stats.quantile(0.5))


def test_the_audit_draw_estimates_the_pool_without_bias_under_a_heavy_tail():
    pool = make_pool(400, seed=2)
    truth = np.random.default_rng(9).random(400) < pool.view.proba[:, 1:].sum(axis=1)
    reach = pool.view.reach
    items, views = [], []
    for seed in range(400):
        plan = Plan(budget=60, audit=1.0, random=0, audit_floor=0.25)
        draw = scan([pool], plan, strata=STRATA, stakes=stakes_of(pool), seed=seed).audit
        assert len(draw) == 60
        drawn = draw.items.positions
        items.append((truth[drawn] / draw.inclusion).sum())
        views.append((truth[drawn] * reach[drawn] / draw.inclusion).sum())
    for found, total in ((items, truth[pool.eligible].sum()), (views, (truth * reach)[pool.eligible].sum())):
        assert abs(np.mean(found) - total) < 4 * np.std(found) / 20


def test_the_audit_weight_is_reach_times_risk_with_the_floors():
    # risk 0, 0.5 and 1 at mean reach, and nobody's item; taken often enough to see the proportions
    view = example_view([[1, 0], [0.5, 0.5], [0, 1], [0, 1]] * 300, reach=np.tile([4 / 3, 4 / 3, 4 / 3, 0.0], 300))
    batch = ScanBatch(np.arange(1200), view, np.zeros(1200, dtype=np.int64), np.ones(1200, dtype=np.bool_))
    plan = Plan(budget=10, audit=1.0, random=0, audit_floor=0.5, risk_floor=0.1)
    draw = scan([batch], plan, strata=("",), stakes=Stakes(4 / 3, 1.0), seed=1).audit
    weight = np.array([0.6, 1.1, 1.6, 0.5])[draw.items.positions % 4]
    assert draw.inclusion / weight == pytest.approx(np.full(10, draw.inclusion[0] / weight[0]))


def test_rounds_draw_anew_and_arms_share_no_chance():
    pool = make_pool(3_000)
    plan = Plan(budget=200, audit=0.5, audit_floor=1e6)  # a floor that makes the audit even, as random is

    def chosen(seed):
        found = scan([pool], plan, strata=STRATA, stakes=stakes_of(pool), seed=seed)
        return set(found.audit.items.positions.tolist()), set(found.random.positions.tolist())

    (audit, random), (other, _) = chosen(1), chosen(2)
    assert len(audit & other) < 20  # 100 of 2,700 twice: about 4 are common
    assert len(audit & random) < 45  # 100 and 400 of 2,700: about 15


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"strata": np.full(9, 3)}, "stratum codes outside"),
        ({"strata": np.full(9, -1)}, "stratum codes outside"),
        ({"positions": np.arange(4)}, "a batch of 4 positions"),
    ],
)
def test_batches_that_cannot_be_are_told(change, told):
    batch = replace(make_pool(9), **change)
    with pytest.raises(DataError, match=told):
        scan([batch], Plan(), strata=STRATA, stakes=Stakes(1.0, 1.0), seed=1)


@pytest.mark.parametrize("reach", [np.nan, np.inf, -1.0])
def test_reach_that_cannot_be_is_told(reach):
    batch = make_pool(9)
    batch.view.reach[4] = reach
    with pytest.raises(DataError, match="look at reach"):
        scan([batch], Plan(scores={"margin": 1.0}), strata=STRATA, stakes=Stakes(1.0, 1.0), seed=1)


def test_a_plan_that_cannot_be_is_told_before_any_batch():
    unknown = Plan().model_copy(update={"scores": {"margni": 1.0}})
    for plan, told in ((unknown, "margin"), (Plan(quotas={"xx": 0.5}), "no stratum 'xx'")):
        with pytest.raises(ConfigError, match=told):
            scan([], plan, strata=STRATA, stakes=Stakes(1.0, 1.0), seed=1)


def test_scans_of_another_seed_do_not_merge():
    one, other = (Scanner(Plan(), STRATA, Stakes(1.0, 1.0), seed) for seed in (1, 2))
    with pytest.raises(ConfigError, match="the same plan"):
        one.merge(other)
