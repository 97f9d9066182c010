"""Agreement of consecutive models: against a textbook, by simulation, and where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from hitl.errors import DataError
from hitl.metrics.stability import stability, steady


def one_hot(codes, k):
    return np.eye(k, dtype=np.bool_)[codes]


def pair(rng, n, prior, moved):
    """Two models' categories; a share `moved` of the second's is drawn anew."""
    first = rng.choice(len(prior), size=n, p=prior)
    second = np.where(rng.random(n) < moved, rng.choice(len(prior), size=n, p=prior), first)
    return first, second


def test_kappa_is_cohens() -> None:
    first, second = pair(np.random.default_rng(0), 500, [0.6, 0.3, 0.1], 0.2)
    told = stability(one_hot(first, 3), one_hot(second, 3), ["a", "b", "c"], multi_label=False)
    assert told.kappa.value == pytest.approx(cohen_kappa_score(first, second))
    assert told.changed.value == pytest.approx((first != second).mean())
    for code, one in enumerate(told.by_label):
        assert one.value == pytest.approx(cohen_kappa_score(first == code, second == code))
        assert one.label == "abc"[code]


def test_weights_count_as_copies() -> None:
    first, second = pair(np.random.default_rng(1), 60, [0.5, 0.5], 0.3)
    times = np.arange(60) % 3 + 1
    weighted = stability(one_hot(first, 2), one_hot(second, 2), "ab", multi_label=False, weights=times.astype(float))
    copies = stability(
        one_hot(np.repeat(first, times), 2), one_hot(np.repeat(second, times), 2), "ab", multi_label=False
    )
    assert weighted.kappa.value == pytest.approx(copies.kappa.value)
    assert weighted.changed.value == pytest.approx(copies.changed.value)


@pytest.mark.parametrize(("moved", "n"), [(0.05, 500), (0.3, 300), (0.02, 2000)])
@pytest.mark.parametrize("multi_label", [False, True])
def test_intervals_hold(moved: float, n: int, multi_label: bool) -> None:
    rng = np.random.default_rng(n)
    prior = [0.85, 0.1, 0.05]
    hits = []
    for _ in range(400):
        first, second = pair(rng, n, prior, moved)
        told = stability(one_hot(first, 3), one_hot(second, 3), "abc", multi_label=multi_label).kappa
        hits.append(told.low <= 1 - moved <= told.high)
    assert 0.915 <= np.mean(hits) <= 0.99


def test_models_that_decide_alike_are_not_proved_to() -> None:
    codes = np.arange(200) % 4 == 0
    told = stability(one_hot(codes.astype(int), 2), one_hot(codes.astype(int), 2), "ab", multi_label=False)
    assert told.kappa.value == 1
    assert 0.9 < told.kappa.low < 1
    assert told.changed.value == 0
    assert told.changed.high == pytest.approx(1 - 0.05 ** (1 / 200), rel=0.05)


def test_labels_that_nobody_gives_have_no_kappa_and_do_not_count() -> None:
    rng = np.random.default_rng(2)
    first, second = pair(rng, 300, [0.7, 0.3], 0.1)
    told = stability(one_hot(first, 3)[:, 1:], one_hot(second, 3)[:, 1:], ["seen", "never"], multi_label=True)
    assert told.kappa.value == told.by_label[0].value
    assert np.isnan(told.by_label[1].value)
    nothing = np.zeros((50, 2), dtype=np.bool_)
    assert np.isnan(stability(nothing, nothing, "ab", multi_label=True).kappa.value)
    assert np.isnan(stability(nothing[:0], nothing[:0], "ab", multi_label=False).kappa.value)


def test_nothing_is_changed_and_shapes_are_checked() -> None:
    first, second = (one_hot(codes, 2) for codes in pair(np.random.default_rng(3), 40, [0.5, 0.5], 0.3))
    kept = first.copy(), second.copy()
    stability(first, second, "ab", multi_label=True)
    assert np.array_equal(first, kept[0])
    assert np.array_equal(second, kept[1])
    with pytest.raises(DataError, match="same items"):
        stability(first, second[:3], "ab", multi_label=False)
    with pytest.raises(DataError, match="same items"):
        stability(first, second, "abc", multi_label=False)
    with pytest.raises(DataError, match="weights"):
        stability(first, second, "ab", multi_label=False, weights=np.zeros(40))


def test_steady_looks_at_the_last_three_that_are_known() -> None:
    nan = float("nan")
    assert steady([]) is None
    assert steady([0.995, nan, 0.999]) is None
    assert steady([0.5, 0.99, nan, 0.99, 0.99]) is True
    assert steady([0.999, 0.999, 0.999, 0.95]) is False
