"""Prevalence pooled over draws: near the truth under unequal chances and active picking, held by its prior else."""

import numpy as np
import pytest

from hitl.metrics.prevalence import Drawn, pooled_prevalence

PRIOR = np.array([0.3, 0.7])
FAR = np.array([0.0, 1.0])
NONE = np.zeros(2)


def drawn(truth, rows, inclusion, known=NONE, labelled=0, pool=20_000):
    return Drawn(np.stack([truth[rows], ~truth[rows]], axis=1).astype(float), inclusion, known, labelled, pool)


def test_without_draws_it_is_the_prior():
    empty = Drawn(np.empty((0, 2)), np.empty(0), NONE, 0, 100)
    assert pooled_prevalence([], PRIOR) == pytest.approx(PRIOR)
    assert pooled_prevalence([empty], PRIOR) == pytest.approx(PRIOR)


def test_draws_move_it_by_what_their_error_does_not_explain():
    y = np.eye(2)[[0] * 400 + [1] * 400]
    far = pooled_prevalence([Drawn(y, np.full(800, 0.01), NONE, 0, 80_000)], PRIOR)
    assert far == pytest.approx([0.5 - np.sqrt(0.25 / 800), 0.5 + np.sqrt(0.25 / 800)])
    near = pooled_prevalence([Drawn(y, np.full(800, 0.01), NONE, 0, 80_000)], np.array([0.49, 0.51]))
    assert near == pytest.approx([0.49, 0.51])
    few = pooled_prevalence([Drawn(y[398:402], np.full(4, 0.01), NONE, 0, 400)], PRIOR)
    assert few == pytest.approx(PRIOR)


def test_draws_that_favour_positives_do_not_mislead():
    rng = np.random.default_rng(1)
    truth = rng.random(20_000) < 0.05
    chance = np.where(truth, 0.02, 0.005)
    found = []
    for _ in range(200):
        rows = [np.flatnonzero(rng.random(len(truth)) < chance) for _ in range(5)]
        found.append(pooled_prevalence([drawn(truth, at, chance[at]) for at in rows], FAR)[0])
    # less one standard error of some 250 items that count, from a prior far away
    assert truth.mean() - 0.022 < np.mean(found) < truth.mean() - 0.005
    assert np.std(found) < 0.02
    naive = np.mean([truth[np.flatnonzero(rng.random(len(truth)) < chance)].mean() for _ in range(20)])
    assert naive > 2 * truth.mean()


def test_what_was_picked_for_its_label_before_a_draw_is_not_forgotten():
    rng = np.random.default_rng(3)
    truth = rng.random(20_000) < 0.05
    picked = np.flatnonzero(truth)[:600]  # most positives are labelled when the draw is made
    rest = np.setdiff1d(np.arange(len(truth)), picked)
    found = []
    for _ in range(200):
        at = rng.choice(rest, 200, replace=False)
        known = np.array([600.0, 0.0])
        found.append(pooled_prevalence([drawn(truth, at, np.full(200, 0.01), known, 600)], FAR)[0])
    assert truth.mean() - 0.022 < np.mean(found) < truth.mean() - 0.005


def test_permuting_items_and_draws_changes_nothing():
    rng = np.random.default_rng(2)
    draws = [Drawn(np.eye(2)[rng.integers(0, 2, 60)], rng.uniform(0.01, 1, 60), NONE, 0, 500) for _ in range(4)]
    order = rng.permutation(60)
    other = [Drawn(draw.y[order], draw.inclusion[order], NONE, 0, 500) for draw in reversed(draws)]
    told = pooled_prevalence(draws, PRIOR)
    assert pooled_prevalence(other, PRIOR) == pytest.approx(told)
    assert told.sum() == pytest.approx(1)
