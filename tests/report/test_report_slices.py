"""The sections on fairness and challenge suites: what they say and cut, and that a hostile name does nothing."""

from __future__ import annotations

import itertools
import re
from copy import deepcopy
from functools import cache
from html import unescape
from types import ModuleType
from typing import Any

import pytest

from hitl.report import render_html
from hitl.report.challenge import suites
from hitl.report.slices import MOST_PAIRS, MOST_VALUES, fair

RATES = ("false_positive_rate", "false_negative_rate", "precision", "prevalence", "acted_on")


def gap(campaigns: ModuleType, rate: str, value: float, adjusted: float) -> dict[str, Any]:
    difference = campaigns.estimate(rate, value, low=value - 0.05, high=value + 0.05)
    return {"difference": difference, "together": difference, "p": adjusted / 2, "adjusted": adjusted}


def slice_row(campaigns: ModuleType, where: dict[str, str], **gaps: Any) -> dict[str, Any]:
    return {"where": where, "items": 80, "rates": [campaigns.estimate(rate, 0.2) for rate in RATES], "gaps": gaps}


def slices(campaigns: ModuleType, **changes: Any) -> dict[str, Any]:
    alarms, precise = (
        gap(campaigns, "false_positive_rate", 0.21, 0.004), gap(campaigns, "precision", 0.18, 0.03)
    )  # fmt: skip
    worst = {
        "where": {"language": "ar", "vendor": ""}, "p": 0.0004,
        "inside": campaigns.estimate("false_negative_rate", 0.61, n=44),
        "outside": campaigns.estimate("false_negative_rate", 0.22),
        "difference": campaigns.estimate("false_negative_rate", 0.39, low=0.11, high=0.58),
    }  # fmt: skip
    return {
        "sample": "benchmark", "model_id": "m", "items": 200, "facets": {"language": 6, "vendor": 3}, "least": 10,
        "small": {"language": 4, "vendor": 0}, "overall": [campaigns.estimate(rate, 0.15) for rate in RATES],
        "slices": [
            slice_row(campaigns, {"language": "en"}, false_positive_rate=gap(campaigns, "x", -0.1, 0.4)),
            slice_row(campaigns, {"language": "ar"}, false_positive_rate=alarms, precision=precise),
            slice_row(campaigns, {"vendor": ""}),
            slice_row(campaigns, {"language": "ar", "vendor": "north"}, false_positive_rate=alarms),
        ],
        "left_out": 3, "worst": [worst], "searched": {"false_positive_rate": 14, "wrong": 30}, **changes,
    }  # fmt: skip


def change(won: int, lost: int, campaigns: ModuleType, *, regressed: bool) -> dict[str, Any]:
    difference = campaigns.estimate("passed", (won - lost) / 40, low=-0.5, high=0.2)
    adjusted = 0.01 if regressed else 0.7
    return {"won": won, "lost": lost, "difference": difference, "p": adjusted, "adjusted": adjusted,
            "regressed": regressed}  # fmt: skip


def challenge(campaigns: ModuleType, at: int = 4, **changes: Any) -> dict[str, Any]:
    passed = campaigns.estimate("passed", 0.5 + 0.05 * at)
    lost = change(1, 12, campaigns, regressed=True) if at else None
    steady = change(2, 3, campaigns, regressed=False) if at else None
    group = {
        "facet": "target", "group": "muslims", "passed": passed,
        "false_positive_rate": campaigns.estimate("false_positive_rate", 0.33),
        "false_negative_rate": campaigns.estimate("false_negative_rate", None, low=0.0, high=1.0, method="too few: 2"),
        "aucs": [campaigns.estimate(f"{name}_auc", 0.8) for name in ("subgroup", "bpsn", "bnsp")],
    }  # fmt: skip
    return {
        "suite": "hatecheck.csv", "model_id": f"m{at}", "before": f"m{at - 1}" if at else "", "cases": 80,
        "passed": passed, "change": lost,
        "functions": [
            {"name": "slur_h", "catch": 40, "passed": campaigns.estimate("passed", 0.4, n=40), "change": lost},
            {"name": "ident_nh", "catch": 0, "passed": campaigns.estimate("passed", 0.9, n=40), "change": steady},
        ],
        "groups": [group],
        "equality": [{"facet": "target", "name": "false_positive_rate", "value": 1.31, "by_chance": 0.42, "p": 0.001,
                      "groups": 7}],
        **changes,
    }  # fmt: skip


def history(campaigns: ModuleType, **findings: Any) -> Any:
    told = deepcopy(_sample(campaigns))
    told["rounds"][-1]["findings"] = findings
    return told


@cache
def _sample(campaigns: ModuleType) -> Any:
    return campaigns.sample()


def section(source: str, name: str) -> str:
    """The words of one section, in a line."""
    found = re.search(rf'<section id="{name}".*?</section>', source, re.S)
    assert found is not None
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", found[0])).split())


def test_gaps_that_stand_are_marked_and_others_are_not(campaigns: ModuleType) -> None:
    shown = section(render_html(history(campaigns, slices=slices(campaigns))), "fair")
    assert "The model of round 4 on the frozen benchmark, 200 items" in shown
    assert "▼ worse than the rest +0.21 [+0.16, +0.26]" in shown
    assert "▲ better than the rest +0.18 [+0.13, +0.23]" in shown
    assert "−0.10" not in shown
    assert "By language" in shown
    assert "not given" in shown
    assert "Values with fewer than 10 items, too few to tell: 4." in shown


def test_the_worst_slices_have_both_rates_and_what_chance_would_bring(campaigns: ModuleType) -> None:
    shown = section(render_html(history(campaigns, slices=slices(campaigns))), "fair")
    assert "Of 44 slices and rates" in shown
    assert re.search(r"language ar, vendor not given Missed 0.61 .* 44 items 0.22 .* ▼ \+0.39 .* < 0.001", shown)


@pytest.mark.parametrize(
    ("searched", "words"), [({"wrong": 12}, "of 12 slices and rates"), ({"wrong": 0}, "Too few items to look for any")]
)
def test_no_worst_slice_is_said_so(campaigns: ModuleType, page: Any, searched: Any, words: str) -> None:
    told = slices(campaigns, worst=[], searched=searched)
    assert words in section(render_html(history(campaigns, slices=told)), "fair")


def test_an_audit_is_told_apart_from_the_benchmark(campaigns: ModuleType) -> None:
    shown = section(render_html(history(campaigns, slices=slices(campaigns, sample="audit"))), "fair")
    assert "The model that picked round 4 on the audit of that round" in shown


def test_regressions_stand_out_and_rounds_are_told(campaigns: ModuleType, page: Any) -> None:
    told = history(campaigns, challenge=[challenge(campaigns)])
    told["rounds"][2]["findings"] = {"challenge": [challenge(campaigns, 2)]}
    shown = section(render_html(told), "challenge")
    assert "▼ functionalities that regressed: 1" in shown
    assert "Share passed by round: 2 0.60 · 4 0.70" in shown
    assert re.search(r"slur_h be caught 40 0.40 .* ▼ regressed .* 1 won, 12 lost, p 0.010", shown)
    assert re.search(r"ident_nh be let be 40 0.90 .* ● no evidence .* 2 won, 3 lost, p 0.700", shown)
    assert "over 7 groups of target , the distances to the rate of all add up to 1.31" in shown
    assert "too few: 2" in shown


def test_the_first_round_has_nothing_to_compare_with(campaigns: ModuleType) -> None:
    shown = section(render_html(history(campaigns, challenge=[challenge(campaigns, 0)])), "challenge")
    assert "nothing to compare with yet" in shown
    assert "regressed" not in shown


@pytest.mark.parametrize("state", ["empty", "sample"])
def test_empty_sections_say_what_to_do(campaigns: ModuleType, page: Any, state: str) -> None:
    source = render_html(getattr(campaigns, state)())
    for name in ("fair", "challenge"):
        shown = section(source, name)
        assert "No rounds yet" in shown if state == "empty" else "campaign’s file" in shown


def test_findings_of_old_campaigns_are_missing_without_harm(campaigns: ModuleType) -> None:
    assert fair(campaigns.sample()["rounds"]) is None
    assert suites(campaigns.sample()["rounds"]) is None


def test_long_lists_are_cut_and_the_rest_is_counted(campaigns: ModuleType) -> None:
    many = [slice_row(campaigns, {"language": f"x{at}"}) for at in range(30)]
    pairs = [slice_row(campaigns, {"language": f"x{at}", "vendor": "a"}) for at in range(30)]
    told = slices(campaigns, slices=[*many, *pairs])
    found = fair(history(campaigns, slices=told)["rounds"])
    assert found is not None
    assert len(found["facets"][0]["lines"]) == MOST_VALUES
    assert found["facets"][0]["more"] == 30 - MOST_VALUES
    assert len(found["pairs"]) == MOST_PAIRS
    assert found["more_pairs"] == 30 - MOST_PAIRS + 3


def test_hostile_names_are_shown_and_do_nothing(campaigns: ModuleType, page: Any) -> None:
    bad = itertools.cycle(campaigns.HOSTILE)
    where = [{next(bad): next(bad)} for _ in campaigns.HOSTILE]
    told = slices(campaigns, facets={name: 3 for one in where for name in one},
                  slices=[slice_row(campaigns, one) for one in where],
                  small={name: 1 for one in where for name in one})  # fmt: skip
    told["worst"][0]["where"] = {next(bad): next(bad), next(bad): next(bad)}
    suite = challenge(campaigns, suite=next(bad))
    for row in suite["functions"]:
        row["name"] = next(bad)
    suite["groups"][0].update(group=next(bad), facet=next(bad))
    suite["equality"][0]["facet"] = next(bad)
    source = render_html(history(campaigns, slices=told, challenge=[suite]))
    read = page(source)
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert "<script>alert('x')</script>" in read.shown
    invisible = [character for character in source if not character.isprintable() and character != "\n"]
    assert set(invisible) <= {"\u00a0", "\u3000"}
    cells = [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", source, re.S)]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "-"))]
