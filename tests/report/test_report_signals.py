"""The part on signals: careful words, evidence, what is lacking, and hostile text that does nothing."""

from __future__ import annotations

import re
from html import unescape
from types import ModuleType
from typing import Any

import pytest

from hitl.report import render_html
from hitl.report.signals import MOST_PROPOSALS, chance, proposed

PROPOSAL = {
    "worker": "reviewer-9", "signal": "collusion", "title": "Errs as one other person does",
    "told": "Gave the same answer as reviewer-2 on 55 of 60 shared items on which one of both at least differs from "
            "the rest; two people would typically on 19.",
    "look": "Put the shared errors side by side.", "innocent": "Trained together.", "partner": "reviewer-2",
    "answers": 60, "p": 1e-8, "adjusted": 0.0005,
}  # fmt: skip


def signals(**changes: Any) -> dict[str, Any]:
    named = {"signal": "collusion", "title": "Errs as one other person does", "people": 6, "few": 0, "named": 1}
    few = {"signal": "copying", "title": "Copies the shown prediction", "people": 0, "few": 6, "named": 0}
    return {"level": 0.01, "people": 6, "answers": 1240, "compared": 610, "shown": 0, "signals": [named, few],
            "proposals": [PROPOSAL], **changes}  # fmt: skip


def history(campaigns: ModuleType, **changes: Any) -> Any:
    told = campaigns.sample()
    told["rounds"][-1]["findings"] = {"signals": signals(**changes)}
    return told


def part(source: str) -> str:
    found = re.search(r'<h3 id="signals">.*?<h3 id="tampering">', source, re.S)
    assert found
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", found.group())))


def test_a_signal_is_told_with_its_evidence_and_what_else_it_may_be(campaigns: ModuleType) -> None:
    shown = part(render_html(history(campaigns)))
    assert "not a finding about a person: nothing follows from it until somebody rules" in shown
    assert re.search(r"reviewer-9 Errs as one other person does Gave the same answer as reviewer-2 on 55 of 60", shown)
    assert "1 in 2,000" in shown
    assert "It may also be: Trained together." in shown
    assert "1 person , in alphabetical order: no ranking" in shown or "1 person, in alphabetical order" in shown
    assert "1,240 answers of 6 people, 610 of them comparable" in shown
    assert re.search(r"Copies the shown prediction 0 6 0", shown)


def test_nobody_named_and_nothing_to_compare_say_what_to_do(campaigns: ModuleType) -> None:
    calm = part(render_html(history(campaigns, proposals=[])))
    assert "Nobody’s work stands out beyond what chance brings." in calm
    alone = part(render_html(history(campaigns, proposals=[], compared=0)))
    assert "ask two people about some items ( overlap ), or serve gold" in alone


@pytest.mark.parametrize("state", ["empty", "sample"])
def test_without_signals_the_part_says_what_will_stand_there(campaigns: ModuleType, state: str) -> None:
    told = getattr(campaigns, state)()
    assert proposed(told["rounds"]) is None
    assert ("Nobody has answered yet" if state == "empty" else "hitl run") in part(render_html(told))


def test_long_lists_are_cut_and_counted(campaigns: ModuleType) -> None:
    many = [{**PROPOSAL, "worker": f"p{at:03}"} for at in range(MOST_PROPOSALS + 5)]
    shown = part(render_html(history(campaigns, proposals=many)))
    assert f"The first {MOST_PROPOSALS} of {MOST_PROPOSALS + 5} signals" in shown
    assert f"p{MOST_PROPOSALS:03}" not in shown


def test_chances_are_written_as_odds() -> None:
    assert [chance(p) for p in (0.01, 0.00123, 1e-12)] == ["1 in 100", "1 in 813", "under 1 in a million"]


def test_hostile_names_are_shown_and_do_nothing(campaigns: ModuleType, page: Any) -> None:
    bad = [{**PROPOSAL, "worker": one, "told": one, "look": one, "innocent": one, "title": one}
           for one in campaigns.HOSTILE]  # fmt: skip
    source = render_html(history(campaigns, proposals=bad))
    read = page(source)
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert "<script>alert('x')</script>" in read.shown
    assert not [name for _, attrs in read.tags for name in attrs if name.startswith("on")]
