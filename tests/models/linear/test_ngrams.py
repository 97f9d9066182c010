from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from hitl.models.linear.ngrams import Ngrams

texts = st.lists(st.text(alphabet="ab é😀\n1_-", max_size=25), max_size=8)


def words(text: str) -> list[str]:
    kept = "".join(char if char.isalnum() or char == "_" else " " for char in text.lower())
    return kept.split()


def by_hand(text: str, ngrams: Ngrams) -> tuple[Counter[tuple[str, ...]], Counter[str]]:
    """The n-grams of a text, spelled out."""
    tokens = words(text)
    of_words = Counter(
        tuple(tokens[at : at + n])
        for n in range(ngrams.word[0], ngrams.word[1] + 1)
        for at in range(len(tokens) - n + 1)
    )
    padded = f" {' '.join(text.lower().split())} " if text.split() else " "
    of_chars = Counter(
        gram
        for n in range(ngrams.char[0], ngrams.char[1] + 1)
        for gram in (padded[at : at + n] for at in range(len(padded) - n + 1))
        if not ngrams.within_words or " " not in gram[1:-1]
    )
    return of_words, of_chars


@given(texts, st.booleans(), st.integers(1, 3), st.integers(1, 5))
def test_counts_are_those_of_the_spelled_out_ngrams(
    values: list[str], within: bool, longest_word: int, longest_char: int
) -> None:
    """With buckets enough for no collision, the multiset of counts is that of the n-grams by hand."""
    ngrams = Ngrams((1, longest_word), (min(3, longest_char), longest_char), 1 << 29, within)
    counts = ngrams.count(values)
    assert counts.shape == (len(values), 2 << 29)
    for row, text in enumerate(values):
        of_words, of_chars = by_hand(text, ngrams)
        found = counts[[row]]
        first = found.data[found.indices < 1 << 29], found.data[found.indices >= 1 << 29]
        assert sorted(first[0]) == sorted(of_words.values())
        assert sorted(first[1]) == sorted(of_chars.values())


@given(texts)
def test_a_text_has_the_same_row_alone_and_in_company(values: list[str]) -> None:
    ngrams = Ngrams(buckets=256)
    together = ngrams.count(pa.chunked_array([values, values], pa.string()))
    for row, text in enumerate(values):
        alone = ngrams.count([text])
        for place in (row, row + len(values)):
            assert (together[[place]] != alone).nnz == 0
    assert together.has_sorted_indices


def test_spellings_of_one_character_and_case_are_one() -> None:
    ngrams = Ngrams(buckets=1 << 12)
    rows = ngrams.count(["Zonk CAF\u00c9", "zonk\t\ncafe\u0301", "ｚｏｎｋ café"])
    assert (rows[[0]] != rows[[1]]).nnz == 0
    assert (rows[[0]] != rows[[2]]).nnz == 0


def test_words_of_all_scripts_are_words() -> None:
    ngrams = Ngrams(word=(1, 1), buckets=1 << 16)
    for text, expected in (("नमस्ते दुनिया", 2), ("สวัสดี", 1), ("привет, мир!", 2), ("مرحبا", 1), ("it's", 2)):
        counts = ngrams.count([text])
        assert counts.data[counts.indices < 1 << 16].sum() == expected


def test_buckets_are_used_evenly() -> None:
    values = [f"zonk{n} wub{n * 7}" for n in range(5000)]
    columns = Ngrams(buckets=1 << 8).count(values).indices
    used = np.bincount(columns[columns < 256], minlength=256)
    assert used.min() > 0.6 * used.mean()
    assert used.max() < 1.4 * used.mean()
