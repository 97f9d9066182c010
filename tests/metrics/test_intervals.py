"""Intervals of shares: what no coverage simulation would meet often enough."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hitl.metrics.intervals import shares


def test_items_drawn_for_certain_do_not_speak_for_those_not_drawn():
    few = np.array([[1.0], [0.0], [0.0]])  # the one item that the figure is about was drawn for certain
    uncertain = np.array([0.0, 0.9, 0.9])
    found = shares(np.zeros((3, 1)), few, np.array([1.0, 10.0, 10.0]), uncertain)
    assert found.high[0] > 0.5
    census = shares(np.zeros((3, 1)), few, np.ones(3), np.zeros(3))
    assert census.high[0] == 0.0


@given(st.integers(5, 200), st.integers(0, 2**32 - 1))
def test_a_share_of_all_is_exactly_one_however_the_weights_are_rounded(n, seed):
    rng = np.random.default_rng(seed)
    weights, whole = rng.uniform(1, 9, n), np.ones((n, 1))
    found = shares(whole, whole, weights, 1 - 1 / weights)
    assert (found.value, found.high) == (1.0, 1.0)
    assert not found.influence.any()
    none = shares(0 * whole, whole, weights, 1 - 1 / weights)
    assert found.low == 1 - none.high
    assert 0 < none.high < 1
