import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from hitl.pool.keys import as_array, as_text, hash_text, repeated

MASK = (1 << 64) - 1
texts = st.lists(st.text(max_size=40), max_size=30)


def by_hand(text: str) -> int:
    """The same hash, one text at a time in Python's own numbers."""
    data = text.encode()
    state = len(data) * 0x9E3779B97F4A7C15 & MASK
    for at in range(0, len(data), 8):
        piece = data[at : at + 8]
        word = int.from_bytes(piece, "little") << 8 * (8 - len(piece))
        state = (state ^ word) * 0xBF58476D1CE4E5B9 & MASK
        state ^= state >> 32
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


@given(texts)
def test_each_key_is_the_hash_of_its_own_text_alone(values: list[str]) -> None:
    assert hash_text(pa.array(values, pa.string())).tolist() == [by_hand(value) for value in values]


@given(texts, st.integers(0, 30))
def test_keys_do_not_depend_on_how_the_column_lies_in_memory(values: list[str], cut: int) -> None:
    plain = pa.array(values, pa.string())
    expected = hash_text(plain).tolist()
    cut = min(cut, len(values))
    assert hash_text(plain.cast(pa.large_string())).tolist() == expected
    assert hash_text(plain.dictionary_encode()).tolist() == expected
    assert hash_text(plain.slice(cut)).tolist() == expected[cut:]
    assert hash_text(pa.chunked_array([plain.slice(0, cut), plain.slice(cut)])).tolist() == expected


def test_whole_numbers_and_their_digits_are_one_id() -> None:
    numbers = pa.array([0, 7, -12, 2**60])
    assert hash_text(as_text(numbers)).tolist() == hash_text(pa.array(["0", "7", "-12", str(2**60)])).tolist()


def test_a_hundred_thousand_near_equal_ids_have_as_many_keys() -> None:
    ids = pa.array(np.arange(100_000)).cast(pa.string())
    keys = hash_text(ids)
    assert len(np.unique(keys)) == 100_000
    ones = (keys[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 0.01


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=50))
def test_repeated_names_every_row_whose_key_is_not_alone(values: list[int]) -> None:
    found = repeated(np.array(values, dtype=np.uint64)).tolist()
    assert found == [row for row, value in enumerate(values) if values.count(value) > 1]


@given(st.lists(st.integers(-5, 5), max_size=20), st.integers(0, 20))
def test_as_array_reads_slices_and_chunks(values: list[int], cut: int) -> None:
    column = pa.array(values, pa.int32())
    assert as_array(column.slice(cut), np.int64).tolist() == values[cut:]
    assert as_array(pa.chunked_array([column, column]), np.float64).tolist() == values * 2
