"""The thresholds that are proposed for a label, and what a policy's thresholds leave to people."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.metrics.cuts import POINTS, Cuts, curve, proposed, working
from hitl.metrics.operating import GRID, Judgements, Promise, complete, precise
from hitl.metrics.sample import LabelledSample
from hitl.policy import Policy
from hitl.types import Resolution

pytestmark = pytest.mark.simulation

POLICY = Policy.parse(
    """
name: p
version: 1
labels:
  - {name: ok, violating: false}
  - {name: rude, severity: 2, actions: {review: 0.3, limit: 0.6, remove: 0.9}}
  - {name: threat, severity: 9, actions: {review: 0.1, remove: 0.7}}
"""
)


def sample(n: int = 400, seed: int = 1) -> LabelledSample:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([3, 0.8, 0.5], n)
    names = np.array(POLICY.names)[(proba.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)]
    judged = [Resolution(str(row), row, (str(name),), 1.0, "m", "1") for row, name in enumerate(names)]
    return LabelledSample.of(POLICY, judged, proba, inclusion=np.full(n, 0.1), reach=rng.exponential(size=n))


steps = st.one_of(st.just(math.inf), st.sampled_from(list(GRID)))


@given(st.integers(0, 2**32 - 1), st.integers(20, 400), st.floats(0.3, 6), st.tuples(steps, steps, steps))
def test_proposals_are_in_order_and_add_no_action_but_review(seed, n, worth, at) -> None:
    rng = np.random.default_rng(seed)
    logit = rng.normal(size=n) * worth
    judged = Judgements(rng.random(n) < 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-logit)), np.ones(n))
    present = Cuts(*sorted(at))
    if rng.random() < 0.5:
        present = Cuts(math.inf, present.limit, present.remove)
    promise = Promise(precision=0.8, missed=0.2)
    acting, letting = precise(judged, promise), complete(judged, promise)
    found = proposed(present, acting, letting)
    finite = [one for one in (found.review, found.limit, found.remove) if math.isfinite(one)]
    assert finite == sorted(finite)
    assert math.isfinite(found.limit) == math.isfinite(present.limit)
    assert math.isfinite(found.remove) == math.isfinite(present.remove)
    if not acting.kept.any() and not letting.kept.any():
        assert found == present
    if acting.kept.any() and math.isfinite(found.act):
        assert found.act >= acting.lowest
    if letting.kept.any():
        assert min(found.review, found.act) <= letting.highest or math.isinf(min(found.review, found.act))


def test_a_milder_action_moves_and_removal_stays_where_it_may() -> None:
    sure = Judgements(np.arange(400) >= 199, np.linspace(0.0, 1.0, 400), np.ones(400))
    acting, letting = precise(sure, Promise()), complete(sure, Promise())
    assert proposed(Cuts(0.2, 0.8, 0.95), acting, letting) == Cuts(letting.highest, letting.highest, 0.95)
    assert proposed(Cuts(0.2, 0.3, 0.4), acting, letting) == Cuts(acting.lowest, acting.lowest, acting.lowest)
    # Every threshold at which both promises hold is as good: the present one is among them.
    assert proposed(Cuts(0.2, math.inf, 0.5), acting, letting).remove == 0.5


def test_a_label_that_people_never_see_is_given_review_where_it_would_miss_too_much() -> None:
    rng = np.random.default_rng(4)
    logit = rng.normal(size=1_500) * 3
    judged = Judgements(rng.random(1_500) < 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-logit)), np.ones(1_500))
    acting, letting = precise(judged, Promise()), complete(judged, Promise())
    found = proposed(Cuts(remove=0.9), acting, letting)
    assert found.review == letting.highest < found.remove


def test_the_work_is_what_the_policy_decides() -> None:
    drawn = sample()
    told = {one.name: one for one in working(drawn)}
    decided = POLICY.decide(drawn.proba.astype(np.float32), ["", ""], np.zeros(len(drawn), dtype=np.int64))
    assert told["automated"].value == pytest.approx((decided != 1).mean())
    views = drawn.reach / drawn.reach.sum()
    assert told["automated_by_views"].value == pytest.approx(views[decided != 1].sum())
    bad = drawn.violates > 0
    assert told["precision@act"].value == pytest.approx(bad[decided >= 2].mean())
    assert told["missed"].value == pytest.approx((decided[bad] == 0).mean())
    for one in told.values():
        assert 0 <= one.low <= one.value <= one.high <= 1


def test_the_curve_rises_in_work_and_tells_each_point_as_it_is() -> None:
    drawn = sample()
    points = curve(drawn)
    assert 5 <= len(points) <= POINTS
    score = drawn.proba[:, 1:].max(axis=1)
    acted = [told[0].value for _, told in points]
    assert acted == sorted(acted, reverse=True)
    for at, told in points:
        named = {one.name: one for one in told}
        assert named["acted"].value == pytest.approx((score >= at).mean())
        assert named["kept"].value == pytest.approx(1 - named["acted"].value)
        assert named["missed"].value == pytest.approx((score < at)[drawn.violates > 0].mean())
    assert curve(sample(0)) == []
