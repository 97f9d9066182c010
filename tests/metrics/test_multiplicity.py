"""Corrections for many tests: by their definitions, beside an independent implementation, and by what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from hitl.errors import DataError
from hitl.metrics.multiplicity import benjamini_hochberg, holm

CORRECTIONS = (holm, benjamini_hochberg)


@settings(deadline=None)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_and_hochberg_s_is_scipy_s(p):
    assert benjamini_hochberg(np.array(p)) == pytest.approx(false_discovery_control(p), abs=1e-12)


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30), alpha=st.floats(0.001, 0.5))
def test_holm_s_rejects_step_by_step(p, alpha):
    # Holm 1979, sec. 3: from the smallest on, each at alpha over the number of those left, until the first that stays
    rejected = np.zeros(len(p), dtype=bool)
    for left, place in zip(range(len(p), 0, -1), np.argsort(p), strict=True):
        if p[place] * left > alpha:
            break
        rejected[place] = True
    assert (holm(np.array(p)) <= alpha).tolist() == rejected.tolist()


def test_what_benjamini_and_hochberg_found():
    # the fifteen p-values of their section 4.1: the step-up procedure rejects four at 5 %, Bonferroni's three
    told = ".0001 .0004 .0019 .0095 .0201 .0278 .0298 .0344 .0459 .3240 .4262 .5719 .6528 .7590 1"
    p = np.array(told.split(), dtype=float)
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4
    assert (holm(p) <= 0.05).sum() == 3


@pytest.mark.parametrize("correct", CORRECTIONS)
def test_a_test_that_was_not_made_does_not_count(correct):
    p = np.array([0.01, np.nan, 0.03, np.nan])
    adjusted = correct(p)
    assert np.isnan(adjusted).tolist() == [False, True, False, True]
    assert adjusted[[0, 2]] == pytest.approx(correct(p[[0, 2]]))
    assert correct(np.zeros(0)).shape == (0,)
    assert np.isnan(p[1])


@pytest.mark.parametrize("correct", CORRECTIONS)
@pytest.mark.parametrize("bad", [-0.1, 1.1, np.inf])
def test_what_is_no_p_value_is_refused(correct, bad):
    with pytest.raises(DataError, match="0, 1"):
        correct(np.array([0.5, bad]))


def test_they_keep_what_they_promise():
    rng = np.random.default_rng(1)
    false_alarm, false_share = [], []
    for _ in range(600):
        p = np.concatenate([rng.random(15), rng.random(5) ** 8])  # five true effects
        false_alarm.append((holm(p)[:15] <= 0.1).any())
        found = benjamini_hochberg(p) <= 0.1
        false_share.append(found[:15].sum() / max(found.sum(), 1))
    assert np.mean(false_alarm) < 0.1 + 3 * (0.1 * 0.9 / 600) ** 0.5
    assert np.mean(false_share) < 0.1
