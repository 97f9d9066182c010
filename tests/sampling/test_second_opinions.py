"""Second opinions: the labels that the model doubts most, and none that it does not doubt."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.sampling.scorers import SCORERS
from hitl.sampling.second_opinions import second_opinions
from hitl.sampling.view import example_view


def labelled_view(n, seed, multi_label=False, tied=False):
    rng = np.random.default_rng(seed)
    proba = rng.random((n, 3)) if multi_label else rng.dirichlet(np.ones(3), n).reshape(n, 3)
    settled = rng.integers(0, 2, (n, 3)) if multi_label else np.eye(3)[rng.integers(0, 3, n)].reshape(n, 3)
    if tied:
        proba, settled = np.full((n, 3), 1 / 3), np.tile([1.0, 0.0, 0.0], (n, 1))
    view = replace(example_view(proba, multi_label=multi_label), settled=settled.astype(np.float64))
    return replace(view, confidence=np.ones(n) if tied else rng.random(n), draw=rng.random(n))


def ids(positions):
    return [f"item-{position}" for position in positions]


@given(st.integers(0, 40), st.integers(0, 50), st.integers(0, 99), st.booleans())
def test_the_most_doubtful_come_first_and_no_item_twice(n, count, seed, multi_label):
    view = labelled_view(n, seed, multi_label)
    positions = np.random.default_rng(seed).permutation(1000)[:n]
    doubt = dict(zip(positions.tolist(), SCORERS["relabel"](view).values.tolist(), strict=True))
    picks = second_opinions(view, positions, ids, count)
    assert len(picks) == min(count, sum(value > 0 for value in doubt.values()))
    scores = [pick.score for pick in picks]
    assert scores == sorted(doubt.values(), reverse=True)[: len(picks)]
    assert len({pick.position for pick in picks}) == len(picks)
    for pick in picks:
        assert (pick.arm, pick.item_id, pick.inclusion) == ("relabel", f"item-{pick.position}", None)
        assert pick.score == doubt[pick.position] == pick.parts["relabel"]


def test_ties_go_by_draw():
    view = labelled_view(50, 1, tied=True)
    picks = second_opinions(view, np.arange(50), ids, 7)
    assert [pick.position for pick in picks] == np.argsort(view.draw)[:7].tolist()


def test_a_planted_mistake_is_asked_first_and_what_is_certain_never():
    proba = np.tile([0.98, 0.01, 0.01], (30, 1))
    proba[11] = [0.02, 0.97, 0.01]
    settled = np.tile([1.0, 0.0, 0.0], (30, 1))
    view = replace(example_view(proba), settled=settled, confidence=np.ones(30))
    first, *others = second_opinions(view, np.arange(30), ids, 5)
    assert first.position == 11
    assert first.score > 0.9 > 0.1 > max(pick.score for pick in others)
    certain = replace(view, proba=np.tile(np.float32([1, 0, 0]), (30, 1)))
    assert second_opinions(certain, np.arange(30), ids, 5) == []


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_labelled_gives_none(count):
    assert second_opinions(labelled_view(0, 1), np.empty(0, dtype=np.int64), ids, count) == []
