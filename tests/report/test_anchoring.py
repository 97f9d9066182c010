"""What the page says of anchoring: the pull in points, where it does harm, and what to do where nothing is known."""

from __future__ import annotations

import pytest

from hitl.report.html import render_html


def row(name, value, spread=0.05, **more):
    ends = (None, None) if value is None else (value - spread, value + spread)
    told = {"name": name, "label": "", "value": value, "low": ends[0], "high": ends[1], "n": 200, "level": 0.95}
    return {**told, "method": "", **more}


def effect(about, value, spread=0.05, label="", n=200, detectable=0.09):
    unknown = {"low": -1.0, "high": 1.0, "method": "too few: 3 answers on one side"} if value is None else {}
    return {
        "about": about, "label": label, "shown": row("agreement", 0.8, n=n), "hidden": row("agreement", 0.7, n=n // 3),
        "difference": row("agreement", value, spread, n=n, **unknown), "detectable": detectable,
    }  # fmt: skip


@pytest.fixture
def shown(campaigns, page):
    def read(pull, wrong, saved=1.5):
        history = campaigns.sample(3)
        effects = [
            effect("all", pull),
            effect("model right", 0.02),
            effect("model wrong", wrong),
        ]
        effects += [effect(about, None, n=0) for about in ("model sure", "model unsure")]
        effects += [effect("label", 0.1, label=name) for name in campaigns.HOSTILE[:4]]
        effects.append(effect("right answers", None if wrong is None else -0.04, n=0 if wrong is None else 90))
        history["rounds"][2]["findings"] = {"anchoring": {
            "rounds": [1, 2], "shown": 160, "hidden": 41, "answered_shown": 158, "answered_hidden": 40,
            "never_shown": 60, "effects": effects, "seconds_saved": row("seconds_saved", saved, 1.0),
        }}  # fmt: skip
        return page(render_html(history))

    return read


def test_a_pull_is_told_in_points_with_its_harm(shown):
    read = shown(0.11, 0.3)
    assert "pulls answers towards it: +11.0 points [+6.0, +16.0]" in read.shown
    assert "its mistake is taken over more often by +30.0 points [+25.0, +35.0]" in read.shown
    assert "Right answers: −4.0 points" in read.shown
    assert "saves 1.5 s an answer [0.5 s to 2.5 s]" in read.shown
    assert "160 showed it and 41 kept it back" in read.shown
    assert "By the label that the model suggests" in read.shown
    assert not read.named("script")
    assert not any("outside.invalid" in link for link in read.attributes("src"))


def test_no_pull_says_what_would_have_been_found(shown):
    read = shown(0.01, None, saved=-2.0)
    assert "No pull is shown: +1.0 points [−4.0, +6.0]; a trial of this size would find 9.0 points." in read.shown
    assert "costs 2.0 s an answer [1.0 s to 3.0 s]" in read.shown
    assert "can be told on gold alone" in read.shown


def test_too_few_are_told_as_too_few(shown):
    assert "not known yet (too few: 3 answers on one side)" in shown(None, None).shown


def test_where_nothing_is_measured_the_page_says_how_to(campaigns, page):
    history = campaigns.sample(2)
    assert "People do not see the model’s answers" in page(render_html(history)).shown
    history["plan"]["show_predictions"] = True
    assert "hide_predictions in the plan a share" in page(render_html(history)).shown
