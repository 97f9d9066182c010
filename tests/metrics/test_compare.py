from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.compare import compare


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
