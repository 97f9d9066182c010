"""What every diversity method promises."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.sampling.diversity import DIVERSITIES, Crowd, diversity, on_grid

every_method = pytest.mark.parametrize("name", list(DIVERSITIES))
both_kinds = pytest.mark.parametrize("multi_label", [False, True])
COLUMNS = [field.name for field in fields(Crowd) if field.name != "multi_label"]


def make_crowd(n, seed, *, k=3, d=4, points=None, zeros=0.0, multi_label=False):
    """A crowd on `points` different places (as many as items when None), of which a share has weight 0."""
    rng = np.random.default_rng(seed)
    places = on_grid(rng.normal(size=(points or n, d)))
    proba = rng.random((n, k)) if multi_label else rng.dirichlet(np.ones(k), n).reshape(n, k)
    weights = np.where(rng.random(n) < zeros, 0.0, rng.integers(1, 4, n))
    where = np.arange(n) if points is None else rng.integers(0, points, n)
    return Crowd(places[where], proba.astype(np.float32), weights, rng.permutation(n) / max(n, 1), multi_label)


def taken(name, crowd, count, seed=0):
    return DIVERSITIES[name](crowd, count, np.random.default_rng(seed)).tolist()


@every_method
@both_kinds
@given(
    n=st.integers(0, 40),
    count=st.integers(0, 45),
    seed=st.integers(0, 10_000),
    k=st.integers(1, 4),
    points=st.sampled_from([None, 1, 2, 7]),
    zeros=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_a_batch_is_distinct_items_whoever_stands_where(name, multi_label, n, count, seed, k, points, zeros):
    crowd = make_crowd(n, seed, k=k, points=points, zeros=zeros, multi_label=multi_label)
    before = {column: getattr(crowd, column).copy() for column in COLUMNS}
    rows = DIVERSITIES[name](crowd, count, np.random.default_rng(seed))
    assert rows.dtype == np.int64
    assert len(rows) == min(n, count)
    assert len(set(rows.tolist())) == len(rows)
    assert set(rows.tolist()) <= set(range(n))
    assert all((getattr(crowd, column) == values).all() for column, values in before.items())
    assert taken(name, crowd, count, seed) == rows.tolist()
    order = np.random.default_rng(seed).permutation(n)
    assert order[taken(name, crowd.take(order), count, seed)].tolist() == rows.tolist()
    wanted = crowd.weights > 0
    assert not wanted.any() or wanted[rows].sum() == min(wanted.sum(), count)


@every_method
@both_kinds
def test_the_answer_does_not_depend_on_the_layout_in_memory(name, multi_label):
    crowd = make_crowd(300, 1, multi_label=multi_label)
    other = replace(
        crowd, embeddings=np.asfortranarray(crowd.embeddings), proba=np.asfortranarray(crowd.proba).astype(np.float64)
    )
    assert taken(name, crowd, 30) == taken(name, other, 30)


@every_method
@both_kinds
@pytest.mark.parametrize("place", [[1448, 1448, 0], [0, 0, 0]])
def test_copies_of_one_item_are_taken_once_each_the_heaviest_and_earliest_drawn_first(name, multi_label, place):
    n = 30
    weights = np.repeat([1.0, 3.0, 2.0], 10)
    proba = np.tile(np.array([[0.6, 0.4]], dtype=np.float32), (n, 1))
    draws = np.random.default_rng(5).permutation(n) / n
    crowd = Crowd(np.tile(np.array([place], dtype=np.int16), (n, 1)), proba, weights, draws, multi_label)
    rows = taken(name, crowd, 15)
    assert len(set(rows)) == 15
    # chance may choose the one that stands for them all; the rest is filled
    assert rows[1:] == [row for row in np.lexsort((draws, -weights)).tolist() if row != rows[0]][:14]


@every_method
def test_equal_draws_do_no_harm(name):
    crowd = replace(make_crowd(60, 2), draws=np.zeros(60))
    assert len(set(taken(name, crowd, 20))) == 20


@every_method
@given(seed=st.integers(0, 300))
def test_the_batch_holds_every_place_there_is_before_any_twice(name, seed):
    places = 6
    crowd = replace(make_crowd(60, seed, points=places, d=8), weights=np.ones(60))
    if name == "badge":  # gradients of one place are equal only when its probabilities are
        crowd = replace(crowd, proba=np.tile(np.array([[0.5, 0.3, 0.2]], dtype=np.float32), (60, 1)))
    there = {tuple(row) for row in crowd.embeddings.tolist()}
    chosen = [tuple(crowd.embeddings[row].tolist()) for row in taken(name, crowd, len(there), seed)]
    assert name == "top" or set(chosen) == there


def test_an_unknown_name_is_told_with_its_neighbours():
    assert diversity("badge") is DIVERSITIES["badge"]
    with pytest.raises(ConfigError, match="no diversity is called 'weighted-kmeans'; did you mean weighted_kmeans"):
        diversity("weighted-kmeans")
    with pytest.raises(ConfigError, match="'xyzzy'; There are kmeans_plus_plus, badge"):
        diversity("xyzzy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.ones(4)}, r"differ in length \(embeddings 5, proba 5, weights 4, draws 5\)"),
        ({"embeddings": np.ones((5, 2))}, "embeddings are float64 of 2 dimensions; give int16"),
        ({"embeddings": np.ones(5, dtype=np.int16)}, "of 1 dimensions"),
        ({"weights": np.array([1, 2, -1, np.nan, 0])}, "2 of 5 weights .* the first in row 2"),
        ({"proba": np.array([[0.5], [1.2], [0.1], [np.nan], [1]])}, "2 of 5 rows of probabilities .* row 1"),
        ({"weights": np.array([1, np.inf, 1, 1, 0])}, "1 of 5 weights .* the first in row 1"),
    ],
)
def test_a_crowd_that_cannot_be_is_told(change, message):
    with pytest.raises(DataError, match=message):
        replace(make_crowd(5, 1), **change)


@given(n=st.integers(0, 30), d=st.integers(1, 300), scale=st.sampled_from([1e-6, 1.0, 1e6]), seed=st.integers(0, 99))
def test_the_grid_keeps_directions(n, d, scale, seed):
    x = np.random.default_rng(seed).normal(size=(n, d)) * scale
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert np.abs(on_grid(x) / 2048 - unit).max(initial=0) <= 0.5 / 2048 + 1e-9
