"""Calibration figures of a probability sample: by hand, against other implementations, and on planted pools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from hitl.metrics.calibration import LEAST, calibration, calibration_error, joined, reliability, spiegelhalter
from hitl.metrics.intervals import shares
from hitl.metrics.sample import LabelledSample

pytestmark = pytest.mark.simulation

NAMES = (
    *("calibration_bias", "calibration_error", "brier", "brier_reliability", "brier_resolution"),
    "brier_uncertainty",
)


def sample_of(proba, truth, inclusion=None, k=1) -> LabelledSample:
    """One label (or k copies of it) of n items; all of the pool when nothing is said of the drawing."""
    n = len(proba)
    inclusion = np.ones(n) if inclusion is None else inclusion
    never = np.full((n, k), np.inf)
    return LabelledSample(
        y=np.tile(np.asarray(truth, dtype=float)[:, None], k),
        proba=np.tile(np.asarray(proba, dtype=float)[:, None], k),
        labels=tuple("abcdef"[:k]),
        multi_label=True,
        violating=np.ones(k, dtype=bool),
        weights=1 / inclusion,
        reach=np.ones(n),
        review_at=never,
        limit_at=never,
        remove_at=never,
    )


def told(sample: LabelledSample) -> dict:
    return {one.name: one for one in calibration(sample)}


def pool(seed: int, prevalence: float, sharper: float = 1.0, size: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a pool and its truth; the logits are `sharper` times what they should be."""
    rng = np.random.default_rng(seed)
    true = rng.normal(logit(prevalence), 1.2, size)
    return expit(sharper * true), rng.random(size) < expit(true)


def draw(rng: np.random.Generator, n: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Priority sampling; the items and their inclusion probabilities."""
    rank = rng.random(len(weights)) / weights
    nearest = np.argpartition(rank, n)[: n + 1]
    nearest = nearest[np.argsort(rank[nearest])]
    return nearest[:n], np.minimum(1.0, weights[nearest[:n]] * rank[nearest[n]])


def test_of_a_whole_pool_nothing_is_noise() -> None:
    proba, truth = pool(0, 0.3, 2.0, size=3000)
    found = told(sample_of(proba, truth))
    assert tuple(found) == NAMES
    assert found["calibration_error"].value == pytest.approx(calibration_error(proba, truth, np.ones(3000)))
    assert found["brier"].value == pytest.approx(brier_score_loss(truth, proba))
    assert found["calibration_bias"].value == pytest.approx(proba.mean() - truth.mean())
    assert found["brier_uncertainty"].value == pytest.approx(truth.mean() * (1 - truth.mean()))
    bins = np.array_split(np.argsort(proba), 10)
    off = np.mean([(proba[part].mean() - truth[part].mean()) ** 2 for part in bins])
    assert found["brier_reliability"].value == pytest.approx(off)
    for name in ("calibration_error", "brier_reliability"):
        assert found[name].low == found[name].value == found[name].high


def test_murphys_parts_of_a_forecast_of_few_values_by_hand() -> None:
    """Four of ten at 0.2 of which one happened, six at 0.5 of which three did, a pool of these a hundred times."""
    proba = np.tile(np.repeat([0.2, 0.5], [4, 6]), 100)
    truth = np.tile([True, False, False, False, True, True, True, False, False, False], 100)
    found = told(sample_of(proba, truth))
    reliability_, resolution = 0.4 * 0.05**2, 0.4 * 0.15**2 + 0.6 * 0.1**2
    assert found["brier_reliability"].value == pytest.approx(reliability_)
    assert found["brier_resolution"].value == pytest.approx(resolution)
    assert found["brier_uncertainty"].value == pytest.approx(0.24)
    assert found["brier"].value == pytest.approx(reliability_ - resolution + 0.24)


def test_the_correction_is_that_of_ferro_and_fricker() -> None:
    """Without weights: Σ n_b/n ȳ(1-ȳ)/(n_b-1) off reliability, ȳ(1-ȳ)/(n-1) onto uncertainty (2012, eq. 13 to 15)."""
    rng = np.random.default_rng(3)
    proba = rng.choice([0.1, 0.3, 0.8], 200)
    truth = rng.random(200) < 0.4
    found = told(sample_of(proba, truth, np.full(200, 1e-9)))
    share, off, noise = truth.mean(), 0.0, 0.0
    for value in (0.1, 0.3, 0.8):
        mine = truth[proba == value]
        off += len(mine) / 200 * (value - mine.mean()) ** 2
        noise += len(mine) / 200 * mine.mean() * (1 - mine.mean()) / (len(mine) - 1)
    assert found["brier_reliability"].value == pytest.approx(off - noise)
    assert found["brier_uncertainty"].value == pytest.approx(share * (1 - share) * 200 / 199)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.01, 1)), min_size=1, max_size=60))
def test_whatever_the_items_the_parts_add_up_and_lie_in_their_intervals(items) -> None:
    proba, truth, inclusion = (np.array(column) for column in zip(*items, strict=True))
    found = told(sample_of(proba, truth, inclusion))
    for one in found.values():
        assert one.low <= one.high
        assert one.value != one.value or one.low - 1e-12 <= one.value <= one.high + 1e-12
    value = {name: one.value for name, one in found.items()}
    assert -1 <= value["calibration_bias"] <= 1
    if value["brier_reliability"] == value["brier_reliability"]:
        parts = value["brier_reliability"] - value["brier_resolution"] + value["brier_uncertainty"]
        assert value["brier"] == pytest.approx(parts, abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
@pytest.mark.parametrize(("prevalence", "sharper", "n"), [(0.3, 1.0, 150), (0.3, 2.5, 150), (0.05, 2.5, 600)])
def test_figures_are_unbiased_and_their_intervals_cover(prevalence, sharper, n, weighted) -> None:
    proba, truth = pool(17, prevalence, sharper)
    true = {name: one.value for name, one in told(sample_of(proba, truth)).items()}
    rng = np.random.default_rng(n)
    weights = proba + 0.1 if weighted else np.ones(len(proba))
    values, covered = {name: [] for name in NAMES}, {name: [] for name in NAMES}
    plain = []
    for _ in range(120):
        at, inclusion = draw(rng, n, weights)
        plain.append(calibration_error(proba[at], truth[at], 1 / inclusion))
        for name, one in told(sample_of(proba[at], truth[at], inclusion)).items():
            if one.value == one.value:
                values[name].append(one.value)
                covered[name].append(one.low <= true[name] <= one.high)
    for name in NAMES:
        assert np.mean(covered[name]) >= 0.88, name
        if name != "calibration_error":  # a distance cannot be estimated without bias near 0
            error = np.std(values[name]) / len(values[name]) ** 0.5
            assert abs(np.mean(values[name]) - true[name]) < 4 * error, name
    bias = abs(np.mean(values["calibration_error"]) - true["calibration_error"])
    assert bias < max(abs(np.mean(plain) - true["calibration_error"]), 0.1 * true["calibration_error"] + 0.002)


def test_a_model_that_is_right_is_not_said_to_be_off_as_the_plain_error_says() -> None:
    rng = np.random.default_rng(1)
    proba, truth = pool(2, 0.3)
    plain, freed, lows = [], [], []
    for _ in range(200):
        at, inclusion = draw(rng, 150, np.ones(len(proba)))
        one = told(sample_of(proba[at], truth[at], inclusion))["calibration_error"]
        plain.append(calibration_error(proba[at], truth[at], 1 / inclusion))
        freed.append(one.value)
        lows.append(one.low)
    assert np.mean(plain) > 0.07
    assert np.median(freed) < 0.02
    assert np.mean(np.array(lows) > 0) < 0.06


def test_too_few_of_either_kind_and_nothing_settled() -> None:
    proba, truth = np.linspace(0.01, 0.3, 200), np.arange(200) < LEAST - 1
    found = told(sample_of(proba, truth, np.full(200, 0.01)))
    for name in ("calibration_error", "brier_reliability", "brier_resolution"):
        assert np.isnan(found[name].value)
        assert found[name].method == "too few: 9 items with the label, worth 9"
    assert found["calibration_bias"].low < found["calibration_bias"].value < found["calibration_bias"].high
    assert "without" in told(sample_of(proba, ~truth, np.full(200, 0.01)))["calibration_error"].method
    uneven = np.where(np.arange(200) == 0, 1e-6, 0.5)  # many, of which one outweighs all others
    assert "worth 1" in told(sample_of(proba, np.arange(200) < 100, uneven))["calibration_error"].method
    open_ = sample_of(proba, np.full(200, np.nan), np.full(200, 0.01))
    assert {one.method for one in calibration(open_)} == {"no item is settled"}
    assert all(np.isnan(one.value) for one in calibration(open_))


def test_open_cells_are_left_out_label_by_label() -> None:
    proba, truth = pool(4, 0.3, size=300)
    both = sample_of(proba, truth, np.full(300, 0.1), k=2)
    y = both.y.copy()
    y[200:, 1] = np.nan
    some = LabelledSample(**{**{name: getattr(both, name) for name in both.__dataclass_fields__}, "y": y})
    first, second = calibration(some)[:6], calibration(some)[6:]
    for name, one, other in zip(NAMES, first, second, strict=True):
        assert one.value == told(sample_of(proba, truth, np.full(300, 0.1)))[name].value
        assert other.value == told(sample_of(proba[:200], truth[:200], np.full(200, 0.1)))[name].value


def test_the_reliability_table_is_scikit_learns_where_all_bins_are_full() -> None:
    proba, truth = pool(5, 0.5, size=8000)
    found = reliability(sample_of(proba, truth), 0)
    share, mean = calibration_curve(truth, proba, n_bins=10)
    np.testing.assert_allclose(found.share, share)
    np.testing.assert_allclose(found.proba, mean)
    assert found.n.sum() == 8000
    assert found.mass.sum() == pytest.approx(1)


def test_bins_of_the_table_are_weighted_and_small_ones_join() -> None:
    proba = np.repeat([0.05, 0.15, 0.55, 0.95], [20, 3, 12, 4])
    truth = np.arange(39) % 2 == 0
    inclusion = np.linspace(0.1, 0.9, 39)
    found = reliability(sample_of(proba, truth, inclusion), 0)
    assert found.n.tolist() == [20, 19]
    weights = 1 / inclusion
    assert found.mass[0] == pytest.approx(weights[:20].sum() / weights.sum())
    rest = slice(20, None)
    assert found.proba[1] == pytest.approx(np.average(proba[rest], weights=weights[rest]))
    alone = shares(truth[rest, None] * 1.0, np.ones((19, 1)), weights[rest], 1 - inclusion[rest])
    assert (found.low[1], found.high[1]) == pytest.approx((alone.low[0], alone.high[0]))
    assert len(reliability(sample_of(proba, np.full(39, np.nan)), 0).n) == 0


@given(st.lists(st.integers(0, 9), max_size=50), st.integers(1, 12))
def test_joined_bins_are_large_and_in_order(place, least) -> None:
    place = np.array(place, dtype=np.int64)
    found = joined(place, least)
    order = np.argsort(place, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    counts = np.bincount(found)
    assert (counts >= least).all() or len(counts) <= 1
    assert all(len(set(found[place == one])) == 1 for one in set(place))


def test_spiegelhalter_by_hand_and_by_its_rate() -> None:
    proba, truth = np.array([0.1, 0.4, 0.7, 0.9]), np.array([False, True, False, True])
    z, p = spiegelhalter(sample_of(proba, truth), 0)
    off = np.array([-0.1 * 0.8, 0.6 * 0.2, -0.7 * -0.4, 0.1 * -0.8])
    spread = 0.8**2 * 0.09 + 0.2**2 * 0.24 + 0.4**2 * 0.21 + 0.8**2 * 0.09
    assert z == pytest.approx(off.sum() / spread**0.5)
    assert 0 < p < 1
    assert np.isnan(spiegelhalter(sample_of(np.array([0.0, 0.5, 1.0]), np.array([0, 1, 1])), 0)).all()
    rng = np.random.default_rng(0)
    rejected = {1.0: 0, 2.5: 0}
    for sharper in rejected:
        proba, truth = pool(6, 0.3, sharper)
        for _ in range(300):
            at, inclusion = draw(rng, 200, proba + 0.1)
            z, p = spiegelhalter(sample_of(proba[at], truth[at], inclusion), 0)
            rejected[sharper] += p < 0.05
            assert sharper == 1 or z > -1.5  # too sure is to the right
    assert 0.02 < rejected[1.0] / 300 < 0.09
    assert rejected[2.5] / 300 > 0.8


def test_calibration_error_by_hand() -> None:
    proba = np.array([0.1, 0.3, 0.6, 0.9])
    hit = np.array([False, True, True, True])
    # two bins of weight 4 of 8: |(3 × 0.1 + 0.3) - 1| = 0.4 and |(2 × 0.6 + 2 × 0.9) - 4| = 1
    assert calibration_error(proba, hit, np.array([3.0, 1, 2, 2]), bins=2) == pytest.approx(1.4 / 8)
    assert calibration_error(proba, hit, np.ones(4), bins=1) == pytest.approx(abs(1.9 - 3) / 4)
    assert calibration_error(proba, hit, np.ones(4), bins=4) == pytest.approx((0.1 + 0.7 + 0.4 + 0.1) / 4)
    assert calibration_error(proba, hit, np.array([0.0, 0, 0, 1])) == pytest.approx(0.1)
    assert calibration_error(proba, hit, np.zeros(4)) == 0
    assert calibration_error(proba[:0], hit[:0], np.zeros(0)) == 0


def test_equal_probabilities_share_a_bin_in_any_order() -> None:
    hit = np.repeat([False, True], 50)
    assert calibration_error(np.full(100, 0.5), hit, np.ones(100)) == 0
    rng = np.random.default_rng(1)
    proba = rng.choice([0.1, 0.2, 0.7], 100)
    errors = {calibration_error(proba[order], hit[order], np.ones(100)) for order in map(rng.permutation, [100] * 5)}
    assert max(errors) - min(errors) < 1e-9


def test_calibration_error_is_small_where_probabilities_are_true() -> None:
    rng = np.random.default_rng(2)
    proba = rng.random(50_000)
    assert calibration_error(proba, rng.random(50_000) < proba, np.ones(50_000)) < 0.01
    assert calibration_error(proba, rng.random(50_000) < proba**2, np.ones(50_000)) > 0.1
