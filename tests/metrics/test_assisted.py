"""Model-assisted prevalence: right on average whatever the model believes, narrower where it knows, and honest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from hitl.errors import DataError
from hitl.metrics.assisted import ASSISTED, Believed, assisted, assisted_shares, calibrated
from hitl.metrics.intervals import FEW, shares

pytestmark = pytest.mark.simulation

RUNS = 200


@dataclass(frozen=True, eq=False)
class World:
    """A pool of binormal scores 2.6 apart, 1 % of it violating, and what a model makes of them."""

    y: np.ndarray
    p: np.ndarray
    reach: np.ndarray

    def sample(self, rng, n, times):
        """Rows (n, times) and inclusion probabilities of audits by doubt and reach, with an even floor."""
        wanted = np.sqrt(self.p * (1 - self.p)) * np.hypot(0.8, 0.2 * self.reach)
        weights = np.maximum(wanted, 0.25 * wanted.mean())
        rows, inclusion = np.empty((n, times), dtype=np.int64), np.empty((n, times))
        for column in range(times):
            rank = rng.random(len(weights)) / weights
            first = np.argpartition(rank, n)[: n + 1]
            first = first[np.argsort(rank[first])]
            rows[:, column] = first[:n]
            inclusion[:, column] = np.minimum(1, weights[first[:n]] * rank[first[n]])
        return rows, inclusion

    def audits(self, rng, n, times, by="items"):
        """Audits' estimates by the model, and the pool's truth."""
        rows, inclusion = self.sample(rng, n, times)
        size = np.ones(len(self.y)) if by == "items" else self.reach
        share = size / size.sum()
        columns = self.y[rows] * size[rows], size[rows], self.p[rows], np.full(times, self.p @ share)
        return assisted_shares(*columns, 1 / inclusion, 1 - inclusion), self.y @ share


def make_world(told=lambda odds, rng: odds, seed=0, size=40_000, prevalence=0.01):
    rng = np.random.default_rng(seed)
    y = (np.arange(size) < prevalence * size).astype(float)
    odds = logit(prevalence) + 2.6 * (rng.normal(size=size) + 2.6 * y) - 2.6**2 / 2
    reach = np.exp(rng.normal(size=size))
    return World(y, expit(told(odds, rng)), reach / reach.mean())


MODELS = {
    "calibrated": lambda odds, rng: odds,
    "overconfident": lambda odds, rng: 1.5 * odds,
    "claims too much": lambda odds, rng: odds + 1.5,
    "knows nothing": lambda odds, rng: rng.normal(-4.6, 1.5, len(odds)),
}


@pytest.mark.parametrize("by", ["items", "views"])
@pytest.mark.parametrize("told", MODELS.values(), ids=MODELS)
def test_no_bias_and_intervals_that_cover(told, by):
    found, truth = make_world(told).audits(np.random.default_rng(1), 500, RUNS, by)
    assert abs(found.value.mean() - truth) < 4 * found.value.std() / RUNS**0.5
    assert ((found.low <= truth) & (truth <= found.high)).mean() >= 0.9  # 95 % less three errors of the simulation


def test_a_model_that_knows_is_worth_several_times_the_labels():
    rng = np.random.default_rng(2)
    found, truth = make_world().audits(rng, 400, RUNS)
    even = rng.binomial(2000, truth, 5000) / 2000
    assert found.value.std() < 1.1 * even.std()
    assert np.mean(found.high - found.low) < 1.1 * 2 * 1.96 * even.std()


def test_a_model_that_knows_nothing_leaves_the_plain_estimate():
    world = make_world(lambda odds, rng: np.full(len(odds), -4.0))
    rows, inclusion = world.sample(np.random.default_rng(3), 600, 1)
    top, bottom, pi = world.y[rows], np.ones((600, 1)), inclusion[:, 0]
    helped = assisted_shares(top, bottom, world.p[rows], np.array([0.5]), 1 / pi, 1 - pi)
    assert helped.value == pytest.approx(shares(top, bottom, 1 / pi, 1 - pi).value)


def test_a_model_that_is_always_right_is_believed():
    p = np.where(np.random.default_rng(4).random((300, 1)) < 0.3, 1.0, 0.0)
    found = assisted_shares(p, np.ones_like(p), p, np.array([0.123]), np.full(300, 50.0), np.full(300, 0.98))
    assert found.value == pytest.approx([0.123])


def test_a_pool_that_was_judged_as_a_whole_is_known():
    rng = np.random.default_rng(5)
    y, p = (rng.random((200, 1)) < 0.2).astype(float), rng.random((200, 1))
    found = assisted_shares(y, np.ones_like(y), p, p.mean(axis=0), np.ones(200), np.zeros(200))
    assert (found.value, found.low, found.high) == (pytest.approx(y.mean()),) * 3


def test_few_events_widen_the_interval_to_the_plain_one():
    world = make_world()
    rows, inclusion = world.sample(np.random.default_rng(6), 60, 200)
    for column in range(200):
        pi, y, p = inclusion[:, column], world.y[rows[:, [column]]], world.p[rows[:, [column]]]
        helped = assisted_shares(y, np.ones_like(y), p, np.array([world.p.mean()]), 1 / pi, 1 - pi)
        plain = shares(y, np.ones_like(y), 1 / pi, 1 - pi)
        if y.sum() < FEW:
            assert helped.low <= plain.low <= plain.high <= helped.high
        if not y.any():
            assert (helped.value, helped.low, helped.high) == (0, 0, plain.high)


def test_overconfidence_is_found_out_before_its_worst_mistakes_are_drawn():
    """The residuals' own variance covers far less often than 95 %, and the anticipated one mends it."""
    found, truth = make_world(MODELS["overconfident"]).audits(np.random.default_rng(7), 400, RUNS)
    seen = (found.influence**2).sum(axis=0)
    by_residuals = np.abs(found.value - truth) < 1.96 * seen**0.5
    told = (found.low <= truth) & (truth <= found.high)
    assert told.mean() > max(0.9, by_residuals.mean() + 0.05)


@settings(max_examples=30)
@given(st.integers(2, 60), st.integers(0, 999), st.floats(0, 1))
def test_neither_order_nor_company_matters(n, seed, believed):
    rng = np.random.default_rng(seed)
    y, p = (rng.random((n, 3)) < 0.4).astype(float), rng.random((n, 3))
    size, pi, mean = rng.exponential(size=(n, 3)), rng.uniform(0.05, 1, n), np.full(3, believed)
    whole = assisted_shares(y * size, size, p, mean, 1 / pi, 1 - pi)
    order = rng.permutation(n)
    turned = assisted_shares((y * size)[order], size[order], p[order], mean, 1 / pi[order], 1 - pi[order])
    wide = np.stack([pi] * 3, axis=1)
    apart = assisted_shares(y * size, size, p, mean, 1 / wide, 1 - wide)
    for part in ("value", "low", "high"):
        assert getattr(turned, part) == pytest.approx(getattr(whole, part), rel=1e-6, abs=1e-9)
        assert getattr(apart, part) == pytest.approx(getattr(whole, part))
    assert ((whole.low >= 0) & (whole.low <= whole.value + 1e-9)).all()
    assert ((whole.high <= 1) & (whole.high >= whole.value - 1e-9)).all()


def test_calibration_recovers_shift_and_slope():
    rng = np.random.default_rng(8)
    odds = rng.normal(-1, 2, (20_000, 1))
    y = (rng.random(odds.shape) < expit(0.5 + 0.6 * odds)).astype(float)
    settled = np.arange(20_000)[:, None] % 3 > 0
    y[~settled] = 1.0  # answers that nobody gave tell nothing
    assert calibrated(y, expit(odds), settled) == pytest.approx(expit(0.5 + 0.6 * odds), abs=0.05)


def test_what_an_audit_tells_with_the_models_help(plant):
    pool = plant(3, [0.9, 0.06, 0.04])
    rng = np.random.default_rng(0)
    sample = pool.sample(*pool.draw(rng, 500, pool.risk))
    risk = pool.proba[:, 1:].sum(axis=1)
    views = pool.reach / pool.reach.sum()
    labels = dict(zip("abc", pool.proba.mean(axis=0).tolist(), strict=True))
    found = {(e.name, e.label): e for e in assisted(sample, Believed(risk.mean(), risk @ views, labels))}
    bad = pool.truth > 0
    truth = {("prevalence", ""): bad.mean(), ("prevalence_by_views", ""): bad @ views}
    truth |= {("prevalence", label): (pool.truth == code).mean() for code, label in enumerate("abc")}
    assert found.keys() == truth.keys()
    for key, estimate in found.items():
        assert estimate.low <= truth[key] <= estimate.high, key
        assert estimate.method.startswith(ASSISTED)
        assert estimate.n == 500
    (only,) = assisted(sample, Believed(float("nan"), float("nan"), {"b": 0.06}))
    assert only == replace(found["prevalence", "b"], value=only.value, low=only.low, high=only.high)


def test_items_left_open_have_no_part(plant):
    pool = plant(4, [0.7, 0.3])
    rows, inclusion = pool.draw(np.random.default_rng(1), 400, np.ones(10_000))
    whole = pool.sample(rows, inclusion)
    y = whole.y.copy()
    y[::4] = np.nan
    some = pool.sample(rows[np.arange(400) % 4 > 0], inclusion[np.arange(400) % 4 > 0])
    believed = Believed(0.3, 0.3, {})
    for one, other in zip(assisted(replace(whole, y=y), believed), assisted(some, believed), strict=True):
        assert (one.value, one.low, one.high, one.n) == pytest.approx((other.value, other.low, other.high, 300))


def test_what_is_not_on_record_or_settled_is_not_told(plant):
    pool = plant(4, [0.7, 0.3])
    sample = pool.sample(np.arange(50), np.full(50, 0.1))
    unknown = Believed.of({"prevalence": None, "prevalence_by_views": None, "labels": {"b": None}})
    assert assisted(sample, unknown) == ()
    assert assisted(replace(sample, y=np.full((50, 2), np.nan)), Believed(0.3, 0.3, {"b": 0.3})) == ()


def test_shapes_that_do_not_fit_are_refused():
    ones = np.ones((4, 2))
    for weights, believed in ((np.ones(3), np.ones(2)), (np.ones(4), np.ones(3)), (np.ones((2, 4)), np.ones(2))):
        with pytest.raises(DataError, match="one row an item and one column a share"):
            assisted_shares(ones, ones, ones, believed, weights, np.ones(4))
