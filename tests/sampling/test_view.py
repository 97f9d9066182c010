"""Views, stakes and joint strata."""

import numpy as np
import pytest

from hitl.errors import ConfigError
from hitl.policy import Policy
from hitl.sampling.plan import Plan
from hitl.sampling.scorers import SCORERS
from hitl.sampling.uniforms import draws
from hitl.sampling.view import Stakes, Viewer, check_quotas, join_strata

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
