from __future__ import annotations

import numpy as np
import pytest

from hitl.metrics.people import Work, records, share


@pytest.mark.parametrize("right", [0.6, 0.9, 0.97])
@pytest.mark.parametrize("n", [5, 12, 40])
def test_a_person_s_share_is_covered(right: float, n: int) -> None:
    rng = np.random.default_rng(7)
    found = [share((rng.random(n) < right).tolist(), "gold") for _ in range(800)]
    assert np.mean([estimate.low <= right <= estimate.high for estimate in found]) >= 0.93


def test_nobody_is_judged_by_nothing() -> None:
    estimate = share([], "gold")
    assert np.isnan(estimate.value)
    assert (estimate.low, estimate.high, estimate.n) == (0.0, 1.0, 0)


def test_the_exam_is_apart_from_daily_work() -> None:
    [ana] = records([
        Work(worker="ana", queue="exam", seconds=90.0, gold=True),
        Work(worker="ana", queue="exam", seconds=80.0, out="unsure", gold=False),
        Work(worker="ana", queue="exam", out="skip", gold=False),
        Work(worker="ana", seconds=4.0, waited=60.0, language="en", gold=False),
        Work(worker="ana", seconds=6.0, waited=180.0, language="en", sided=True, overruled=False),
        Work(worker="ana", seconds=5.0, out="unsure", language="de"),
        Work(worker="ana", seconds=1.0, out="skip"),
        Work(worker="ana", seconds=9.0, out="unconfirmed", sided=True),
        Work(worker="ana", queue="review", seconds=20.0, language="en"),
    ])  # fmt: skip
    assert (ana["answers"], ana["skips"], ana["reviews"], ana["unconfirmed"]) == (4, 1, 1, 1)
    assert ana["outs"] == {"unsure": 1}
    assert (ana["exam"]["value"], ana["exam"]["n"]) == (0.5, 2)
    assert (ana["gold"]["value"], ana["gold"]["n"]) == (0.0, 1)
    assert (ana["agreement"]["value"], ana["agreement"]["n"]) == (1.0, 1)
    assert (ana["overruled"]["value"], ana["overruled"]["n"]) == (0.0, 1)
    assert ana["seconds"]["value"] == 5.5
    assert (ana["turnaround"]["value"], ana["turnaround"]["n"]) == (120.0, 2)
    assert [(row["language"], row["answers"]) for row in ana["languages"]] == [("de", 1), ("en", 3)]


def test_a_window_left_open_is_no_work_and_a_long_wait_is_one() -> None:
    [row] = records([Work(worker="ana", seconds=40_000.0, waited=200_000.0)])
    assert row["seconds"]["value"] == 900.0
    assert row["turnaround"]["value"] == 200_000.0


def test_people_stand_in_the_order_of_their_names() -> None:
    done = [Work(worker=name) for name in ("cem", "ana", "bo", "ana")]
    assert [(row["worker"], row["answers"]) for row in records(done)] == [("ana", 2), ("bo", 1), ("cem", 1)]
    assert records([]) == []
