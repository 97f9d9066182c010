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
from hitl.sampling.diversity import on_grid
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


PLAN = Plan(budget=40, benchmark=100, keyword=0.4, exemplar=0, diverse=0.4)


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
    assert nothing.pool_stats["passed_on"] == {"keyword": 16, "exemplar": 16}
    bare = replace(pool, texts=None, text_batches=None, features=None)
    assert seed_select(bare, PLAN, KEYWORDS, seed=3).by_arm() == {"benchmark": 100, "random": 40}


def test_the_diverse_arm_reaches_every_part_of_the_pool_and_every_stratum():
    pool, _, topic = make_pool(shares=(0.8, 0.15, 0.05))
    selection = seed_select(pool, Plan(budget=40, benchmark=100, keyword=0, exemplar=0, diverse=0.75), {}, seed=3)
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
    selection = seed_select(pool, Plan(budget=30, benchmark=25, keyword=0.5, exemplar=0, diverse=0.4), keywords, seed=3)
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


SHOWN = {"spam": np.eye(24)[[0, 1]], "threat": np.eye(24)[[2]]}
BY_EXAMPLE = Plan(budget=40, benchmark=100, keyword=0, exemplar=0.5, diverse=0.25)


def make_embedded_pool(n=2000, seed=0, near=20):
    """A pool with embeddings: the first 3 × `near` items, of all strata, stand close to the exemplars, the rest far."""
    rng = np.random.default_rng(seed)
    kin = np.repeat([0, 1, 2], near)
    x = rng.standard_normal((n, 24)) * np.r_[np.full(3, 0.1), np.ones(21)]  # the rest has little of the first three
    x[: len(kin)] = 4 * np.eye(24)[kin] + 0.4 * rng.standard_normal((len(kin), 24))
    embeddings = on_grid(x)
    pool, texts, _ = make_pool(n, seed)
    exemplars = {label: on_grid(rows) for label, rows in SHOWN.items()}
    pool = replace(pool, features=embeddings.__getitem__, exemplars=exemplars, strata=np.arange(n) % 3)
    return pool, embeddings, texts


def test_the_exemplar_arm_takes_what_is_nearest_to_what_the_policy_shows_by_label_in_turn():
    pool, embeddings, _ = make_embedded_pool()
    selection = seed_select(pool, BY_EXAMPLE, {}, seed=3)
    assert selection.by_arm() == {"benchmark": 100, "exemplar": 20, "diverse": 10, "random": 10}
    assert len({pick.position for pick in selection.picks}) == 140
    chosen = by_arm(selection, "exemplar")
    assert all(pick.position < 60 for pick in chosen)
    assert all(pick.parts["exemplar spam" if pick.position < 40 else "exemplar threat"] == 1 for pick in chosen)
    assert sum(pick.position < 40 for pick in chosen) == sum(pick.position >= 40 for pick in chosen) == 10
    # of one label and stratum the nearest are taken
    benchmark = {pick.position for pick in by_arm(selection, "benchmark")}
    likeness = embeddings[40:60].astype(np.int64) @ on_grid(SHOWN["threat"])[0].astype(np.int64)
    for code, name in enumerate(STRATA):
        mine = [row for row in range(40, 60) if pool.strata[row] == code and row not in benchmark]
        taken = {pick.position for pick in chosen if pick.position >= 40 and pick.stratum == name}
        assert taken == set(sorted(mine, key=lambda row: -likeness[row - 40])[: len(taken)])
    assert seed_select(pool, BY_EXAMPLE, {}, seed=3) == selection


def test_without_exemplars_or_features_their_share_goes_to_the_next_arm():
    pool, _, _ = make_embedded_pool()
    for bare, left in ((replace(pool, exemplars={}), {"diverse": 30}), (replace(pool, features=None), {"random": 40})):
        selection = seed_select(bare, BY_EXAMPLE, {}, seed=3)
        assert "exemplar" not in selection.by_arm()
        assert left.items() <= selection.by_arm().items()
        assert selection.pool_stats["passed_on"]["exemplar"] == 20
        assert selection.pool_stats["unfilled"] == 0


def test_a_label_shown_by_nothing_near_gives_its_share_to_the_others():
    pool, _, _ = make_embedded_pool(near=40)
    exemplars = {"spam": pool.exemplars["spam"], "none": np.zeros((1, 24), dtype=np.int16)}
    selection = seed_select(replace(pool, exemplars=exemplars), BY_EXAMPLE, {}, seed=3)
    chosen = by_arm(selection, "exemplar")
    assert len(chosen) == 20
    assert all(pick.parts == {"exemplar spam": 1.0, "exemplar none": 0.0} for pick in chosen)


def test_what_keywords_leave_goes_to_exemplars_and_no_copy_is_asked_twice():
    pool, _, texts = make_embedded_pool()
    for row in range(10, 20):
        texts[row] = f"{texts[0]} {row}"
    plan = BY_EXAMPLE.model_copy(update={"keyword": 0.25, "exemplar": 0.25})
    nothing = seed_select(pool, plan, KEYWORDS | {"spam": (), "threat": ()}, seed=3)
    assert nothing.by_arm() == {"benchmark": 100, "exemplar": 20, "diverse": 10, "random": 10}
    assert nothing.pool_stats["passed_on"] == {"keyword": 10}
    asked = [pick.position for pick in nothing.picks if pick.arm not in ("benchmark", "random")]
    assert len({0, *range(10, 20)} & set(asked)) <= 1
    both = seed_select(pool, plan, KEYWORDS, seed=3)
    assert both.by_arm() == {"benchmark": 100, "keyword": 10, "exemplar": 10, "diverse": 10, "random": 10}


def test_the_diverse_arm_reads_embeddings_as_it_reads_sparse_features():
    pool, embeddings, _ = make_embedded_pool()
    rng = np.random.default_rng(1)
    topic = rng.integers(0, 5, len(pool))
    embeddings[:] = on_grid(np.eye(24)[topic] + 0.05 * rng.standard_normal((len(pool), 24)))
    plan = Plan(budget=40, benchmark=100, keyword=0, exemplar=0, diverse=0.75)
    chosen = by_arm(seed_select(pool, plan, {}, seed=3), "diverse")
    assert len(chosen) == 30
    assert {topic[pick.position] for pick in chosen if pick.stratum == "en"} == {0, 1, 2, 3, 4}
