"""Rates by slice: right on ground truth, with intervals that cover, gaps that stand only where there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import planted_slices as planted
import pytest

from hitl.errors import DataError
from hitl.metrics.facets import Facets
from hitl.metrics.slices import COMPARED, by_slice, rates


def rate(row, name):
    return next(one for one in row.rates if one.name == name)


def test_rates_are_those_of_the_confusion_matrix():
    rng = np.random.default_rng(0)
    facets = planted.facets(rng, 300)
    sample = planted.sample(rng, facets)
    harm, says = sample.truth[:, 1], sample.proba[:, 1] > 0.5
    for row in by_slice(sample, facets, rng, permutations=49):
        inside = np.ones(300, dtype=bool)
        for name, value in row.where.items():
            at = facets.names.index(name)
            inside &= facets.codes[:, at] == facets.values[at].index(value)
        assert row.items == inside.sum()
        expected = {
            "false_positive_rate": (says & ~harm, ~harm), "false_negative_rate": (harm & ~says, harm),
            "precision": (says & harm, says), "prevalence": (harm, np.ones(300, dtype=bool)),
            "acted_on": (says, np.ones(300, dtype=bool)),
        }  # fmt: skip
        assert [one.name for one in row.rates] == list(expected)
        for name, (top, bottom) in expected.items():
            found, n = rate(row, name), (bottom & inside).sum()
            assert found.n == n
            if n >= 5:
                assert found.value == pytest.approx((top & inside).sum() / n)
                assert found.low <= found.value <= found.high
            else:
                assert np.isnan(found.value)
                assert found.method


def test_weights_count():
    facets = Facets.of({"f": ["a"] * 40 + ["b"] * 40})
    sample = planted.sample(np.random.default_rng(1), facets, weighted=True)
    rows = (facets.codes[:, 0] == 0) & (sample.truth[:, 0])
    says = sample.proba[:, 1] > 0.5
    expected = sample.weights[rows & says].sum() / sample.weights[rows].sum()
    row = next(r for r in by_slice(sample, facets, np.random.default_rng(0), permutations=19) if r.where == {"f": "a"})
    assert rate(row, "false_positive_rate").value == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_gaps_and_their_intervals_hold_what_they_promise(weighted):
    rng = np.random.default_rng(11)
    alone, together, stands = [], [], []
    for _ in range(60):
        facets = planted.facets(rng, 300)
        sample = planted.sample(rng, facets, weighted=weighted, false_alarms=0.15)
        # about the stream, in which no gap is: the pool that was drawn from differs from it by chance
        sample = replace(sample, finite=False)
        rows = by_slice(sample, facets, rng, depth=1, permutations=99)
        gaps = [row.gaps["false_positive_rate"] for row in rows if "false_positive_rate" in row.gaps]
        alone += [gap.difference.low <= 0 <= gap.difference.high for gap in gaps]
        together.append(all(gap.together.low <= 0 <= gap.together.high for gap in gaps))
        stands.append(any(gap.stands for row in rows for gap in row.gaps.values()))
    assert np.mean(alone) >= 0.94
    assert np.mean(together) >= 0.95 - 3 * (0.05 * 0.95 / 60) ** 0.5
    assert np.mean(stands) <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5


def test_a_planted_gap_stands():
    rng = np.random.default_rng(2)
    facets = planted.facets(rng, 600)
    sample = planted.sample(rng, facets, bad=lambda codes: codes[:, 0] == 1)
    rows = {tuple(row.where.items()): row for row in by_slice(sample, facets, rng, depth=1, permutations=399)}
    gap = rows[(("language", "b"),)].gaps["false_positive_rate"]
    assert gap.stands
    assert gap.difference.low > 0.15
    assert gap.together.low < gap.difference.low
    assert set(rows[(("language", "b"),)].gaps) <= set(COMPARED)


def test_against_a_reference_only_its_items_count():
    facets = Facets.of({"f": ["a"] * 50 + ["b"] * 50 + ["c"] * 50, "g": ["x", "y"] * 75})
    sample = planted.sample(np.random.default_rng(4), facets, bad=lambda codes: codes[:, 0] == 2)
    plain, referred = (
        {tuple(row.where.items()): row for row in by_slice(sample, facets, np.random.default_rng(0), **given)}
        for given in ({}, {"reference": {"f": "a"}})
    )
    b, a = (rate(plain[(("f", value),)], "false_positive_rate").value for value in "ba")
    assert referred[(("f", "b"),)].gaps["false_positive_rate"].difference.value == pytest.approx(b - a)
    assert plain[(("f", "b"),)].gaps["false_positive_rate"].difference.value < b - a
    assert referred[(("g", "x"),)].gaps["false_positive_rate"].difference == (
        plain[(("g", "x"),)].gaps["false_positive_rate"].difference
    )
    with pytest.raises(DataError, match="is no slice"):
        by_slice(sample, facets, np.random.default_rng(0), reference={"f": "nobody"})


def test_small_slices_are_left_out_and_open_items_count_for_nothing():
    facets = Facets.of({"f": ["a"] * 60 + ["b"] * 30 + ["c"] * 9})
    sample = planted.sample(np.random.default_rng(0), facets)
    rows = by_slice(sample, facets, np.random.default_rng(0), permutations=19)
    assert [row.where["f"] for row in rows] == ["a", "b"]
    open_y = np.where(np.arange(99)[:, None] < 60, np.nan, sample.y)
    open_ = by_slice(replace(sample, y=open_y), facets, np.random.default_rng(0), permutations=19)[0]
    assert rate(open_, "false_positive_rate").n == 0
    assert np.isnan(rate(open_, "prevalence").value)
    assert not open_.gaps


def test_facets_of_other_items_are_refused():
    facets = Facets.of({"f": ["a", "b"] * 20})
    sample = planted.sample(np.random.default_rng(0), facets)
    with pytest.raises(DataError, match="take the facets of the same items"):
        by_slice(sample, facets.take(np.arange(5)), np.random.default_rng(0))


def test_the_policy_s_own_thresholds_say_what_is_acted_on():
    facets = Facets.of({"f": ["a", "b"] * 20})
    sample = planted.sample(np.random.default_rng(0), facets)
    acted = next(one for one in rates(sample) if one.name == "acted_on")
    assert acted.top.tolist() == (sample.proba[:, 1] >= 0.7).tolist()
    sample = replace(sample, limit_at=np.where([False, True], 0.1, np.inf) * np.ones((40, 1)))
    assert next(one for one in rates(sample) if one.name == "acted_on").top.all()
