"""Whether groups are treated alike: AUCs beside other implementations, distances beside what chance brings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hitl.metrics.identity import auc, bias_aucs, equality

SCORES = st.lists(st.integers(0, 8), min_size=2, max_size=30)


@given(positive=SCORES, negative=SCORES)
@settings(deadline=None)
def test_the_auc_is_scikit_learn_s(positive, negative):
    expected = roc_auc_score([1] * len(positive) + [0] * len(negative), positive + negative)
    found = auc(np.array(positive, dtype=float), np.array(negative, dtype=float))
    assert found.value == pytest.approx(expected)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


@pytest.mark.parametrize(("shift", "m", "n"), [(0.5, 30, 60), (1.5, 20, 200), (2.5, 60, 60)])
def test_the_interval_covers(shift, m, n):
    from scipy.special import ndtr

    rng, truth = np.random.default_rng(2), ndtr(shift / 2**0.5)
    found = [auc(rng.normal(shift, 1, m), rng.normal(0, 1, n)) for _ in range(400)]
    assert 0.93 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.985


def test_an_auc_of_one_class_is_not_known():
    found = auc(np.array([0.3, 0.4]), np.array([0.1]))
    assert np.isnan(found.value)
    assert "1 negative" in found.method


def test_each_bias_auc_sees_its_own_fault():
    rng = np.random.default_rng(0)
    member, positive = rng.random(4000) < 0.3, rng.random(4000) < 0.5
    base = rng.normal(size=4000) + 2 * positive
    fair = [one.value for one in bias_aucs(base, positive, member)]
    assert fair == pytest.approx([0.92] * 3, abs=0.02)
    within, bpsn, bnsp = (one.value for one in bias_aucs(base + 2 * member, positive, member))
    assert within == pytest.approx(0.92, abs=0.02)
    assert bpsn < 0.55
    assert bnsp > 0.98


def test_distances_are_summed_and_no_group_does_not_count():
    failed = np.array([True, True, False, False, True, False])
    found = equality("x", failed, np.array([0, 0, 1, 1, -1, -1]), np.zeros(6, dtype=int), np.random.default_rng(0))
    assert found.value == pytest.approx(1.0)  # rates 1 and 0 about a half
    assert found.groups == 2
    alone = equality("x", failed, np.zeros(6, dtype=int), np.zeros(6, dtype=int), np.random.default_rng(0))
    assert np.isnan(alone.value)


def test_what_the_parts_explain_is_not_laid_to_the_groups():
    # one template fails always and is mostly about one group
    part = np.repeat([0, 1], 100)
    group = np.concatenate([np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [10, 90])])
    failed = part == 0
    within = equality("x", failed, group, part, np.random.default_rng(0), 199)
    across = equality("x", failed, group, np.zeros(200, dtype=int), np.random.default_rng(0), 199)
    assert within.value == pytest.approx(across.value)
    assert within.p == 1.0
    assert across.p == pytest.approx(1 / 200)


def test_groups_that_do_not_differ_are_seldom_found_apart():
    rng = np.random.default_rng(4)
    group, part = np.tile(np.arange(8), 40), np.repeat(np.arange(40), 8)
    p = []
    for _ in range(100):
        failed = rng.random(320) < np.where(part % 2, 0.1, 0.7)
        found = equality("x", failed, group, part, rng, 99)
        p.append(found.p)
        assert found.value > 0
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5
