"""Select: arms in order, no item twice, copies folded, quotas kept, and shortfalls told."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.sampling.plan import Plan
from hitl.sampling.scan import ScanBatch, scan
from hitl.sampling.select import select
from hitl.sampling.uniforms import draws
from hitl.sampling.view import Stakes, example_view

STRATA = ("en", "id", "ta")
WORDS = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("ba", "ko", "li", "mu", "re")])


def make_scan(plan, scores, strata=None, seed=1, eligible=None):
    """A scan of items whose margin is `scores`; nobody sees them, so nothing else counts."""
    n = len(scores)
    scores = np.asarray(scores, dtype=np.float64)
    keys = np.arange(n, dtype=np.uint64)
    view = example_view(np.stack([1 - scores / 2, scores / 2], axis=1).reshape(n, 2), reach=0.0)
    view = replace(view, keys=keys, draw=draws(keys, seed))
    codes = np.zeros(n, dtype=np.int64) if strata is None else np.asarray(strata)
    able = np.ones(n, dtype=np.bool_) if eligible is None else eligible
    batch = ScanBatch(np.arange(n), view, codes, able)
    return scan([batch], plan, strata=STRATA, stakes=Stakes(1.0, 1.0), seed=seed)


def ids(positions):
    return [f"item-{position}" for position in positions]


def texts_of(texts):
    return lambda positions: [texts[position] for position in positions]


def random_texts(n, length=12, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, length)) for _ in range(n)]


def positions(selection, arm):
    return [pick.position for pick in selection.picks if pick.arm == arm]


ONLY_BEST = Plan(budget=10, audit=0, random=0, scores={"margin": 1.0}, shortlist=5)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(0, 80),
    budget=st.integers(1, 40),
    audit=st.sampled_from([0, 0.3, 1]),
    random=st.sampled_from([0, 0.2]),
    copies=st.integers(1, 80),
    seed=st.integers(0, 50),
)
def test_no_item_twice_and_nothing_over_budget(n, budget, audit, random, copies, seed):
    if audit + random > 1:
        random = 0
    rng = np.random.default_rng(seed)
    plan = Plan(budget=budget, audit=audit, random=random, shortlist=2, scores={"margin": 1.0})
    eligible = rng.random(n) < 0.8
    texts = [random_texts(copies, seed=1)[at % copies] for at in range(n)]
    found = make_scan(plan, rng.random(n), rng.integers(0, 3, n), seed, eligible)
    selection = select(found, plan, ids=ids, texts=texts_of(texts))
    chosen = [pick.position for pick in selection.picks]
    assert len(set(chosen)) == len(chosen)
    assert eligible[chosen].all()
    assert len(chosen) + selection.pool_stats["unfilled"] == budget
    assert len(chosen) == min(budget, int(eligible.sum()))
    assert all(0 <= pick.score <= 1 and pick.item_id == f"item-{pick.position}" for pick in selection.picks)
    assert all((pick.inclusion is not None) == (pick.arm == "audit") for pick in selection.picks)
    explored = [texts[position] for position in positions(selection, "explore")]
    assert len(set(explored)) == len(explored)
    assert select(found, plan, ids=ids, texts=texts_of(texts)) == selection


def test_arms_come_in_order_with_the_planned_sizes():
    plan = Plan(budget=20, audit=0.3, random=0.1, scores={"margin": 1.0})
    rng = np.random.default_rng(1)
    selection = select(make_scan(plan, rng.random(500)), plan, ids=ids)
    assert list(selection.by_arm().items()) == [("audit", 6), ("explore", 12), ("random", 2)]
    assert selection.pool_stats["passed_on"] == {}
    assert selection.pool_stats["seen"] == 500


def test_explore_takes_the_highest_scores_but_for_what_the_audit_took():
    plan = Plan(budget=20, audit=0.5, random=0, scores={"margin": 1.0}, shortlist=1)
    scores = np.random.default_rng(1).random(30)
    selection = select(make_scan(plan, scores), plan, ids=ids)
    audit = set(positions(selection, "audit"))
    expected = [at for at in np.argsort(-scores).tolist() if at not in audit][:10]
    assert positions(selection, "explore") == expected


def test_every_arm_is_served_by_the_same_score():
    plan = Plan(budget=30, audit=0.3, random=0.3, scores={"margin": 1.0})
    scores = np.random.default_rng(1).random(300)
    for pick in select(make_scan(plan, scores), plan, ids=ids).picks:
        assert pick.score == pytest.approx(scores[pick.position], abs=1e-6)
        assert pick.parts == {"margin": pytest.approx(scores[pick.position], abs=1e-6)}


def test_audit_picks_carry_the_inclusion_of_the_draw():
    plan = Plan(budget=10, audit=1, random=0, scores={"margin": 1.0})
    found = make_scan(plan, np.random.default_rng(1).random(100))
    expected = dict(zip(found.audit.items.positions.tolist(), found.audit.inclusion.tolist(), strict=True))
    assert {pick.position: pick.inclusion for pick in select(found, plan, ids=ids).picks} == expected


def test_ties_go_by_draw_and_not_by_position():
    scores = np.full(200, 0.5)
    first, second = (select(make_scan(ONLY_BEST, scores, seed=seed), ONLY_BEST, ids=ids) for seed in (1, 2))
    keys = np.arange(200, dtype=np.uint64)
    assert positions(first, "explore") == np.argsort(draws(keys, 1))[:10].tolist()
    assert positions(second, "explore") == np.argsort(draws(keys, 2))[:10].tolist()


def test_copies_fold_into_their_best_with_their_number():
    texts = random_texts(100)
    texts[:30] = [f"{texts[0]} {n}" for n in range(30)]
    scores = np.r_[np.linspace(0.9, 0.99, 30), np.linspace(0.1, 0.5, 70)]
    selection = select(make_scan(ONLY_BEST, scores), ONLY_BEST, ids=ids, texts=texts_of(texts))
    flood, *others = selection.picks
    assert (flood.position, flood.stands_for) == (29, 30)
    assert [pick.position for pick in others] == list(range(99, 90, -1))
    assert {pick.stands_for for pick in others} == {1}
    assert selection.pool_stats["folded"] == 29


def test_when_the_head_of_the_shortlist_is_a_flood_it_looks_further_down():
    plan = ONLY_BEST.model_copy(update={"shortlist": 4, "budget": 5})
    texts = random_texts(60)
    texts[:15] = [texts[0]] * 15
    scores = np.r_[np.full(15, 0.9), np.linspace(0.1, 0.5, 45)]
    # 20 are in the shortlist: 15 copies of one text and 5 others
    selection = select(make_scan(plan, scores), plan, ids=ids, texts=texts_of(texts))
    assert selection.by_arm() == {"explore": 5}
    assert selection.picks[0].stands_for == 15


def test_a_pool_of_nothing_but_copies_passes_its_picks_to_chance():
    plan = Plan(budget=10, audit=0.2, random=0.1, scores={"margin": 1.0})
    selection = select(make_scan(plan, np.full(50, 0.5)), plan, ids=ids, texts=lambda rows: ["tako bali"] * len(rows))
    assert selection.by_arm() == {"audit": 2, "random": 8}
    assert selection.pool_stats["passed_on"] == {"explore": 7}
    assert selection.pool_stats["unfilled"] == 0


def test_what_was_asked_before_or_is_audited_is_not_explored():
    texts = random_texts(40)
    scores = np.linspace(1, 0.1, 40)
    again = [f"{texts[0]} 7", texts[3].upper()]
    selection = select(make_scan(ONLY_BEST, scores), ONLY_BEST, ids=ids, texts=texts_of(texts), asked=again)
    assert positions(selection, "explore") == [at for at in range(12) if at not in (0, 3)]
    assert selection.pool_stats["asked_before"] == 2
    plan = Plan(budget=40, audit=0.5, random=0, scores={"margin": 1.0})
    twins = [texts[at // 2] for at in range(80)]
    selection = select(make_scan(plan, np.linspace(1, 0.1, 80)), plan, ids=ids, texts=texts_of(twins))
    audited = {position // 2 for position in positions(selection, "audit")}
    assert not audited & {position // 2 for position in positions(selection, "explore")}


def test_no_folding_without_texts_or_by_the_plan():
    copies = {"texts": lambda rows: ["tako bali"] * len(rows)}
    plan = ONLY_BEST.model_copy(update={"fold_at": None})
    for options in ({}, copies):
        selection = select(make_scan(plan, np.linspace(0, 1, 50)), plan, ids=ids, **options)
        assert positions(selection, "explore") == list(range(49, 39, -1))


def test_quotas_give_each_stratum_its_least_share_of_the_best():
    plan = ONLY_BEST.model_copy(update={"quotas": {"id": 0.3, "ta": 0.15}})
    strata = np.array([0] * 80 + [1] * 15 + [2] * 5)
    scores = np.r_[np.linspace(0.9, 0.8, 80), np.linspace(0.5, 0.3, 15), np.linspace(0.2, 0.1, 5)]
    selection = select(make_scan(plan, scores, strata), plan, ids=ids)
    assert Counter(pick.stratum for pick in selection.picks) == {"en": 5, "id": 3, "ta": 2}
    assert positions(selection, "explore") == [0, 1, 2, 3, 4, 80, 81, 82, 95, 96]
    assert selection.pool_stats["quota_missing"] == {}


def test_a_quota_that_the_pool_cannot_fill_is_told():
    plan = ONLY_BEST.model_copy(update={"quotas": {"ta": 0.5}})
    strata = np.array([0] * 40 + [2] * 3)
    selection = select(make_scan(plan, np.linspace(0.9, 0.1, 43), strata), plan, ids=ids)
    assert Counter(pick.stratum for pick in selection.picks) == {"en": 7, "ta": 3}
    assert selection.pool_stats["quota_missing"] == {"ta": 2}


def test_quotas_that_round_up_beyond_the_budget_still_fit():
    plan = Plan(budget=4, audit=0, random=0, scores={"margin": 1.0}, quotas={"en": 0.3, "id": 0.35, "ta": 0.35})
    selection = select(make_scan(plan, np.linspace(0, 1, 60), np.arange(60) % 3), plan, ids=ids)
    assert len(selection) == 4
    assert set(Counter(pick.stratum for pick in selection.picks)) == {"en", "id", "ta"}


def test_the_random_arm_is_even():
    plan = Plan(budget=5, audit=0, random=0.4, scores={"margin": 1.0})
    scores = np.linspace(0, 1, 20)
    chosen = Counter()
    for seed in range(600):
        chosen.update(positions(select(make_scan(plan, scores, seed=seed), plan, ids=ids), "random"))
    assert not set(chosen) & {17, 18, 19}  # explored each time
    assert min(chosen[at] for at in range(17)) > 600 * 2 / 17 * 0.6
    assert max(chosen.values()) < 600 * 2 / 17 * 1.45


def test_an_empty_pool_gives_no_picks():
    selection = select(make_scan(ONLY_BEST, []), ONLY_BEST, ids=ids, texts=texts_of([]))
    assert len(selection) == 0
    assert selection.pool_stats["unfilled"] == 10
