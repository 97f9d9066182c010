"""Facets and the slices that conjunctions of their values cut: all of them with support, and nothing else."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.facets import Facets, conjunctions


def by_hand(facets: Facets, depth: int, least: int) -> dict[frozenset[tuple[str, str]], frozenset[int]]:
    """Every conjunction with support, by trying all."""
    found = {}
    for length in range(1, depth + 1):
        for chosen in combinations(range(len(facets.names)), length):
            for values in product(*(range(len(facets.values[at])) for at in chosen)):
                rows = (facets.codes[:, list(chosen)] == np.array(values)).all(axis=1)
                if least <= rows.sum() <= len(facets) - least:
                    where = {(facets.names[at], facets.values[at][one]) for at, one in zip(chosen, values, strict=True)}
                    found[frozenset(where)] = frozenset(np.flatnonzero(rows).tolist())
    return found


@given(
    columns=st.integers(5, 40).flatmap(
        lambda n: st.lists(st.lists(st.sampled_from("abc"), min_size=n, max_size=n), min_size=1, max_size=4)
    ),
    least=st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_all_slices_with_support_are_there_once(columns, least):
    facets = Facets.of({f"f{at}": column for at, column in enumerate(columns)})
    expected = by_hand(facets, 3, least)
    cut = conjunctions(facets, 3, least)
    rows = [frozenset(np.flatnonzero(members[facets.cell]).tolist()) for members in cut.members]
    for where, items, size in zip(cut.where, rows, cut.items, strict=True):
        assert expected[frozenset(where.items())] == items
        assert len(items) == size
    assert set(rows) == set(expected.values())
    longer = [items for where, items in zip(cut.where, rows, strict=True) if len(where) > 1]
    assert len(longer) == len(set(longer))
    shorter = {items for where, items in expected.items() if len(where) == 1}
    assert not shorter & set(longer)
    assert cut.items.tolist() == sorted(cut.items.tolist(), reverse=True)


def test_of_too_many_the_largest_stay():
    rng = np.random.default_rng(0)
    facets = Facets.of({name: rng.choice(list("abcdefgh"), 300).tolist() for name in "xyz"})
    everything, some = conjunctions(facets, 3, 2), conjunctions(facets, 3, 2, most=20)
    assert len(everything) > 100
    assert len(some) == 20
    assert some.items.tolist() == everything.items[:20].tolist()


def test_nothing_to_cut():
    for facets in (Facets.of({}), Facets.of({"a": []}), Facets.of({"a": ["x"] * 9})):
        assert len(conjunctions(facets, 3, 1)) == 0


def test_facets_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="differ in length"):
        Facets.of({"a": ["x"], "b": ["x", "y"]})
    with pytest.raises(DataError, match="do not fit"):
        Facets(("a",), (("x",), ("y",)), np.zeros((3, 1), dtype=np.int64))


def test_some_of_the_items_keep_their_names():
    facets = Facets.of({"a": ["x", "y", "z"]}).take(np.array([2, 0]))
    assert [facets.values[0][code] for code in facets.codes[:, 0]] == ["z", "x"]
    assert len(facets) == 2
