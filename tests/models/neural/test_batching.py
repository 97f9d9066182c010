import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.models.neural.batching import Tokens, by_length

ROWS = st.lists(st.lists(st.integers(1, 99), max_size=9), max_size=30)


def lists(tokens: Tokens) -> list[list[int]]:
    return [tokens.ids[a:b].tolist() for a, b in zip(tokens.indptr, tokens.indptr[1:], strict=False)]


@given(ROWS, ROWS, st.randoms())
def test_tokens_hold_what_they_were_made_of(first, second, random):
    tokens = Tokens.joined([Tokens.of(first), Tokens.of(second)])
    whole = first + second
    assert lists(tokens) == whole
    assert len(tokens) == len(whole)
    assert tokens.lengths.tolist() == [*map(len, whole)]
    rows = [random.randrange(len(whole)) for _ in range(5)] if whole else []
    assert lists(tokens.take(np.array(rows, dtype=np.int64))) == [whole[row] for row in rows]


@given(ROWS)
def test_padding_stands_on_the_right_and_is_masked(rows):
    ids, mask = Tokens.of(rows).padded(0)
    if mask is None:
        assert len({len(row) for row in rows}) <= 1
        assert ids.tolist() == rows
    else:
        assert [row[:end].tolist() for row, end in zip(ids, mask.sum(1), strict=True)] == rows
        assert not ids[mask == 0].any()
        assert (np.diff(mask, axis=1) <= 0).all()


@given(st.lists(st.integers(0, 60), max_size=80), st.integers(1, 200), st.integers(0, 50))
def test_batches_hold_each_text_once_within_the_budget(lengths, most, overhead):
    lengths = np.array(lengths, dtype=np.int64)
    batches = by_length(lengths, most, overhead)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= most for batch in batches)
    longest = [lengths[batch].max() for batch in batches]
    assert longest == sorted(longest, reverse=True)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(9, 30), st.integers(0, 9))
def test_no_grouping_of_the_lengths_is_cheaper(lengths, most, overhead):
    def cheapest(widths):
        if not widths:
            return 0
        costs = []
        for end in range(1, len(widths) + 1):
            rows, width = sum(map(lengths.count, widths[:end])), widths[end - 1]
            costs.append(rows * width + overhead * -(-rows // (most // width)) + cheapest(widths[end:]))
        return min(costs)

    batches = by_length(np.array(lengths), most, overhead)
    found = sum(len(batch) * max(lengths[row] for row in batch) + overhead for batch in batches)
    assert found <= cheapest(sorted(set(lengths)))


def test_many_texts_are_not_padded_at_all():
    lengths = np.random.default_rng(0).integers(2, 40, size=20_000)
    batches = by_length(lengths, 2048, 32)
    assert all(len(set(lengths[batch])) == 1 for batch in batches)


@pytest.mark.parametrize("count", [2, 8])
def test_few_texts_share_a_batch(count):
    assert len(by_length(np.arange(20, 20 + count), 2048, 32)) == 1
