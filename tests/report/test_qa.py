"""The page on the quality of decisions: what it shows, what it says where there is nothing, and that nothing runs."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from hitl.history.figures import EstimateRow
from hitl.history.qa import (
    ActionRow,
    ActionStepRow,
    BarRow,
    CardRow,
    ChartPoint,
    ChartRow,
    EffectRow,
    MissedRow,
    QaRow,
    QaSampleRow,
    RootRow,
    SessionRow,
    StandingRow,
    StratumRow,
)
from hitl.report import render_html

HOSTILE = "<script>alert(1)</script>"
AT = "2026-11-20T10:00:00+00:00"


def estimate(name, value, spread=0.06, n=200):
    ends = (0.0, 1.0) if value is None else (max(value - spread, 0.0), min(value + spread, 1.0))
    method = "too few" if value is None else ""
    return EstimateRow(name=name, value=value, low=ends[0], high=ends[1], n=n, label="", level=0.95, method=method)


def rates(value, n=80):
    return [estimate(name, value, 0.04, n) for name in ("error_rate", "critical_error_rate", "noncritical_error_rate")]


def card(group, kind, value, n=80):
    return CardRow(group=group, kind=kind, n=n, decisions=900.0, raw=rates(value, n), shrunk=rates(0.1, n))


def programme(**changes):
    points = [
        ChartPoint(period=f"2026-{at:02d}", n=60, value=0.1 + 0.3 * (at == 4), low=0.02, high=0.24, centre=0.1,
                   signal="above" if at == 4 else "")
        for at in range(1, 6)
    ]  # fmt: skip
    action = ActionRow(
        action="a1", title=HOSTILE, owner="trainer", cause="training", metric="error_rate", where={"vendor": HOSTILE},
        target=0.05, due="2026-12-01", state="done", overdue=False, baseline=estimate("error_rate", 0.2, 0.05, 90),
        effect=EffectRow(before=estimate("error_rate", 0.2), after=estimate("error_rate", 0.1),
                         difference=estimate("error_rate", -0.1, 0.06), verdict="better"),
        steps=[ActionStepRow(to="open", at=AT, actor="lead", reason=HOSTILE, evidence="")],
    )  # fmt: skip
    stood = StandingRow(
        people=4, answers=80, alpha=estimate("krippendorff_alpha", 0.7), right=estimate("right", 0.8), by_person={},
        missed=[MissedRow(clause=HOSTILE, left_out=estimate("left_out", 0.4), put_in=estimate("put_in", 0.1))],
    )  # fmt: skip
    row = QaRow(
        samples=[QaSampleRow(
            sample="qa-1", at=AT, actor="lead", reason=HOSTILE, decisions=9000, drawn=200, checked=180, unsure=4, own=1,
            sources={"answers": 4000, HOSTILE: 5000},
            strata=[StratumRow(name="human", decisions=9, drawn=2, checked=1)],
        )],
        rates=rates(0.12),
        cards={"vendor": [card(HOSTILE, "vendor", 0.2)], "decider": [card("w-1", "human", None, 2)]},
        errors=40, without_cause=3,
        causes=[BarRow(cause="training", n=25, share=estimate("share_of_errors", 0.7), cumulative=0.7)],
        roots=[RootRow(dimension="vendor", group=HOSTILE, cause="training", here=estimate("share", 0.8),
                       elsewhere=estimate("share", 0.2), difference=estimate("share", 0.6), adjusted=0.01,
                       stands=True)],
        charts=[ChartRow(rate="error_rate", where={}, target=None, method="exact", dispersion=1.1, points=points)],
        actions=[action],
        sessions=[SessionRow(session="s1", title=HOSTILE, opened=AT, closed="", items=20, before=stood, after=None,
                             alpha=None, right=None)],
    )  # fmt: skip
    return QaRow(**{**row, **changes})


@pytest.fixture(scope="module")
def page(campaigns):
    return render_html({**campaigns.sample(1), "qa": programme()})


def test_the_sample_is_what_the_record_holds():
    row = programme()
    assert row.keys() == get_type_hints(QaRow).keys()
    assert row["actions"][0].keys() == get_type_hints(ActionRow).keys()
    assert row["sessions"][0].keys() == get_type_hints(SessionRow).keys()


def test_every_part_is_shown_and_nothing_runs(page):
    told = (
        "Quality of decisions",
        "By vendor",
        "Why errors happen",
        "Calibration sessions",
        "above the limits",
        "better",
    )
    for words in (*told, "too few to tell", "nobody is ranked"):
        assert words in page, words
    assert "<script" not in page
    assert "2026-04: above the limits" in page


def test_a_group_of_few_is_told_by_what_its_kind_has_in_common(page):
    mine = page.split("w-1</bdi>")[1].split("</tr>")[0]
    assert mine.index("too few to tell") < mine.index("10%")


@pytest.mark.parametrize(
    ("rounds", "qa", "words"),
    [
        (0, None, "No rounds yet. How often people, vendors, rules"),
        (1, None, "hitl qa sample"),
        (1, programme(rates=[], cards={}, charts=[], causes=[], roots=[], errors=0, without_cause=0,
                      actions=[], sessions=[]), "hitl qa verdicts"),
        (1, programme(causes=[], roots=[]), "hitl qa causes"),
        (1, programme(actions=[]), "hitl qa action open"),
    ],
)  # fmt: skip
def test_what_is_not_there_says_what_to_do(campaigns, rounds, qa, words):
    assert words in render_html({**campaigns.sample(rounds), **({"qa": qa} if qa else {})})
