"""Exposure: counts against a plain count, days beyond the caps, and what is suspected before anybody has judged."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hitl.workforce.exposure import ExposureCap, Sights, exposure, suspected, within_caps

DAYS = ("2026-03-02", "2026-03-03", "2026-03-05")
seen = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.0, 3.0, 8.0, 9.5])), max_size=40)


def sights(rows) -> Sights:
    worker, day, severity = (np.array(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return Sights(
        ("ana", "bo", "cem"), DAYS, np.array(worker, np.int64), np.array(day, np.int64), np.array(severity, np.float64)
    )


@given(seen, st.integers(1, 3))
def test_everybody_s_days_are_counted_beside_the_caps(rows, per_day):
    caps = [ExposureCap(severity_from=8, per_day=per_day), ExposureCap(severity_from=3, per_day=5)]
    told = exposure(sights(rows), caps, DAYS[1])
    for at, row in enumerate(told):
        mine = [(day, severity) for worker, day, severity in rows if worker == at]
        assert (row["seen"], row["days"]) == (len(mine), len({day for day, _ in mine}))
        assert row["severe"] == {
            f"{level:g}": count for level, count in sorted(Counter(s for _, s in mine).items()) if level
        }
        assert [day["day"] for day in row["by_day"]] == sorted({DAYS[day] for day, _ in mine}, reverse=True)
        for cap, stands in zip(caps, row["caps"], strict=True):
            days = Counter(day for day, severity in mine if severity >= cap.severity_from)
            assert stands["most"] == max(days.values(), default=0)
            assert stands["over"] == sum(count > cap.per_day for count in days.values())
            assert stands["reached"] == sum(count >= cap.per_day for count in days.values())
            assert stands["today"] == days[1]


def test_a_day_on_which_nobody_worked_has_nothing():
    told = exposure(sights([(0, 0, 9.5)]), [ExposureCap(severity_from=8, per_day=1)], "2026-03-04")
    assert [row["caps"][0]["today"] for row in told] == [0, 0, 0]


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_the_worst_label_that_may_apply_is_suspected(proba):
    severity = np.array([0.0, 4.0, 9.0])
    [found] = suspected(np.array([proba]), severity).tolist()
    likely = [one for p, one in zip(proba, severity.tolist(), strict=True) if p >= 0.1]
    assert found == (max(likely, default=0.0) if any(proba) else np.inf)


def test_who_has_reached_a_cap_is_dealt_only_what_lies_below_it():
    caps = [ExposureCap(severity_from=8, per_day=2), ExposureCap(severity_from=3, per_day=10)]
    assert within_caps(9, [1, 9], caps)
    assert not within_caps(9, [2, 2], caps)
    assert within_caps(5, [2, 2], caps)
    assert not within_caps(5, [2, 10], caps)
    assert within_caps(0, [2, 10], caps)
    assert not within_caps(np.inf, [0, 10], caps)


def test_a_cap_of_nothing_is_refused():
    with pytest.raises(ValidationError):
        ExposureCap(severity_from=8, per_day=0)
