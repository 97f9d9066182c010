"""Select: arms in order, no item twice, copies folded, quotas and caps kept, and shortfalls told."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError
from hitl.sampling.aims import Standing, aims
from hitl.sampling.diversity import DIVERSITIES, on_grid
from hitl.sampling.plan import ArmPlan, Plan
from hitl.sampling.scan import Job, ScanBatch, scan
from hitl.sampling.select import Before, Reading
from hitl.sampling.select import select as choose
from hitl.sampling.uniforms import draws
from hitl.sampling.view import Stakes, example_view

STRATA = ("en", "id", "ta")
WORDS = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("ba", "ko", "li", "mu", "re")])
BEST = {"explore": ArmPlan(scores={"margin": 1.0})}
TWICE = {"explore": ArmPlan(scores={"margin": 1.0}), "again": ArmPlan(scores={"margin": 1.0, "entropy": 1.0})}
CONTESTED = {
    "explore": ArmPlan(scores={"margin": 1.0}, diversity="weighted_kmeans"),
    "contested": ArmPlan(scores={"margin": 1.0}, each_label=True),
    "likely": ArmPlan(scores={"likely_positive": 1.0}, each_label=True, diversity="badge"),
}
STARVED = Standing({"l1": 1, "l2": 2}, labelled=40)


def make_scan(plan, scores, strata=None, seed=1, eligible=None):
    """A scan of items whose margin is `scores`; nobody sees them, so nothing else counts."""
    scores = np.asarray(scores, dtype=np.float64)
    return scan_of(plan, np.stack([1 - scores / 2, scores / 2], axis=1).reshape(-1, 2), strata, seed, eligible)


def scan_of(plan, proba, strata=None, seed=1, eligible=None, multi_label=False):
    n = len(proba)
    keys = np.arange(n, dtype=np.uint64)
    view = replace(
        example_view(proba, reach=0.0, multi_label=multi_label),
        keys=keys,
        draw=draws(keys, seed),
    )
    codes = np.zeros(n, dtype=np.int64) if strata is None else np.asarray(strata)
    able = np.ones(n, dtype=np.bool_) if eligible is None else eligible
    job = Job(plan, aims(plan, STARVED), STRATA, Stakes(1.0, 1.0), seed)
    return scan([ScanBatch(np.arange(n), view, codes, able)], job)


def select(found, plan, *, before=None, seed=0, **read):
    return choose(found, plan, Reading(ids, **read), np.random.default_rng(seed), before)


def ids(positions):
    return [f"item-{position}" for position in positions]


def texts_of(texts):
    return lambda positions: [texts[position] for position in positions]


def random_texts(n, length=12, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, length)) for _ in range(n)]


def positions(selection, arm):
    return [pick.position for pick in selection.picks if pick.arm == arm]


def by_the_arms(selection):
    return [pick for pick in selection.picks if pick.arm not in ("audit", "random")]


ONLY_BEST = Plan(budget=10, audit=0, random=0, arms=BEST, shortlist=5)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(0, 80),
    budget=st.integers(1, 40),
    audit=st.sampled_from([0, 0.3, 1]),
    random=st.sampled_from([0, 0.2]),
    copies=st.integers(1, 80),
    seed=st.integers(0, 50),
    arms=st.sampled_from([BEST, TWICE, CONTESTED]),
)
def test_no_item_twice_and_nothing_over_budget(n, budget, audit, random, copies, seed, arms):
    if audit + random > 1:
        random = 0
    rng = np.random.default_rng(seed)
    plan = Plan(budget=budget, audit=audit, random=random, shortlist=2, arms=arms)
    eligible = rng.random(n) < 0.8
    texts = [random_texts(copies, seed=1)[at % copies] for at in range(n)]
    found = scan_of(plan, rng.dirichlet(np.ones(3), n).reshape(n, 3), rng.integers(0, 3, n), seed, eligible)
    embeddings = on_grid(rng.standard_normal((max(n, 1), 4)))
    read = {"embeddings": embeddings.__getitem__, "proba": lambda at: np.full((len(at), 3), 1 / 3, dtype=np.float32)}
    selection = select(found, plan, texts=texts_of(texts), **read)
    chosen = [pick.position for pick in selection.picks]
    assert len(set(chosen)) == len(chosen)
    assert eligible[chosen].all()
    assert len(chosen) + selection.pool_stats["unfilled"] == budget
    assert len(chosen) == min(budget, int(eligible.sum()))
    assert all(0 <= pick.score <= 1 and pick.item_id == f"item-{pick.position}" for pick in selection.picks)
    assert all((pick.inclusion is not None) == (pick.arm == "audit") for pick in selection.picks)
    explored = [texts[pick.position] for pick in by_the_arms(selection)]
    assert len(set(explored)) == len(explored)
    assert not set(explored) & {texts[position] for position in positions(selection, "audit")}
    assert {pick.label for pick in by_the_arms(selection)} <= {"", "l1", "l2"}
    assert select(found, plan, texts=texts_of(texts), **read) == selection


def test_arms_come_in_order_with_the_planned_sizes():
    plan = Plan(budget=20, audit=0.3, random=0.1, arms=BEST)
    rng = np.random.default_rng(1)
    selection = select(make_scan(plan, rng.random(500)), plan)
    assert list(selection.by_arm().items()) == [("audit", 6), ("explore", 12), ("random", 2)]
    assert selection.pool_stats["passed_on"] == {}
    assert selection.pool_stats["seen"] == 500


def test_explore_takes_the_highest_scores_but_for_what_the_audit_took():
    plan = Plan(budget=20, audit=0.5, random=0, arms=BEST, shortlist=1)
    scores = np.random.default_rng(1).random(30)
    selection = select(make_scan(plan, scores), plan)
    audit = set(positions(selection, "audit"))
    expected = [at for at in np.argsort(-scores).tolist() if at not in audit][:10]
    assert positions(selection, "explore") == expected


def test_every_arm_is_served_by_the_same_score():
    plan = Plan(budget=30, audit=0.3, random=0.3, arms=BEST)
    scores = np.random.default_rng(1).random(300)
    for pick in select(make_scan(plan, scores), plan).picks:
        assert pick.score == pytest.approx(scores[pick.position], abs=1e-6)
        assert pick.parts == {"margin": pytest.approx(scores[pick.position], abs=1e-6)}


def test_audit_picks_carry_the_inclusion_of_the_draw():
    plan = Plan(budget=10, audit=1, random=0, arms=BEST)
    found = make_scan(plan, np.random.default_rng(1).random(100))
    expected = dict(zip(found.audit.items.positions.tolist(), found.audit.inclusion.tolist(), strict=True))
    assert {pick.position: pick.inclusion for pick in select(found, plan).picks} == expected


def test_ties_go_by_draw_and_not_by_position():
    scores = np.full(200, 0.5)
    first, second = (select(make_scan(ONLY_BEST, scores, seed=seed), ONLY_BEST) for seed in (1, 2))
    keys = np.arange(200, dtype=np.uint64)
    assert positions(first, "explore") == np.argsort(draws(keys, 1))[:10].tolist()
    assert positions(second, "explore") == np.argsort(draws(keys, 2))[:10].tolist()


def test_copies_fold_into_their_best_with_their_number():
    texts = random_texts(100)
    texts[:30] = [f"{texts[0]} {n}" for n in range(30)]
    scores = np.r_[np.linspace(0.9, 0.99, 30), np.linspace(0.1, 0.5, 70)]
    selection = select(make_scan(ONLY_BEST, scores), ONLY_BEST, texts=texts_of(texts))
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
    selection = select(make_scan(plan, scores), plan, texts=texts_of(texts))
    assert selection.by_arm() == {"explore": 5}
    assert selection.picks[0].stands_for == 15


def test_a_pool_of_nothing_but_copies_passes_its_picks_to_chance():
    plan = Plan(budget=10, audit=0.2, random=0.1, arms=BEST)
    selection = select(make_scan(plan, np.full(50, 0.5)), plan, texts=lambda rows: ["tako bali"] * len(rows))
    assert selection.by_arm() == {"audit": 2, "random": 8}
    assert selection.pool_stats["passed_on"] == {"explore": 7}
    assert selection.pool_stats["unfilled"] == 0


def test_what_was_asked_before_or_is_audited_is_not_explored():
    texts = random_texts(40)
    scores = np.linspace(1, 0.1, 40)
    again = [f"{texts[0]} 7", texts[3].upper()]
    selection = select(make_scan(ONLY_BEST, scores), ONLY_BEST, texts=texts_of(texts), before=Before(again))
    assert positions(selection, "explore") == [at for at in range(12) if at not in (0, 3)]
    assert selection.pool_stats["asked_before"] == 2
    plan = Plan(budget=40, audit=0.5, random=0, arms=BEST)
    twins = [texts[at // 2] for at in range(80)]
    selection = select(make_scan(plan, np.linspace(1, 0.1, 80)), plan, texts=texts_of(twins))
    audited = {position // 2 for position in positions(selection, "audit")}
    assert not audited & {position // 2 for position in positions(selection, "explore")}


def test_no_folding_without_texts_or_by_the_plan():
    copies = {"texts": lambda rows: ["tako bali"] * len(rows)}
    plan = ONLY_BEST.model_copy(update={"fold_at": None})
    for options in ({}, copies):
        selection = select(make_scan(plan, np.linspace(0, 1, 50)), plan, **options)
        assert positions(selection, "explore") == list(range(49, 39, -1))


def test_quotas_give_each_stratum_its_least_share_of_the_best():
    plan = ONLY_BEST.model_copy(update={"quotas": {"id": 0.3, "ta": 0.15}})
    strata = np.array([0] * 80 + [1] * 15 + [2] * 5)
    scores = np.r_[np.linspace(0.9, 0.8, 80), np.linspace(0.5, 0.3, 15), np.linspace(0.2, 0.1, 5)]
    selection = select(make_scan(plan, scores, strata), plan)
    assert Counter(pick.stratum for pick in selection.picks) == {"en": 5, "id": 3, "ta": 2}
    assert positions(selection, "explore") == [0, 1, 2, 3, 4, 80, 81, 82, 95, 96]
    assert selection.pool_stats["quota_missing"] == {}


def test_a_quota_that_the_pool_cannot_fill_is_told():
    plan = ONLY_BEST.model_copy(update={"quotas": {"ta": 0.5}})
    strata = np.array([0] * 40 + [2] * 3)
    selection = select(make_scan(plan, np.linspace(0.9, 0.1, 43), strata), plan)
    assert Counter(pick.stratum for pick in selection.picks) == {"en": 7, "ta": 3}
    assert selection.pool_stats["quota_missing"] == {"ta": 2}


def test_quotas_that_round_up_beyond_the_budget_still_fit():
    plan = Plan(budget=4, audit=0, random=0, arms=BEST, quotas={"en": 0.3, "id": 0.35, "ta": 0.35})
    selection = select(make_scan(plan, np.linspace(0, 1, 60), np.arange(60) % 3), plan)
    assert len(selection) == 4
    assert set(Counter(pick.stratum for pick in selection.picks)) == {"en", "id", "ta"}


def test_the_random_arm_is_even():
    plan = Plan(budget=5, audit=0, random=0.4, arms=BEST)
    scores = np.linspace(0, 1, 20)
    chosen = Counter()
    for seed in range(600):
        chosen.update(positions(select(make_scan(plan, scores, seed=seed), plan), "random"))
    assert not set(chosen) & {17, 18, 19}  # explored each time
    assert min(chosen[at] for at in range(17)) > 600 * 2 / 17 * 0.6
    assert max(chosen.values()) < 600 * 2 / 17 * 1.45


def test_an_empty_pool_gives_no_picks():
    selection = select(make_scan(ONLY_BEST, []), ONLY_BEST, texts=texts_of([]))
    assert len(selection) == 0
    assert selection.pool_stats["unfilled"] == 10


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(0, 120),
    copies=st.integers(1, 3),
    budget=st.integers(1, 25),
    audit=st.sampled_from([0, 0.3, 0.6]),
    seed=st.integers(0, 50),
    arms=st.sampled_from([BEST, TWICE, CONTESTED]),
)
def test_shortlists_are_deep_enough_while_the_pool_has_distinct_items(n, copies, budget, audit, seed, arms):
    rng = np.random.default_rng(seed)
    plan = Plan(budget=budget, audit=audit, random=0.1, shortlist=1 if copies == 1 else 4, arms=arms)
    distinct = random_texts(max(-(-n // copies), 1), seed=2)
    texts = [distinct[at // copies] for at in range(n)]
    found = scan_of(plan, rng.dirichlet(np.ones(3), n).reshape(n, 3)[np.arange(n) // copies], rng.integers(0, 3, n))
    sofar = plan.counts()["audit"]
    for aim, items in zip(found.aims, found.shortlists, strict=True):
        sofar += aim.count
        # without copies any shortlist will do; with them it must hold those of all that is taken until then
        assume(copies == 1 or len(items) >= min(n, copies * sofar))
    assume(n >= copies * budget)
    selection = select(found, plan, texts=texts_of(texts))
    assert selection.pool_stats["passed_on"] == {}
    assert selection.pool_stats["unfilled"] == 0
    assert selection.by_arm() == {arm: count for arm, count in selection.pool_stats["planned"].items() if count}
    assert sum(selection.pool_stats["planned"].values()) == budget


def test_what_two_aims_want_is_taken_once_and_the_second_takes_the_next():
    plan = Plan(budget=20, audit=0, random=0, arms=TWICE, shortlist=1)
    scores = np.random.default_rng(1).random(100)
    selection = select(make_scan(plan, scores), plan)
    order = np.argsort(-scores).tolist()
    assert positions(selection, "explore") == order[:10]
    assert positions(selection, "again") == order[10:20]


def test_single_labels_are_served_first_and_their_picks_say_whom_they_serve():
    plan = Plan(budget=12, audit=0, random=0, arms=CONTESTED, starved_below=0.5)
    proba = np.random.default_rng(3).dirichlet(np.ones(3), 300)
    found = scan_of(plan, proba)
    selection = select(found, plan)
    told = [(pick.arm, pick.label) for pick in selection.picks]
    assert list(dict.fromkeys(told)) == [(aim.arm, aim.label) for aim in found.aims]
    assert Counter(told) == {(aim.arm, aim.label): aim.count for aim in found.aims}
    likely = [pick.position for pick in selection.picks if pick.label == "l2" and pick.arm == "likely"]
    contested = {pick.position for pick in selection.picks if pick.arm == "contested"}
    best = [at for at in np.argsort(-proba[:, 2]).tolist() if at not in contested]
    assert likely == best[: len(likely)]


def test_a_copy_of_what_one_aim_took_is_not_taken_by_another():
    plan = Plan(budget=30, audit=0.2, random=0, arms=TWICE, shortlist=10)
    base = random_texts(60)
    texts = [f"{base[at // 2]} {at}" for at in range(120)]
    selection = select(make_scan(plan, np.linspace(1, 0.1, 120)), plan, texts=texts_of(texts))
    sources = [pick.position // 2 for pick in selection.picks if pick.arm != "audit"]
    assert selection.by_arm() == {"audit": 6, "explore": 12, "again": 12}
    assert len(set(sources)) == len(sources)
    assert not set(sources) & {position // 2 for position in positions(selection, "audit")}


def test_items_fold_by_embeddings_over_the_whole_batch_and_against_what_was_asked():
    rng = np.random.default_rng(5)
    base = rng.standard_normal((60, 24))
    embeddings = on_grid(base[np.arange(120) // 2] + 0.02 * rng.standard_normal((120, 24)))
    plan = Plan(budget=30, audit=0.2, random=0, arms=TWICE, shortlist=10, fold_embeddings_at=0.95)
    found = make_scan(plan, np.linspace(1, 0.1, 120))
    read = {"embeddings": embeddings.__getitem__, "texts": texts_of(random_texts(120))}
    selection = select(found, plan, before=Before(embeddings=on_grid(base[:8])), **read)
    sources = [pick.position // 2 for pick in by_the_arms(selection)]
    assert selection.by_arm() == {"audit": 6, "explore": 12, "again": 12}
    assert len(set(sources)) == len(sources)
    assert not set(sources) & {position // 2 for position in positions(selection, "audit")}
    assert not set(sources) & set(range(8))
    apart = select(found, plan.model_copy(update={"fold_embeddings_at": None}), **read)
    assert {0, 1, 2, 3} <= {pick.position for pick in apart.picks}


def test_what_is_one_by_either_folding_is_one():
    texts, embeddings = random_texts(30), on_grid(np.random.default_rng(1).standard_normal((30, 16)))
    texts[1] = texts[0]
    embeddings[2] = embeddings[1]
    plan = ONLY_BEST.model_copy(update={"fold_embeddings_at": 0.95})
    read = {"texts": texts_of(texts), "embeddings": embeddings.__getitem__}
    selection = select(make_scan(plan, np.linspace(1, 0.1, 30)), plan, **read)
    assert positions(selection, "explore") == [0, *range(3, 12)]
    assert selection.picks[0].stands_for == 3
    plan = plan.model_copy(update={"budget": 5})
    again = select(make_scan(plan, np.linspace(1, 0.1, 30)), plan, before=Before([texts[3]], embeddings[4:5]), **read)
    assert positions(again, "explore") == [0, 5, 6, 7, 8]


def test_no_author_has_more_than_the_cap_over_all_arms():
    plan = Plan(budget=40, audit=0.25, random=0, arms=TWICE, shortlist=10, caps={"author": 2})
    rng = np.random.default_rng(1)
    author = np.where(np.arange(400) < 100, 0, rng.integers(1, 60, 400))  # one author has written all of the top
    selection = select(make_scan(plan, np.linspace(1, 0, 400)), plan, columns={"author": author.__getitem__})
    held = Counter(author[pick.position] for pick in by_the_arms(selection))
    assert selection.by_arm() == {"audit": 10, "explore": 15, "again": 15}
    assert max(held.values()) == held[0] == 2
    assert [at for at in positions(selection, "explore") if author[at] == 0] == [
        at for at in range(100) if at not in positions(selection, "audit")
    ][:2]


def test_what_a_cap_leaves_open_goes_to_chance():
    plan = Plan(budget=10, audit=0, random=0, arms=BEST, caps={"author": 3})
    selection = select(make_scan(plan, np.linspace(1, 0, 50)), plan, columns={"author": lambda at: np.zeros_like(at)})
    assert selection.by_arm() == {"explore": 3, "random": 7}
    assert selection.pool_stats["passed_on"] == {"explore": 7}


def test_caps_and_quotas_hold_together():
    plan = Plan(budget=20, audit=0, random=0, arms=BEST, caps={"author": 1}, quotas={"ta": 0.25})
    strata = np.where(np.arange(200) < 180, 0, 2)
    author = np.r_[np.arange(180) // 4, 100 + np.arange(20) // 3]
    selection = select(make_scan(plan, np.linspace(1, 0, 200), strata), plan, columns={"author": author.__getitem__})
    assert Counter(pick.stratum for pick in selection.picks) == {"en": 15, "ta": 5}
    assert max(Counter(author[pick.position] for pick in selection.picks).values()) == 1
    assert positions(selection, "explore") == [*range(0, 60, 4), 180, 183, 186, 189, 192]


def planted(rng, clusters, n, noise=0.0):
    """Items in tight clusters, the first of which holds all the highest scores."""
    cluster = np.arange(n) * clusters // n
    x = np.eye(16)[cluster] + noise * rng.standard_normal((n, 16))
    return cluster, on_grid(x), np.where(cluster == 0, 0.9, 0.6) + rng.random(n) / 100


def test_a_cluster_cap_keeps_a_topic_from_filling_the_batch():
    cluster, embeddings, scores = planted(np.random.default_rng(1), 5, 200)
    plan = ONLY_BEST.model_copy(update={"caps": {"cluster": 2}, "shortlist": 20})
    read = {"embeddings": embeddings.__getitem__}
    free = plan.model_copy(update={"caps": {}})
    assert set(cluster[positions(select(make_scan(free, scores), free, **read), "explore")]) == {0}
    capped = select(make_scan(plan, scores), plan, **read)
    assert Counter(cluster[positions(capped, "explore")].tolist()) == dict.fromkeys(range(5), 2)


def test_a_cluster_cap_holds_over_all_arms_of_a_round():
    cluster, embeddings, scores = planted(np.random.default_rng(1), 5, 200)
    plan = ONLY_BEST.model_copy(update={"arms": TWICE, "caps": {"cluster": 2}, "shortlist": 20})
    capped = select(make_scan(plan, scores), plan, embeddings=embeddings.__getitem__)
    both = positions(capped, "explore") + positions(capped, "again")
    assert Counter(cluster[both].tolist()) == dict.fromkeys(range(5), 2)


def test_a_cluster_cap_without_embeddings_is_told():
    plan = ONLY_BEST.model_copy(update={"caps": {"cluster": 2}})
    with pytest.raises(ConfigError, match="needs embeddings"):
        select(make_scan(plan, np.linspace(0, 1, 50)), plan)


@pytest.mark.parametrize("name", [name for name in DIVERSITIES if name != "top"])
def test_an_arm_spreads_its_picks_by_its_diversity_and_top_does_not(name):
    cluster, embeddings, scores = planted(np.random.default_rng(1), 10, 200, noise=0.02)
    proba = np.stack([1 - scores / 2, scores / 2], axis=1).astype(np.float32)
    read = {"embeddings": embeddings.__getitem__, "proba": proba.__getitem__}

    def reached(diversity, among=20):
        arms = {"explore": ArmPlan(scores={"margin": 1.0}, diversity=diversity, among=among)}
        plan = Plan(budget=10, audit=0, random=0, arms=arms)
        selection = select(make_scan(plan, scores), plan, **read)
        assert len(positions(selection, "explore")) == 10
        ranked = [pick.score for pick in selection.picks]
        assert ranked == sorted(ranked, reverse=True)
        return len(set(cluster[positions(selection, "explore")].tolist()))

    assert reached("top") == 1
    # k-means and coverage have one item for each cluster; drawing by distance nearly so
    assert reached(name) >= (10 if name in ("weighted_kmeans", "max_coverage") else 7)
    assert reached(name, among=2) == 1  # the 20 best are all of one cluster


def test_the_same_generator_gives_the_same_batch_and_another_another():
    rng = np.random.default_rng(1)
    plan = Plan(budget=20, audit=0.2, random=0.1, arms=CONTESTED)
    proba, embeddings = rng.dirichlet(np.ones(3), 400), on_grid(rng.standard_normal((400, 8)))
    found = scan_of(plan, proba)
    read = {"embeddings": embeddings.__getitem__, "proba": proba.astype(np.float32).__getitem__}
    assert select(found, plan, seed=4, **read) == select(found, plan, seed=4, **read)
    assert select(found, plan, seed=4, **read) != select(found, plan, seed=5, **read)


def test_leftovers_pass_from_aim_to_aim_down_to_chance():
    plan = Plan(budget=20, audit=0, random=0.1, arms=TWICE)
    # 12 distinct texts in a pool of 90: the first aim takes 9, the second 3 of its 9, chance the rest
    texts = [random_texts(12)[at % 12] for at in range(90)]
    selection = select(make_scan(plan, np.random.default_rng(1).random(90)), plan, texts=texts_of(texts))
    assert selection.by_arm() == {"explore": 9, "again": 3, "random": 8}
    assert selection.pool_stats["passed_on"] == {"again": 6}
    few = select(make_scan(plan, [0.1, 0.5, 0.9]), plan)
    assert few.by_arm() == {"explore": 3}
    assert few.pool_stats["passed_on"] == {"explore": 6, "again": 15}
    assert few.pool_stats["unfilled"] == 17


@pytest.mark.parametrize("arms", [BEST, CONTESTED])
def test_without_aims_audit_and_random_are_the_whole_budget(arms):
    plan = Plan(budget=10, audit=0.6, random=0.4, arms=arms)
    selection = select(make_scan(plan, np.random.default_rng(1).random(100)), plan)
    assert selection.by_arm() == {"audit": 6, "random": 4}
    assert selection.pool_stats["planned"] == {"audit": 6, "random": 4}
    assert selection.pool_stats["unfilled"] == 0


def test_second_opinions_are_left_out_of_the_budget_of_unlabelled_items():
    plan = Plan(budget=20, audit=0.2, random=0.1, relabel=0.25, arms=BEST)
    selection = select(make_scan(plan, np.random.default_rng(1).random(100)), plan)
    assert selection.by_arm() == {"audit": 4, "explore": 9, "random": 2}
    assert selection.pool_stats["unfilled"] == 0
