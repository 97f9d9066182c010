"""Slices learn from one another as far as they are alike: valid on average, and sharper than each by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hitl.metrics.borrowing import borrowing
from hitl.metrics.operating import Judgements, Promise, Tried, complete, precise

pytestmark = pytest.mark.simulation

PROMISE = Promise(precision=0.9, missed=0.1)
SIZE = 5_000


def slices(rng: np.random.Generator, unlike: float) -> tuple[list, list[Judgements]]:
    """Six slices in which the model is off by `unlike` logits (standard deviation), and items judged in each."""
    pools, judged = [], []
    for _ in range(6):
        logit = rng.normal(size=SIZE) * 3.5 - 2
        truth = rng.random(SIZE) < 1 / (1 + np.exp(-(logit + rng.normal() * unlike)))
        proba = 1 / (1 + np.exp(-logit))
        rows = rng.integers(0, SIZE, rng.integers(40, 400))
        pools.append((proba, truth))
        judged.append(Judgements(truth[rows], proba[rows], np.ones(len(rows))))
    return pools, judged


def keeps(pool: tuple, tried: Tried) -> bool:
    proba, truth = pool
    if tried.step < 0:
        return math.isnan(tried.lowest) or truth[proba >= tried.lowest].mean() >= PROMISE.precision
    return math.isnan(tried.highest) or (proba[truth] < tried.highest).mean() <= PROMISE.missed


@pytest.mark.parametrize("unlike", [0.0, 0.5, 1.2])
def test_the_promise_holds_over_the_slices_and_more_of_them_have_one(unlike: float) -> None:
    rng = np.random.default_rng(3)
    good, lent, alone = [], [], []
    for _ in range(6):
        pools, judged = slices(rng, unlike)
        whole = Judgements(
            np.concatenate([one.truth for one in judged]),
            np.concatenate([one.proba for one in judged]),
            np.concatenate([one.weights for one in judged]),
        )
        for choose in (precise, complete):
            own = [choose(one, PROMISE) for one in judged]
            told = borrowing(own, choose(whole, PROMISE))
            good += [keeps(pool, one) for pool, one in zip(pools, told, strict=True)]
            lent += [one.kept.any() for one in told]
            alone += [one.kept.any() for one in own]
    # 72 of them, slices of one campaign going together.
    assert np.mean(good) >= 0.9
    assert np.mean(lent) > np.mean(alone)


def test_alike_slices_come_near_the_whole_and_one_alone_learns_nothing() -> None:
    rng = np.random.default_rng(7)
    _, judged = slices(rng, 0.0)
    own = [complete(one, PROMISE) for one in judged]
    assert borrowing(own[:1], own[0]) == own[:1]
    assert borrowing([], own[0]) == []
    least = min(range(6), key=lambda place: len(judged[place]))
    lent = borrowing(own, own[0])[least]
    assert (lent.bound[lent.at < 0.05] <= own[least].bound[own[least].at < 0.05] + 1e-9).all()


def test_a_slice_unlike_the_others_stands_by_its_own_items() -> None:
    """Of a slice with many items, and a far worse model, the others' good record hides nothing."""
    rng = np.random.default_rng(1)
    proba = rng.random(400)
    fine = [Judgements(proba > 0.3, proba, np.ones(400)) for _ in range(3)]
    bad = Judgements(rng.random(400) < 0.5, proba, np.ones(400))
    tried = [precise(one, PROMISE) for one in (*fine, bad)]
    told = borrowing(tried, tried[0])
    assert not told[-1].kept.any()
    assert told[0].kept.any()
