"""Near hashes: just those that comparing all pairs finds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.hashes import HammingIndex, distances, from_hex, near_duplicates, to_hex


def random(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 256, size=(n, 32), dtype=np.uint8)


def changed(rng: np.random.Generator, hashes: np.ndarray, most: int) -> np.ndarray:
    """The hashes with up to `most` bits turned over in each."""
    bits = np.unpackbits(hashes, axis=1)
    for row in bits:
        row[rng.choice(256, size=rng.integers(0, most + 1), replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def by_all_pairs(queries: np.ndarray, entries: np.ndarray, bits: int) -> list[tuple[int, int, int]]:
    apart = np.bitwise_count(queries[:, None] ^ entries[None]).sum(axis=2)
    return [(query, entry, int(apart[query, entry])) for query, entry in np.argwhere(apart <= bits).tolist()]


@given(seed=st.integers(0, 2**32), bits=st.sampled_from([0, 5, 15, 16, 31, 32, 45, 63]), clump=st.booleans())
@settings(max_examples=40)
def test_a_look_up_finds_what_all_pairs_find(seed, bits, clump):
    rng = np.random.default_rng(seed)
    entries = random(rng, 60)
    if clump:
        entries = changed(rng, entries[rng.integers(0, 3, size=60)], 40)
    queries = np.concatenate([random(rng, 10), changed(rng, entries[rng.integers(0, 60, size=50)], 70)])
    pairs = HammingIndex(entries).within(queries, bits)
    told = list(zip(pairs.query.tolist(), pairs.entry.tolist(), pairs.distance.tolist(), strict=True))
    assert told == by_all_pairs(queries, entries, bits)


def test_a_pair_at_the_very_edge_is_found():
    """31 bits spread so that 15 bands differ in two bits and one in one: the worst case of the pigeonhole."""
    for bands, alone in itertools.product([np.arange(256) % 16, np.arange(256) // 16], range(16)):
        bits = np.zeros(256, dtype=np.uint8)
        for band in range(16):
            bits[np.flatnonzero(bands == band)[: 1 if band == alone else 2]] = 1
        pairs = HammingIndex(np.zeros((1, 32), dtype=np.uint8)).within(np.packbits(bits)[None])
        assert pairs.distance.tolist() == [31]


def test_many_that_meet_in_one_band_are_cut_into_pieces():
    rng = np.random.default_rng(1)
    entries = changed(rng, np.zeros((700, 32), dtype=np.uint8), 60)
    queries = changed(rng, np.zeros((400, 32), dtype=np.uint8), 60)
    pairs = HammingIndex(entries).within(queries)
    assert list(zip(pairs.query, pairs.entry, pairs.distance, strict=True)) == by_all_pairs(queries, entries, 31)


def test_nothing_in_nothing():
    none, one = np.empty((0, 32), dtype=np.uint8), np.zeros((1, 32), dtype=np.uint8)
    assert len(HammingIndex(none).within(one)) == len(HammingIndex(one).within(none)) == 0
    assert near_duplicates(none).tolist() == []
    assert from_hex([]).shape == (0, 32)
    assert to_hex(none) == []


@pytest.mark.parametrize("bits", [-1, 64])
def test_bits_that_are_no_near_copies_are_refused(bits):
    with pytest.raises(ConfigError, match="31 for near copies"):
        HammingIndex(np.zeros((1, 32), dtype=np.uint8)).within(np.zeros((1, 32), dtype=np.uint8), bits)


def in_order(hashes: np.ndarray, within: int) -> list[int]:
    """The groups by going through the items one by one."""
    firsts: list[int] = []
    group = []
    for at in range(len(hashes)):
        near = [first for first in firsts if distances(hashes[first : first + 1], hashes[at : at + 1])[0] <= within]
        firsts += [] if near else [at]
        group.append(near[0] if near else at)
    return group


@pytest.mark.parametrize(("n", "sources", "most"), [(300, 40, 40), (1500, 30, 30), (1500, 1500, 40)])
@pytest.mark.parametrize("within", [0, 31])
def test_groups_are_those_of_going_in_order(n, sources, most, within):
    rng = np.random.default_rng(n + sources)
    originals = random(rng, sources)
    hashes = changed(rng, originals[rng.integers(0, sources, size=n)], most)
    group = near_duplicates(hashes, within)
    expected = in_order(hashes[:200], within)
    assert group[:200].tolist() == expected
    firsts = np.unique(group)
    assert (group[firsts] == firsts).all()
    assert (group <= np.arange(n)).all()
    assert distances(hashes, hashes[group]).max() <= within
    assert not [pair for pair in by_all_pairs(hashes[firsts], hashes[firsts], within) if pair[0] != pair[1]]


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=20))
def test_hex_and_back(content):
    hashes = np.frombuffer(b"".join(content), dtype=np.uint8).reshape(-1, 32)
    assert to_hex(hashes) == [each.hex() for each in content]
    assert (from_hex([digits.upper() for digits in to_hex(hashes)]) == hashes).all()


@pytest.mark.parametrize("digits", ["", "0" * 63, "0" * 66, "0x" + "0" * 62, "g" * 64, "0 " * 32, "０" * 64])
def test_other_digits_are_refused(digits):
    with pytest.raises(DataError, match="64 hex digits"):
        from_hex(["0" * 64, digits])


def test_arrays_that_are_no_hashes_are_refused():
    with pytest.raises(DataError, match="give uint8"):
        near_duplicates(np.zeros((3, 8), dtype=np.uint8))
