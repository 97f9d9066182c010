"""Texts: the same however written, and near by what they have in common."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import MediaError
from hitl.hashes import distances, file_hash, jaccard, minhashes, text_hashes, to_hex
from hitl.hashes.exact import plain
from hitl.sampling.shingles import shingles


def test_a_text_hash_is_sha_256_of_the_text_as_it_reads():
    expected = hashlib.sha256("zonk straße 7".casefold().encode()).hexdigest()
    assert to_hex(text_hashes(["  Zonk\tSTRASSE 7", "zonk stra\u00adße\u2009７"])) == [expected, expected]
    assert text_hashes([]).shape == (0, 32)


@pytest.mark.parametrize("other", ["zonk wu", "zonk wub!", "zonkwub", "wub zonk", ""])
def test_other_texts_have_other_hashes(other):
    one, another = text_hashes(["zonk wub", other])
    assert (one != another).any()


@given(st.text(max_size=60))
def test_plain_stays_as_it_is(text):
    once = plain(text)
    assert plain(once) == once
    assert "  " not in once
    assert once == once.strip()
    assert (text_hashes([text]) == text_hashes([f" {text.replace(' ', '  ')}\u200b"])).all()


def test_a_file_hash_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "zonk.bin"
    path.write_bytes(b"wub" * 1000)
    assert to_hex(file_hash(path)) == [hashlib.sha256(b"wub" * 1000).hexdigest()]
    with pytest.raises(MediaError, match="item 7"):
        file_hash(tmp_path / "none", "item 7")


def true_jaccard(one: str, other: str) -> float:
    hashes, starts = shingles([one, other])
    first, second = (set(hashes[starts[i] : starts[i + 1]].tolist()) for i in (0, 1))
    return len(first & second) / len(first | second)


def test_the_bits_apart_estimate_what_is_in_common():
    rng = np.random.default_rng(3)
    pairs, truth = [], []
    for changed in np.tile([0, 2, 4, 8, 16, 30, 60], 40):
        kept = ["".join(rng.choice(list("abcdefgh"), size=6)) for _ in range(60)]
        other = [*kept]
        for at in rng.choice(60, size=changed, replace=False):
            other[at] = "".join(rng.choice(list("ijklmnop"), size=6))
        pairs.append((" ".join(kept), " ".join(other)))
        truth.append(true_jaccard(*pairs[-1]))
    one, other = (minhashes([pair[side] for pair in pairs])[0] for side in (0, 1))
    truth = np.array(truth)
    error = (1 - distances(one, other) / 128) - truth
    spread = np.sqrt((1 - truth) * (truth + 0.25) / 64)
    assert (error[spread == 0] == 0).all()
    standard = error[spread > 0] / spread[spread > 0]
    assert abs(standard.mean()) < 0.2
    assert 0.85 < standard.std() < 1.15
    assert (jaccard(distances(one, other)) >= 0).all()


def test_texts_without_words_are_told():
    hashes, filled = minhashes(["", "  ", "zonk", "!!"])
    assert filled.tolist() == [False, False, True, True]
    assert minhashes([])[0].shape == (0, 32)
    assert hashes.dtype == np.uint8
