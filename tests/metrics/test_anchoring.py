"""A planted pull is found, without bias and with the promised coverage; few tasks are told as too few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.anchoring import Trial, detectable, difference, effects, seconds_saved

LABELS = ("ok", "rude", "spam")


def one_hot(codes):
    return np.eye(len(LABELS), dtype=bool)[codes]


def planted(rng, n, pull, *, hidden=0.3, model=0.7, person=0.85, gold=0.0, quick=0.0):
    """A trial of people of some accuracy who follow a shown prediction blindly with the chance `pull`.

    Whoever does not follow is right with the chance `person`, else takes one of the other two labels.
    """
    truth = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    other = (truth + rng.integers(1, 3, n)) % 3
    says = np.where(rng.random(n) < model, truth, other)
    own = np.where(rng.random(n) < person, truth, (truth + rng.integers(1, 3, n)) % 3)
    shown = rng.random(n) >= hidden
    said = np.where(shown & (rng.random(n) < pull), says, own)
    known = np.where((rng.random(n) < gold)[:, None], one_hot(truth), np.nan)
    seconds = rng.lognormal(2.3, 0.5, n) - quick * shown
    return Trial(shown, one_hot(says), one_hot(said), np.ones(n, bool), np.full(n, 0.9), known, seconds)


def told(trial):
    return {(one.about, one.label): one for one in effects(trial, LABELS)}


def truly(pull, model=0.7, person=0.85):
    """The effects on agreement, in all and where the model is right or wrong, and on right answers."""
    on_right, on_wrong = pull * (1 - person), pull * (1 - (1 - person) / 2)
    return {
        "all": model * on_right + (1 - model) * on_wrong,
        "model right": on_right,
        "model wrong": on_wrong,
        "right answers": pull * (model - person),
    }


def test_newcombe_s_published_intervals():
    # Newcombe 1998, table II, method 10: contrasts (a) to (d).
    pairs = [((56, 48), (70, 80)), ((9, 3), (10, 10)), ((6, 2), (7, 7)), ((5, 0), (56, 29))]
    ends = [(round(one.low, 4), round(one.high, 4)) for one in (difference(*pair) for pair in pairs)]
    assert ends == [(0.0524, 0.3339), (0.1705, 0.8090), (0.0582, 0.8062), (-0.0381, 0.1926)]


def test_a_planted_pull_is_found_where_it_is():
    found, true = told(planted(np.random.default_rng(1), 40_000, 0.4, gold=1.0)), truly(0.4)
    for about, value in true.items():
        told_of = found[about, ""].difference
        half = (told_of.high - told_of.low) / 2
        assert half < 0.03
        assert abs(told_of.value - value) < 1.8 * half  # 3.5 standard errors: four figures at once
    assert found["model wrong", ""].difference.value > 3 * found["model right", ""].difference.value
    assert found["right answers", ""].difference.high < 0
    assert all(found["label", label].difference.low > 0 for label in LABELS)


def test_repeated_trials_are_without_bias_and_cover():
    rng, true = np.random.default_rng(2), truly(0.3)["all"]
    runs = [told(planted(rng, 150, 0.3, hidden=0.2))["all", ""].difference for _ in range(250)]
    assert np.mean([one.value for one in runs]) == pytest.approx(true, abs=0.02)
    assert 0.915 <= np.mean([one.low <= true <= one.high for one in runs]) <= 0.98


@pytest.mark.simulation
@pytest.mark.parametrize("pull", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("n", [60, 300])
def test_coverage_is_nominal(pull, n):
    rng, true = np.random.default_rng(3), truly(pull)
    runs = [told(planted(rng, n, pull, gold=1.0)) for _ in range(1500)]
    for about, value in true.items():
        found = [run[about, ""].difference for run in runs]
        covered = np.mean([one.low <= value <= one.high for one in found])
        assert covered >= 0.93  # Newcombe's is conservative where few are on one side
        assert n < 300 or about != "all" or covered <= 0.98
        settled = [one.value for one in found if one.value == one.value]
        assert np.mean(settled) == pytest.approx(value, abs=4 * np.std(settled) / len(settled) ** 0.5)


def test_without_a_pull_nothing_is_claimed():
    rng = np.random.default_rng(4)
    claimed = [told(planted(rng, 200, 0.0))["all", ""].difference.low > 0 for _ in range(250)]
    assert np.mean(claimed) < 0.055


def test_the_detectable_difference_is_found_four_times_in_five():
    rng, of = np.random.default_rng(5), (320, 80)
    least = detectable(of, 0.7)
    shown, hidden = rng.binomial(of[0], 0.7 + least / 2, 3000), rng.binomial(of[1], 0.7 - least / 2, 3000)
    found = [difference((int(a), int(b)), of).low > 0 for a, b in zip(shown, hidden, strict=True)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_time_saved_has_its_sign_and_covers():
    rng = np.random.default_rng(6)
    runs = [seconds_saved(planted(rng, 200, 0.3, quick=2.0)) for _ in range(400)]
    assert np.mean([one.value for one in runs]) == pytest.approx(2.0, abs=0.25)
    assert np.mean([one.low <= 2.0 <= one.high for one in runs]) >= 0.92


def test_an_answer_without_a_label_agrees_with_nothing():
    trial = planted(np.random.default_rng(7), 400, 1.0)
    silent = Trial(**{**vars(trial), "gave": np.zeros(400, bool), "answered": np.zeros((400, 3), bool)})
    found = told(silent)["all", ""]
    assert (found.shown.value, found.hidden.value, found.difference.value) == (0, 0, 0)


@given(n=st.integers(0, 30), hidden=st.sampled_from([0.0, 0.2, 1.0]), seed=st.integers(0, 99))
def test_few_are_too_few_and_nothing_breaks(n, hidden, seed):
    trial = planted(np.random.default_rng(seed), n, 0.5, hidden=hidden, gold=0.5)
    for one in effects(trial, LABELS):
        assert -1 <= one.difference.low <= one.difference.high <= 1
        assert one.shown.n + one.hidden.n == one.difference.n
        if min(one.shown.n, one.hidden.n) < 5:
            assert np.isnan(one.difference.value)
            assert one.difference.method
    assert seconds_saved(trial).n == n


def test_unequal_columns_are_refused():
    trial = planted(np.random.default_rng(8), 10, 0.5)
    with pytest.raises(DataError, match="belief has the shape"):
        Trial(**{**vars(trial), "belief": np.ones(9)})
