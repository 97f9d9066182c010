"""The plan: what can be written down, what is refused by name, and counts that always add up."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hitl.sampling.diversity import DIVERSITIES
from hitl.sampling.plan import FIXED, ArmPlan, Plan, apportion
from hitl.sampling.scorers import SCORERS
from hitl.types import Pick

WRITTEN = """
rounds: 3
budget: 60
audit: 0.25
random: 0.1
relabel: 0.05
arms:
  doubtful: {scores: {margin: 2, impact: 1}, weight: 2, diversity: badge}
  rare: {scores: {likely_positive: 1}, each_label: true}
adapt: false
least: 0.3
starved_below: 0.4
strata: [language, region]
quotas: {en|de: 0.2}
caps: {author: 2, cluster: 3}
fold_embeddings_at: 0.95
target: 0.8
"""


def read(text):
    return Plan.model_validate(yaml.safe_load(text))


def test_a_plan_is_read_from_yaml_and_written_back():
    plan = read(WRITTEN)
    assert plan.arms["doubtful"] == ArmPlan(scores={"margin": 2, "impact": 1}, weight=2, diversity="badge")
    assert plan.arms["rare"].each_label
    assert plan.strata == ("language", "region")
    assert plan.caps == {"author": 2, "cluster": 3}
    assert plan.counts() == {"audit": 15, "random": 6, "relabel": 3, "doubtful": 24, "rare": 12}
    for mine in (plan, Plan()):
        assert read(yaml.safe_dump(mine.model_dump(mode="json"))) == mine


def test_every_scorer_but_relabel_and_every_diversity_can_be_named():
    for name in SCORERS:
        if name != "relabel":
            assert ArmPlan(scores={name: 1}).told == name
    for name in DIVERSITIES:
        assert ArmPlan(scores={"margin": 1}, diversity=name).diversity == name
    assert ArmPlan(scores={"margin": 1, "entropy": 0, "impact": 2}).told == "margin + impact"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{arms: {one: {scores: {margni: 1}}}}", r"arms\.one\n.*no scorer is called 'margni'; did you mean margin"),
        ("{arms: {one: {scores: {margin: 1}, diversity: bagde}}}", r"arms\.one\n.*no diversity is called 'bagde'"),
        ("{arms: {one: {scores: {relabel: 1}}}}", r"arms\.one\n.*set the share `relabel`"),
        ("{arms: {one: {scores: {}}}}", "at least one scorer needs a weight above 0"),
        ("{arms: {one: {scores: {margin: 0}}}}", "at least one scorer needs a weight above 0"),
        ("{arms: {one: {scores: {margin: -1}}}}", r"arms\.one\.scores\.margin\n.*greater than or equal to 0"),
        ("{arms: {one: {scores: {margin: 1}, wieght: 2}}}", r"arms\.one\.wieght\n"),
        ("{arms: {}}", "arms: at least one needs a weight above 0"),
        ("{arms: {one: {scores: {margin: 1}, weight: 0}}}", "arms: at least one needs a weight above 0"),
        ("{arms: {two words: {scores: {margin: 1}}}}", "arms: 'two words' is no free name; take one word"),
        ("{arms: {'': {scores: {margin: 1}}}}", "arms: '' is no free name"),
        ("{arms: {an_arm_with_a_long_name: {scores: {margin: 1}}}}", "'an_arm_with_a_long_name' is no free name"),
        (
            "{audit: 0.6, random: 0.3, relabel: 0.2}",
            "audit 0.6 [+] random 0.3 [+] relabel 0.2 take more than the budget",
        ),
        ("{keyword: 0.5, exemplar: 0.4, diverse: 0.2}", "keyword 0.5 [+] exemplar 0.4 .* more than the seed budget"),
        ("{quotas: {en: 0.6, de: 0.5}}", "quotas take more than the whole"),
        ("{audit: 1.5}", r"audit\n.*less than or equal to 1"),
        ("{caps: {author: 0}}", r"caps\.author\n"),
        ("{target: 0}", r"target\n"),
        ("{scores: {margin: 1}}", r"scores\n.*not permitted"),
    ],
)
def test_what_cannot_be_is_told_by_name(written, told):
    with pytest.raises(ValidationError, match=told):
        read(written)


@pytest.mark.parametrize("name", FIXED)
def test_reserved_names_are_no_arms(name):
    with pytest.raises(ValidationError, match=f"arms: '{name}' is no free name"):
        Plan(arms={name: ArmPlan(scores={"margin": 1})})


def parts(count):
    """Shares that leave something or nothing, but never take more than all."""
    whole = st.lists(st.floats(0, 1), min_size=count + 1, max_size=count + 1).filter(sum)
    return whole.map(lambda shares: [share / sum(shares) for share in shares[:count]])


@given(
    budget=st.integers(1, 500),
    seed_budget=st.none() | st.integers(1, 500),
    active=parts(3),
    cold=parts(3),
    weights=st.lists(st.floats(0, 1e6), min_size=1, max_size=5).filter(any),
    adapted=st.lists(st.floats(0, 1), min_size=5, max_size=5),
)
def test_counts_add_up_whatever_the_shares(budget, seed_budget, active, cold, weights, adapted):
    plan = Plan(
        budget=budget,
        seed_budget=seed_budget,
        **dict(zip(("audit", "random", "relabel"), active, strict=True)),
        **dict(zip(("keyword", "exemplar", "diverse"), cold, strict=True)),
        arms={f"a{at}": ArmPlan(scores={"margin": 1}, weight=weight) for at, weight in enumerate(weights)},
    )
    assert sum(plan.shares().values()) == pytest.approx(1)
    shares = dict(zip(plan.arms, adapted, strict=False))
    for counts in (plan.counts(), plan.counts(shares if any(shares.values()) else None)):
        assert sum(counts.values()) == budget
        assert min(counts.values()) >= 0
        for name, share in zip(("audit", "random", "relabel"), active, strict=True):
            assert abs(counts[name] - budget * share) <= 1.5
        assert all(counts[name] == 0 for name in plan.arms if counts == plan.counts() and not plan.arms[name].weight)
    cold_counts = plan.seed_counts()
    assert list(cold_counts) == ["keyword", "exemplar", "diverse", "random"]
    assert sum(cold_counts.values()) == (seed_budget or budget)
    assert min(cold_counts.values()) >= 0


def test_shares_that_all_round_up_take_no_more_than_there_is():
    counts = Plan(budget=3, audit=0.5, random=0.5, arms={"one": ArmPlan(scores={"margin": 1})}).counts()
    assert counts == {"audit": 2, "random": 1, "relabel": 0, "one": 0}
    cold = Plan(seed_budget=3, keyword=0.5, exemplar=0, diverse=0.5).seed_counts()
    assert cold == {"keyword": 2, "exemplar": 0, "diverse": 1, "random": 0}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8).filter(any), st.integers(0, 1000))
def test_places_are_shared_out_within_one_of_what_is_due(shares, total):
    named = {str(at): share for at, share in enumerate(shares)}
    places = apportion(named, total)
    assert list(places) == list(named)
    assert sum(places.values()) == total
    for name, share in named.items():
        assert abs(places[name] - total * share / sum(shares)) < 1 + 1e-6


def test_nothing_is_shared_out_where_there_are_no_shares():
    assert apportion({}, 5) == {}
    assert apportion({"a": 0.0}, 5) == {"a": 0}


PLAN = read(WRITTEN)


@pytest.mark.parametrize(
    ("pick", "sentence"),
    [
        (
            Pick(0, "i", "doubtful", 0.81, {"margin": 0.97, "impact": 12.34}, stands_for=3),
            (
                "Picked by the arm doubtful (margin + impact) with priority 0.81, from margin 0.97 and impact 12.3; "
                "stands for 3 near-identical items."
            ),
        ),
        (
            Pick(0, "i", "rare", 0.9, {"margin": 0.9}, label="hate"),
            "Picked by the arm rare (likely_positive) for the label hate with priority 0.90, from margin 0.9.",
        ),
        (
            Pick(0, "i", "audit", 0.2, inclusion=0.05),
            "Drawn for the audit with probability 0.05, as part of a sample of the whole pool.",
        ),
        (
            Pick(0, "i", "benchmark", 0.2, inclusion=0.5),
            "Drawn for the benchmark with probability 0.5, as part of a sample of the whole pool.",
        ),
        (Pick(0, "i", "random", 0.5, {"margin": 0.2}), "Drawn at random, each item alike."),
        (Pick(0, "i", "keyword", 0.5, {"keyword spam": 1.0, "keyword rude": 0.0}), "Holds a seed keyword of spam."),
        (
            Pick(0, "i", "exemplar", 0.5, {"exemplar spam": 1.0, "exemplar rude": 1.0}),
            "Resembles an example of spam and rude.",
        ),
        (Pick(0, "i", "diverse", 0.5), "Typical of one part of the pool."),
        (
            Pick(0, "i", "relabel", 0.9, {"relabel": 0.9}),
            "Asked again for a second opinion: the model doubts its label (relabel 0.9).",
        ),
        (Pick(0, "i", "of_old", 0.5, {"margin": 0.5}), "Picked by the arm of_old with priority 0.50, from margin 0.5."),
    ],
)
def test_a_plan_explains_a_pick_of_any_arm_in_one_sentence(pick, sentence):
    assert PLAN.explain(pick) == sentence


def test_the_plan_tells_itself():
    assert repr(PLAN) == (
        "Plan(3 rounds × 60 items after 60 seed items; 15 audit, 6 random, 3 relabel, 24 doubtful, 12 rare a round; "
        "benchmark 200)"
    )
