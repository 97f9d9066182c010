"""Sketches: exact, mergeable, indifferent to cuts and order; and the probability draw is unbiased."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.sampling.candidates import Candidates, first, rank_within
from hitl.sampling.sketch import FlooredDraw, ProbabilityDraw, TopM
from hitl.sampling.uniforms import draws


def make_items(n, strata=1, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    scores = rng.random(n) if levels is None else rng.integers(0, levels, n) / levels
    keys = rng.permutation(n).astype(np.uint64)
    return Candidates(np.arange(n), keys, draws(keys, seed), rng.integers(0, strata, n), scores, {"margin": scores * 2})


def in_pieces(items, cuts, order):
    pieces = np.split(order, sorted(cut % (len(order) + 1) for cut in cuts))
    return [items.take(piece) for piece in pieces]


@given(st.integers(0, 40), st.integers(0, 50), st.integers(1, 4), st.integers(0, 99))
def test_first_is_the_head_of_a_sort(count, n, levels, seed):
    rng = np.random.default_rng(seed)
    a, b, c = rng.integers(0, levels, n), rng.integers(0, levels, n), rng.permutation(n)
    assert sorted(first(count, a, b, c)) == sorted(np.lexsort((c, b, a))[:count])


@given(st.lists(st.integers(0, 5), max_size=40))
def test_rank_within_counts_earlier_rows_of_the_group(groups):
    expected = [groups[:row].count(group) for row, group in enumerate(groups)]
    assert rank_within(np.array(groups, dtype=np.int64)).tolist() == expected


@settings(deadline=None)
@given(
    n=st.integers(0, 120),
    m=st.integers(0, 12),
    strata=st.integers(1, 4),
    levels=st.sampled_from([None, 1, 3]),
    cuts=st.lists(st.integers(0, 120), max_size=5),
    seed=st.integers(0, 99),
)
def test_top_m_is_the_head_of_a_sort_however_it_is_fed(n, m, strata, levels, cuts, seed):
    items = make_items(n, strata, seed, levels)
    order = np.random.default_rng(seed).permutation(n)
    fed, merged = TopM(m, strata), TopM(m, strata)
    for piece in in_pieces(items, cuts, order):
        fed.feed(piece)
        shard = TopM(m, strata)
        shard.feed(piece)
        merged.merge(shard)
    expected = []
    for stratum in range(strata):
        rows = np.flatnonzero(items.strata == stratum)
        expected += rows[np.lexsort((items.keys[rows], items.draws[rows], -items.scores[rows]))][:m].tolist()
    for top in (fed, merged):
        found = top.result()
        assert found.positions.tolist() == expected
        assert (found.parts["margin"] == items.parts["margin"][expected]).all() if expected else True


def test_top_m_cuts_back_while_it_is_fed():
    top = TopM(10, 3)
    for seed in range(40):
        items = make_items(3_000, 3, seed)
        top.feed(items)
    best = np.concatenate([make_items(3_000, 3, seed).scores for seed in range(40)])
    strata = np.concatenate([make_items(3_000, 3, seed).strata for seed in range(40)])
    for stratum in range(3):
        expected = np.sort(best[strata == stratum])[::-1][:10]
        found = top.result()
        assert (found.scores[found.strata == stratum] == expected).all()


@settings(deadline=None)
@given(
    n=st.integers(0, 120),
    size=st.integers(0, 30),
    cuts=st.lists(st.integers(0, 120), max_size=5),
    seed=st.integers(0, 99),
)
def test_the_draw_is_the_same_however_it_is_fed_and_of_its_size(n, size, cuts, seed):
    items = make_items(n, seed=seed)
    weights, uniforms = items.scores + 0.01, draws(items.keys, seed + 1)
    whole, merged, fed = ProbabilityDraw(size), ProbabilityDraw(size), ProbabilityDraw(size)
    whole.feed(items, weights, uniforms)
    order = np.random.default_rng(seed).permutation(n)
    for rows in np.split(order, sorted(cut % (n + 1) for cut in cuts)):
        fed.feed(items.take(rows), weights[rows], uniforms[rows])
        shard = ProbabilityDraw(size)
        shard.feed(items.take(rows), weights[rows], uniforms[rows])
        merged.merge(shard)
    expected = whole.result()
    assert len(expected) == min(n, size)
    assert ((expected.inclusion > 0) & (expected.inclusion <= 1)).all()
    assert n > size or (expected.inclusion == 1).all()
    for draw in (merged, fed):
        assert (draw.result().items.positions == expected.items.positions).all()
        assert (draw.result().inclusion == expected.inclusion).all()


def test_the_draw_cuts_back_while_it_is_fed():
    keys = np.arange(100_000, dtype=np.uint64)
    uniforms = draws(keys, 3)
    draw = ProbabilityDraw(50)
    for rows in np.split(np.arange(100_000), 20):
        zeros = np.zeros(len(rows))
        draw.feed(Candidates(rows, keys[rows], zeros, zeros.astype(np.int64), zeros), zeros + 1, uniforms[rows])
    assert draw.result().items.positions.tolist() == np.argsort(uniforms)[:50].tolist()
    assert draw.result().inclusion == pytest.approx(np.full(50, np.sort(uniforms)[50]))


def repeated_draws(weights, size, times):
    n = len(weights)
    keys, zeros = np.arange(n, dtype=np.uint64), np.zeros(n)
    items = Candidates(np.arange(n), keys, zeros, zeros.astype(np.int64), zeros)
    for seed in range(times):
        draw = ProbabilityDraw(size)
        draw.feed(items, weights, draws(keys, seed))
        yield draw.result()


@pytest.mark.parametrize("tail", [0.7, 3.0])
def test_horvitz_thompson_totals_are_unbiased_under_heavy_tails(tail):
    rng = np.random.default_rng(4)
    weights = 0.25 + rng.pareto(tail, 400).clip(max=500)
    violating = rng.random(400) < 0.2
    totals = {"items": np.ones(400), "violating": violating.astype(float), "weight": weights}
    found = {name: [] for name in totals}
    for draw in repeated_draws(weights, 40, 1500):
        for name, y in totals.items():
            found[name].append((y[draw.items.positions] / draw.inclusion).sum())
    for name, y in totals.items():
        error = np.std(found[name]) / np.sqrt(1500)
        assert abs(np.mean(found[name]) - y.sum()) < 4 * error + 1e-9 * y.sum(), name


def test_items_are_included_as_often_as_their_probability_says():
    weights = np.array([1.0] * 50 + [4.0] * 10 + [1000.0])
    times = np.zeros(61)
    claimed = np.zeros(61)
    for draw in repeated_draws(weights, 12, 3000):
        times[draw.items.positions] += 1
        claimed[draw.items.positions] += 1 / draw.inclusion  # each item's expected sum is 3000
    assert times[60] == 3000
    assert times[50:60].mean() / times[:50].mean() == pytest.approx(4, rel=0.1)
    assert claimed / 3000 == pytest.approx(1, abs=0.2)


def test_items_of_weight_zero_are_never_drawn():
    weights = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    for draw in repeated_draws(weights, 4, 20):
        assert sorted(draw.items.positions) == [1, 3, 4]
        assert (draw.inclusion == 1).all()


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_bad_weight_is_told(bad):
    with pytest.raises(DataError, match="sampling weight"):
        list(repeated_draws(np.array([1.0, bad]), 1, 1))


@settings(deadline=None)
@given(
    n=st.integers(0, 120),
    size=st.integers(0, 30),
    floor=st.sampled_from([1e-6, 0.1, 0.5, 2.0, 1e6]),
    some=st.sampled_from([0.0, 0.2, 1.0]),
    cuts=st.lists(st.integers(0, 120), max_size=5),
    seed=st.integers(0, 99),
)
def test_a_floored_draw_is_that_of_the_raised_weights_however_it_is_fed(n, size, floor, some, cuts, seed):
    items, rng = make_items(n, seed=seed), np.random.default_rng(seed)
    # whole 1024ths, so that the mean is exact; some weights are 0, or all
    weights = np.rint(1024 * rng.pareto(1.0, n).clip(max=1e4)) / 1024 * (rng.random(n) < some)
    uniforms = draws(items.keys, seed + 1)
    lowest = floor * weights.sum() / max(n, 1)
    expected = ProbabilityDraw(size)
    expected.feed(items, np.maximum(weights, lowest or 1.0), uniforms)
    fed, merged = FlooredDraw(size, floor), FlooredDraw(size, floor)
    order = rng.permutation(n)
    for rows in np.split(order, sorted(cut % (n + 1) for cut in cuts)):
        shard = FlooredDraw(size, floor)
        for draw in (fed, shard):
            draw.feed(items.take(rows), weights[rows], uniforms[rows])
        merged.merge(shard)
    for draw in (fed, merged):
        assert draw.result().items.positions.tolist() == expected.result().items.positions.tolist()
        assert (draw.result().inclusion == expected.result().inclusion).all()


def test_the_floor_keeps_a_part_even():
    weights = np.where(np.arange(5000) < 20, 1000.0, 0.0)
    keys, zeros = np.arange(5000, dtype=np.uint64), np.zeros(5000)
    items = Candidates(np.arange(5000), keys, zeros, zeros.astype(np.int64), zeros)
    for seed in range(20):
        draw = FlooredDraw(200, floor=0.25)
        draw.feed(items, weights, draws(keys, seed))
        assert draw.result().inclusion.min() > 0.8 * 0.25 / 1.25 * 200 / 5000


def test_a_floored_draw_that_is_large_cuts_back_while_it_is_fed():
    keys = np.arange(60_000, dtype=np.uint64)
    uniforms, zeros = draws(keys, 3), np.zeros(3000)
    draw = FlooredDraw(40, floor=0.5)
    for rows in np.split(np.arange(60_000), 20):
        items = Candidates(rows, keys[rows], zeros, zeros.astype(np.int64), zeros)
        draw.feed(items, zeros + (rows % 2) * 2, uniforms[rows])
    raised = np.maximum((np.arange(60_000) % 2) * 2, 0.5)
    assert draw.result().items.positions.tolist() == np.argsort(uniforms / raised)[:40].tolist()


def test_sketches_of_another_size_do_not_merge():
    with pytest.raises(ConfigError, match="does not merge"):
        TopM(2, 1).merge(TopM(3, 1))
    with pytest.raises(ConfigError, match="does not merge"):
        ProbabilityDraw(2).merge(ProbabilityDraw(3))
    for other in (FlooredDraw(3, 0.5), FlooredDraw(2, 0.25)):
        with pytest.raises(ConfigError, match="does not merge"):
            FlooredDraw(2, 0.5).merge(other)
