"""The section on what could be automated: its table, its curve, and nothing that runs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hitl.report import render_html
from hitl.report.svg import to_svg
from hitl.report.thresholds import automation
from hitl.report.thresholds_plot import workload


def told(estimate: Any, bad: str = "") -> dict[str, Any]:
    share = {
        "acted": 0.1,
        "acted_by_views": 0.12,
        "precision": 0.97,
        "kept": 0.9,
        "kept_by_views": 0.88,
        "missed": 0.03,
    }
    curve = [
        {"at": float(at), **{name: estimate(name, value * (1 - at / 3), 0.02) for name, value in share.items()}}
        for at in np.linspace(0.1, 0.9, 9)
    ]
    curve[-1]["precision"].update(value=None, low=None, high=None)
    row = {"label": f"insult{bad}", "where": bad, "present": 0.9, "pooled": False, "needed": None}
    risk = estimate("precision", 0.98, 0.03, 61)
    held = {**row, "action": "remove", "proposed": 0.62, "risk": risk, "promised": True, "why": ""}
    not_held = {"action": "review", "proposed": None, "promised": False, "why": f"about 900 would do{bad}"}
    unknown = estimate("missed", None, n=0)
    unknown.update(low=0.0, high=1.0)
    rows = [{**one, "share": estimate("share", 0.2)} for one in (held, {**row, **not_held, "risk": unknown})]
    work = [estimate(name, 0.8) for name in ("automated", "automated_by_views", "precision@act", "missed")]
    return {
        "chosen_by": "promise", "judged_on": "benchmark", "model_id": f"m{bad}", "policy_version": "1", "by": "",
        "precision": 0.95, "missed": 0.05, "confidence": 0.95, "items": 412, "cuts": rows,
        "present": work, "proposed": work, "checked": work, "savings": [], "curve": curve,
    }  # fmt: skip


def test_the_latest_finding_is_shown(campaigns, page) -> None:
    history = campaigns.sample()
    assert automation({**history, "rounds": [{**row, "findings": {}} for row in history["rounds"]]}) is None
    history["rounds"][1]["findings"]["thresholds"] = told(campaigns.estimate)
    for row in history["rounds"][2:]:
        row["findings"].pop("thresholds", None)
    read = page(render_html(history))
    for words in ("What could be automated", "412 judged items", "0.620", "never", "about 900 would do", "holds"):
        assert words in read.shown
    assert json.loads(json.dumps(automation(history)["told"])) == automation(history)["told"]


@pytest.mark.parametrize("state", ["sample", "empty", "seed_waiting"])
def test_without_it_the_page_says_what_to_do(campaigns, page, state) -> None:
    history = getattr(campaigns, state)()
    for row in history["rounds"]:
        row["findings"] = {name: found for name, found in row["findings"].items() if name != "thresholds"}
    shown = page(render_html(history)).shown
    assert ("finish a round" if history["rounds"] else "After the first round") in shown


def test_hostile_names_stay_words(campaigns, page) -> None:
    history = campaigns.sample()
    for bad in campaigns.HOSTILE:
        history["rounds"][-1]["findings"]["thresholds"] = told(campaigns.estimate, bad)
        read = page(render_html(history))
        assert not [name for name, _ in read.tags if name in ("script", "img")]
        assert "\u202e" not in read.source


def test_the_curve_has_a_band_and_points_that_tell_their_figures(campaigns) -> None:
    drawn = workload(told(campaigns.estimate))
    left, right = drawn.axes
    assert left.get_title(loc="left") == "Limited or removed"
    assert len(left.collections) == len(right.collections) == 1
    words = to_svg(drawn, "key", "label")
    assert words.count("<title>") == 8 + 9
    assert "of views" in words
    assert workload({**told(campaigns.estimate), "curve": []}).axes[0].texts[0].get_text() == "No workload curve yet"
    assert [len(workload(told(campaigns.estimate), width=380).axes)] == [2]
