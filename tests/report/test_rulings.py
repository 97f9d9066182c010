"""The page on what is set aside and contested: it says who decided and why, and nothing in it runs."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from hitl.history.rulings import DisputeRow, OverturnRow, QuarantineRow, RulingRow, SetAsideRow
from hitl.report import render_html

HOSTILE = "<script>alert(1)</script>"
AT = "2026-11-20T10:00:00+00:00"


def ruling(outcome="overturned", labels=("ok",)):
    return RulingRow(outcome=outcome, labels=list(labels), actor="lea", reason=HOSTILE, evidence="", at=AT)


def dispute(number, ruled=None, age=3.2):
    return DisputeRow(
        number=number, kind="gold", item="post-1", language="en", claimant="reviewer-02", claim=HOSTILE,
        claimed=["ok"], decided=["spam"], evidence="", at=AT, age=age, ruling=ruled,
    )  # fmt: skip


def overturned(campaigns, n, value):
    row = campaigns.estimate("overturned", value, 0.2, n)
    return OverturnRow(all=row, kinds=[], labels=[{**row, "label": "spam"}, {**row, "label": "hate"}], languages=[])


def quarantine(lifted=None):
    return QuarantineRow(
        number=7, worker="reviewer-03", since=AT, until="", actor="lea", reason=HOSTILE, evidence="gold", at=AT,
        answers=31, items=30, lifted=lifted,
    )  # fmt: skip


@pytest.fixture
def told(campaigns):
    """The page of a campaign without rounds, in which this was ruled."""

    def make(history=None, **more):
        none = campaigns.estimate("overturned", 0.0, 0.0, 0)
        rates = OverturnRow(all=none, kinds=[], labels=[], languages=[])
        rulings = {"disputes": [], "overturned": rates, "quarantines": [], "set_aside": None} | more
        return render_html({**(history or campaigns.sample(0)), "rulings": rulings})

    return make


def test_the_empty_states_say_what_to_do(told, campaigns):
    for page in (told(), render_html(campaigns.sample(0))):
        assert "Nothing was ever set aside." in page
        assert "Nothing was ever contested." in page


def test_a_quarantine_in_force_says_what_it_changes(told):
    now = SetAsideRow(
        workers=["reviewer-03"], answers=31, items=30, changed=4, elsewhere=1, unresolved=2, waiting=29,
        shown=[{"item": "post-5", "before": ["spam"], "after": None}],
    )  # fmt: skip
    assert now.keys() == get_type_hints(SetAsideRow).keys()
    page = told(quarantines=[quarantine()], set_aside=now)
    for words in ("in force", "31 answers on 30 items", "4 items have another label", "answered by others alone", "29"):
        assert words in page
    assert "unresolved" in page
    assert "No model was trained without these answers yet" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_what_it_did_to_the_model_is_told_with_the_interval_of_the_difference(told, campaigns):
    now = SetAsideRow(
        workers=["reviewer-03"], answers=31, items=30, changed=0, elsewhere=0, unresolved=0, waiting=0, shown=[]
    )
    compared = {
        "verdict": "helped",
        "old": campaigns.estimate("macro_f1", 0.51),
        "new": campaigns.estimate("macro_f1", 0.62),
        "difference": campaigns.estimate("macro_f1", 0.11, 0.04),
    }
    history = campaigns.sample(1)
    found = {"set_aside": now, "learned": 70, "learned_with": 91, "comparison": compared}
    history["rounds"][-1]["findings"]["quarantine"] = found
    page = told(history, quarantines=[quarantine()], set_aside=now)
    assert "learned from 70 items without what was set aside then" in page
    assert "+0.11 [+0.07, +0.15]</span>, helped" in page


def test_a_lifted_one_says_by_whom_and_why(told):
    page = told(quarantines=[quarantine(ruling("lifted", ()))])
    assert "lifted 20 Nov 2026, 10:00 UTC" in page
    assert "Set aside now" not in page


def test_open_disputes_come_first_with_their_age_and_rates_with_their_count(told, campaigns):
    page = told(disputes=[dispute(1, ruling()), dispute(2)], overturned=overturned(campaigns, 40, 0.6))
    assert page.index("hitl dispute rule 2") < page.index("overturned: ")
    assert "Open: 1, the oldest for 3 days" in page
    assert "3 days so far" in page
    assert "of 40" in page
    assert "<script" not in page
    assert "too few to tell" in told(disputes=[dispute(1, ruling())], overturned=overturned(campaigns, 4, 0.5))
