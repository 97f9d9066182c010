"""The section on prevalence: what a campaign with, without and with old findings shows."""

from __future__ import annotations

from typing import Any

import pytest

from hitl.history import PrevalenceRow, ResponseRow
from hitl.report.html import render_html
from hitl.report.prevalence import how_much


def finding(made: Any, value: float, low: float, high: float, settled: int = 9, stratum: str = "ja") -> PrevalenceRow:
    def row(name: str, times: float = 1.0, label: str = "") -> Any:
        found = made.estimate(name, value * times, label=label)
        return found | {"low": low * times, "high": high * times}

    shares = [row("prevalence"), row("prevalence_by_views"), row("prevalence", label="scam")]
    totals = [row("violating_items", 5000), row("violating_views", 9e6), row("violative_view_rate", 1e4)]
    rate = made.part("response_rate", settled, 10)
    return PrevalenceRow(
        items=5000,
        views=9e6,
        judged=400,
        draw="audit",
        here=shares,
        combined=[*shares, *totals],
        rounds=[0, 1],
        naive=made.part("picked_share", 45, 90),
        responses=[ResponseRow(stratum=stratum, drawn=10, settled=settled, rate=rate)],
    )


@pytest.fixture
def history(campaigns):
    def make(*findings: PrevalenceRow | None) -> Any:
        told = campaigns.sample(len(findings))
        for row, found in zip(told["rounds"], findings, strict=True):
            row["findings"] = {"prevalence": found} if found else {}
        return told

    return make


def section(page: Any, history: Any) -> str:
    told = render_html(history).split('<section id="prevalence"')[1].split("</section>")[0]
    return " ".join(page(f"<section{told}</section>").shown.split())


def test_figures_have_intervals_and_units(history, campaigns, page) -> None:
    told = section(page, history(None, finding(campaigns, 0.011, 0.008, 0.015)))
    for words in ("1.1% [0.8%, 1.5%]", "110 [80, 150] of 10,000 views", "55.00 [40.00, 75.00] of 5,000", "50% of 90"):
        assert words in told
    assert "no estimate of the pool" in told


def test_nothing_found_is_told_in_digits_that_show(history, campaigns, page) -> None:
    told = section(page, history(finding(campaigns, 0.0, 0.0, 0.0041)))
    assert "0.00% [0.00%, 0.41%]" in told


def test_what_was_not_settled_is_told_by_stratum(history, campaigns, page) -> None:
    assert "What was not settled" in section(page, history(finding(campaigns, 0.01, 0.005, 0.02, settled=7)))
    assert "What was not settled" not in section(page, history(finding(campaigns, 0.01, 0.005, 0.02, settled=10)))


def test_lines_share_a_scale_that_holds_all(history, campaigns) -> None:
    told = how_much(history(finding(campaigns, 0.01, 0.005, 0.02), finding(campaigns, 0.02, 0.01, 0.041))["rounds"])
    assert told is not None
    assert (told["scale"], len(told["lines"])) == (0.05, 2)


def test_without_draws_it_says_what_it_takes(history, page) -> None:
    told = history(None, None)
    assert how_much(told["rounds"]) is None
    assert "benchmark in the plan" in section(page, told)


def test_names_from_outside_are_escaped(history, campaigns, page) -> None:
    told = history(finding(campaigns, 0.01, 0.005, 0.02, settled=7, stratum="<b>x</b>"))
    assert "<b>x</b>" not in render_html(told)
    assert "<b>x</b>" in section(page, told)
