"""The mix: shares follow what arms yielded, and no arm falls to nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.sampling.mix import Yield, adapted, rarity
from hitl.sampling.plan import ArmPlan, Plan

NAMES = ("one", "two", "three")


def plan_of(weights=(1, 1), **changes):
    arms = {name: ArmPlan(scores={"margin": 1}, weight=weight) for name, weight in zip(NAMES, weights, strict=False)}
    return Plan(arms=arms, **changes)


@st.composite
def yields(draw, size=12):
    found = st.floats(0, 1).map(lambda share: round(share, 3))
    made = []
    for _ in range(draw(st.integers(0, size))):
        settled = draw(st.integers(0, 60))
        arm = draw(st.sampled_from([*NAMES, "audit", "random"]))
        gain = draw(st.sampled_from([-0.1, 0.0, 0.03, float("nan")]))
        made.append(Yield(draw(st.integers(1, 5)), arm, settled, settled * draw(found), gain))
    return made


@given(yields(), st.lists(st.floats(0.01, 100), min_size=3, max_size=3), st.floats(0, 1))
def test_shares_add_up_and_keep_the_floor(seen, weights, least):
    plan = plan_of(weights, least=least)
    shares = adapted(plan, seen)
    assert list(shares) == list(plan.arms)
    assert sum(shares.values()) == pytest.approx(1)
    brought = any(one.settled and (one.found or one.gain > 0) for one in seen if one.arm in plan.arms)
    if brought:
        assert min(shares.values()) >= least / 3 - 1e-12
    else:
        assert shares == plan.shares()


@given(yields(), st.randoms(use_true_random=False))
def test_the_order_of_the_yields_does_not_matter(seen, random):
    plan = plan_of((1, 2, 3))
    other = seen[:]
    random.shuffle(other)
    assert adapted(plan, other) == pytest.approx(adapted(plan, seen), rel=1e-9)


@given(yields(), st.sampled_from(NAMES), st.floats(0, 30))
def test_an_arm_that_found_more_gets_no_smaller_share_and_its_rivals_no_larger(seen, arm, more):
    plan = plan_of((1, 1, 1))
    now = [*seen, Yield(5, arm, 30, 0.0)]
    then = [*seen, Yield(5, arm, 30, more)]
    before, after = adapted(plan, now), adapted(plan, then)
    if before != plan.shares():
        assert after[arm] >= before[arm] - 1e-9


def test_of_two_alike_the_one_that_found_more_gets_more():
    shares = [adapted(plan_of(), [Yield(1, "one", 40, found), Yield(1, "two", 40, 4.0)])["one"] for found in range(20)]
    assert (np.diff(shares) > 0).all()
    assert shares[4] == pytest.approx(0.5)


def test_the_plans_weights_stand_where_nothing_is_to_be_learned():
    plan = plan_of((3, 1))
    base = {"one": 0.75, "two": 0.25}
    seen = [Yield(1, "one", 40, 0.0), Yield(1, "two", 40, 9.0)]
    assert adapted(plan, []) == base
    assert adapted(plan, [Yield(1, "one", 40, 0.0), Yield(1, "two", 40, 0.0, gain=-0.2)]) == base
    assert adapted(plan, [Yield(1, "one", 0, 0.0), Yield(1, "audit", 40, 12.0)]) == base
    assert adapted(plan_of((3, 1), adapt=False), seen) == base
    assert adapted(plan, seen) != base
    assert adapted(plan, [Yield(1, "one", 40, 4.0), Yield(1, "two", 40, 4.0)]) == pytest.approx(
        {"one": 0.8 * 0.75 + 0.1, "two": 0.8 * 0.25 + 0.1}
    )


def test_an_arm_that_the_plan_switches_off_stays_off():
    shares = adapted(plan_of((1, 0, 1)), [Yield(1, "one", 40, 4.0), Yield(1, "two", 40, 8.0)])
    assert shares["two"] == 0
    assert sum(shares.values()) == pytest.approx(1)


def test_older_rounds_count_less():
    def share(first, second):
        seen = [Yield(first, "one", 40, 12.0), Yield(first, "two", 40, 2.0)]
        return adapted(plan_of(), [*seen, Yield(second, "one", 40, 2.0), Yield(second, "two", 40, 12.0)])["one"]

    assert share(1, 2) < 0.5 < share(2, 1)
    assert share(1, 9) < share(1, 2)
    assert share(1, 1) == pytest.approx(0.5)


def test_a_gain_is_credited_to_the_arms_by_their_part_of_the_round():
    gained = [Yield(2, "one", 60, 3.0, gain=0.05), Yield(2, "two", 20, 1.0, gain=0.05)]
    assert adapted(plan_of(), gained) == pytest.approx({"one": 0.5, "two": 0.5})
    in_turn = [Yield(2, "one", 60, 3.0, gain=0.3), Yield(3, "two", 60, 3.0)]
    shares = adapted(plan_of(), in_turn)
    assert shares["one"] > shares["two"]


def simulate(plan, rates, rounds, seed):
    rng, seen = np.random.default_rng(seed), []
    for number in range(1, rounds + 1):
        counts = plan.counts(adapted(plan, seen))
        seen += [Yield(number, arm, counts[arm], rng.binomial(counts[arm], rate)) for arm, rate in rates.items()]
    return adapted(plan, seen)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("better", ["one", "two"])
def test_the_arm_that_finds_more_ends_with_the_larger_share(seed, better):
    plan = plan_of(budget=100, audit=0.3, random=0.1)
    rates = {"one": 0.05, "two": 0.05} | {better: 0.3}
    shares = simulate(plan, rates, 6, seed)
    worse = min(shares, key=shares.__getitem__)
    assert shares[better] > 1.5 * shares[worse]
    assert shares[worse] >= plan.least / 2


def test_equal_arms_stay_near_their_weights_on_average():
    plan = plan_of(budget=100, audit=0.3, random=0.1)
    shares = [simulate(plan, {"one": 0.2, "two": 0.2}, 6, seed)["one"] for seed in range(100)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 50), min_size=1), st.integers(50, 99))
def test_rarity_falls_with_every_positive_from_nearly_one_to_nearly_none(counts, labelled):
    rare = rarity(counts, labelled)
    assert all(0 < value < 1 for value in rare.values())
    for label, count in counts.items():
        assert rare[label] > rarity({label: count + 1}, labelled)[label]
    assert rarity({"a": 0}, labelled)["a"] == pytest.approx(1, abs=0.03)
    assert rarity({"a": labelled}, labelled)["a"] == pytest.approx(0, abs=0.03)
