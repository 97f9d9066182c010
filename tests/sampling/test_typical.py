"""Typical and diverse items: the parts of a pool that are planted are found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from hitl.sampling.candidates import Candidates
from hitl.sampling.diversity import on_grid
from hitl.sampling.typical import allocate, reduce, typical


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(0, 60))
def test_places_add_up_and_nobody_starves(counts, total):
    counts = np.array(counts)
    sizes = allocate(counts, total)
    assert sizes.sum() == min(total, counts.sum())
    assert ((sizes >= 0) & (sizes <= counts)).all()
    if total >= (counts > 0).sum():
        assert (sizes[counts > 0] > 0).all()


def test_places_go_by_the_root_of_the_size():
    assert allocate(np.array([160_000, 10_000]), 100).tolist() == [80, 20]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_reduction_keeps_angles_and_is_the_same_for_sparse_and_dense(kind):
    rng = np.random.default_rng(1)
    topics = sparse.random_array((8, 300), density=0.1, rng=rng).toarray()
    x = rng.dirichlet(np.full(8, 0.2), 120) @ topics
    x[5] = 0
    reduced = reduce(kind(x), np.random.default_rng(2), dimensions=20)
    assert reduced.shape == (120, 20)
    lengths = np.linalg.norm(x, axis=1)
    cosine = x @ x.T / np.maximum(lengths[:, None] * lengths, 1e-12)
    assert reduced @ reduced.T == pytest.approx(cosine, abs=1e-6)


def test_each_stratum_gives_its_clusters_the_nearest_first():
    rng = np.random.default_rng(1)
    x = np.repeat(np.eye(4) * 10, 50, axis=0) + rng.normal(size=(200, 4))
    at = np.arange(200)
    sample = Candidates(at, at.astype(np.uint64), rng.random(200), at // 100, np.zeros(200))
    queues = typical(sample, x, np.array([2, 2]), np.random.default_rng(0))
    assert sorted(int(queue[0]) // 50 for queue in queues) == [0, 1, 2, 3]
    for queue in queues:
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        centre = unit[int(queue[0]) // 50 * 50 :][:50].mean(axis=0)
        distances = np.linalg.norm(unit[queue] - centre, axis=1)
        assert (np.diff(distances) >= -1e-9).all()


def test_embeddings_are_taken_as_they_are_and_features_as_their_reduction():
    rng = np.random.default_rng(1)
    x = np.repeat(np.eye(5) * 12, 30, axis=0) + rng.normal(size=(150, 5))
    at = np.arange(150)
    sample = Candidates(at, at.astype(np.uint64), rng.random(150), np.zeros(150, dtype=np.int64), np.zeros(150))
    answers = [
        [queue.tolist() for queue in typical(sample, given, np.array([5]), np.random.default_rng(0))]
        for given in (x, on_grid(x))
    ]
    assert answers[0] == answers[1]
    assert sorted(queue[0] // 30 for queue in answers[1]) == [0, 1, 2, 3, 4]


def test_a_sample_of_copies_gives_one_queue_and_no_item_twice():
    at = np.arange(40)
    sample = Candidates(at, at.astype(np.uint64), at / 40, at % 2, np.zeros(40))
    queues = typical(sample, np.full((40, 3), 1182, dtype=np.int16), np.array([3, 4]), np.random.default_rng(0))
    assert [queue.tolist() for queue in queues] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
