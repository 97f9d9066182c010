"""The seed round: the benchmark is a probability sample apart, and each arm brings what it is for."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hitl.errors import ConfigError
from hitl.sampling.plan import Plan
from hitl.sampling.seed import SeedPool, benchmark_draw, seed_select, take_in_turn

WORDS = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("ba", "ko", "li", "mu", "re")])
STRATA = ("en", "id", "ta")
KEYWORDS = {"spam": ("zuppa",), "threat": ("gnarl", "vort ex")}


def make_pool(n=2000, seed=0, texts=None, shares=(0.9, 0.08, 0.02)):
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, 5, n)
    words = rng.integers(0, 60, (n, 12)) + topic[:, None] * 60
    texts = [" ".join(row) for row in WORDS[words]] if texts is None else texts
    for row in range(n):
        texts[row] += " Zuppa!" if row % 40 == 0 else " VORT  EX" if row % 100 == 7 else ""
    features = sparse.csr_array((np.ones(n * 12), words.ravel(), np.arange(n + 1) * 12), shape=(n, 300))

    def batches():
        for start in range(0, n, 300):
            yield start, pa.array(texts[start : start + 300])

    pool = SeedPool(
        keys=rng.permutation(n).astype(np.uint64),
        reach=rng.pareto(1.1, n),
        strata=rng.choice(3, n, p=shares),
        names=STRATA,
        ids=lambda rows: [f"item-{row}" for row in rows],
        texts=lambda rows: [texts[row] for row in rows],
        text_batches=batches,
        features=lambda rows: features[rows],
    )
    return pool, texts, topic


def by_arm(selection, arm):
    return [pick for pick in selection.picks if pick.arm == arm]


PLAN = Plan(budget=40, benchmark=100)


def test_arms_have_their_planned_sizes_and_no_item_comes_twice():
    pool, _, _ = make_pool()
    selection = seed_select(pool, PLAN, KEYWORDS, seed=3)
    assert list(selection.by_arm().items()) == [("benchmark", 100), ("keyword", 16), ("diverse", 16), ("random", 8)]
    assert len({pick.position for pick in selection.picks}) == 140
    assert all(pick.item_id == f"item-{pick.position}" for pick in selection.picks)
    assert all(0 <= pick.score < 1 for pick in selection.picks)
    assert all((pick.inclusion is not None) == (pick.arm == "benchmark") for pick in selection.picks)
    assert selection.pool_stats["passed_on"] == {}
    assert selection.pool_stats["unfilled"] == 0
    assert seed_select(pool, PLAN, KEYWORDS, seed=3) == selection
    assert seed_select(pool, PLAN, KEYWORDS, seed=4) != selection


def test_labels_share_the_keyword_arm_and_every_stratum_appears():
    pool, texts, _ = make_pool()
    selection = seed_select(pool, PLAN, {**KEYWORDS, "rude": ()}, seed=3)
    chosen = by_arm(selection, "keyword")
    spam = [pick for pick in chosen if pick.parts["keyword spam"]]
    threat = [pick for pick in chosen if pick.parts["keyword threat"]]
    assert (len(spam), len(threat)) == (8, 8)
    assert all("Zuppa" in texts[pick.position] for pick in spam)
    assert all("VORT" in texts[pick.position] for pick in threat)
    benchmark = {pick.position for pick in by_arm(selection, "benchmark")}
    held = [row for row in range(2000) if "Zuppa" in texts[row] and row not in benchmark]
    assert selection.pool_stats["keyword_matches"]["spam"] == len(held)
    assert {pick.stratum for pick in spam} == {STRATA[code] for code in np.unique(pool.strata[held])}


def test_a_label_without_matches_gives_its_share_to_the_others():
    pool, _, _ = make_pool()
    selection = seed_select(pool, PLAN, {"spam": ("zuppa",), "threat": ("nowhere",)}, seed=3)
    assert sum(pick.parts["keyword spam"] for pick in by_arm(selection, "keyword")) == 16


def test_an_item_that_matches_two_labels_is_asked_once_and_says_both():
    pool, _, _ = make_pool(400)
    selection = seed_select(pool, Plan(budget=30, benchmark=20), {"a": ("zuppa",), "b": ("ZUPPA",)}, seed=3)
    chosen = by_arm(selection, "keyword")
    assert {tuple(pick.parts.values()) for pick in chosen} == {(1.0, 1.0)}
    assert {pick.stands_for for pick in chosen} == {1}


def test_what_an_arm_cannot_fill_goes_to_the_next():
    pool, _, _ = make_pool()
    nothing = seed_select(pool, PLAN, {}, seed=3)
    assert nothing.by_arm() == {"benchmark": 100, "diverse": 32, "random": 8}
    assert nothing.pool_stats["passed_on"] == {"keyword": 16}
    bare = replace(pool, texts=None, text_batches=None, features=None)
    assert seed_select(bare, PLAN, KEYWORDS, seed=3).by_arm() == {"benchmark": 100, "random": 40}


def test_the_diverse_arm_reaches_every_part_of_the_pool_and_every_stratum():
    pool, _, topic = make_pool(shares=(0.8, 0.15, 0.05))
    selection = seed_select(pool, Plan(budget=40, benchmark=100, keyword=0, diverse=0.75), {}, seed=3)
    chosen = by_arm(selection, "diverse")
    assert len(chosen) == 30
    assert Counter(pick.stratum for pick in chosen).keys() == set(STRATA)
    mine = [topic[pick.position] for pick in chosen if pick.stratum == "en"]
    assert set(mine) == {0, 1, 2, 3, 4}


def test_copies_are_folded_and_the_benchmark_is_not_learned_by_heart():
    rng = np.random.default_rng(5)
    base = [" ".join(rng.choice(WORDS, 15)) for _ in range(60)]
    pool, _, _ = make_pool(1200, texts=[f"{base[row % 60]} {row}" for row in range(1200)])
    keywords = {"any": [word for text in base[:30] for word in text.split()]}
    selection = seed_select(pool, Plan(budget=30, benchmark=25, random=0, keyword=0.5, diverse=0.4), keywords, seed=3)
    source = {arm: {pick.position % 60 for pick in by_arm(selection, arm)} for arm in selection.by_arm()}
    assert not source["benchmark"] & source["keyword"]
    assert not source["benchmark"] & source["diverse"]
    assert not source["keyword"] & source["diverse"]
    for arm in ("keyword", "diverse"):
        assert len(source[arm]) == len(by_arm(selection, arm))
    assert selection.pool_stats["folded"] > 0


def test_the_benchmark_estimates_totals_without_bias():
    pool, texts, _ = make_pool(600)
    held = np.array(["Zuppa" in text for text in texts])
    items, views = [], []
    for seed in range(500):
        draw = benchmark_draw(pool, PLAN, seed)
        rows = draw.items.positions
        items.append((held[rows] / draw.inclusion).sum())
        views.append((held[rows] * pool.reach[rows] / draw.inclusion).sum())
    for found, total in ((items, held.sum()), (views, (held * pool.reach).sum())):
        assert abs(np.mean(found) - total) < 4 * np.std(found) / np.sqrt(500)


def test_benchmark_weights_are_bounded_by_the_floor():
    pool, _, _ = make_pool(5000)
    draw = benchmark_draw(pool, PLAN, 1)
    weight = pool.reach[draw.items.positions] / pool.reach.mean() + PLAN.audit_floor
    below = draw.inclusion < 1
    ratio = (draw.inclusion / weight)[below]
    assert ratio == pytest.approx(np.full(len(ratio), ratio[0]))


def test_only_eligible_items_are_asked():
    pool, _, _ = make_pool()
    able = np.arange(2000) % 3 == 0
    selection = seed_select(replace(pool, eligible=able), PLAN, KEYWORDS, seed=3)
    assert able[[pick.position for pick in selection.picks]].all()
    assert len(selection) == 140
    assert selection.pool_stats["eligible"] == int(able.sum())


def test_a_small_pool_is_asked_whole_and_told():
    pool, _, _ = make_pool(30)
    selection = seed_select(pool, Plan(budget=40, benchmark=10), KEYWORDS, seed=3)
    assert len(selection) == 30
    assert selection.pool_stats["unfilled"] == 20


def test_a_benchmark_that_takes_the_whole_pool_is_told():
    pool, _, _ = make_pool(50)
    with pytest.raises(ConfigError, match="set `benchmark` to 25 or less"):
        seed_select(pool, Plan(benchmark=50), {}, seed=1)


def test_a_quota_for_no_stratum_is_told_before_anybody_works():
    pool, _, _ = make_pool(50)
    with pytest.raises(ConfigError, match="no stratum 'idn'"):
        seed_select(pool, Plan(benchmark=5, quotas={"idn": 0.2}), {}, seed=1)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 11), max_size=8), max_size=4),
    st.lists(st.integers(-1, 4), min_size=12, max_size=12),
    st.integers(0, 8),
)
def test_queues_take_turns_and_give_no_group_twice(queues, group, count):
    group = np.array(group)
    rows = take_in_turn([np.array(queue, dtype=np.int64) for queue in queues], group, count)
    open_ = {int(group[row]) for queue in queues for row in queue} - {-1}
    assert len(rows) == min(count, len(open_))
    assert len(set(group[rows].tolist())) == len(rows)
    assert -1 not in group[rows]
