"""Pauses grow, differ and are bounded; buckets keep their rate."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hitl.models.judge.waiting import LONGEST, Bucket, Clock, pause, retry_after


@given(st.integers(0, 200), st.text())
def test_pauses_are_within_bounds_and_the_same_again(attempt: int, key: str) -> None:
    full = min(LONGEST, 0.5 * 2.0**attempt)
    assert full / 2 <= pause(attempt, key) <= full
    assert pause(attempt, key) == pause(attempt, key)


def test_requests_that_failed_together_do_not_return_together() -> None:
    assert len({pause(3, str(key)) for key in range(50)}) == 50


def test_a_date_to_retry_at_is_a_number_of_seconds() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after("Thu, 01 Jan 2026 00:01:30 GMT", now) == 90
    assert retry_after("Wed, 31 Dec 2025 00:00:00 GMT", now) == 0


@given(st.text(st.characters(max_codepoint=255), max_size=20) | st.none())
def test_any_header_is_seconds_or_nothing(header: str | None) -> None:
    found = retry_after(header)
    assert found is None or found >= 0


@given(st.floats(1, 600), st.lists(st.floats(0, 20), max_size=60))
def test_no_minute_holds_more_than_its_worth_and_one_burst(rate: float, gaps: list[float]) -> None:
    at = [0.0]
    bucket = Bucket(rate, Clock(now=lambda: at[0]))
    starts = []
    for gap in gaps:
        at[0] += gap
        starts.append(at[0] + bucket.book())
    burst = max(1.0, rate / 60)
    for start in starts:
        assert sum(start <= other < start + 60 for other in starts) <= rate + burst + 1e-6


def test_what_was_not_used_is_given_back() -> None:
    bucket = Bucket(600, Clock(now=lambda: 0.0))
    bucket.book(100)
    assert bucket.book(10) > 9
    bucket.book(-100)
    assert bucket.book(0) == 0


def test_a_rest_fills_it_to_the_brim_and_no_further() -> None:
    at = [0.0]
    bucket = Bucket(600, Clock(now=lambda: at[0]))
    at[0] = 1e6
    assert bucket.book(10) == 0
    assert bucket.book(10) == 1


def test_without_a_rate_nobody_waits() -> None:
    assert Bucket(None, Clock()).book(1e9) == 0
