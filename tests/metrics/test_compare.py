from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.compare import compare, contrast


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
@pytest.mark.parametrize("figure", ["macro_f1", "accuracy", "average_precision"])
def test_equal_models_are_seldom_told_apart(plant, figure: str, weighted: bool) -> None:
    """Two models of equal worth by construction: about 5 % of the comparisons may claim otherwise, half each way."""
    pool = plant(21, [0.75, 0.2, 0.05], size=4000)
    rng = np.random.default_rng(11)
    weights = pool.risk if weighted else np.ones(4000)
    one, two = pool.shaken(rng, 1.0), pool.shaken(rng, 1.0)
    verdicts: Counter[str] = Counter()
    for _ in range(200):
        rows, inclusion = pool.draw(rng, 150, weights)
        pair = one[rows], two[rows]
        flip = rng.random(len(rows)) < 0.5
        # Each item's two beliefs change places by a coin, which makes the models equal in expectation.
        new = np.where(flip[:, None], *pair)
        old = np.where(flip[:, None], *pair[::-1])
        sample = pool.sample(rows, inclusion)
        told = compare(replace(sample, proba=new), replace(sample, proba=old), rng, figure=figure, replicates=200)
        verdicts[told.verdict] += 1
    assert verdicts["helped"] + verdicts["hurt"] <= 0.09 * 200, verdicts


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
@pytest.mark.parametrize("figure", ["macro_f1", "accuracy", "average_precision", "brier"])
def test_a_better_model_helped_and_a_worse_one_hurt(plant, figure: str, weighted: bool) -> None:
    pool = plant(22, [0.6, 0.3, 0.1])
    rng = np.random.default_rng(0)
    worse = pool.shaken(rng, 2.5)
    rows, inclusion = pool.draw(rng, 400, pool.risk if weighted else np.ones(10_000))
    good, bad = pool.sample(rows, inclusion), pool.sample(rows, inclusion, worse)
    up, down = compare(good, bad, rng, figure=figure), compare(bad, good, rng, figure=figure)
    assert (up.verdict, down.verdict) == ("helped", "hurt")
    assert up.difference.value == pytest.approx(-down.difference.value)
    assert up.difference.value == pytest.approx(up.new.value - up.old.value)
    assert up.difference.low < up.difference.value < up.difference.high


def test_the_same_model_twice_is_no_evidence(plant) -> None:
    pool = plant(23, [0.7, 0.3])
    rows, inclusion = pool.draw(np.random.default_rng(0), 100, np.ones(10_000))
    told = compare(pool.sample(rows, inclusion), pool.sample(rows, inclusion), np.random.default_rng(1))
    assert told.verdict == "no evidence"
    assert told.difference.value == 0
    assert told.difference.high == pytest.approx(0.03, rel=0.1)
    assert told.difference.method == "the models agree on every item"


@pytest.mark.parametrize(("wins", "verdict"), [(2, "no evidence"), (4, "no evidence"), (12, "helped")])
def test_a_handful_of_wins_proves_nothing(plant, wins: int, verdict: str) -> None:
    pool = plant(24, [0.5, 0.5], worth=4.0)
    sample = replace(pool.sample(np.arange(200), np.full(200, 0.01)), proba=np.eye(2)[pool.truth[:200]])
    worse = sample.proba.copy()
    worse[:wins] = 1 - worse[:wins]
    told = compare(sample, replace(sample, proba=worse), np.random.default_rng(0), figure="accuracy")
    assert told.verdict == verdict


def test_figures_at_thresholds_and_of_labels_compare(plant) -> None:
    pool = plant(25, [0.7, 0.3])
    rng = np.random.default_rng(2)
    rows, inclusion = pool.draw(rng, 300, pool.risk)
    good, bad = pool.sample(rows, inclusion), pool.sample(rows, inclusion, pool.shaken(rng, 3.0))
    for figure, label in (("recall@act", ""), ("f1", "b"), ("average_precision", "b"), ("precision@remove", "b")):
        told = compare(good, bad, rng, figure=figure, label=label)
        assert told.difference.label == label
        assert told.difference.name == figure
        assert np.isfinite(told.difference.value)


def test_an_undefined_figure_is_no_evidence(plant) -> None:
    pool = plant(26, [1.0, 0.0])
    sample = pool.sample(np.arange(40), np.full(40, 0.5))
    told = compare(sample, sample, np.random.default_rng(0), figure="recall", label="b")
    assert told.verdict == "no evidence"
    assert np.isnan(told.difference.value)
    assert (told.difference.low, told.difference.high) == (-1, 1)
    assert told.difference.method == "no judged item deserves it"


def test_other_items_and_unknown_figures_are_refused(plant) -> None:
    pool = plant(27, [0.7, 0.3])
    one, two = pool.sample(np.arange(40), np.full(40, 0.5)), pool.sample(np.arange(1, 41), np.full(40, 0.5))
    with pytest.raises(DataError, match="give both models the same items"):
        compare(one, two, np.random.default_rng(0))
    with pytest.raises(DataError, match=r"no figure 'beauty' to compare; there are accuracy, average_precision"):
        compare(one, one, np.random.default_rng(0), figure="beauty")
    with pytest.raises(DataError, match="of label 'zzz'"):
        compare(one, one, np.random.default_rng(0), figure="f1", label="zzz")


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "by risk"])
@pytest.mark.parametrize(("figure", "label"), [("macro_f1", ""), ("f1", "b")])
def test_the_detectable_difference_is_found_four_times_in_five(plant, figure: str, label: str, weighted: bool) -> None:
    """Models whose true difference is what samples of this size call detectable: about 80 % of the samples find it."""
    pool = plant(31, [0.7, 0.3], size=20_000)
    rng = np.random.default_rng(4)
    worse = pool.shaken(rng, 0.9)
    weights = pool.risk if weighted else np.ones(20_000)
    everything = pool.everything(), pool.everything(worse)
    truth = contrast(*everything, rng, figure=figure, label=label, replicates=2).comparison.difference.value
    # The error falls with the root of the sample: the size at which the true difference is the detectable one.
    pilot = [_contrasted(pool, worse, rng, 300, weights, figure, label).detectable() for _ in range(25)]
    n = round(300 * (float(np.median(pilot)) / truth) ** 2)
    seen = [_contrasted(pool, worse, rng, n, weights, figure, label) for _ in range(150)]
    assert np.median([one.detectable() for one in seen]) == pytest.approx(truth, rel=0.15)
    assert np.mean([one.p <= 0.05 for one in seen]) == pytest.approx(0.8, abs=0.1)


def _contrasted(pool, worse, rng, n: int, weights, figure: str, label: str):
    rows, inclusion = pool.draw(rng, n, weights)
    good, bad = pool.sample(rows, inclusion), pool.sample(rows, inclusion, worse)
    return contrast(good, bad, rng, figure=figure, label=label, replicates=150)


def test_p_and_interval_say_the_same(plant) -> None:
    pool = plant(32, [0.6, 0.4])
    rng = np.random.default_rng(9)
    for noise in (0.3, 0.6, 1.0, 1.5):
        rows, inclusion = pool.draw(rng, 150, np.ones(10_000))
        told = contrast(pool.sample(rows, inclusion), pool.sample(rows, inclusion, pool.shaken(rng, noise)), rng)
        assert (told.p <= 0.05) == (told.comparison.verdict != "no evidence")
        assert told.detectable() > told.comparison.difference.high - told.comparison.difference.value
        assert told.detectable(0.01) > told.detectable()


def test_what_bears_on_nothing_has_neither_p_nor_detectable_difference(plant) -> None:
    pool = plant(26, [1.0, 0.0])
    sample = pool.sample(np.arange(40), np.full(40, 0.5))
    unknown = contrast(sample, sample, np.random.default_rng(0), figure="recall", label="b")
    assert np.isnan(unknown.p)
    assert np.isnan(unknown.detectable())
    alike = contrast(sample, sample, np.random.default_rng(0), figure="accuracy")
    assert alike.p == 1
    assert np.isnan(alike.detectable())


def test_a_pool_that_was_judged_whole_leaves_no_doubt(plant) -> None:
    pool = plant(33, [0.6, 0.4], size=400)
    known = contrast(
        pool.everything(), pool.everything(pool.shaken(np.random.default_rng(0), 2.0)), np.random.default_rng(1)
    )
    assert known.comparison.verdict == "helped"
    assert (known.p, known.detectable()) == pytest.approx((0, 0), abs=1e-9)
