"""Drift: definitions by hand, other implementations, false alarms without drift, and power with it."""

import numpy as np
import pytest
from scipy import stats

from hitl.errors import DataError
from hitl.metrics.drift import energy_test, prevalence_drift, psi, score_drift
from hitl.metrics.multiplicity import benjamini_hochberg
from hitl.metrics.prevalence import Drawn

pytestmark = pytest.mark.simulation


def test_the_stability_index_of_a_known_table():
    # shares 0.5, 0.5 against 0.4, 0.6: 0.1 ln(0.5 / 0.4) + 0.1 ln(0.6 / 0.5) = 0.1 ln 1.5
    found = psi(np.array([50_000, 50_000]), np.array([40_000, 60_000]))
    assert found.value == pytest.approx(0.1 * np.log(1.5), rel=1e-3)
    assert np.isnan(psi(np.array([0, 0]), np.array([1, 2])).value)


def test_without_change_the_stability_index_is_what_it_says_by_chance():
    rng = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    found = [psi(rng.multinomial(800, shares), rng.multinomial(400, shares)) for _ in range(1000)]
    assert np.mean([one.value for one in found]) == pytest.approx(found[0].by_chance, rel=0.05)


def test_scores_are_compared_as_scipy_does():
    rng = np.random.default_rng(1)
    before, new = rng.random(150), rng.random(90) ** 1.5
    found, other = score_drift(before, new), stats.ks_2samp(before, new)
    assert (found.statistic, found.p) == pytest.approx((other.statistic, other.pvalue))
    assert found.distance == pytest.approx(stats.wasserstein_distance(before, new))
    with pytest.raises(DataError, match="both periods"):
        score_drift(before, new[:0])


def test_scores_that_all_tie_do_not_drift():
    found = score_drift(np.full(50, 0.2), np.full(40, 0.2))
    assert (found.p, found.distance) == (1.0, 0.0)
    assert found.psi.value == pytest.approx(0.0, abs=1e-3)


def test_scores_without_drift_rarely_alarm_and_a_planted_one_is_found():
    rng = np.random.default_rng(2)
    draw = lambda n, a: rng.beta(a, 8, size=n)  # noqa: E731
    false = np.mean([score_drift(draw(300, 1), draw(200, 1)).p <= 0.05 for _ in range(200)])
    power = np.mean([score_drift(draw(300, 1), draw(200, 1.8)).p <= 0.05 for _ in range(100)])
    assert false <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5
    assert power > 0.95


def test_the_energy_statistic_is_its_definition():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(20, 3)) + 0.3

    def apart(a, b):
        return np.linalg.norm(a[:, None] - b[None], axis=2).mean()

    found = energy_test(x, y, rng, permutations=19)
    assert found.statistic == pytest.approx(2 * apart(x, y) - apart(x, x) - apart(y, y))
    assert found.distance == pytest.approx(found.statistic / (2 * apart(x, y)))
    assert found.p in {hits / 20 for hits in range(1, 21)}


def test_inputs_without_drift_rarely_alarm_and_a_small_new_topic_is_found():
    rng = np.random.default_rng(4)

    def rows(n, new_topic=0.0):
        centre = np.eye(6)[rng.choice(3, size=n)]
        centre[rng.random(n) < new_topic] = np.eye(6)[5]
        return centre + 0.3 * rng.normal(size=(n, 6))

    false = np.mean([energy_test(rows(60), rows(40), rng, 99).p <= 0.05 for _ in range(400)])
    power = np.mean([energy_test(rows(200), rows(150, 0.3), rng, 99).p <= 0.05 for _ in range(60)])
    assert false <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5
    assert power > 0.9


def draw(rng, truth, weights, n):
    """A Poisson draw of about n items, the weightier ones more often, as the audit draws."""
    inclusion = np.minimum(1.0, n * weights / weights.sum())
    rows = np.flatnonzero(rng.random(len(truth)) < inclusion)
    nothing = np.zeros(truth.shape[1])
    return Drawn(truth[rows], inclusion[rows], nothing, 0, len(truth))


def stream(rng, shares, n=4000):
    truth = np.eye(len(shares))[rng.choice(len(shares), size=n, p=shares)]
    # a model worth something: what violates is drawn more often
    return truth, 0.25 + rng.random(n) * np.where(truth[:, 0] > 0, 0.5, 2.0)


def test_labels_without_drift_rarely_alarm_and_their_difference_is_covered():
    rng = np.random.default_rng(5)
    shares = [0.85, 0.1, 0.05]
    alarms, covered = [], []
    for _ in range(200):
        before = [draw(rng, *stream(rng, shares), 100) for _ in range(2)]
        found = prevalence_drift(before, [draw(rng, *stream(rng, shares), 80)], "abc")
        alarms.append((benjamini_hochberg(np.array([one.p for one in found])) <= 0.05).any())
        covered += [one.difference.low <= 0 <= one.difference.high for one in found]
    assert np.mean(alarms) <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean(covered) >= 0.94


def test_a_label_that_comes_up_is_found_and_the_difference_is_without_bias():
    rng = np.random.default_rng(6)
    told = []
    for _ in range(150):
        before = [draw(rng, *stream(rng, [0.9, 0.1, 0.0]), 150)]
        told.append(prevalence_drift(before, [draw(rng, *stream(rng, [0.75, 0.1, 0.15]), 120)], "abc")[2])
    assert np.mean([one.p <= 0.05 for one in told]) > 0.9
    assert np.mean([one.difference.value for one in told]) == pytest.approx(0.15, abs=0.01)
    assert np.mean([one.difference.low <= 0.15 <= one.difference.high for one in told]) >= 0.9


def test_what_was_picked_before_counts_as_known():
    """All positives were found by picking: the draw of the rest sees none, yet the share is theirs."""
    nothing = Drawn(np.zeros((50, 1)), np.full(50, 0.1), np.array([30.0]), 100, 600)
    told = prevalence_drift([Drawn(np.ones((50, 1)), np.full(50, 0.1), np.array([0.0]), 0, 500)], [nothing], ["scam"])
    assert told[0].new.value == pytest.approx(30 / 600)
    assert told[0].before.value == 1
    assert prevalence_drift([], [nothing], ["scam"]) == []
