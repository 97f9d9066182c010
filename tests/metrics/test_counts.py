from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from hitl.errors import DataError
from hitl.metrics.counts import clopper_pearson, proportion, rule_of_three, wilson


@pytest.mark.parametrize(
    ("k", "n", "by_wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_the_intervals_that_newcombe_printed(k: int, n: int, by_wilson: tuple, exact: tuple) -> None:
    """Newcombe 1998, Statistics in Medicine 17:857, table I, methods 3 and 5."""
    assert wilson(k, n) == pytest.approx(by_wilson, abs=6e-5)
    assert clopper_pearson(k, n) == pytest.approx(exact, abs=6e-5)


@given(st.integers(0, 300), st.integers(1, 300))
def test_as_scipy_has_them(k: int, n: int) -> None:
    test = binomtest(min(k, n), n)
    assert wilson(test.k, n) == pytest.approx(tuple(test.proportion_ci(method="wilson")), abs=1e-9)
    assert clopper_pearson(test.k, n) == pytest.approx(tuple(test.proportion_ci(method="exact")), abs=1e-9)


@given(st.integers(0, 200), st.integers(0, 200))
def test_estimate_and_its_mirror(k: int, n: int) -> None:
    k = min(k, n)
    for method in ("Wilson", "Clopper-Pearson"):
        one, other = proportion(k, n, method=method), proportion(n - k, n, method=method)
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))
        assert one.n == n
        assert not n or one.low <= one.value <= one.high


def test_nothing_seen_leaves_three_in_n() -> None:
    assert rule_of_three(1000) == pytest.approx(3 / 1000, rel=0.01)
    assert rule_of_three(0) == 1.0
    nothing = proportion(0, 0)
    assert nothing.value != nothing.value
    assert (nothing.low, nothing.high, nothing.method) == (0, 1, "nothing to count")


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
def test_what_is_no_count_is_refused(k: int, n: int) -> None:
    with pytest.raises(DataError, match="is no count"):
        proportion(k, n)
