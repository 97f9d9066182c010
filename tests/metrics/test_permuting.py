"""Permutation tests of slices: the level kept with equal and unequal weights, and what they do find."""

from __future__ import annotations

import numpy as np
import planted_slices as planted
import pytest

from hitl.metrics.facets import conjunctions
from hitl.metrics.permuting import contrasts, permutation_test

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rate", [0.03, 0.2])
def test_noise_is_found_as_seldom_as_the_level_says(weighted, rate):
    rng = np.random.default_rng(7)
    any_found, p = [], []
    for _ in range(100):
        facets = planted.facets(rng, 250)
        w = planted.weights(rng, 250) if weighted else np.ones(250)
        # what is heavy errs more often: items are dealt with their weights, so that it does no harm
        hit = rng.random(250) < np.clip(rate * np.minimum(w / w.mean(), 3) ** 0.5, 0, 1)
        cut = conjunctions(facets, 2, 20)
        tested = permutation_test(hit, w, facets.cell, cut.members, ~cut.members, rng, 99)
        any_found.append(tested.adjusted().min() <= 0.05)
        p.append(tested.p)
    assert np.mean(any_found) <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5
    together = np.concatenate(p)
    assert (together <= 0.05).mean() < 0.065
    assert (together <= 0.5).mean() == pytest.approx(0.5, abs=0.07 if rate > 0.1 or weighted else 0.2)


def test_the_statistic_is_the_likelihood_ratio_of_two_binomials():
    # 12 of 40 against 10 of 160, by the definition: 2 Σ observed ln(observed / expected)
    hit = np.concatenate([np.repeat([True, False], [12, 28]), np.repeat([True, False], [10, 150])])
    cell = np.repeat([0, 1], [40, 160])
    observed = np.array([12, 28, 10, 150])
    expected = np.array([40 * 22, 40 * 178, 160 * 22, 160 * 178]) / 200
    one, other = np.array([[True, False]]), np.array([[False, True]])
    found = contrasts(hit, np.ones(200), cell, one, other)[0]
    # the effective size is n - 1 of n: the variance of a sample is the unbiased one
    assert found**2 == pytest.approx(2 * (observed * np.log(observed / expected)).sum(), rel=0.06)
    assert contrasts(hit, np.ones(200), cell, other, one)[0] == pytest.approx(-found)


def test_the_scale_of_weights_and_the_order_of_items_do_not_matter():
    rng = np.random.default_rng(3)
    facets, w = planted.facets(rng, 200), planted.weights(rng, 200)
    hit, cut = rng.random(200) < 0.2, conjunctions(facets, 2, 10)
    once = contrasts(hit, w, facets.cell, cut.members, ~cut.members)
    order = rng.permutation(200)
    again = contrasts(hit[order], w[order] * 1000, facets.cell[order], cut.members, ~cut.members)
    assert again == pytest.approx(once)


def test_rates_without_events_are_alike_and_empty_slices_harmless():
    cell, members = np.repeat([0, 1], 20), np.array([[True, False, False], [False, False, True]])
    tested = permutation_test(
        np.zeros(40, dtype=bool), np.ones(40), cell, members, ~members, np.random.default_rng(0), 19
    )
    assert tested.z.tolist() == [0, 0]
    assert tested.p.tolist() == [1, 1]
    assert tested.adjusted().tolist() == [1, 1]


def test_too_few_permutations_for_a_level_find_nothing():
    hit, cell = np.repeat([True, False], 30), np.repeat([0, 1], 30)
    members = np.array([[True, False]])
    tested = permutation_test(hit, np.ones(60), cell, members, ~members, np.random.default_rng(0), 19)
    assert tested.critical(0.05) < tested.z[0]
    assert tested.critical(0.01) == np.inf


def test_the_same_chance_the_same_answer():
    rng = np.random.default_rng(5)
    facets = planted.facets(rng, 150)
    hit, cut = rng.random(150) < 0.2, conjunctions(facets, 2, 10)
    one, two = (
        permutation_test(hit, np.ones(150), facets.cell, cut.members, ~cut.members, np.random.default_rng(1), 50)
        for _ in range(2)
    )
    assert one.p.tolist() == two.p.tolist()
    assert one.worst.tolist() == two.worst.tolist()
