"""The page on routing and exposure: rules in their order, who waits too long, and nothing hostile runs."""

from __future__ import annotations

from typing import Any, get_type_hints

from hitl.history.routing import CapRow, DayRow, ExposureRow, OverdueRow, RouteRow, RoutingRow, SpokenRow, TurnaroundRow
from hitl.report import render_html
from hitl.report.persons import hints

HOSTILE = "<script>alert(1)</script>"


def routed(campaigns: Any, **more: Any) -> RoutingRow:
    rule = RouteRow(
        name=HOSTILE, to="legal", after="reviewers", conditions="threat named", priority="urgent", within="4h",
        fired=1234,
    )  # fmt: skip
    rest = RouteRow(
        name="all else", to="accept", after="reviewers", conditions="everything else", priority="", within="", fired=0,
    )  # fmt: skip
    median = campaigns.estimate("turnaround_median", 5400.0, 900.0, 40)
    wait = TurnaroundRow(
        queue="legal", priority="urgent", cases=41, open=3, overdue=2, let_go=1, median=median,
        in_time=campaigns.estimate("in_time", 0.8, 0.1, 30),
    )  # fmt: skip
    late = OverdueRow(
        item_id="post-1", task="k", queue="legal", priority="urgent", rule=HOSTILE, why="threat named", language="id",
        since="2026-11-20T10:00:00+00:00", late=7200.0, let_go=False,
    )  # fmt: skip
    spoken = SpokenRow(language="id", open=4, answers=90, people=3, readers=0, foreign=12, median=median)
    cap = CapRow(severity_from=8.0, per_day=20, most=23, most_on="2026-11-19", reached=2, over=1, today=20)
    day = DayRow(day="2026-11-19", seen=60, severe={"9.5": 23})
    person = ExposureRow(worker="reviewer-02", seen=200, days=4, severe={"9.5": 44}, by_day=[day], caps=[cap])
    told: dict[str, Any] = {
        "routes": [rule, rest], "own": True, "turnaround": [wait], "overdue": [late], "overdue_in_all": 70,
        "languages": [spoken], "exposure": [person],
    }  # fmt: skip
    assert told.keys() == get_type_hints(RoutingRow).keys()
    found: RoutingRow = {**told, **more}  # type: ignore[typeddict-item]
    return found


def test_the_page_tells_rules_waiting_languages_and_exposure(campaigns, page):
    source = render_html({**campaigns.sample(3), "routing": routed(campaigns)})
    read = page(source)
    for words in ("threat named", "legal", "1,234", "1 h 30 min", "80%", "2 h late", "1 of 70"):
        assert words in read.shown, words
    for words in ("Nobody on the roster reads id", "at the cap today", "over on 1 day", "20 a day from severity 8."):
        assert words in read.shown, words
    assert "2026-11-19" in read.hidden
    assert HOSTILE not in source
    assert not read.named("script")


def test_the_empty_states_say_what_to_do(campaigns, page):
    assert "No rounds yet. Which rule sent which item where" in page(render_html(campaigns.sample(0))).shown
    old = page(render_html(campaigns.sample(2))).shown
    assert "This record does not tell where items went" in old
    assert "Nobody has seen anything yet." in old
    quiet = routed(campaigns, turnaround=[], overdue=[], languages=[], exposure=[], own=False)
    shown = page(render_html({**campaigns.sample(2), "routing": quiet})).shown
    assert "Nothing waits or has waited yet" in shown
    assert "the usual rules have no deadline" in shown


def test_a_campaign_with_rules_of_its_own_is_not_told_to_switch_review_on(campaigns):
    history = {**campaigns.sample(2), "routing": routed(campaigns)}
    usual = {**campaigns.sample(2), "routing": routed(campaigns, own=False)}
    assert not any("No review" in hint for hint in hints(history))
    assert any("No review" in hint for hint in hints(usual)) == (not usual["plan"].get("review"))
