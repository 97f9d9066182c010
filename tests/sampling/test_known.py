"""What is known of the space: exact cosines, representatives that cover, anchors of harm alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.sampling.known import GRID, direction, know, nearest, spread


def rows(n, d, seed):
    x = np.random.default_rng(seed).standard_normal((n, d))
    return np.rint(GRID * x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.int16)


@given(n=st.integers(1, 60), r=st.integers(1, 9), d=st.integers(1, 130), seed=st.integers(0, 999), data=st.data())
def test_a_cosine_is_exact_and_the_same_bits_in_any_batch(n, r, d, seed, data):
    items, references = rows(n, d, seed), rows(r, d, seed + 1)
    best = nearest(items, references)
    exact = (items.astype(np.int64) @ references.astype(np.int64).T).max(axis=1)
    assert (best == exact / GRID**2).all()
    cut = data.draw(st.integers(0, n))
    assert (np.concatenate([nearest(items[:cut], references), nearest(items[cut:], references)]) == best).all()
    order = np.random.default_rng(seed).permutation(r)
    assert (nearest(np.asfortranarray(items), references[order]) == best).all()


def test_batches_beyond_one_block_are_cut_anywhere():
    items, references = rows(9_001, 128, 1), rows(300, 128, 2)
    best = nearest(items, references)
    for start, stop in [(0, 1), (1, 9_001), (2_047, 2_049), (4_000, 4_003)]:
        assert (nearest(items[start:stop], references) == best[start:stop]).all()


def test_a_row_is_nearest_to_itself_and_no_embedding_is_near_to_nothing():
    items = rows(300, 128, 1)
    assert nearest(items, items) == pytest.approx(np.ones(300), abs=3e-3)
    assert nearest(np.zeros((2, 128), dtype=np.int16), items).tolist() == [0, 0]
    assert nearest(items, np.zeros((1, 128), dtype=np.int16)).tolist() == [0] * 300


def test_without_references_or_items():
    none = np.empty((0, 4), dtype=np.int16)
    assert nearest(rows(3, 4, 0), none).tolist() == [-1, -1, -1]
    assert nearest(none, rows(3, 4, 0)).shape == (0,)


@given(m=st.integers(0, 80), distinct=st.integers(1, 12), limit=st.integers(1, 30), seed=st.integers(0, 999))
def test_representatives_are_few_and_never_twice_the_same(m, distinct, limit, seed):
    items = rows(distinct, 8, seed)[np.random.default_rng(seed).integers(0, distinct, m)]
    before = items.copy()
    chosen = spread(items, limit, np.random.default_rng(seed))
    assert (chosen == spread(items, limit, np.random.default_rng(seed))).all()
    assert (np.diff(chosen) > 0).all()
    assert (items == before).all()
    if m <= limit:
        assert chosen.tolist() == list(range(m))
    else:  # a copy of a chosen row adds nothing, so that as many as there is room for are told apart
        assert len(np.unique(items[chosen], axis=0)) == len(chosen) == min(limit, len(np.unique(items, axis=0)))


def test_representatives_cover_what_a_random_draw_misses():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, 16))
    kind = np.repeat(np.arange(20), [2_000] + [5] * 19)  # one crowd, and nineteen of five each
    noisy = centres[kind] + 0.05 * rng.standard_normal((len(kind), 16))
    items = np.rint(GRID * noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.int16)
    found = [len(set(kind[spread(items, 40, np.random.default_rng(seed))])) for seed in range(10)]
    drawn = [len(set(kind[np.random.default_rng(seed).choice(len(kind), 40, replace=False)])) for seed in range(10)]
    assert min(found) >= 18 > 10 > max(drawn)


def test_anchors_are_the_positives_of_violating_labels():
    items = np.concatenate([rows(5, 4, 1), np.zeros((1, 4), dtype=np.int16)])
    y = np.array([[1, 0, np.nan], [0, 1, 0], [0, 1, np.nan], [1, np.nan, 0], [np.nan] * 3, [0, 1, 0]])
    known = know(items, y, np.array([False, True, True]), np.random.default_rng(0))
    assert (known.labelled == items[:5]).all()  # the last has no embedding
    assert [anchors.tolist() for anchors in known.anchors] == [[], items[[1, 2]].tolist(), []]
    assert all(anchors.dtype == np.int16 and anchors.shape[1] == 4 for anchors in known.anchors)
    assert known.centre is None


def test_what_is_known_stays_bounded():
    y = np.column_stack([np.zeros(1_000), np.ones(1_000)])
    known = know(rows(1_000, 8, 1), y, np.array([False, True]), np.random.default_rng(0), limit=32)
    assert (len(known.labelled), len(known.anchors[0]), len(known.anchors[1])) == (32, 0, 32)


def test_at_the_start_nothing_is_known():
    known = know(np.empty((0, 8), dtype=np.int16), np.empty((0, 2)), np.array([False, True]), np.random.default_rng(0))
    assert known.labelled.shape == known.anchors[0].shape == known.anchors[1].shape == (0, 8)


def test_the_direction_of_a_pool_is_that_of_its_sum_and_close_to_its_mean_cosines():
    items = rows(500, 16, 1) + np.int16(200) * (np.arange(16) == 3).astype(np.int16)
    total = items.sum(axis=0, dtype=np.int64)
    centre = direction(total)
    assert (centre == direction(items[:100].sum(axis=0) + items[100:].sum(axis=0))).all()
    assert np.linalg.norm(centre) == pytest.approx(GRID, rel=1e-3)
    mean_cosine = (items.astype(np.int64) @ items.astype(np.int64).T).mean(axis=1)
    assert np.corrcoef(mean_cosine, nearest(items, centre[None]))[0, 1] > 0.999
    assert direction(np.zeros(4, dtype=np.int64)).tolist() == [0, 0, 0, 0]
