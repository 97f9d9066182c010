"""Priorities made one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.sampling.combine import combine
from hitl.types import Scores


def test_the_weighted_mean_with_raw_parts():
    scores = [Scores("margin", np.array([0.2, 1.0])), Scores("impact", np.array([6.0, 0.0]))]
    combined = combine(scores, {"margin": 3, "impact": 1}, {"impact": 2.0})
    assert combined.values == pytest.approx([(3 * 0.2 + 0.75) / 4, 0.75])
    assert combined.parts["impact"].tolist() == [6.0, 0.0]


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=20), st.floats(0.01, 100), st.floats(1e-6, 1e6))
def test_the_result_stays_in_bounds_and_keeps_the_order(values, weight, scale):
    values = np.array(values)
    combined = combine([Scores("impact", values)], {"impact": weight}, {"impact": scale}).values
    assert ((combined >= 0) & (combined <= 1)).all()
    assert (np.diff(combined[np.argsort(values)]) >= 0).all()


def test_an_empty_pool_combines():
    assert len(combine([Scores("margin", np.empty(0))], {"margin": 1}, {})) == 0


@pytest.mark.parametrize(
    ("values", "weights", "scales", "error", "told"),
    [
        ([0.5], {}, {}, ConfigError, "no weight for s"),
        ([0.5], {"s": 0.0}, {}, ConfigError, "weight above 0"),
        ([1.5], {"s": 1.0}, {}, ConfigError, "no scale"),
        ([1.5], {"s": 1.0}, {"s": 0.0}, ConfigError, "above 0 and finite"),
        ([np.nan], {"s": 1.0}, {}, DataError, "NaN"),
        ([-0.1], {"s": 1.0}, {"s": 1.0}, DataError, "below 0"),
    ],
)
def test_what_cannot_be_combined_is_told(values, weights, scales, error, told):
    with pytest.raises(error, match=told):
        combine([Scores("s", np.array(values))], weights, scales)


def test_scores_of_different_items_do_not_combine():
    with pytest.raises(DataError, match="b scores 2 items, a 1"):
        combine([Scores("a", np.zeros(1)), Scores("b", np.zeros(2))], {"a": 1, "b": 1}, {})
