from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hitl.sampling.candidates import Candidates
from hitl.sampling.gold import exam_rows, gold_picks
from hitl.types import Pick


def candidates(n: int, seed: int) -> Candidates:
    rng = np.random.default_rng(seed)
    at = np.arange(n)
    return Candidates(at, at.astype(np.uint64), rng.random(n), np.zeros(n, dtype=np.int64), rng.random(n))


def picked(n: int, count: int, others: list[float], seed: int = 0) -> list[Pick]:
    return gold_picks(candidates(n, seed), count, np.array(others), lambda at: [f"i{p}" for p in at], [""])


@given(st.integers(0, 20), st.integers(0, 30), st.lists(st.floats(0, 1), max_size=12), st.integers(0, 99))
def test_as_many_as_there_are_and_within_the_others_priorities(
    n: int, count: int, others: list[float], seed: int
) -> None:
    picks = picked(n, count, others, seed)
    assert len(picks) == min(n, count) == len({pick.item_id for pick in picks})
    assert {pick.arm for pick in picks} <= {"gold"}
    if others:
        assert all(min(others) <= pick.score <= max(others) for pick in picks)
    assert picked(n, count, others, seed) == picks


def test_gold_s_place_in_the_queue_tells_nothing() -> None:
    """Over many rounds its ranks among the others are even, whatever the shape of their priorities."""
    rng = np.random.default_rng(3)
    places: list[int] = []
    for seed in range(400):
        others = rng.beta(0.4, 3.0, 60)
        places += [int((others < pick.score).sum()) for pick in picked(40, 6, others.tolist(), seed)]
    counted = np.bincount(places, minlength=61)[1:60]
    assert counted.sum() == 2400
    assert ((counted - 2400 / 59) ** 2 / (2400 / 59)).sum() < 97.0  # chi-square with 58 degrees of freedom, 0.001


def test_an_exam_asks_of_every_kind() -> None:
    labels = [("ok",)] * 97 + [("spam",), ("threat",), ("spam", "threat")]
    keys = np.arange(100, dtype=np.uint64)
    rows = exam_rows(labels, keys, 8, seed=1).tolist()
    assert len(set(rows)) == 8
    assert {labels[row] for row in rows} == set(labels)
    assert exam_rows(labels, keys, 5, seed=1).tolist() == rows[:5]
    assert exam_rows(labels, keys, 8, seed=2).tolist() != rows
    assert len(exam_rows([], keys[:0], 8, seed=1)) == 0
