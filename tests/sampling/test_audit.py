"""The audit's weights: what they are, what they guarantee whatever the pool; and sums of what the model believes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.deciding import violation
from hitl.errors import ConfigError
from hitl.sampling.audit import Beliefs, audit_weights
from hitl.sampling.view import example_view


def test_whether_an_item_violates_anything():
    proba, violating = np.array([[0.5, 0.3, 0.2], [0.0, 0.7, 0.3]]), np.array([False, True, True])
    assert violation(proba, violating) == pytest.approx([0.5, 1.0])
    assert violation(proba, violating, multi_label=True) == pytest.approx([0.3, 0.7])
    assert (violation(proba, np.zeros(3, dtype=bool)) == 0).all()


def test_doubt_is_of_the_violation_or_of_its_kind_whichever_is_larger():
    view = example_view([[0.9, 0.1, 0.0], [0.1, 0.45, 0.45], [0.0, 1.0, 0.0]])
    # 0.1 × 0.9; 0.45 × 0.55, although that something violates is almost certain; certain of both
    assert audit_weights(view, 1.0, 0.0) ** 2 == pytest.approx([0.09, 0.2475, 0.0])
    several = example_view([[0.9, 0.1], [0.4, 0.5]], multi_label=True)
    assert audit_weights(several, 1.0, 0.0) ** 2 == pytest.approx([0.09, 0.25])


def test_reach_counts_by_the_views_share_and_relative_to_its_mean():
    view = example_view([[0.5, 0.5]] * 3, reach=[0, 10, 1000])
    assert audit_weights(view, 10.0, 0.0) == pytest.approx([0.5, 0.5, 0.5])
    assert audit_weights(view, 10.0, 1.0) == pytest.approx([0.0, 0.5, 50.0])
    assert audit_weights(view, 10.0, 0.2) == pytest.approx([0.4, 0.5 * 0.68**0.5, 0.5 * (0.64 + 400) ** 0.5])


@given(st.integers(0, 999), st.floats(0.05, 0.95), st.floats(0.4, 4.0))
def test_neither_variance_exceeds_its_least_by_more_than_the_plan_allows(seed, share, tail):
    rng = np.random.default_rng(seed)
    p, reach = rng.beta(0.2, 3, 300), rng.pareto(tail, 300) + 1e-9
    weights = audit_weights(example_view(np.stack([1 - p, p], axis=1), reach=reach), float(reach.mean()), share)
    p = p.astype(np.float32).astype(float)
    doubt = np.sqrt(p * (1 - p))
    doubtful = doubt @ reach / doubt.sum() / reach.mean()
    bounds = 1 + share * doubtful / (1 - share), 1 + (1 - share) / (share * doubtful)
    for size, most in zip((np.ones(300), reach), bounds, strict=True):
        # the anticipated variance of a design is Σ size² doubt² / π, at its least with π in proportion to size × doubt
        variance = (size**2 * doubt**2 / np.maximum(weights, 1e-300) * weights.sum()).sum()
        assert variance <= most * (size * doubt).sum() ** 2 * (1 + 1e-6)


@given(st.integers(0, 60), st.lists(st.integers(0, 60), max_size=4), st.integers(0, 99), st.booleans())
def test_beliefs_are_means_whatever_the_order_and_the_cut(n, cuts, seed, multi_label):
    rng = np.random.default_rng(seed)
    proba = (rng.random((n, 3)) if multi_label else rng.dirichlet(np.ones(3), n).reshape(n, 3)).astype(np.float32)
    reach, chosen = rng.pareto(1.0, n), rng.random(n) < 0.8

    def fed(rows):
        beliefs = Beliefs(mean_reach=3.0)
        beliefs.feed(example_view(proba[rows], multi_label=multi_label, reach=reach[rows]), chosen[rows])
        return beliefs

    parts = [fed(rows) for rows in np.split(rng.permutation(n), sorted(cut % (n + 1) for cut in cuts))]
    merged = Beliefs(mean_reach=3.0)
    for part in parts:
        merged.merge(part)
    assert str(merged.result()) == str(fed(np.arange(n)).result())  # as text, since NaN is no number
    if chosen.any():
        found, kept = merged.result(), proba[chosen].astype(float)
        risk = kept.max(axis=1) if multi_label else kept[:, 1:].sum(axis=1)
        assert found["prevalence"] == pytest.approx(risk.mean(), abs=1e-7)
        assert found["prevalence_by_views"] == pytest.approx(np.average(risk, weights=reach[chosen]), abs=1e-6)
        assert list(found["labels"].values()) == pytest.approx(kept.mean(axis=0), abs=1e-7)


def test_nothing_seen_is_nothing_believed():
    assert str(Beliefs(1.0).result()) == "{'prevalence': nan, 'prevalence_by_views': nan, 'labels': {}}"
    unseen = Beliefs(1.0)
    unseen.feed(example_view([[0.5, 0.5]], reach=0.0), np.array([True]))
    assert np.isnan(unseen.result()["prevalence_by_views"])


def test_beliefs_of_other_labels_do_not_mix():
    one, other = Beliefs(1.0), Beliefs(1.0)
    one.feed(example_view([[0.5, 0.5]]), np.array([True]))
    other.feed(example_view([[0.5, 0.3, 0.2]]), np.array([True]))
    with pytest.raises(ConfigError, match="other labels"):
        one.merge(other)
