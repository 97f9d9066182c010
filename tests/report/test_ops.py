"""What the page says of planning: figures with intervals, what does not clear, and nothing of what is not known."""

from __future__ import annotations

import pytest

from hitl.report.html import render_html
from hitl.report.ops import planning

TIMES = {"seconds_mean": 14.0, "seconds_median": 11.0, "seconds_p90": 31.0, "answers_an_hour": 240.0}
SHARES = {"skipped": 0.04, "unsure": 0.03, "escalated": 0.01}


def row(name, value, spread=0.05, **more):
    ends = (None, None) if value is None else (value - spread, value + spread)
    told = {"name": name, "label": "", "value": value, "low": ends[0], "high": ends[1], "n": 200, "level": 0.95}
    return {**told, "method": "", **more}


def group(by, name, **more):
    told = [
        *(row(name, value, 2.0) for name, value in TIMES.items()),
        *(row(name, at, at / 2) for name, at in SHARES.items()),
    ]
    return {
        "by": by, "name": name, "people": 3, "answers": 512, "skips": 20, "hours": 2.4, "away": 2, "figures": told,
        "turnaround": [], "occupancy": None, **more,
    }  # fmt: skip


def backlog(clears=True, **more):
    days = row("days_to_clear", 5.4 if clears else None, low=3.0, high=9.0 if clears else None, method="too few days")
    return {
        "by": "all", "name": "", "tasks": 19, "answers": 23, "done_a_day": row("done_a_day", 40.0, 6.0),
        "asked_a_day": row("asked_a_day", 4.0, 1.0), "days_to_clear": days, "clears": clears, "target": None, **more,
    }  # fmt: skip


def work(campaigns, **changes):
    turnaround = [row("turnaround_median", 7200.0, 900.0), row("turnaround_p90", 90_000.0, low=80_000.0, high=None),
                  row("in_time", 0.83, 0.05)]  # fmt: skip
    gain = {"round": 1, "hours": 3.5, "gain": row("macro_f1", 0.05, 0.02),
            "hours_a_point": row("hours_a_point", 0.7, 0.2),
            "cost_a_point": row("cost_a_point", None, method="the interval of the gain holds 0")}  # fmt: skip
    return {
        "at": "2026-11-22T21:38:24+00:00", "sla_hours": 24.0, "days": 14, "whole_days": 9, "at_work": 3,
        "groups": [group("all", "", turnaround=turnaround),
                   *(group("worker", name) for name in ("worker-10", "worker-2", *campaigns.HOSTILE[:3])),
                   group("language", "en")],
        "backlog": [backlog()], "hours_a_label": row("hours_a_label", 0.005, 0.001),
        "cost_a_label": row("cost_a_label", 0.15, 0.02), "gains": [gain],
        "no_occupancy": "no table of shifts", "outside_shifts": 0, **changes,
    }  # fmt: skip


@pytest.fixture
def shown(campaigns, page):
    """The page of a campaign with this work."""
    return lambda **changes: page(render_html(campaigns.sample(2, ops=work(campaigns, **changes))))


def test_the_page_tells_times_with_intervals_and_groups_in_order(shown, campaigns):
    read = shown()
    for told in ("14.0 s", "[12.0 s, 16.0 s]", "half within 2 h", "[22 h 13 min, ?]", "83% of 200 tasks that are due",
                 "in 5.4 days [3.0 days to 9.0 days]", "no table of shifts", "round 1", "2 were longer"):  # fmt: skip
        assert told in read.shown
    assert read.hidden.index("worker-2") < read.hidden.index("worker-10")
    assert "By language" not in read.shown  # of one language the whole says all
    assert not read.named("script")
    names = [
        row["row"]["name"]
        for part in planning(campaigns.sample(2, ops=work(campaigns)))["parts"]
        for row in part["rows"]
    ]
    assert len(names) == 5


def test_what_does_not_clear_and_what_is_not_known_are_told_apart(shown):
    assert "does not clear at this pace; not before 3.0 days" in shown(backlog=[backlog(False)]).shown
    unknown = backlog(False) | {"clears": None}
    assert "not known: too few days" in shown(backlog=[unknown]).shown
    assert "nothing waits" in shown(backlog=[backlog(answers=0)]).shown
    growing = backlog()
    growing["days_to_clear"]["high"] = None
    assert "[from 3.0 days on]" in shown(backlog=[growing]).shown


def test_a_target_and_a_table_of_shifts_add_what_they_know(shown):
    target = {"due": "2026-12-01", "days": 9.0, "answers_a_day": row("answers_a_day", 6.6, 1.0),
              "hours_a_day": row("hours_a_day", 0.1), "hours_a_person": row("hours_a_person", 0.03)}  # fmt: skip
    groups = [group("all", "", occupancy=row("occupancy", 0.62, 0.05))]
    read = shown(backlog=[backlog(target=target)], groups=groups, no_occupancy="", outside_shifts=7).shown
    assert "6.60 [5.60, 7.60]" in read
    assert "62% [57%, 67%] of the time in shifts; 7 pieces" in read


def test_before_anybody_was_asked_the_page_says_what_to_do(campaigns, page):
    assert planning(campaigns.empty()) is None
    assert "Nobody was asked yet" in page(render_html(campaigns.empty())).shown
