"""Views, one label of them, stakes and joint strata."""

from dataclasses import replace

import numpy as np
import pytest

from hitl.errors import ConfigError
from hitl.policy import Policy
from hitl.sampling.plan import Plan
from hitl.sampling.scorers import SCORERS
from hitl.sampling.uniforms import draws
from hitl.sampling.view import Stakes, Viewer, check_quotas, example_view, join_strata, one_label
from hitl.types import Known

POLICY = Policy.parse("""
name: p
version: 1
labels:
  - {name: ok, violating: false}
  - {name: spam, severity: 1, wrong_action_cost: 3, actions: {remove: 0.9}}
  - {name: threat, severity: 9}
regions:
  XA: {labels: {threat: {severity: 20, actions: {limit: 0.3}}}}
""")


def test_a_view_carries_the_costs_of_each_items_region():
    keys = np.array([5, 6], dtype=np.uint64)
    proba = np.array([[0.5, 0.1, 0.4]] * 2, dtype=np.float32)
    view = Viewer(POLICY, ("", "XA"), seed=3).view(keys, proba, np.full(2, 10.0), np.array([0, 1]))
    assert view.severity.tolist() == [[0, 1, 9], [0, 1, 20]]
    assert view.act_at.tolist() == [[np.inf, 0.9, np.inf], [np.inf, 0.9, 0.3]]
    assert (view.draw == draws(keys, 3)).all()
    # the region decides whether it is acted on: 10 × (0.1 + 9 × 0.4) against 10 × 1 × 0.5
    assert SCORERS["impact"](view).values == pytest.approx([37, 5], rel=1e-5)
    assert (POLICY.decide(proba, ("", "XA"), np.array([0, 1])) > 1).tolist() == [False, True]


def test_a_view_carries_the_thresholds_of_each_items_region_and_what_it_is_given():
    keys, proba = np.array([5, 6], dtype=np.uint64), np.array([[0.5, 0.1, 0.4]] * 2, dtype=np.float32)
    rows = np.array([[2048, 0], [0, 2048]], dtype=np.int16)
    parts = {"embeddings": rows, "committee": proba[None], "known": Known(rows[:1], (rows[:0],) * 3)}
    view = Viewer(POLICY, ("", "XA"), seed=3).view(keys, proba, np.ones(2), np.array([0, 1]), **parts)
    never = [np.inf] * 3
    assert view.cuts.tolist() == [
        [never, [np.inf, np.inf, 0.9], never],
        [never, [np.inf, np.inf, 0.9], [np.inf, 0.3, np.inf]],
    ]
    assert all(getattr(view, name) is part for name, part in parts.items())
    assert (view.settled, view.confidence) == (None, None)


def test_one_region_needs_no_copies_and_reads_the_same():
    n = 1_000
    keys, proba = np.arange(n, dtype=np.uint64), np.tile(np.float32([0.5, 0.1, 0.4]), (n, 1))
    alone = Viewer(POLICY, ("XA",), seed=3).view(keys, proba, np.ones(n), np.zeros(n, dtype=np.int64))
    among = Viewer(POLICY, ("", "XA"), seed=3).view(keys, proba, np.ones(n), np.ones(n, dtype=np.int64))
    for name in ("severity", "benign_cost", "act_at", "cuts"):
        assert np.array_equal(getattr(alone, name), getattr(among, name))
        assert getattr(alone, name).strides[0] == 0


def rich_view(k, multi_label):
    rng = np.random.default_rng(0)
    n = 7
    rows = rng.integers(-9, 9, (6, 5)).astype(np.int16)
    return replace(
        example_view(rng.dirichlet(np.ones(k), n), multi_label=multi_label, severity=3, act_at=0.7),
        cuts=rng.random((n, k, 3)),
        committee=rng.random((5, n, k)).astype(np.float32),
        embeddings=rng.integers(-9, 9, (n, 5)).astype(np.int16),
        known=Known(rows, tuple(rows[:size] for size in range(k)), centre=rows[0]),
        settled=rng.random((n, k)),
        confidence=rng.random(n),
    )


def test_one_label_of_several_is_a_question_of_its_own():
    view = rich_view(4, multi_label=True)
    alone = one_label(view, 2)
    assert (alone.labels, alone.multi_label, len(alone)) == (("l2",), True, 7)
    for name in ("proba", "severity", "benign_cost", "act_at", "cuts", "settled"):
        assert np.array_equal(getattr(alone, name), getattr(view, name)[:, [2]])
    assert np.array_equal(alone.committee, view.committee[:, :, [2]])
    assert alone.violating.tolist() == [True]
    assert [len(anchors) for anchors in alone.known.anchors] == [2]
    assert alone.known.labelled is view.known.labelled
    assert alone.known.centre is view.known.centre
    assert np.shares_memory(alone.proba, view.proba)


def test_one_label_among_rivals_stands_against_the_strongest():
    view = rich_view(4, multi_label=False)
    alone = one_label(view, 2)
    assert (alone.labels, alone.multi_label, len(alone)) == (("not l2", "l2"), False, 7)
    rivals = [0, 1, 3]
    assert np.array_equal(alone.proba, np.stack([view.proba[:, rivals].max(axis=1), view.proba[:, 2]], axis=1))
    strongest = view.committee[:, :, rivals].max(axis=2)
    assert np.array_equal(alone.committee, np.stack([strongest, view.committee[:, :, 2]], axis=2))
    assert np.array_equal(alone.severity, np.stack([np.zeros(7), view.severity[:, 2]], axis=1))
    assert np.isinf(alone.act_at[:, 0]).all()
    assert np.isinf(alone.cuts[:, 0]).all()
    assert np.array_equal(alone.cuts[:, 1], view.cuts[:, 2])
    assert np.array_equal(alone.settled, np.stack([1 - view.settled[:, 2], view.settled[:, 2]], axis=1))
    assert alone.violating.tolist() == [False, True]
    assert [len(anchors) for anchors in alone.known.anchors] == [0, 2]
    margin = SCORERS["margin"](alone).values
    assert margin == pytest.approx(1 - np.abs(alone.proba[:, 0] - alone.proba[:, 1]), abs=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
def test_one_label_of_a_bare_view(multi_label):
    alone = one_label(example_view([[0.2, 0.8]], multi_label=multi_label), 1)
    assert alone.proba[0, -1] == np.float32(0.8)
    assert (alone.cuts, alone.committee, alone.known, alone.settled) == (None,) * 4


def test_stakes_are_the_worst_certain_mistake():
    reach = np.array([1.0, 3.0])
    assert Stakes.of(POLICY, ("",), reach) == Stakes(2.0, 9.0)
    assert Stakes.of(POLICY, ("", "XA"), reach) == Stakes(2.0, 20.0)
    many = POLICY.model_copy(update={"multi_label": True})
    assert Stakes.of(many, ("",), reach).highest_cost == 10
    careful = Policy.parse("""
        {name: p, version: 1, labels: [{name: ok, violating: false},
         {name: spam, severity: 1, wrong_action_cost: 7, actions: {limit: 0.5}}, {name: rude, wrong_action_cost: 50}]}
    """)
    assert Stakes.of(careful, ("",), reach).highest_cost == 7  # nothing is ever done about `rude`


@pytest.mark.parametrize("reach", [np.empty(0), np.zeros(4)])
def test_a_pool_without_reach_counts_one_view_an_item(reach):
    assert Stakes.of(POLICY, ("",), reach).mean_reach == 1.0


def test_the_plan_may_set_the_scale():
    assert Stakes(2.0, 9.0).scales(Plan()) == {"impact": 9.0}
    assert Stakes(2.0, 9.0).scales(Plan(impact_scale=4.0)) == {"impact": 4.0}


def test_strata_join_by_value():
    rng = np.random.default_rng(1)
    columns = [
        (rng.integers(0, 3, 500), ("a", "b", "c")),
        (rng.integers(0, 2, 500), ("", "x")),
        (np.zeros(500, int), ("k",)),
    ]
    codes, names = join_strata(columns, 500)
    expected = ["|".join(values[code[row]] for code, values in columns) for row in range(500)]
    assert [names[code] for code in codes] == expected
    assert len(set(names)) == len(names) == len(set(expected))


def test_one_column_is_its_own_strata_and_no_column_is_one_stratum():
    codes = np.array([1, 0])
    assert join_strata([(codes, ("en", "id"))], 2)[1] == ("en", "id")
    joint, names = join_strata([], 2)
    assert (joint.tolist(), names) == ([0, 0], ("",))


def test_a_quota_for_no_stratum_is_told():
    check_quotas({"en": 0.5}, ("en", "id"))
    with pytest.raises(ConfigError, match="no stratum 'ind'; did you mean 'id'"):
        check_quotas({"ind": 0.5}, ("en", "id"))
