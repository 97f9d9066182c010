"""Draws belong to keys: any order or cut of them gives the same, and they are even."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hitl.sampling.uniforms import derive, draws, mix


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.integers(0, 2**70), st.randoms())
def test_a_draw_does_not_depend_on_its_neighbours(keys, seed, shuffle):
    keys = np.array(keys, dtype=np.uint64)
    order = np.array(shuffle.sample(range(len(keys)), len(keys)), dtype=np.int64)
    whole = draws(keys, seed)
    assert (draws(keys[order], seed) == whole[order]).all()
    assert (np.concatenate([draws(keys[:3], seed), draws(keys[3:], seed)]) == whole).all()
    assert ((whole >= 0) & (whole < 1)).all()


@pytest.mark.parametrize("seed", [0, 1, 2**63, derive(5, "audit")])
def test_draws_are_even_over_keys_in_sequence(seed):
    sample = draws(np.arange(20_000, dtype=np.uint64), seed)
    assert stats.kstest(sample, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 0.03


def test_draws_are_even_over_seeds_in_sequence_and_unrelated_between_seeds():
    one = np.array([draws(np.array([7], dtype=np.uint64), seed)[0] for seed in range(5_000)])
    assert stats.kstest(one, "uniform").pvalue > 1e-4
    keys = np.arange(20_000, dtype=np.uint64)
    assert abs(np.corrcoef(draws(keys, 1), draws(keys, 2))[0, 1]) < 0.03


def test_mix_is_one_to_one_and_leaves_its_input():
    words = np.arange(100_000, dtype=np.uint64)
    assert len(np.unique(mix(words))) == 100_000
    assert (words == np.arange(100_000)).all()


def test_purposes_have_seeds_of_their_own():
    assert len({derive(seed, purpose) for seed in range(20) for purpose in ("audit", "random", "serve")}) == 60
