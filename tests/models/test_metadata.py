"""Columns beside the content as rows: counts by their logarithm, names one by one, and what was never seen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError
from hitl.models.metadata import MOST_NAMES, Metadata
from hitl.pool import Pool
from hitl.sampling.diversity.crowd import GRID


def pool_of(**columns: Any) -> Pool:
    n = len(next(iter(columns.values())))
    named = {name: name for name in ("reach", "flags", "region", "language", "modality") if name in columns}
    facets = [name for name in columns if name not in named]
    table = pa.table({"id": [f"it-{at}" for at in range(n)], "text": ["zonk"] * n, **columns})
    return Pool.open(table, **named, facets=facets)


def test_counts_lie_by_their_logarithm() -> None:
    views = np.array([0.0, 9.0, 99.0, 999.0])
    logs = np.log1p(views)
    metadata = Metadata.of(pool_of(reach=views), ["reach"])
    assert metadata.counts == (("reach", pytest.approx(logs.mean()), pytest.approx(logs.std())),)
    rows = metadata.rows(pa.table({"reach": views}))
    assert (rows.shape, rows.dtype) == ((4, 1), np.int16)
    np.testing.assert_allclose(rows[:, 0] / GRID, (logs - logs.mean()) / logs.std() / 4, atol=0.5 / GRID)


def test_a_name_has_a_place_of_its_own() -> None:
    metadata = Metadata.of(pool_of(language=["plim", "", "grint", "plim"]), ["language"])
    assert metadata.names == (("language", ("grint", "plim")),)
    rows = metadata.rows(pa.table({"language": ["plim", "grint", "never seen", "", None, "Plim"]}))
    assert rows.tolist() == [[0, GRID], [GRID, 0], [0, 0], [0, 0], [0, 0], [0, 0]]


def test_columns_share_a_row_of_length_one() -> None:
    pool = pool_of(reach=[1.0, 1e9], flags=[0, 5], region=["a", "b"], topic=["x", "y"])
    metadata = Metadata.of(pool, ["topic", "reach", "region", "flags"])
    assert metadata.columns == ("reach", "flags", "topic", "region")
    assert metadata.width == 6
    rows = metadata.rows(pool.rows([0, 1], list(metadata.columns))).astype(float)
    assert (rows[:, 2:] != 0).tolist() == [[True, False, True, False], [False, True, False, True]]
    assert (np.linalg.norm(rows, axis=1) <= GRID + 2).all()
    np.testing.assert_allclose(np.linalg.norm(rows[:, 2:], axis=1), GRID * np.sqrt(2 / 4), atol=1)


def test_no_more_than_the_most_frequent_names_have_a_place() -> None:
    often = [f"name {at:03}" for at in range(MOST_NAMES)]
    seldom = [f"a rare name {at:03}" for at in range(30)]
    metadata = Metadata.of(pool_of(topic=[*often * 3, *seldom]), ["topic"])
    assert metadata.names == (("topic", tuple(often)),)
    rows = metadata.rows(pa.table({"topic": [often[-1], seldom[0]]}))
    assert rows.any(axis=1).tolist() == [True, False]


@pytest.mark.parametrize("views", [np.nan, -5.0, -np.inf, None])
def test_a_count_that_is_none_is_zero(views: float | None) -> None:
    metadata = Metadata.of(pool_of(reach=[0.0, 10.0, 100.0]), ["reach"])
    rows = metadata.rows(pa.table({"reach": pa.array([views, 0.0], pa.float64())}))
    assert rows[0] == rows[1]


def test_far_counts_are_held_within_the_row() -> None:
    metadata = Metadata.of(pool_of(reach=[9.0, 10.0, 11.0]), ["reach"])
    rows = metadata.rows(pa.table({"reach": [1e300, np.inf, 0.0]}))
    assert rows[:, 0].tolist() == [GRID, GRID, -GRID]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint32(), pa.float32(), pa.float64()])
def test_counts_of_any_kind_of_number(kind: pa.DataType) -> None:
    metadata = Metadata.of(pool_of(reach=[1.0, 10.0, 100.0]), ["reach"])
    wanted = metadata.rows(pa.table({"reach": [1.0, 100.0]}))
    assert (metadata.rows(pa.table({"reach": pa.array([1, 100], kind)})) == wanted).all()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_names_of_any_kind_of_text(kind: pa.DataType) -> None:
    metadata = Metadata.of(pool_of(region=["1", "2"]), ["region"])
    column = pa.chunked_array([pa.array(["2"]).cast(kind), pa.array(["1", None]).cast(kind)])
    assert metadata.rows(pa.table({"region": column})).tolist() == [[0, GRID], [GRID, 0], [0, 0]]
    assert metadata.rows(pa.table({"region": pa.chunked_array([], kind)})).shape == (0, 2)


def test_names_that_are_numbers_are_their_digits() -> None:
    metadata = Metadata.of(pool_of(region=["1", "2"]), ["region"])
    assert metadata.rows(pa.table({"region": [2, 1]})).tolist() == [[0, GRID], [GRID, 0]]


def test_a_column_that_is_not_there_says_nothing() -> None:
    metadata = Metadata.of(pool_of(reach=[1.0, 5.0], region=["a", "b"]), ["reach", "region"])
    rows = metadata.rows(pa.table({"region": ["b"]}))
    assert rows[0, 0] == 0
    assert rows.any()
    assert metadata.rows(pa.table({"other": [1, 2]})).tolist() == [[0, 0, 0]] * 2
    bare = Metadata.of(pool_of(topic=["x", "y"]), ["reach", "language"])
    assert bare.width == 1
    assert bare.rows(pa.table({"reach": [1.0], "language": ["plim"]})).tolist() == [[0]]


def test_no_columns_and_no_items() -> None:
    none = Metadata.of(pool_of(topic=["x"]), [])
    assert none.rows(pa.table({"id": ["a", "b"]})).shape == (2, 0)
    empty = Pool.open(pa.table({"text": pa.array([], pa.string()), "views": pa.array([], pa.int64())}), reach="views")
    assert Metadata.of(empty, ["reach", "region"]).rows(pa.table({"reach": [3]})).shape == (1, 1)


def test_a_column_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"column 'text' is none of reach, flags, .*topic; name it in the pool's"):
        Metadata.of(pool_of(topic=["x"]), ["text"])


@given(
    st.lists(st.floats(0, 1e12), min_size=1, max_size=20),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=3), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_restored_from_its_card_it_reads_the_same_and_each_row_alone(
    views: list[float], names: list[str], chance: Any
) -> None:
    n = min(len(views), len(names))
    pool = pool_of(reach=views[:n], topic=names[:n])
    metadata = Metadata.of(pool, ["reach", "topic"])
    again = Metadata.restored(json.loads(json.dumps(metadata.told)))
    assert again == metadata
    table = pool.rows(range(n), list(metadata.columns))
    whole = metadata.rows(table)
    order = chance.sample(range(n), n)
    assert (again.rows(table.take(order)) == whole[order]).all()
    assert (np.concatenate([again.rows(table.slice(at, 1)) for at in range(n)]) == whole).all()
    assert (np.linalg.norm(whole.astype(float), axis=1) <= GRID + 1).all()


@pytest.mark.parametrize("n", [3, 10, 1000])
def test_counts_that_are_all_alike_tell_the_logarithm_only(n: int) -> None:
    metadata = Metadata.of(pool_of(reach=[10.0] * n), ["reach"])
    rows = metadata.rows(pa.table({"reach": [10.0, 11.0, 10 * np.e]}))
    np.testing.assert_allclose(rows[:, 0] / GRID, (np.log1p([10, 11, 10 * np.e]) - np.log1p(10)) / 4, atol=0.5 / GRID)
