"""Planted answers many times over: intervals of agreement cover from twenty items on."""

from __future__ import annotations

import numpy as np
import pytest

from hitl.metrics.agreement import Ratings, alpha, cohen, estimates, fleiss, gwet, observed, specific

RUNS, REPLICATES = 300, 300
pytestmark = pytest.mark.simulation


def nominal(prior: list[float], accuracy: float, people: int = 2):
    """Each person is right with a probability, and gives any label otherwise."""

    def draw(rng: np.random.Generator, t: int) -> np.ndarray:
        truth = rng.choice(len(prior), size=(t, 1), p=prior)
        return np.where(rng.random((t, people)) < accuracy, truth, rng.integers(len(prior), size=(t, people)))

    return len(prior), draw


def graded(rng: np.random.Generator, t: int) -> np.ndarray:
    """Four grades, of which people miss the right one by a rounded normal error."""
    truth = rng.choice(4, size=(t, 1), p=[0.4, 0.3, 0.2, 0.1])
    return np.clip(truth + np.rint(rng.normal(0, 0.6, size=(t, 2))).astype(int), 0, 3)


POPULATIONS = {
    "three labels": nominal([0.6, 0.3, 0.1], 0.85),
    "a rare label": nominal([0.95, 0.05], 0.95),
    "easy": nominal([0.5, 0.5], 0.97),
    "three people": nominal([0.7, 0.3], 0.8, people=3),
    "grades": (4, graded),
}


def coefficients(said: np.ndarray, k: int, graded: bool) -> tuple:
    each = [Ratings(np.eye(k)[column], np.ones(len(said))) for column in said.T]
    both = Ratings(sum(one.counts for one in each), np.ones(len(said)))
    if graded:
        return alpha(both, "ordinal"), alpha(both, "interval"), gwet(both, "quadratic"), cohen(*each, "linear")
    told = alpha(both), fleiss(both), gwet(both), observed(both), specific(both, k - 1)
    return (*told, cohen(*each)) if len(each) == 2 else told


@pytest.mark.parametrize("items", [20, 60, 200])
@pytest.mark.parametrize("population", POPULATIONS)
def test_intervals_cover(population: str, items: int) -> None:
    k, draw = POPULATIONS[population]
    rng = np.random.default_rng(items)
    whole = coefficients(draw(rng, 300_000), k, population == "grades")
    truth = np.array([one.value for one in estimates(whole, np.ones(300_000), rng, 2)])
    told = [
        estimates(coefficients(draw(rng, items), k, population == "grades"), np.ones(items), rng, REPLICATES)
        for _ in range(RUNS)
    ]
    low, high = (np.array([[getattr(one, end) for one in row] for row in told]) for end in ("low", "high"))
    covered = ((low <= truth + 1e-12) & (truth <= high + 1e-12)).mean(axis=0)
    assert (covered >= 0.9).all(), dict(zip([one.name for one in whole], covered, strict=True))
