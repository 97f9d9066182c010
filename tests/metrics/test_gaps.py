"""Recall by cell from several probability samples, and what matters most."""

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.gaps import ENOUGH, recall_by_cell, worth


def test_a_census_gives_the_recall_of_each_cell(plant):
    pool = plant(0, [0.7, 0.2, 0.1], size=600)
    everything = pool.everything()
    cell = np.arange(600) % 3
    found = recall_by_cell([everything], [cell], 3)
    for part in range(3):
        for label in range(3):
            mine = (cell == part) & (pool.truth == label)
            assert found.value[part, label] == pytest.approx(everything.predicted[mine, label].mean())
            assert found.n[part, label] == mine.sum()
    assert found.low == pytest.approx(found.value)
    assert found.high == pytest.approx(found.value)


@pytest.mark.parametrize("at", [0, 1])
def test_intervals_of_two_samples_together_cover(plant, at):
    pool = plant(1, [0.6, 0.25, 0.15], size=6000)
    cell = (np.arange(6000) % 4 == 0).astype(int)
    truth = recall_by_cell([pool.everything()], [cell], 2).value
    rng, hit, values = np.random.default_rng(at), [], []
    for _ in range(300):
        even = np.flatnonzero(rng.random(6000) < 0.05)
        audit, inclusion = pool.draw(rng, 300, pool.risk)
        samples = [pool.sample(even, np.full(len(even), 0.05)), pool.sample(audit, inclusion)]
        found = recall_by_cell(samples, [cell[even], cell[audit]], 2)
        hit.append((found.low <= truth) & (truth <= found.high))
        values.append(found.value)
    assert np.mean(hit, axis=0).min() >= 0.92
    assert np.nanmean(values, axis=0) == pytest.approx(truth, abs=0.03)


def test_a_cell_without_judged_positives_is_not_known(plant):
    pool = plant(2, [0.9, 0.1], size=200)
    found = recall_by_cell([pool.everything()], [np.zeros(200, dtype=int)], 2)
    told = found.estimate(1, 1, "b")
    assert np.isnan(told.value)
    assert (told.low, told.high, told.n) == (0, 1, 0)
    assert "no judged item" in told.method
    with pytest.raises(DataError, match="the cell of each item"):
        recall_by_cell([pool.everything()], [np.zeros(3, dtype=int)], 2)
    assert recall_by_cell([], [], 2).value.shape == (2, 0)


def test_worth_rises_with_views_severity_and_what_is_lacking():
    def at(views=0.5, severity=2.0, labels=5, low=0.25):
        return worth(np.array([views]), np.array([severity]), np.array([[labels]]), np.array([[low]]))[0, 0]

    assert at(views=0.6) > at() < at(severity=3)
    assert at(labels=4) > at() < at(low=0.2)
    assert at(labels=ENOUGH, low=1.0) == 0
    assert at(labels=ENOUGH) == at(labels=10 * ENOUGH)
