"""The worst slices: noise yields none 19 times in 20; what was planted is found, and named as it was planted."""

from __future__ import annotations

import numpy as np
import planted_slices as planted
import pytest

from hitl.errors import DataError
from hitl.metrics.facets import Facets
from hitl.metrics.worst_slices import worst_slices

pytestmark = pytest.mark.simulation

PLANTED = {
    "a value": ({"language": "c"}, lambda codes: codes[:, 0] == 2),
    "a pair": ({"language": "a", "vendor": "y"}, lambda codes: (codes[:, 0] == 0) & (codes[:, 2] == 1)),
}


@pytest.mark.parametrize("weighted", [False, True])
def test_noise_has_no_worst_slice(weighted):
    rng = np.random.default_rng(21)
    found = []
    for _ in range(60):
        facets = planted.facets(rng, 200)
        found.append(
            bool(worst_slices(planted.sample(rng, facets, weighted=weighted), facets, rng, permutations=99).found)
        )
    assert np.mean(found) <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_found_and_named(name):
    where, bad = PLANTED[name]
    rng = np.random.default_rng(8)
    named, others, covered = 0, 0, 0
    for _ in range(12):
        facets = planted.facets(rng, 500)
        search = worst_slices(planted.sample(rng, facets, bad=bad), facets, rng, permutations=199)
        alarms = [one for one in search.found if one.inside.name == "false_positive_rate"]
        named += [one.where for one in alarms][:1] == [where]
        others += sum(one.where != where for one in alarms)
        covered += all(one.difference.low <= 0.4 - 0.08 <= one.difference.high for one in alarms if one.where == where)
    assert named >= 10
    assert others <= 3
    assert covered >= 11


def test_two_planted_slices_are_both_told():
    rng = np.random.default_rng(3)
    facets = planted.facets(rng, 1500)
    sample = planted.sample(rng, facets, bad=lambda codes: (codes[:, 0] == 2) | (codes[:, 2] == 0))
    found = [one.where for one in worst_slices(sample, facets, rng).found if one.inside.name == "false_positive_rate"]
    assert sorted(map(str, found)) == ["{'language': 'c'}", "{'vendor': 'x'}"]


def test_too_few_items_are_not_searched():
    facets = Facets.of({"f": ["a"] * 15 + ["b"] * 200})
    search = worst_slices(planted.sample(np.random.default_rng(0), facets), facets, np.random.default_rng(0))
    assert search.found == ()
    assert set(search.searched.values()) == {0}


def test_better_slices_are_not_the_worst():
    rng = np.random.default_rng(0)
    facets = Facets.of({"f": ["a"] * 300 + ["b"] * 300})
    sample = planted.sample(rng, facets, bad=lambda codes: codes[:, 0] == 1, planted=0.0, false_alarms=0.4)
    assert {one.where["f"] for one in worst_slices(sample, facets, rng).found} == {"a"}


def test_facets_of_other_items_are_refused():
    facets = Facets.of({"f": ["a", "b"] * 20})
    sample = planted.sample(np.random.default_rng(0), facets)
    with pytest.raises(DataError, match="of the same items"):
        worst_slices(sample, facets.take(np.arange(7)), np.random.default_rng(0))
