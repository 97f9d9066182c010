"""Labels saved, on models whose worth by number of labels is planted."""

from __future__ import annotations

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.saved import LEAST_REPEATS, Saved, Trained, labels_saved

pytestmark = pytest.mark.simulation

M, ALL, REPEATS = 100, 400, 4


def world(plant, seed: int, times: float) -> tuple[Trained, list, list[Trained]]:
    """Models that know log(labels) of the truth, chosen ones worth `times` as much; each label moves them a little."""
    rng = np.random.default_rng([seed, 1])
    pool = plant(seed, [0.6, 0.4], size=4_000, worth=0.0)
    rows, inclusion = pool.draw(rng, 250, np.ones(4_000))
    by_chance, by_choice = rng.normal(size=M) * 1.2, rng.normal(size=ALL) * 1.2

    def model(labels: float, moved: np.ndarray):
        knows = 0.8 * np.log(labels) - 2.0 + moved.mean()
        odds = pool.proba * np.exp(knows * np.eye(2)[pool.truth])
        return pool.sample(rows, inclusion, odds / odds.sum(axis=1, keepdims=True))

    def part(effects: np.ndarray, size: int, worth: float):
        return model(size * worth, rng.choice(effects, size, replace=False))

    numbers = [M // 4, M // 2, M, ALL]
    sets = [Trained(n, tuple(part(by_choice, n, times) for _ in range(REPEATS if n < ALL else 1))) for n in numbers]
    halves = [part(by_chance, M // 2, 1.0) for _ in range(REPEATS)]
    return Trained(M, (part(by_chance, M, 1.0),)), halves, sets


def told(plant, seed: int, times: float, replicates: int = 150) -> Saved:
    return labels_saved(*world(plant, seed, times), np.random.default_rng([seed, 2]), replicates=replicates)


@pytest.mark.parametrize("times", [1.0, 2.0])
def test_intervals_hold_what_was_planted(plant, times: float) -> None:
    """Labels that are worth `times` as much save M (1 - 1 / times) of M; equal ones save none."""
    truth = M * (1 - 1 / times)
    found = [told(plant, seed, times) for seed in range(40)]
    assert np.mean([one.saved.low <= truth <= one.saved.high for one in found]) >= 0.9
    assert np.median([one.saved.value for one in found]) == pytest.approx(truth, abs=15)
    claims = np.mean([one.gain.low > 0 or one.gain.high < 0 for one in found])
    assert claims <= 0.1 if times == 1 else claims >= 0.3


def test_what_is_beyond_the_tried_numbers_is_a_bound(plant) -> None:
    far, short = told(plant, 3, 30.0), told(plant, 3, 0.1)
    assert (far.edge, far.saved.value, far.saved.high) == ("at least", M - M // 4, M - M // 4)
    assert (short.edge, short.saved.value, short.saved.low) == ("at most", M - ALL, M - ALL)
    assert [labels for labels, _ in far.curve] == [25, 50, 100, 400]
    assert far.by_choice == far.curve[2][1]
    assert far.gain.value == pytest.approx(far.by_choice.value - far.by_chance.value)


def test_numbers_that_do_not_fit_are_refused(plant) -> None:
    chance, halves, sets = world(plant, 1, 1.0)
    rng = np.random.default_rng(0)
    for wrong in (
        (chance, halves[: LEAST_REPEATS - 1], sets),
        (chance, halves, sets[::-1]),
        (chance, halves, sets[:3]),
        (Trained(M + 1, chance.on_benchmark), halves, sets),
        (Trained(M, chance.on_benchmark * 2), halves, sets),
    ):
        with pytest.raises(DataError, match="cannot be compared with choice"):
            labels_saved(*wrong, rng)


def test_a_figure_that_is_not_known_is_refused(plant) -> None:
    pool = plant(5, [1.0, 0.0])
    sample = pool.sample(np.arange(50), np.full(50, 0.1))
    sets = [Trained(10, (sample,) * 3), Trained(20, (sample,))]
    with pytest.raises(DataError, match="macro_f1 is not known: too few"):
        labels_saved(Trained(10, (sample,)), [sample] * 3, sets, np.random.default_rng(0))
