"""The section on whether the round helped: its verdicts, what could have been missed, and what picking bought."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from hitl.report import render_html
from hitl.report.helped import did_it_help


def paired(campaigns: ModuleType, label: str = "", facet: str = "", value: str = "", **more: Any) -> Any:
    row = {
        "label": label, "facet": facet, "value": value, "items": 200, "verdict": "no evidence",
        "old": campaigns.estimate("f1", 0.6, label=label), "new": campaigns.estimate("f1", 0.62, label=label),
        "difference": campaigns.estimate("f1", 0.02, label=label, low=-0.05, high=0.09), "p": 0.4, "adjusted": 0.9,
        "detectable": 0.11, "decisions": {
            "wins": 9, "losses": 6, "n": 200, "difference": 0.015, "p": 0.6, "adjusted": 1.0, "detectable": 0.07,
            "method": "McNemar's test, mid-p",
        },
    }  # fmt: skip
    return {**row, **more}


def against(campaigns: ModuleType, number: int, *others: Any) -> Any:
    rows = [paired(campaigns), paired(campaigns, "ok"), *others]
    return {"round": number, "old_model": "a", "new_model": "b", "items": 200, "family": len(rows) - 1, "rows": rows}


def control(campaigns: ModuleType, low: float = 20.0, high: float = 80.0, **more: Any) -> Any:
    figure = campaigns.estimate("macro_f1", 0.62)
    told = {
        "why": "", "drawn": 110, "worth": 104, "labels": 460, "fits": 22, "by_chance": figure,
        "by_choice": campaigns.estimate("macro_f1", 0.74), "gain": campaigns.estimate("macro_f1", 0.12),
        "saved": campaigns.estimate("labels_saved", 51.0, low=low, high=high), "edge": "",
        "curve": [{"labels": 26.0, "figure": figure}, {"labels": 460.0, "figure": figure}],
    }  # fmt: skip
    return {**told, **more}


def told(campaigns: ModuleType, **findings: Any) -> Any:
    history = campaigns.sample()
    history["rounds"][-1]["findings"] = findings
    return history


def test_what_was_found_stands_in_the_table(campaigns: ModuleType, page: Any) -> None:
    found = paired(campaigns, facet="language", value="id", verdict="helped", items=57)
    unknown = paired(campaigns, "scam", detectable=None)
    unknown["difference"] = campaigns.estimate("f1", None, label="scam", method="too few: 2 items bear on it")
    helped = {"benchmark": against(campaigns, 4, unknown, found), "audit": against(campaigns, 3)}
    shown = page(render_html(told(campaigns, helped=helped))).shown
    for words in (
        "Did this round help?", "language id", "Helped", "±0.11", "9 / 6 of 200", "p 1.000, detectable ±0.07",
        "too few: 2 items bear on it", "Not known", "allow for all 3 that were tested",
        "Round 3 on the audit draw of round 4: two models that had not seen it",
    ):  # fmt: skip
        assert words in shown, words


def test_all_items_are_told_as_the_round_s_own_comparison_does(campaigns: ModuleType) -> None:
    history = told(campaigns, helped={"benchmark": against(campaigns, 4), "audit": None})
    whole = history["rounds"][-1]["findings"]["helped"]["benchmark"]["rows"][0]
    whole["difference"] = campaigns.estimate("macro_f1", 0.07)
    line = did_it_help(history["rounds"])["benchmark"]["groups"][0][1][0]
    assert line["old"] == history["rounds"][-1]["comparison"]["old"]
    assert line["verdict"].title == "Helped"


@pytest.mark.parametrize(
    ("low", "high", "more", "sentence"),
    [
        (20, 80, {}, "The picks saved about 51 of these 104 labels [+20, +80]"),
        (20, 78, {"edge": "at least"}, "The picks saved at least 51 of these 104 labels"),
        (-30, 80, {}, "Labels saved: +51 [−30, +80]: no evidence that picking beats chance"),
        (0, 0, {"why": "too few labels by chance", "gain": None}, "It cannot be told yet: too few labels by chance."),
    ],
)
def test_the_control_arm_is_told_in_words(
    campaigns: ModuleType, page: Any, low: float, high: float, more: Any, sentence: str
) -> None:
    shown = page(render_html(told(campaigns, control=control(campaigns, low, high, **more)))).shown
    assert sentence in shown


def test_picks_that_cost_labels_are_told_so(campaigns: ModuleType, page: Any) -> None:
    found = control(campaigns, -300, -20, edge="at most")
    found["saved"]["value"] = -140.0
    shown = page(render_html(told(campaigns, control=found))).shown
    assert "The picks cost more than 140 labels over chance [−300, −20]." in shown


def test_campaigns_without_findings_say_what_to_do(campaigns: ModuleType, page: Any) -> None:
    assert did_it_help(campaigns.sample()["rounds"]) is None
    assert "Run another round" in page(render_html(campaigns.sample())).shown
    assert "From the second one on" in page(render_html(campaigns.empty())).shown


def test_hostile_values_are_shown_as_they_are(campaigns: ModuleType, page: Any) -> None:
    rows = [paired(campaigns, facet=bad, value=bad) for bad in campaigns.HOSTILE]
    rows += [paired(campaigns, bad, verdict=bad) for bad in campaigns.HOSTILE]
    helped = {"benchmark": against(campaigns, 4, *rows), "audit": against(campaigns, 3, *rows)}
    found = told(campaigns, helped=helped, control=control(campaigns, why=campaigns.HOSTILE[0], gain=None))
    read = page(render_html(found))
    assert not read.named("script")
    assert not read.named("img")
    assert "<script>alert('x')" in read.shown
