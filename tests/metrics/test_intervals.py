"""Intervals of shares: what no coverage simulation would meet often enough."""

import numpy as np

from hitl.metrics.intervals import shares


def test_items_drawn_for_certain_do_not_speak_for_those_not_drawn():
    few = np.array([[1.0], [0.0], [0.0]])  # the one item that the figure is about was drawn for certain
    uncertain = np.array([0.0, 0.9, 0.9])
    found = shares(np.zeros((3, 1)), few, np.array([1.0, 10.0, 10.0]), uncertain)
    assert found.high[0] > 0.5
    census = shares(np.zeros((3, 1)), few, np.ones(3), np.zeros(3))
    assert census.high[0] == 0.0
