"""What counts as passing, pass rates, and what changed between two models."""

from __future__ import annotations

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.challenge import changes, faults, must_catch, pass_rates, passes

# labels: fine, rude, hate; the last two violate
VIOLATING = np.array([False, True, True])
FINE, RUDE, HATE = np.eye(3, dtype=bool)
NONE = np.zeros(3, dtype=bool)


@pytest.mark.parametrize(
    ("given", "accepted", "right"),
    [
        (HATE, HATE, True), (RUDE, HATE, False), (FINE, HATE, False), (RUDE, HATE | RUDE, True),
        (FINE, FINE, True), (RUDE, FINE, False), (RUDE, FINE | RUDE, True), (HATE, FINE | RUDE, False),
        (FINE, NONE, True), (RUDE, NONE, False),
    ],
)  # fmt: skip
def test_one_label_is_right_when_it_is_accepted(given, accepted, right):
    assert passes(given[None], accepted[None], VIOLATING, False).tolist() == [right]


@pytest.mark.parametrize(
    ("given", "accepted", "right"),
    [
        (HATE | RUDE, HATE, True), (RUDE, HATE, False), (NONE, HATE, False), (HATE, HATE | RUDE, True),
        (NONE, NONE, True), (RUDE, NONE, False), (NONE, FINE, True), (FINE, FINE, True), (FINE | RUDE, FINE, False),
        (RUDE, FINE | RUDE, True), (NONE, FINE | RUDE, True), (HATE, FINE | RUDE, False),
    ],
)  # fmt: skip
def test_of_several_labels_violations_are_caught_and_others_let_be(given, accepted, right):
    assert passes(given[None], accepted[None], VIOLATING, True).tolist() == [right]


def test_violations_are_cases_that_accept_nothing_else():
    accepted = np.stack([HATE, HATE | RUDE, FINE, FINE | RUDE, NONE])
    assert must_catch(accepted, VIOLATING).tolist() == [True, True, False, False, False]


def test_a_label_that_harmless_cases_accept_is_no_fault():
    assert faults(np.stack([HATE, FINE | RUDE]), VIOLATING).tolist() == [False, False, True]
    assert faults(np.stack([HATE, FINE]), VIOLATING).tolist() == [False, True, True]
    assert faults(HATE[None], VIOLATING).tolist() == [False, True, True]


def test_pass_rates_by_part():
    passed, codes = np.array([True] * 6 + [False] * 4 + [True] * 2), np.repeat([0, 2], [10, 2])
    one, empty, few = pass_rates(passed, codes, ("a", "b", "c"))
    assert (one.label, one.value, one.n) == ("a", 0.6, 10)
    assert np.isnan(empty.value)
    assert np.isnan(few.value)
    assert "too few" in few.method


@pytest.mark.simulation
def test_pass_rates_cover():
    rng = np.random.default_rng(0)
    for rate in (0.05, 0.5, 0.97):
        passed = rng.random(30 * 2000) < rate
        found = pass_rates(passed, np.repeat(np.arange(2000), 30), tuple(map(str, range(2000))))
        assert np.mean([one.low <= rate <= one.high for one in found]) > 0.93


def test_changes_are_paired():
    old = np.repeat([True, False], [60, 40])
    new = old.copy()
    new[:12], new[60:61] = False, True
    (whole,) = changes(new, old, np.zeros(100, dtype=int), ("all",))
    assert (whole.test.wins, whole.test.losses) == (1, 12)
    assert whole.difference.value == pytest.approx(-0.11)
    assert whole.difference.high < 0
    assert whole.regressed
    (back,) = changes(old, new, np.zeros(100, dtype=int), ("all",))
    assert not back.regressed
    assert back.difference.value == pytest.approx(0.11)


def test_what_many_parts_lose_by_chance_is_no_regression():
    rng = np.random.default_rng(5)
    codes, names = np.repeat(np.arange(30), 40), tuple(map(str, range(30)))
    found = []
    for _ in range(30):
        old = rng.random(1200) < 0.7
        new = old ^ (rng.random(1200) < np.where(old, 0.3 / 0.7 * 0.3, 0.3))
        found.append(any(one.regressed for one in changes(new, old, codes, names)))
    assert np.mean(found) <= 0.05 + 3 * (0.05 * 0.95 / 30) ** 0.5


def test_the_paired_interval_covers():
    rng = np.random.default_rng(9)
    inside = []
    for _ in range(300):
        both = rng.multinomial(60, [0.55, 0.15, 0.05, 0.25])  # both pass, new alone, old alone, neither
        new, old = np.repeat([True, True, False, False], both), np.repeat([True, False, True, False], both)
        difference = changes(new, old, np.zeros(60, dtype=int), ("all",))[0].difference
        inside.append(difference.low <= 0.1 <= difference.high)
    assert 0.92 <= np.mean(inside) <= 0.99


def test_parts_without_cases_are_left_out_and_other_suites_refused():
    passed = np.array([True, False])
    assert [one.name for one in changes(passed, passed, np.array([0, 2]), ("a", "b", "c"))] == ["a", "c"]
    with pytest.raises(DataError, match="same suite"):
        changes(passed, passed[:1], np.array([0, 1]), ("a", "b"))
