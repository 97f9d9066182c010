"""Operations by planted truth: times with tails, waiting that is not over, backlogs, occupancy, the cost of gains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.metrics.ops import (
    AWAY,
    OUTS,
    Flow,
    Shifts,
    TaskLog,
    WorkLog,
    a_day,
    clears_in,
    daily,
    daily_target,
    hours_a_label,
    hours_a_point,
    mean_estimate,
    over,
    present,
    priced,
    quantile_estimate,
    ratio_estimate,
    rows_by,
    waiting,
)
from hitl.types import Estimate

DAY, HOUR = 86_400.0, 3600.0


def covered(estimates, truth):
    return np.mean([one.low <= truth <= one.high for one in estimates])


@pytest.mark.parametrize(("q", "n"), [(0.5, 12), (0.9, 50), (0.9, 200)])
def test_quantiles_cover_whatever_the_distribution(q, n):
    rng = np.random.default_rng(0)
    drawn = [quantile_estimate(rng.exponential(size=n), q, "seconds") for _ in range(500)]
    assert 0.94 <= covered(drawn, -np.log(1 - q)) <= 1
    assert not any("few" in one.method for one in drawn)


def test_what_so_few_values_cannot_bound_is_told():
    assert "few" in quantile_estimate(np.arange(30.0), 0.9, "seconds").method
    assert "few" in quantile_estimate(np.arange(5.0), 0.5, "seconds").method
    assert np.isnan(quantile_estimate([], 0.9, "seconds").value)


def test_means_of_long_tails_cover_better_than_t():
    rng, truth = np.random.default_rng(1), float(np.exp(0.8**2 / 2))
    drawn = [mean_estimate(rng.lognormal(0, 0.8, 30), "seconds") for _ in range(1500)]
    assert covered(drawn, truth) >= 0.92
    missed_below = np.mean([one.high < truth for one in drawn])
    assert missed_below < 0.065  # t itself: 9 %


def test_a_ratio_covers_and_is_the_ratio_of_totals():
    rng = np.random.default_rng(2)
    seconds = rng.lognormal(2.3, 0.6, (800, 60))
    answered = rng.random((800, 60)) < 0.9
    drawn = [ratio_estimate(one.astype(float), spent, "pace") for one, spent in zip(answered, seconds, strict=True)]
    assert drawn[0].value == pytest.approx(answered[0].sum() / seconds[0].sum())
    assert covered(drawn, 0.9 / np.exp(2.3 + 0.6**2 / 2)) >= 0.925


def test_few_units_and_nothing_to_divide_by_have_no_value():
    assert "too few" in mean_estimate(np.ones(4), "seconds").method
    assert np.isnan(ratio_estimate(np.zeros(9), np.zeros(9), "pace").value)


def test_waiting_that_is_not_over_is_neither_left_out_nor_taken_for_done():
    rng, truth, cut = np.random.default_rng(3), 5 * np.log(2), 6.0
    runs = []
    for _ in range(400):
        whole = rng.exponential(5.0, 80)
        runs.append(waiting(np.minimum(whole, cut), whole <= cut, 0.5, "turnaround"))
    assert np.mean([one.value for one in runs]) == pytest.approx(truth, rel=0.03)
    assert 0.925 <= covered(runs, truth) <= 0.99
    naive = [one[one <= cut] for one in rng.exponential(5.0, (400, 80))]
    assert np.mean([np.median(one) for one in naive]) < 0.7 * truth


def test_waiting_without_censoring_is_the_order_statistic():
    found = waiting(np.arange(1.0, 102.0), np.ones(101, bool), 0.5, "turnaround")
    assert found.value == 51
    assert found.low < 43 < 59 < found.high
    short = waiting(np.full(10, 3.0), np.arange(10) < 2, 0.5, "turnaround")
    assert np.isnan(short.value)
    assert "2 of 10" in short.method


def log(**columns):
    n = len(columns["seconds"])
    given_to = {"out": np.zeros(n, dtype=np.int64), "at": np.zeros(n), "by": {}} | columns
    return WorkLog(**given_to)


def test_work_is_counted_as_it_was_done():
    seconds = np.array([10.0] * 8 + [5000.0, -3.0])
    out = np.array([OUTS.index(name) for name in ["", "", "", "", "unsure", "escalate", "no_policy", "", "", "skip"]])
    work = log(seconds=seconds, out=out)
    told = {one.name: one for one in work.figures()}
    assert (work.away, work.hours) == (1, pytest.approx((80 + AWAY) / HOUR))
    assert told["seconds_mean"].value == pytest.approx((80 + AWAY) / 9)
    assert told["answers_an_hour"].value == pytest.approx(9 / work.hours)
    assert (told["skipped"].value, told["unsure"].value, told["escalated"].value) == (0.1, 1 / 9, 1 / 9)
    assert told["skipped"].n == 10
    assert told["unsure"].n == 9


def test_in_time_counts_what_is_due_and_nothing_else():
    asked = np.array([0.0] * 10 + [90.0] * 10) * HOUR
    ended = np.array([2.0] * 6 + [9.0] * 2 + [np.nan] * 2 + [91.0] * 5 + [np.nan] * 5) * HOUR
    tasks = TaskLog(asked, ended, np.full(20, 92 * HOUR), np.isnan(ended).astype(int), {})
    in_time = tasks.figures(target=4)[2]
    assert (in_time.value, in_time.n) == (0.6, 10)
    assert tasks.backlog == 7
    assert tasks.figures()[2].method.startswith("no target")


def test_clocks_that_contradict_each_other_tell_nothing():
    tasks = TaskLog(np.full(9, 5.0), np.zeros(9), np.full(9, 9.0), np.zeros(9, int), {})
    assert [one.n for one in tasks.figures(target=1)] == [0, 0, 0]


@given(st.lists(st.integers(-1, 3), max_size=30))
def test_every_row_is_in_its_own_group(codes):
    found = rows_by((np.array(codes, dtype=np.int64), ("a", "b", "c", "d")))
    assert sorted(row for rows in found.values() for row in rows.tolist()) == [
        row for row, code in enumerate(codes) if code >= 0
    ]
    assert all(codes[row] == "abcd".index(name) for name, rows in found.items() for row in rows)


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(DataError, match="at has 2 rows where 3"):
        log(seconds=np.ones(3), at=np.zeros(2))


def test_a_backlog_clears_when_it_was_said_to():
    """Days drawn from one law before and after: the day of clearing lies in the interval about 95 times in 100."""
    rng, inside, runs = np.random.default_rng(4), 0, 600
    for _ in range(runs):
        done, asked = rng.poisson(rng.gamma(16, 50 / 16, 400)), rng.poisson(10, 400)
        found = clears_in(500, Flow(done[:10].astype(float), asked[:10].astype(float)))
        fall = np.cumsum(done[10:] - asked[10:])
        at = int((fall >= 500).argmax()) + 1
        inside += found.low <= at and at - 1 <= found.high  # it clears some time within that day
    assert 0.93 <= inside / runs <= 0.99


def test_a_backlog_that_grows_does_not_clear():
    steady, noisy = np.full(8, 10.0), np.array([0.0, 30, 2, 25, 1, 40, 3, 19])
    assert clears_in(100, Flow(steady, steady + 5)).value == np.inf
    assert clears_in(100, Flow(steady + 5, steady)).value == 20
    perhaps = clears_in(100, Flow(noisy, np.full(8, 10.0)))
    assert (perhaps.low < perhaps.value < np.inf, perhaps.high) == (True, np.inf)
    hopeless = clears_in(100, Flow(noisy, np.full(8, 20.0)))
    assert hopeless.value == np.inf
    assert 0 < hopeless.low < np.inf


@given(
    backlog=st.integers(0, 1000),
    days=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=14),
)
def test_a_prediction_holds_its_own_value(backlog, days):
    done, asked = np.array(days, dtype=float).reshape(-1, 2).T
    found = clears_in(backlog, Flow(done, asked))
    assert 0 <= found.low <= found.high
    assert np.isnan(found.value) == (backlog > 0 and len(days) < 5)
    assert np.isnan(found.value) or found.low <= found.value <= found.high or np.isclose(found.low, found.value)


def test_days_are_counted_back_from_now():
    assert daily(np.array([9.9, 9.2, 8.5, 3.0, np.nan, 11.0]) * DAY, now=10 * DAY, days=3).tolist() == [2, 1, 0]
    assert "too few" in a_day(np.array([4.0, 5.0]), "done_a_day").method


def test_a_daily_target_clears_the_backlog_and_what_comes_meanwhile():
    rng, met = np.random.default_rng(5), 0
    for _ in range(500):
        asked = rng.poisson(8, 17).astype(float)
        target = daily_target(300, Flow(np.zeros(10), asked[:10]), 7.0)
        needed = (300 + asked[10:].sum()) / 7
        met += target.low <= needed <= target.high
    assert 0.92 <= met / 500 <= 0.98
    with pytest.raises(DataError, match="past"):
        daily_target(300, Flow(np.zeros(3), np.zeros(3)), -1.0)


def test_one_figure_over_another_covers():
    rng = np.random.default_rng(6)
    top, bottom = rng.normal(40, 4, 2000), rng.normal(20, 3, 2000)
    found = [
        over(
            Estimate("a", a, a - 1.96 * 4, a + 1.96 * 4, 9),
            Estimate("b", b, b - 1.96 * 3, b + 1.96 * 3, 9),
            "hours",
        )
        for a, b in zip(top, bottom, strict=True)
    ]
    assert covered(found, 2.0) == pytest.approx(0.95, abs=0.015)
    unknown = over(Estimate("a", np.nan, 0, 9, 0, method="too few"), Estimate("b", 1, 1, 1, 9), "hours")
    assert unknown.method == "too few"


def test_occupancy_is_time_at_work_over_time_in_shifts():
    start = np.array([0.0, 24, 0, 48]) * HOUR
    shifts = Shifts(("ana", "bo"), np.array([0, 0, 1, 1]), start, start + 8 * HOUR)
    worker = np.array([0, 0, 1, 1, -1])
    at = np.array([1.0, 25, 2, 30, 1]) * HOUR
    found = present(shifts, worker, np.full(5, 600.0), at)
    assert found.worked.tolist() == [600, 600, 600, 0]
    assert found.outside.tolist() == [False, False, False, True, True]
    assert np.isnan(found.occupancy(found.worker == 0).value)  # two shifts tell nothing
    many = np.arange(20.0) * 24 * HOUR
    table = Shifts(("ana",), np.zeros(20, dtype=np.int64), many, many + 10 * HOUR)
    busy = present(table, np.zeros(200, dtype=np.int64), np.full(200, 720.0), many.repeat(10) + HOUR)
    assert busy.occupancy(busy.worker == 0).value == pytest.approx(0.2)
    assert table.until(24 * HOUR * 2 + 5 * HOUR).end.tolist()[-1] == 53 * HOUR


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 99), st.booleans()), max_size=40), st.integers(0, 99))
def test_each_piece_of_work_is_in_the_shift_that_holds_it(pieces, seed):
    rng = np.random.default_rng(seed)
    start = np.sort(rng.choice(50, 8, replace=False)) * 2.0
    owner = rng.integers(0, 3, 8)
    shuffled = rng.permutation(8)
    shifts = Shifts(("a", "b", "c"), owner[shuffled], start[shuffled], start[shuffled] + 1.5)
    worker = np.array([who if known else -1 for who, _, known in pieces], dtype=np.int64)
    at = np.array([when for _, when, _ in pieces])
    found = present(shifts, worker, np.ones(len(pieces)), at)
    for who, when, outside in zip(worker, at, found.outside, strict=True):
        inside = (shifts.worker == who) & (shifts.start <= when) & (when <= shifts.end)
        assert outside == (not inside.any())
    assert found.worked.sum() == (~found.outside).sum()


def test_shifts_that_contradict_themselves_are_refused():
    with pytest.raises(DataError, match="shifts 1 and 2: they overlap"):
        Shifts(("ana",), np.array([0, 0]), np.array([0.0, 5.0]), np.array([6.0, 9.0]))
    with pytest.raises(DataError, match="shift 1: it ends before"):
        Shifts(("ana",), np.array([0]), np.array([5.0]), np.array([5.0]))


def test_a_label_costs_what_all_items_took():
    rng = np.random.default_rng(7)
    seconds, labelled = rng.lognormal(3, 0.5, (600, 80)), rng.random((600, 80)) < 0.8
    found = [hours_a_label(*one) for one in zip(seconds, labelled, strict=True)]
    truth = np.exp(3 + 0.5**2 / 2) / 0.8 / HOUR
    assert covered(found, truth) == pytest.approx(0.95, abs=0.025)
    assert priced(found[0], 20.0, "cost").value == pytest.approx(20 * found[0].value)
    assert np.isnan(priced(found[0], None, "cost").value)


def test_a_gain_that_may_be_none_has_no_price():
    sure = hours_a_point(10.0, Estimate("macro_f1", 0.05, 0.02, 0.08, 200))
    assert (sure.value, sure.low, sure.high) == pytest.approx((2.0, 1.25, 5.0))
    for gain, why in ((Estimate("f", 0.05, 0.0, 0.1, 9), "holds 0"), (Estimate("f", -0.1, -0.2, -0.01, 9), "lost")):
        unknown = hours_a_point(10.0, gain)
        assert np.isnan(unknown.value)
        assert why in unknown.method
    assert hours_a_point(10.0, Estimate("f", 0.05, 0.0, 0.1, 9)).low == pytest.approx(1.0)
