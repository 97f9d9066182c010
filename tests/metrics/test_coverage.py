"""Simulation on planted pools: estimates without bias, intervals that cover at their nominal rate."""

from __future__ import annotations

import numpy as np
import pytest

from hitl.metrics.audit import total
from hitl.metrics.counts import proportion
from hitl.metrics.figures import ratios
from hitl.metrics.quality import average_precisions, macro_f1, ratio_estimates

RUNS = 150


def watched(sample):
    names = {("accuracy", ""), ("prevalence", ""), ("prevalence_by_views", ""), ("recall", "b"), ("precision@act", "")}
    return [*ratio_estimates([r for r in ratios(sample) if (r.name, r.label) in names], sample), macro_f1(sample)]


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
@pytest.mark.parametrize("prevalence", [0.05, 0.3])
def test_intervals_cover(plant, prevalence: float, weighted: bool) -> None:
    pool, n = plant(17, [1 - prevalence, prevalence]), 200
    rng = np.random.default_rng(n)
    truth = {(e.name, e.label): e.value for e in watched(pool.everything())}
    weights = pool.risk if weighted else np.ones(len(pool.truth))
    covered: dict[tuple[str, str], list[bool]] = {key: [] for key in truth}
    errors: dict[tuple[str, str], list[float]] = {key: [] for key in truth}
    for _ in range(RUNS):
        for estimate in watched(pool.sample(*pool.draw(rng, n, weights))):
            key = estimate.name, estimate.label
            covered[key].append(estimate.low <= truth[key] <= estimate.high)
            if np.isfinite(estimate.value):
                errors[key].append(estimate.value - truth[key])
    for key, hits in covered.items():
        # Views drawn evenly from a heavy tail cannot be bounded as well as the rest.
        hard = key[0] == "prevalence_by_views" and not weighted
        assert np.mean(hits) >= (0.86 if hard else 0.90), key
        assert abs(np.mean(errors[key])) < 4 * np.std(errors[key]) / RUNS**0.5 + 0.03, key


def test_tiny_counts_have_an_interval_that_covers_and_no_value(plant) -> None:
    """A prevalence of 0.4 % and 100 items: recall rests on nothing, and prevalence is bounded all the same."""
    pool = plant(2, [0.996, 0.004])
    rng = np.random.default_rng(1)
    truth = {(e.name, e.label): e.value for e in watched(pool.everything())}
    found = [watched(pool.sample(*pool.draw(rng, 100, np.ones(10_000)))) for _ in range(RUNS)]
    for name, label in (("recall", "b"), ("prevalence", "")):
        told = [one for row in found for one in row if (one.name, one.label) == (name, label)]
        assert np.mean([one.low <= truth[name, label] <= one.high for one in told]) >= 0.92
        assert np.mean([np.isfinite(one.value) for one in told]) == (0 if name == "recall" else 1)


def test_the_naive_figure_on_active_picks_is_far_off(plant) -> None:
    pool = plant(3, [0.98, 0.02])
    bad = pool.truth > 0
    picked = np.argsort(np.abs(pool.proba[:, 1] - 0.5))[:200]
    naive = proportion(int(bad[picked].sum()), 200)
    assert naive.low > 3 * bad.mean()


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
def test_ranking_intervals_cover(plant, weighted: bool) -> None:
    pool = plant(5, [0.7, 0.2, 0.1])
    rng = np.random.default_rng(3)
    truth = {e.label: e.value for e in average_precisions(pool.everything(), rng, 2)}
    weights = pool.risk if weighted else np.ones(len(pool.truth))
    covered: dict[str, list[bool]] = {label: [] for label in truth}
    for _ in range(RUNS):
        for estimate in average_precisions(pool.sample(*pool.draw(rng, 200, weights)), rng, 100):
            covered[estimate.label].append(estimate.low <= truth[estimate.label] <= estimate.high)
    for label, hits in covered.items():
        assert np.mean(hits) >= 0.9, label


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
@pytest.mark.parametrize("prevalence", [0.01, 0.3])
def test_totals_cover_without_bias(plant, prevalence: float, weighted: bool) -> None:
    pool = plant(8, [1 - prevalence, prevalence])
    rng = np.random.default_rng(5)
    bad = (pool.truth > 0).astype(float)
    weights = pool.risk if weighted else np.ones(len(bad))
    values, covered = [], []
    for _ in range(300):
        rows, inclusion = pool.draw(rng, 200, weights)
        estimate = total(bad[rows], inclusion)
        values.append(estimate.value)
        covered.append(estimate.low <= bad.sum() <= estimate.high)
    assert np.mean(values) == pytest.approx(bad.sum(), abs=4 * np.std(values) / 300**0.5)
    assert np.mean(covered) >= 0.92


def test_a_draw_by_risk_tells_more_of_views_than_an_even_one(plant) -> None:
    """The reason for the audit's weights: the interval of prevalence by views is far narrower."""
    pool = plant(9, [0.95, 0.05])
    rng = np.random.default_rng(1)
    width = {}
    for name, weights in (("even", np.ones(len(pool.truth))), ("risk", pool.risk)):
        told = [e for _ in range(50) for e in watched(pool.sample(*pool.draw(rng, 200, weights)))]
        width[name] = np.mean([e.high - e.low for e in told if e.name == "prevalence_by_views"])
    assert width["risk"] < 0.75 * width["even"]
