from __future__ import annotations

import numpy as np
import pytest

from hitl.metrics.ops import AWAY, median_estimate, operations
from hitl.types import Annotation, Answer, Estimate, Resolution


def work(key: str, worker: str, *labels: str, seconds: float = 10.0, out="", skipped: bool = False) -> Annotation:
    answer = None if skipped else Answer(labels, out)
    return Annotation(f"{key}-{worker}", key, worker, answer, "", seconds, skipped=skipped)


def ruled(key: str, labels: tuple[str, ...] | None, *workers: str) -> Resolution:
    return Resolution(key, 0, labels, 1.0, "majority", "1", tuple(f"{key}-{worker}" for worker in workers))


def test_people_are_told_apart() -> None:
    annotations = [
        work("t1", "ana", "ok", seconds=4),
        work("t1", "bo", "spam", seconds=20),
        work("t1", "cem", "ok", seconds=6),
        work("t2", "ana", "spam", seconds=8),
        work("t3", "ana", seconds=1, skipped=True),
        work("t4", "ana", "ok", "spam"),
        work("t4", "bo", "spam", "ok"),
        work("t5", "ana", "ok"),
        work("t5", "bo", out="unsure"),
    ]
    resolutions = [
        ruled("t1", ("ok",), "ana", "bo", "cem"),
        ruled("t2", ("spam",), "ana"),
        ruled("t4", ("ok", "spam"), "ana", "bo"),
        ruled("t5", ("ok",), "ana", "bo"),
    ]
    accuracy = {"ana": Estimate("accuracy", 0.9, 0.8, 1.0, 3)}
    told = operations(annotations, resolutions, accuracy=accuracy, cost_per_hour=36.0)
    ana, bo, cem = told.people
    assert (ana["worker"], ana["answers"], ana["skips"], ana["median_seconds"]) == ("ana", 4, 1, 9.0)
    assert (ana["agreement"], bo["agreement"], cem["agreement"]) == (1.0, 0.5, 1.0)
    assert ana["accuracy"] is not None
    assert ana["accuracy"]["value"] == 0.9
    assert bo["accuracy"] is None
    assert (told.annotations, told.skips, told.seconds_total) == (9, 1, 79)
    assert told.cost == pytest.approx(0.79)
    assert told.seconds.value == 10


def test_unresolved_items_judge_nobody() -> None:
    annotations = [work("t1", "ana", "ok"), work("t1", "bo", "spam")]
    told = operations(annotations, [ruled("t1", None, "ana", "bo")])
    assert [row["agreement"] for row in told.people] == [None, None]
    assert told.people[0]["note"] == "nobody else judged the same items"
    assert told.cost is None


def test_a_window_left_open_is_no_work() -> None:
    told = operations([work("t1", "ana", "ok", seconds=40_000), work("t2", "ana", "ok", seconds=-3)], [])
    assert told.seconds_total == AWAY


def test_nobody_worked() -> None:
    told = operations([], [])
    assert (told.annotations, told.seconds_total, told.people) == (0, 0, ())
    assert np.isnan(told.seconds.value)


def test_the_median_covers() -> None:
    rng = np.random.default_rng(0)
    for n in (8, 30, 101):
        hits = [
            estimate.low <= 1.0 <= estimate.high
            for estimate in (median_estimate(list(np.exp(rng.normal(size=n))), "seconds") for _ in range(600))
        ]
        assert np.mean(hits) >= 0.93


def test_few_values_give_their_range() -> None:
    estimate = median_estimate([3.0, 9.0, 4.0], "seconds")
    assert (estimate.value, estimate.low, estimate.high) == (4, 3, 9)
    assert "few" in estimate.method
