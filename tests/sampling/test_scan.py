"""The scan: the same however the pool is cut, complete in its figures, and honest in its audit draw."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.sampling.aims import Aim, Standing, aims
from hitl.sampling.candidates import Candidates
from hitl.sampling.diversity import on_grid
from hitl.sampling.known import direction, know
from hitl.sampling.plan import ArmPlan, Plan
from hitl.sampling.scan import Job, ScanBatch, Scanner, scan
from hitl.sampling.scorers import SCORERS
from hitl.sampling.uniforms import draws
from hitl.sampling.view import Stakes, example_view, one_label
from hitl.types import PoolView

STRATA = ("en", "id", "")
ONCE = ("labels", "multi_label", "violating", "known", "cuts", "settled", "confidence")
ROWS = [field.name for field in fields(PoolView) if field.name not in ONCE]
STARVED = Standing({"l1": 3, "l2": 9}, labelled=40)
D = 8


def make_pool(n, seed=0, k=3, *, tied=False, multi_label=False):
    """Items with all that a scorer may ask for; `tied` ones come in few values, a quarter has no embedding."""
    rng = np.random.default_rng(seed)
    proba = rng.random((n, k)) if multi_label else rng.dirichlet(np.full(k, 0.5), n).reshape(n, k)
    if tied:
        proba = np.round(proba, 1) / (1 if multi_label else np.round(proba, 1).sum(axis=1, keepdims=True))
    keys = rng.permutation(n).astype(np.uint64)
    reach = np.ones(n) if tied else rng.pareto(1.0, n)
    embeddings = on_grid(rng.standard_normal((n, D)) * (rng.random((n, 1)) < 0.75))
    labelled = on_grid(rng.standard_normal((12, D)))
    view = example_view(proba, multi_label=multi_label, reach=reach, severity=4.0, act_at=0.8)
    view = replace(
        view,
        keys=keys,
        draw=draws(keys, seed),
        embeddings=embeddings,
        committee=rng.dirichlet(np.ones(k), (4, n)).astype(np.float32).reshape(4, n, k),
        known=replace(
            know(labelled, rng.choice([0.0, 1.0, np.nan], (12, k)), view.violating, rng, limit=6),
            centre=direction(labelled.sum(axis=0)),
        ),
    )
    return ScanBatch(np.arange(n), view, rng.integers(0, len(STRATA), n), rng.random(n) < 0.9)


def rows_of(batch, rows):
    parts = {name: getattr(batch.view, name) for name in ROWS}
    cut = {name: part[:, rows] if name == "committee" else part[rows] for name, part in parts.items()}
    return ScanBatch(batch.positions[rows], replace(batch.view, **cut), batch.strata[rows], batch.eligible[rows])


def stakes_of(batch):
    return Stakes(float(batch.view.reach.mean()) or 1.0, 4.0) if len(batch) else Stakes(1.0, 4.0)


def one_arm(**scores):
    return {"explore": ArmPlan(scores=scores)}


def job_of(plan, batch, seed=1, standing=STARVED):
    return Job(plan, aims(plan, standing), STRATA, stakes_of(batch), seed)


def columns_of(scan_):
    for items in (*scan_.shortlists, scan_.audit.items, scan_.random):
        assert isinstance(items, Candidates)
        yield from (items.positions, items.keys, items.draws, items.strata, items.scores, *items.parts.values())
    yield scan_.audit.inclusion


def assert_same(one, other):
    assert one.aims == other.aims
    for left, right in zip(columns_of(one), columns_of(other), strict=True):
        assert np.array_equal(left, right)
    assert str(one.stats) == str(other.stats)  # as text, since the mean of nothing is NaN


MIXES = st.sampled_from(
    [
        one_arm(margin=1.0),
        one_arm(entropy=1.0, impact=2.0),
        one_arm(likely_positive=1.0, random=0.0),
        {
            "uncertain": ArmPlan(scores={"margin": 1, "impact": 1}),
            "contested": ArmPlan(scores={"margin": 2, "impact": 1}, each_label=True),
        },
        {
            "strange": ArmPlan(scores={"novelty": 1}, weight=2),
            "kin": ArmPlan(scores={"neighbours": 1, "likely_positive": 1}, each_label=True),
            "split": ArmPlan(scores={"committee": 1, "threshold_distance": 1}),
        },
        {
            "split": ArmPlan(scores={"committee": 1, "entropy": 1}, each_label=True),
            "doubtful": ArmPlan(scores={"least_confidence": 1, "impact": 3}, each_label=True),
        },
    ]
)


@settings(deadline=None, max_examples=100)
@given(
    n=st.integers(0, 150),
    cuts=st.lists(st.integers(0, 150), max_size=6),
    seed=st.integers(0, 50),
    tied=st.booleans(),
    multi_label=st.booleans(),
    arms=MIXES,
)
def test_neither_cut_nor_order_nor_shards_matter(n, cuts, seed, tied, multi_label, arms):
    pool = make_pool(n, seed, tied=tied, multi_label=multi_label)
    job = job_of(Plan(budget=9, audit=0.3, random=0.2, shortlist=3, arms=arms), pool, seed)
    whole = scan([pool], job)
    order = np.random.default_rng(seed).permutation(n)
    pieces = [rows_of(pool, rows) for rows in np.split(order, sorted(cut % (n + 1) for cut in cuts))]
    shards = []
    for piece in pieces:
        shards.append(Scanner(job))
        shards[-1].feed(piece)
    travelled = [pickle.loads(pickle.dumps(shard)) for shard in shards]
    for mine in (shards, travelled[::-1]):
        for shard in mine[1:]:
            mine[0].merge(shard)
        assert_same(mine[0].result(), whole)
    assert_same(scan(pieces, job), whole)
    assert whole.stats.eligible == pool.eligible.sum()
    assert [len(items) for items in whole.shortlists] == [
        np.minimum(np.bincount(pool.strata[pool.eligible], minlength=3), job.depth(aim)).sum() for aim in job.aims
    ]


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("name", [name for name in SCORERS if name != "relabel"])
def test_any_scorer_serves_one_label_or_all(name, multi_label):
    pool = make_pool(200, multi_label=multi_label)
    arms = {
        "each": ArmPlan(scores={name: 1, "margin": 1}, each_label=True),
        "whole": ArmPlan(scores={name: 1}),
    }
    found = scan([pool], job_of(Plan(budget=12, audit=0, random=0, shortlist=1, arms=arms), pool))
    assert [aim.name for aim in found.aims] == ["each l1", "each l2", "whole"]
    for items in found.shortlists:
        assert ((items.scores >= 0) & (items.scores <= 1)).all()
        assert len(items)
    whole = found.shortlists[-1]
    assert (whole.parts[name] == SCORERS[name](pool.view).values[whole.positions]).all()


def test_a_scanner_that_is_half_way_travels_and_goes_on():
    pool = make_pool(300)
    job = job_of(Plan(budget=20), pool)
    first, second = rows_of(pool, np.arange(120)), rows_of(pool, np.arange(120, 300))
    scanner = Scanner(job)
    scanner.feed(first)
    scanner = pickle.loads(pickle.dumps(scanner))
    scanner.feed(second)
    assert_same(scanner.result(), scan([pool], job))


@pytest.mark.parametrize("multi_label", [False, True])
def test_each_aim_has_the_top_of_its_own_score_of_its_own_label(multi_label):
    pool = make_pool(400, 3, multi_label=multi_label)
    arms = {
        "uncertain": ArmPlan(scores={"margin": 1, "committee": 3}),
        "contested": ArmPlan(scores={"margin": 1}, each_label=True),
    }
    job = job_of(Plan(budget=8, audit=0, random=0, shortlist=2, arms=arms), pool)
    found = scan([pool], job)
    assert [aim.name for aim in found.aims] == ["contested l1", "contested l2", "uncertain"]
    mixed = (SCORERS["margin"](pool.view).values + 3 * SCORERS["committee"](pool.view).values) / 4
    contested = [SCORERS["margin"](one_label(pool.view, label)).values for label in (1, 2)]
    for aim, items, scores in zip(found.aims, found.shortlists, [*contested, mixed], strict=True):
        assert items.scores == pytest.approx(scores[items.positions], abs=1e-9)
        for stratum in range(3):
            mine = np.flatnonzero((pool.strata == stratum) & pool.eligible)
            best = np.sort(scores[mine])[::-1][: job.depth(aim)]
            assert np.sort(items.scores[items.strata == stratum])[::-1] == pytest.approx(best, abs=1e-9)


def test_what_is_kept_and_counted(monkeypatch):
    monkeypatch.setattr("hitl.sampling.scan.SHORTEST", 0)
    pool = make_pool(500)
    plan = Plan(budget=20, audit=0.4, random=0.2, shortlist=2, arms=one_arm(margin=1, impact=1))
    found = scan([pool], job_of(plan, pool))
    (shortlist,) = found.shortlists
    eligible = set(np.flatnonzero(pool.eligible).tolist())
    for items in (shortlist, found.audit.items, found.random):
        assert set(items.positions.tolist()) <= eligible
        assert (items.keys == pool.view.keys[items.positions]).all()
        assert (items.parts["impact"] == SCORERS["impact"](pool.view).values[items.positions]).all()
    assert len(found.audit) == 8
    assert len(found.random) == 40
    assert np.bincount(shortlist.strata).tolist() == [2 * 8 + 8] * 3
    assert (found.stats.seen, found.stats.eligible) == (500, len(eligible))
    counts = np.bincount(pool.strata[pool.eligible])
    assert dict(found.stats.strata) == dict(zip(STRATA, counts.tolist(), strict=True))
    assert sum(found.stats.histogram) == len(eligible)
    cost = SCORERS["impact"](pool.view).values[pool.eligible].sum()
    assert found.stats.expected_cost == pytest.approx(cost, rel=1e-4)
    assert found.stats.as_dict()["strata"]["en"] == counts[0]


def test_the_shortlist_is_the_top_of_the_combined_score(monkeypatch):
    monkeypatch.setattr("hitl.sampling.scan.SHORTEST", 0)
    pool = make_pool(400)
    plan = Plan(budget=5, audit=0, random=0, shortlist=2, arms=one_arm(margin=1))
    (shortlist,) = scan([pool], job_of(plan, pool)).shortlists
    scores = SCORERS["margin"](pool.view).values
    for stratum in range(3):
        mine = np.flatnonzero((pool.strata == stratum) & pool.eligible)
        expected = mine[np.argsort(-scores[mine], kind="stable")[:10]]
        assert shortlist.positions[shortlist.strata == stratum].tolist() == expected.tolist()


def test_quantiles_and_mean_of_the_score():
    pool = make_pool(2_000)
    stats = scan([pool], job_of(Plan(budget=5, arms=one_arm(margin=1)), pool)).stats
    scores = SCORERS["margin"](pool.view).values[pool.eligible]
    assert stats.mean_score == pytest.approx(scores.mean(), abs=1e-5)
    for share in (0.1, 0.5, 0.9):
        assert stats.quantile(share) == pytest.approx(np.quantile(scores, share), abs=2 / 64)


def test_an_empty_pool_scans_to_nothing():
    found = scan([], job_of(Plan(), make_pool(0)))
    assert [len(items) for items in found.shortlists] == [0] * len(found.aims)
    assert (len(found.aims), len(found.audit), len(found.random)) == (3, 0, 0)
    assert np.isnan(found.stats.mean_score)
    assert np.isnan(found.stats.quantile(0.5))


def test_the_audit_draw_estimates_the_pool_without_bias_under_a_heavy_tail():
    pool = make_pool(400, seed=2)
    truth = np.random.default_rng(9).random(400) < pool.view.proba[:, 1:].sum(axis=1)
    reach = pool.view.reach
    items, views = [], []
    for seed in range(400):
        plan = Plan(budget=60, audit=1.0, random=0, audit_floor=0.25)
        draw = scan([pool], job_of(plan, pool, seed)).audit
        assert len(draw) == 60
        drawn = draw.items.positions
        items.append((truth[drawn] / draw.inclusion).sum())
        views.append((truth[drawn] * reach[drawn] / draw.inclusion).sum())
    for found, total in ((items, truth[pool.eligible].sum()), (views, (truth * reach)[pool.eligible].sum())):
        assert abs(np.mean(found) - total) < 4 * np.std(found) / 20


def test_the_audit_goes_by_doubt_and_reach_with_an_even_floor():
    # certain, in doubt, in doubt and viral, in doubt and unseen; taken often enough to see the proportions
    reach = np.tile([1.0, 1.0, 6.0, 0.0], 300)
    view = example_view([[1, 0], [0.5, 0.5], [0.2, 0.8], [0.2, 0.8]] * 300, reach=reach)
    batch = ScanBatch(np.arange(1200), view, np.zeros(1200, dtype=np.int64), np.ones(1200, dtype=np.bool_))
    plan = Plan(budget=10, audit=1.0, random=0, audit_floor=0.5, audit_views=0.5)
    draw = scan([batch], Job(plan, (), ("",), Stakes(2.0, 1.0), seed=1)).audit
    wanted = np.array([0.0, 0.5 * np.hypot(0.5, 0.25), 0.4 * np.hypot(0.5, 1.5), 0.4 * 0.5])
    weight = np.maximum(wanted, 0.5 * wanted.mean())[draw.items.positions % 4]
    assert draw.inclusion / weight == pytest.approx(np.full(10, draw.inclusion[0] / weight[0]))


def test_the_audit_goes_by_calibrated_probabilities_and_arms_by_opinions():
    pool = make_pool(300)
    calibrated = np.random.default_rng(5).dirichlet(np.ones(3) / 4, 300).astype(np.float32)
    both = replace(pool, calibrated=calibrated)
    alone = replace(pool, view=replace(pool.view, proba=calibrated))
    job = job_of(Plan(budget=20, audit=0.5), pool)
    found, by_opinion, by_proba = (scan([batch], job) for batch in (both, pool, alone))
    assert found.audit.items.positions.tolist() == by_proba.audit.items.positions.tolist()
    assert (found.audit.inclusion == by_proba.audit.inclusion).all()
    assert found.stats.believed == by_proba.stats.believed
    for mine, theirs in zip(found.shortlists, by_opinion.shortlists, strict=True):
        assert mine.positions.tolist() == theirs.positions.tolist()
    assert found.stats.believed["prevalence"] == pytest.approx(calibrated[pool.eligible, 1:].sum(axis=1).mean())
    assert found.stats.as_dict()["believed"] == found.stats.believed


def test_rounds_draw_anew_and_arms_share_no_chance():
    pool = make_pool(3_000)
    plan = Plan(budget=200, audit=0.5, audit_floor=1e6)  # a floor that makes the audit even, as random is

    def chosen(seed):
        found = scan([pool], job_of(plan, pool, seed))
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
        scan([batch], job_of(Plan(), make_pool(9)))


@pytest.mark.parametrize("reach", [np.nan, np.inf, -1.0])
def test_reach_that_cannot_be_is_told(reach):
    batch = make_pool(9)
    batch.view.reach[4] = reach
    with pytest.raises(DataError, match="look at reach"):
        scan([batch], job_of(Plan(arms=one_arm(margin=1)), make_pool(9)))


def test_a_job_that_cannot_be_is_told():
    pool = make_pool(9)
    with pytest.raises(ConfigError, match="no stratum 'xx'"):
        job_of(Plan(quotas={"xx": 0.5}), pool)
    with pytest.raises(ConfigError, match="margin"):
        scan([pool], Job(Plan(), (Aim("explore", 1, {"margni": 1.0}),), STRATA, stakes_of(pool), 1))


def test_what_an_arm_needs_and_the_model_lacks_is_told():
    pool = make_pool(9)
    bare = replace(pool, view=replace(pool.view, embeddings=None, committee=None))
    for name in ("committee", "novelty", "neighbours"):
        for each_label in (False, True):
            arms = {"explore": ArmPlan(scores={name: 1}, each_label=each_label)}
            with pytest.raises(ConfigError, match=f"{name}: the view has no"):
                scan([bare], job_of(Plan(arms=arms), pool))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"plan": Plan(budget=99)},
        {"strata": ("",)},
        {"stakes": Stakes(2.0, 1.0)},
        {"aims": (Aim("explore", 1, {"margin": 1.0}, label="l1"),)},
    ],
)
def test_scans_of_another_job_do_not_merge(change):
    job = Job(Plan(), (Aim("explore", 1, {"margin": 1.0}),), STRATA, Stakes(1.0, 1.0), 1)
    with pytest.raises(ConfigError, match="the same plan"):
        Scanner(job).merge(Scanner(replace(job, **change)))


@pytest.mark.parametrize("budget", [2, 8, 100])
def test_without_aims_the_audit_and_chance_are_still_served(budget):
    pool = make_pool(200)
    found = scan([pool], job_of(Plan(budget=budget, audit=0.5, random=0.5), pool))
    assert found.shortlists == ()
    assert len(found.audit) == Plan(budget=budget, audit=0.5, random=0.5).counts()["audit"]
    assert len(found.random) == min(2 * budget, pool.eligible.sum())
    assert all(0 <= score < 1 for score in found.random.scores)
