"""Words that tell a group of texts from the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.terms import log_odds

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=30)


@given(COUNTS)
def test_what_is_telling_of_the_group_tells_as_much_against_the_rest(counts):
    inside, outside = np.array(counts, dtype=float).T
    assert log_odds(inside, outside) == pytest.approx(-log_odds(outside, inside))


def test_words_that_everybody_uses_and_rare_words_stay_near_zero():
    #                  the, wallet, once, and
    inside, outside = np.array([400.0, 40.0, 1.0, 400.0]), np.array([4000.0, 4.0, 0.0, 4000.0])
    common, telling, rare, _ = log_odds(inside, outside)
    assert telling > 6
    assert abs(common) < telling / 2
    assert abs(rare) < 1.96


def test_it_is_the_formula_of_monroe_colaresi_and_quinn():
    # eq. 16 and 22 by hand: y = (5, 15), y' = (20, 60), prior 2 + 6 in proportion to 25 : 75
    top = np.log(7 / 21) - np.log(22 / 66)
    assert log_odds(np.array([5.0, 15.0]), np.array([20.0, 60.0]), strength=8)[0] == pytest.approx(top, abs=1e-12)
    odds = np.log((12 + 3) / (8 + 20 - 12 + 5)) - np.log((18 + 3) / (8 + 60 - 18 + 42 - 37))
    spread = np.sqrt(1 / 15 + 1 / 21)
    # 12 of 20 inside and 18 of 60 outside; both are 30 of 80, so the prior is 3 of 8
    odds = np.log(15 / (28 - 15)) - np.log(21 / (68 - 21))
    found = log_odds(np.array([12.0, 8.0]), np.array([18.0, 42.0]), strength=8)
    assert found[0] == pytest.approx(odds / spread)


def test_counts_must_fit():
    with pytest.raises(DataError, match="counts of terms"):
        log_odds(np.array([1.0]), np.array([1.0, 2.0]))
    assert log_odds(np.zeros(3), np.zeros(3)).tolist() == [0, 0, 0]
