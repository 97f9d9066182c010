"""The survey: exact, mergeable, and the same from shards as from an open pool."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.compute.local import Local
from hitl.compute.survey import ExactSum, Survey, SurveyShards, combined
from hitl.errors import ComputeError
from hitl.sampling.view import join_strata

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(finite, max_size=20), min_size=1, max_size=4))
def test_a_sum_is_exact_in_any_order(parts):
    forth, back = ExactSum(), ExactSum()
    for part in parts:
        one = ExactSum()
        one.add(np.array(part))
        forth.merge(one)
    back.add(np.array([value for part in reversed(parts) for value in reversed(part)]))
    assert forth.total == back.total == sum(map(Fraction, (value for part in parts for value in part)), Fraction(0))


def test_a_sum_of_many_of_one_size_does_not_overflow():
    many = ExactSum()
    many.add(np.full(100_000, 1.9999999999999998))
    assert many.total == 100_000 * Fraction(1.9999999999999998)


@given(st.lists(st.tuples(*[st.sampled_from(["", "a", "b", "c|d"])] * 2), min_size=1, max_size=30))
def test_combinations_are_named_as_strata_are(rows):
    table = pa.table({"x": [row[0] for row in rows], "y": [row[1] for row in rows]})
    codes, values = combined(table, ["x", "y"])
    assert [values[code] for code in codes] == rows
    pairs = []
    for column in zip(*rows, strict=True):
        names = sorted(set(column))
        pairs.append((np.array([names.index(value) for value in column]), tuple(names)))
    assert tuple(sorted("|".join(pair) for pair in values)) == tuple(sorted(join_strata(pairs, len(rows))[1]))


@pytest.mark.parametrize("block_rows", [1, 400])
@pytest.mark.parametrize("strata", [(), ("language",), ("language", "source", "region")])
def test_shards_and_pool_are_surveyed_alike(world, strata, block_rows):
    found = Local(2).run(SurveyShards(world.shards(block_rows=block_rows), strata)).result()
    pool = world.pool()
    known = Survey.of(pool, strata)
    assert (found.items, found.mean_reach) == (known.items, known.mean_reach)
    assert (found.regions, found.combinations) == (known.regions, known.combinations)
    assert found.regions == pool.codes("region")[1]
    assert found.strata == join_strata([pool.codes(name) for name in strata], len(pool))[1]
    assert found.mean_reach == pytest.approx(pool.reach.mean())


class Counted:
    """Work whose blocks come to their own numbers."""

    label, sizes = "counting", (2, 3, 4)

    def __init__(self, seen=()):
        self.seen = list(seen)

    def nothing(self):
        return Counted()

    def run(self, block):
        return Counted([block])

    def merge(self, other):
        self.seen += other.seen


def test_each_block_is_merged_once():
    from hitl.compute.gather import Gather

    heard = []
    gather = Gather(Counted(), lambda *what: heard.append(what[1:]))
    for block in (2, 0, 2):
        gather.take(block, Counted([block]))
    with pytest.raises(ComputeError, match=r"counting: 1 of 3 blocks never came back \(the first is number 1\)"):
        gather.result()
    gather.take(1, Counted([1]))
    assert gather.result().seen == [2, 0, 1]
    assert heard == [(0, 9), (4, 9), (6, 9), (9, 9)]
