"""The sections on what is not covered and on change: what they say and cut, and that hostile content does nothing."""

from __future__ import annotations

import itertools
import re
from html import unescape
from types import ModuleType
from typing import Any

import pytest

from hitl.report import render_html
from hitl.report.gaps import MOST_CELLS, uncovered
from hitl.report.trends import MOST_LABELS, MOST_ROWS, changing, points, size, times

EXAMPLE = {"item_id": "post-1", "text": "send coins to the wallet", "language": "en", "reach": 900.0,
           "notes": ["no rule for giveaways"]}  # fmt: skip


def gaps(campaigns: ModuleType, **changes: Any) -> dict[str, Any]:
    cell = {
        "label": "threat", "where": {"language": "ar", "synthetic": "true"}, "items": 412, "views": 0.031,
        "severity": 3.0, "labels": 2, "recall": campaigns.estimate("recall", None, n=0, low=0.0, high=1.0),
        "missing": ["labels", "recall not known"], "worth": 0.09,
    }  # fmt: skip
    low = {"label": "insult", "where": {}, "labels": 44, "missing": ["low recall"]}
    known = {**cell, **low, "recall": campaigns.estimate("recall", 0.55, 0.2, n=17)}
    theme = {"terms": ["wallet", "coins"], "items": 9, "outs": {"no_policy": 7, "edge_case": 2}, "examples": [EXAMPLE]}
    return {"columns": ["language", "synthetic"], "cells": [cell, known], "thin": 23, "of": 60, "enough": 10,
            "bar": 0.6, "measured": "the model that picked this round", "uncovered": 11, "themes": [theme],
            **changes}  # fmt: skip


def growth(campaigns: ModuleType, **changes: Any) -> dict[str, Any]:
    ratio = campaigns.estimate("rate_ratio", 6.0, n=30, low=1.8, high=25.5)
    return {"kind": "phrase", "terms": ["wallet"], "before": 5, "new": 25, "ratio": ratio, "adjusted": 0.0004,
            "views_before": 0.01, "views_new": 0.08, "course": [0.01, 0.012, 0.06], "also": 3,
            "examples": [EXAMPLE], **changes}  # fmt: skip


def drift(campaigns: ModuleType, **changes: Any) -> dict[str, Any]:
    return {"kind": "scores", "label": "scam", "test": "Kolmogorov–Smirnov", "n_before": 900, "n_new": 300,
            "p": 0.2, "adjusted": 0.4, "changed": False, "psi": 0.02, "by_chance": 0.04, "distance": 0.013,
            "difference": None, "before": None, "now": None, "examples": [], **changes}  # fmt: skip


def trends(campaigns: ModuleType, **changes: Any) -> dict[str, Any]:
    fall = {
        "kind": "confidence", "terms": ["wallet"], "everywhere": False, "before": 0.91, "new": 0.72, "n_before": 40,
        "n_new": 31, "difference": campaigns.estimate("confidence", -0.19, low=-0.27, high=-0.11, n=71),
        "effect": -0.8, "adjusted": 0.001, "examples": [EXAMPLE],
    }  # fmt: skip
    agreed = {**fall, "kind": "agreement", "terms": [], "everywhere": True}
    moved = drift(campaigns, kind="labels", test="difference", changed=True, adjusted=0.01,
                  psi=None, by_chance=None, distance=None,
                  difference=campaigns.estimate("prevalence", 0.12, low=0.05, high=0.2),
                  before=campaigns.estimate("prevalence", 0.01), now=campaigns.estimate("prevalence", 0.13),
                  examples=[EXAMPLE])  # fmt: skip
    return {"why": "", "compared": "items that came into play in round 4, and those before", "before": 1900, "new": 610,
            "folded": 84, "looked_at": 2100, "growing": [growth(campaigns)],
            "copies": [{"before": 0, "new": 61, "examples": [EXAMPLE]}], "falling": [fall, agreed],
            "drift": [drift(campaigns), moved], **changes}  # fmt: skip


def history(campaigns: ModuleType, **findings: Any) -> Any:
    told = campaigns.sample()
    told["rounds"][-1]["findings"] = findings
    return told


def section(source: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', source, re.S)
    assert found
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", found.group())))


def test_cells_tell_what_they_lack_and_the_rest_is_counted(campaigns: ModuleType) -> None:
    shown = section(render_html(history(campaigns, gaps=gaps(campaigns))), "gaps")
    assert "23 of 60 have fewer than 10 labels or a recall that may lie below 60" in shown
    assert re.search(r"threat language ar, synthetic true 412 .* not known: none judged .* labels, recall", shown)
    assert re.search(r"insult all of the pool .* 0\.55 .* 17 judged to deserve it recall may be low", shown)
    assert "21 more cells lack something; the weightiest 2 are in report.json" in shown


def test_content_without_a_label_has_words_answers_and_notes(campaigns: ModuleType, page: Any) -> None:
    source = render_html(history(campaigns, gaps=gaps(campaigns)))
    assert "wallet, coins 9 no policy fits 7, edge case 2" in section(source, "gaps")
    assert "no rule for giveaways" in page(source).hidden


def test_change_is_told_with_its_interval_and_examples(campaigns: ModuleType, page: Any) -> None:
    source = render_html(history(campaigns, trends=trends(campaigns)))
    shown = section(source, "trends")
    assert re.search(
        r"wallet phrase; 3 more that are mostly the same items .* 5 25 ▲ 6\.0 times \[1\.8, 25\.5\]", shown
    )
    assert re.search(r"The model’s confidence 40 and 31 items wallet 0\.91 → 0\.72 ▼ −0\.19 \[−0\.27, −0\.11\]", shown)
    assert "Agreement of people 40 and 31 items all content" in shown
    assert "1 of 2 moved" in shown
    assert "+12.0 points [+5.0, +20.0]" in shown
    assert shown.index("Share of the label") < shown.index("Scores scam")  # what changed comes first
    assert "stability index 0.02 (little; 0.04 by chance)" in shown
    assert "send coins to the wallet" in page(source).hidden


def test_ratios_points_and_indices_are_written_with_what_they_mean(campaigns: ModuleType) -> None:
    assert times(campaigns.estimate("rate_ratio", None, low=3.2, high=None)) == ("only now", "[3.2, ∞]")
    assert points(campaigns.estimate("prevalence", -0.004, low=-0.007, high=-0.001)) == "−0.4 points [−0.7, −0.1]"
    assert points(campaigns.estimate("prevalence", None)) == "not known yet"
    assert size(None, None) == ""
    assert "much" in size(0.25, 0.01)


def test_nothing_found_is_said_so(campaigns: ModuleType) -> None:
    calm = trends(campaigns, growing=[], copies=[], falling=[], drift=[drift(campaigns)])
    full = gaps(campaigns, cells=[], thin=0, themes=[], uncovered=0)
    source = render_html(history(campaigns, trends=calm, gaps=full))
    told = section(source, "trends")
    assert "of 2,100 phrases and clusters, none grows beyond what chance brings" in told
    assert "Nowhere beyond what chance brings" in told
    assert "None of 1 moved" in told
    assert "Floods" not in told
    assert "every violating label has 10 labels and a recall above 60" in section(source, "gaps")
    assert "Nobody has answered yet" in section(source, "gaps")


def test_what_cannot_be_compared_says_why(campaigns: ModuleType) -> None:
    told = trends(campaigns, why="Nothing new came into play in round 4.", growing=[], copies=[], falling=[], drift=[])
    shown = section(render_html(history(campaigns, trends=told)), "trends")
    assert "Nothing new came into play in round 4." in shown
    assert "Content that grows" not in shown


@pytest.mark.parametrize("state", ["empty", "sample"])
def test_empty_sections_say_what_will_stand_there(campaigns: ModuleType, state: str) -> None:
    source = render_html(getattr(campaigns, state)())
    for name in ("gaps", "trends"):
        assert ("No rounds yet" if state == "empty" else "hitl run") in section(source, name)


def test_findings_of_old_campaigns_are_missing_without_harm(campaigns: ModuleType) -> None:
    assert uncovered(campaigns.sample()["rounds"]) is None
    assert changing(campaigns.sample()["rounds"]) is None


def test_long_lists_are_cut_and_inputs_come_first(campaigns: ModuleType) -> None:
    many = [drift(campaigns, label=f"l{at}") for at in range(60)]
    told = trends(campaigns, growing=[growth(campaigns)] * 12, drift=[*many, drift(campaigns, kind="inputs")])
    found = changing(history(campaigns, trends=told)["rounds"])
    assert found is not None
    assert len(found["growing"]) == MOST_ROWS
    assert len(found["drift"]) == 1 + 2 * MOST_LABELS
    assert found["drift"][0]["row"]["kind"] == "inputs"
    cells = gaps(campaigns)["cells"] * 20
    assert len(uncovered(history(campaigns, gaps=gaps(campaigns, cells=cells))["rounds"])["cells"]) == MOST_CELLS


def test_hostile_content_is_shown_and_does_nothing(campaigns: ModuleType, page: Any) -> None:
    bad = itertools.cycle(campaigns.HOSTILE)
    example = lambda: {**EXAMPLE, "item_id": next(bad), "text": next(bad), "language": next(bad),  # noqa: E731
                       "notes": [next(bad), next(bad)]}  # fmt: skip
    told, gone = trends(campaigns), gaps(campaigns)
    theme, cell = gone["themes"][0], gone["cells"][0]
    gone["themes"] = [
        {**theme, "terms": [one, next(bad)], "outs": {one: 3}, "examples": [example()]} for one in campaigns.HOSTILE
    ]
    gone["cells"] = [{**cell, "label": one, "where": {next(bad): one}, "missing": [one]} for one in campaigns.HOSTILE]
    gone.update(columns=list(campaigns.HOSTILE), measured=campaigns.HOSTILE[0])
    told["growing"] = [growth(campaigns, terms=[one], examples=[example()]) for one in campaigns.HOSTILE]
    told["falling"] = [{**told["falling"][0], "terms": [one], "examples": [example()]} for one in campaigns.HOSTILE]
    told["copies"] = [{"before": 0, "new": 9, "examples": [example()]} for _ in campaigns.HOSTILE]
    told["drift"] = [drift(campaigns, label=one, test=one, kind=one, examples=[example()]) for one in campaigns.HOSTILE]
    told["compared"] = campaigns.HOSTILE[0]
    source = render_html(history(campaigns, trends=told, gaps=gone))
    read = page(source)
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert "<script>alert('x')</script>" in read.shown
    assert not [name for _, attrs in read.tags for name in attrs if name.startswith("on")]
    invisible = {character for character in source if not character.isprintable() and character != "\n"}
    assert invisible <= {"\u00a0", "\u3000"}
    cells = [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", source, re.S)]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "-"))]
