"""The page on where people stand: what is proposed, who decided and why, and that nothing in it runs."""

from __future__ import annotations

import pytest

from hitl.history.workforce import GoldRow, MixedUpRow, MoveRow, StandingRow, WorkforceRow
from hitl.report import render_html

HOSTILE = "<script>alert(1)</script>"
AT = "2026-11-20T10:00:00+00:00"


def move(before, after, ruling=""):
    return MoveRow(at=AT, before=before, after=after, actor="lea", reason=HOSTILE, evidence="gold", ruling=ruling)


@pytest.fixture
def person(campaigns):
    def make(worker, status="", proposal="", moves=(), n=40):
        right = campaigns.estimate("accuracy", 0.8, 0.1, n)
        gold = GoldRow(n=n, misses=8, evidence=130.0, flagged=31, since=12)
        return StandingRow(
            worker=worker, status=status, since=AT if moves else "", languages=["id", "en"], skills=[], vendor=HOSTILE,
            team="night", answers=200, accuracy=right, gate="stay", needed=4, gold=gold, audit_rate=0.12,
            proposal=proposal, why="answer 31 to gold showed it" if proposal else "", moves=list(moves),
        )  # fmt: skip

    return make


def page(campaigns, people, mixed_up=None, rounds=5):
    told = WorkforceRow(people=people, mixed_up=mixed_up or {})
    return render_html({**campaigns.sample(rounds), "workforce": told})


def test_status_proposal_and_decisions_are_told_and_nothing_runs(campaigns, person):
    moves = (move("", "active"), move("active", "suspended"), move("suspended", "watch", ruling="hearing of 2 March"))
    shown = page(campaigns, [person("w-1", "watch", moves=moves), person("w-2", "active", "watch", n=4)])
    told = (
        "Where people stand",
        "answer 31 to gold showed it",
        "12%",
        "reads id, en",
        "too few to tell",
        "3 decisions",
    )
    for words in (*told, "suspended → watch", "not on the roster → active", "hearing of 2 March"):
        assert words in shown, words
    assert "<script" not in shown


def test_how_somebody_errs_stands_in_their_record(campaigns, person):
    share = campaigns.estimate("answered_so", 0.21, 0.1)
    errors = {"reviewer-01": [MixedUpRow(about="", truth=HOSTILE, answer="ok", share=share)]}
    shown = page(campaigns, [person("reviewer-01")], errors)
    assert "<dt>Errs</dt>" in shown
    assert "21% [11%, 30%]" in shown
    assert "<script" not in shown


def test_the_empty_states_say_what_to_do(campaigns, person):
    assert "nobody is on the roster. <code>hitl people import</code>" in render_html(campaigns.sample(0))
    without = page(campaigns, [person("w-1")])
    assert "Nobody is on a roster: everybody may work" in without
