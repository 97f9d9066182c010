"""Diversity methods against known truths: planted clusters, brute force, and distances written out in full."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.sampling.diversity import DIVERSITIES, Crowd, on_grid
from hitl.sampling.diversity.badge import gradients
from hitl.sampling.diversity.kmeans_plus_plus import between, draw_apart
from hitl.sampling.diversity.max_coverage import SERVED, cover
from hitl.sampling.diversity.weighted_kmeans import kmeans


def planted(sizes, seed, noise=0.01, d=32):
    """Clusters of the given sizes in random directions; everyone is equally wanted and equally unsure."""
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    x = on_grid(rng.normal(size=(len(sizes), d))[owner] + noise * rng.normal(size=(len(owner), d)))
    proba = np.full((len(owner), 2), 0.5, dtype=np.float32)
    return Crowd(x, proba, np.ones(len(owner)), rng.random(len(owner)), multi_label=False), owner


@pytest.mark.parametrize("name", [name for name in DIVERSITIES if name != "top"])
@pytest.mark.parametrize("seed", range(5))
def test_every_planted_cluster_is_covered_however_small(name, seed):
    crowd, owner = planted([400, 200, 100, 50, 20, 10, 5, 5], seed)
    method = DIVERSITIES[name]
    assert len(set(owner[method(crowd, 8, np.random.default_rng(seed))])) == 8
    assert len(set(owner[method(crowd, 30, np.random.default_rng(seed))])) == 8


def test_the_crowd_by_weight_alone_is_not_diverse():
    crowd, owner = planted([200, 200], 1)
    heavy = Crowd(crowd.embeddings, crowd.proba, 1.0 + (owner == 1), crowd.draws, multi_label=False)
    assert set(owner[DIVERSITIES["top"](heavy, 50, np.random.default_rng(0))]) == {1}


def test_draws_follow_weight_times_squared_distance():
    # three places on a line; from the first, the others lie at squared distances 1 and 4 with weights 2 and 1
    at = np.array([0.0, 1.0, 2.0])

    def distances(rows, centres):
        return (at[rows][:, None] - at[centres]) ** 2

    rng = np.random.default_rng(0)
    first = np.array([1.0, 0.0, 0.0])
    drawn = [draw_apart(distances, np.array([1.0, 2.0, 1.0]), 2, rng, first)[1] for _ in range(6000)]
    assert np.mean(np.array(drawn) == 1) == pytest.approx(2 / 6, abs=0.02)


def test_drawing_in_blocks_is_drawing_one_by_one():
    # the last of many draws among few places, where proposals are refused most: against a plain D² sampler
    rng = np.random.default_rng(3)
    x = on_grid(rng.normal(size=(12, 3)))
    distances, weights = between(x), rng.random(12)
    square = distances(slice(None), np.arange(12))

    def plain():
        chosen = [rng.choice(12, p=weights / weights.sum())]
        while len(chosen) < 6:
            mass = weights * square[:, chosen].min(axis=1)
            chosen.append(rng.choice(12, p=mass / mass.sum()))
        return chosen

    samplers = (plain, lambda: draw_apart(distances, weights, 6, rng))
    counts = [np.bincount(np.ravel([draw() for _ in range(3000)]), minlength=12) / 3000 for draw in samplers]
    assert counts[1] == pytest.approx(counts[0], abs=0.05)


def test_distances_are_exact():
    x = on_grid(np.random.default_rng(0).normal(size=(50, 200)))
    truth = ((x[:, None].astype(np.int64) - x) ** 2).sum(axis=2)
    assert (between(x)(slice(None), np.arange(50)) == truth).all()
    assert (between(x)(np.array([7]), np.array([3, 7])) == truth[7, [3, 7]]).all()


@given(n=st.integers(1, 12), k=st.integers(1, 5), multi_label=st.booleans(), seed=st.integers(0, 1000))
def test_distances_of_gradients_are_those_of_the_gradients_written_out(n, k, multi_label, seed):
    rng = np.random.default_rng(seed)
    proba = (rng.random((n, k)) if multi_label else rng.dirichlet(np.ones(k), n)).astype(np.float32)
    crowd = Crowd(on_grid(rng.normal(size=(n, 6))), proba, np.ones(n), rng.random(n), multi_label)
    answers = proba >= 0.5 if multi_label else np.eye(k)[proba.argmax(axis=1)]
    full = ((proba - answers)[:, :, None] * (crowd.embeddings / 2048)[:, None, :]).reshape(n, -1)
    distances, lengths = gradients(crowd)
    found = distances(slice(None), np.arange(n)) / 2.0**62
    assert found == pytest.approx(((full[:, None] - full) ** 2).sum(axis=2), abs=1e-5)
    assert (np.diag(found) == 0).all()
    assert lengths / 2.0**62 == pytest.approx((full**2).sum(axis=1), abs=1e-5)


def test_badge_asks_the_unsure_and_at_most_one_of_those_without_a_gradient():
    crowd, owner = planted([100] * 20, 2)
    sure = owner < 10
    proba = np.where(sure[:, None], [[0.999, 0.001]], [[0.55, 0.45]]).astype(np.float32)
    crowd = Crowd(crowd.embeddings, proba, crowd.weights, crowd.draws, multi_label=False)
    for seed in range(10):
        rows = DIVERSITIES["badge"](crowd, 11, np.random.default_rng(seed))
        assert not sure[rows[0]]
        assert sure[rows].sum() <= 1
        assert len(set(owner[rows][~sure[rows]])) == 10


def test_kmeans_finds_planted_clusters():
    crowd, owner = planted([80] * 6, 1)
    cluster, distance = kmeans(crowd.embeddings, np.ones(len(crowd)), 6, np.random.default_rng(0))
    assert len(set(zip(owner.tolist(), cluster.tolist(), strict=True))) == 6
    for code in range(6):
        mine = crowd.embeddings[cluster == code].astype(float)
        assert distance[cluster == code] == pytest.approx(((mine - np.rint(mine.mean(axis=0))) ** 2).sum(axis=1))


def test_a_heavy_item_draws_the_centre_of_its_cluster():
    x = on_grid(np.array([[np.cos(angle), np.sin(angle)] for angle in (0.0, 0.1, 0.2, 3.0)]))
    for heavy in range(3):
        weights = np.where(np.arange(4) == heavy, 100.0, 1.0)
        crowd = Crowd(x, np.ones((4, 1), dtype=np.float32), weights, np.arange(4) / 4, multi_label=False)
        assert DIVERSITIES["weighted_kmeans"](crowd, 2, np.random.default_rng(0)).tolist() == [heavy, 3]


@pytest.mark.parametrize("k", [1, 3, 10])
def test_fewer_points_than_clusters(k):
    x = on_grid(np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    cluster, distance = kmeans(x, np.ones(3), k, np.random.default_rng(0))
    assert len(set(cluster.tolist())) == min(k, 2)
    assert k == 1 or (distance == 0).all()


def coverage(crowd, rows):
    x = crowd.embeddings.astype(float)
    return float(crowd.weights @ np.maximum(x @ x[list(rows)].T, 0).max(axis=1))


@given(n=st.integers(2, 9), count=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_greedy_coverage_is_near_the_best_there_is(n, count, seed):
    rng = np.random.default_rng(seed)
    x = on_grid(rng.normal(size=(n, 2)))
    crowd = Crowd(x, np.ones((n, 1), dtype=np.float32), 0.1 + rng.random(n), rng.random(n), multi_label=False)
    best = max(coverage(crowd, rows) for rows in combinations(range(n), min(count, n)))
    rows = DIVERSITIES["max_coverage"](crowd, count, rng)
    assert coverage(crowd, rows) >= (1 - 1 / np.e) * best - 1e-6
    # and it is the greedy choice, step by step
    for step in range(len(rows)):
        gain = [coverage(crowd, [*rows[:step], row]) for row in range(n)]
        assert gain[rows[step]] >= max(gain) * (1 - 1e-4)


def test_coverage_of_a_crowd_too_large_to_serve_comes_near_that_of_all():
    crowd, _ = planted(np.arange(1, 90), 3, noise=0.4)
    assert len(crowd) > SERVED
    rows = DIVERSITIES["max_coverage"](crowd, 60, np.random.default_rng(0))
    everyone = cover(crowd.embeddings, np.arange(len(crowd)), np.ones(len(crowd), dtype=np.float32), 60)
    chance = np.random.default_rng(1).choice(len(crowd), 60, replace=False)
    assert len(set(rows.tolist())) == 60
    assert coverage(crowd, rows) > 0.98 * coverage(crowd, everyone)
    assert coverage(crowd, chance) < 0.95 * coverage(crowd, everyone)
