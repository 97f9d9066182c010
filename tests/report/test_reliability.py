"""The section on calibration: its diagrams, its table, and what it says where nothing is known."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest

from hitl.report import render_html
from hitl.report.drawing import TIP, told
from hitl.report.reliability import believable, verdict
from hitl.report.reliability_plot import MOST_PANELS, reliability_diagram


def label(campaigns: ModuleType, name: str, bias: tuple[float, float], p: float | None = 0.5, z: float = 0.1) -> Any:
    rows = [campaigns.estimate("calibration_bias", sum(bias) / 2, label=name, low=bias[0], high=bias[1])]
    others = ("calibration_error", "brier", "brier_reliability", "brier_resolution", "brier_uncertainty")
    rows += [campaigns.estimate(figure, 0.0123, 0.004, label=name) for figure in others]
    share = [campaigns.estimate("share", value, label=name, n=31) for value in (0.05, 0.7)]
    bins = [{"proba": 0.1, "share": share[0], "mass": 0.9}, {"proba": 0.8, "share": share[1], "mass": 0.1}]
    return {"label": name, "figures": rows, "z": z, "p": p, "bins": bins}


def history(campaigns: ModuleType, names: tuple[str, ...] = ("ok", "insult"), sample: str = "benchmark") -> Any:
    made = campaigns.sample(3)
    labels = [label(campaigns, name, (-0.01, 0.02)) for name in names]
    made["rounds"][-1]["findings"] = {
        "calibration": [{"sample": sample, "model_id": "m", "items": 400, "labels": labels}]
    }
    return made


def section(html: str) -> str:
    return html[html.index('id="believable"') : html.index("</section>", html.index('id="believable"'))]


def tips(figure: Any) -> list[str]:
    return [told(artist) for artist in figure.findobj(lambda artist: (artist.get_gid() or "").startswith(TIP))]


def test_each_figure_stands_with_its_interval(campaigns: ModuleType) -> None:
    words = re.sub(r"<[^>]+>", " ", section(render_html(history(campaigns))))
    assert "The model of round 2, on the frozen benchmark" in words
    assert re.search(r"\+0\.005\s+\[−0\.010, 0\.020\]", words)
    assert re.search(r"0\.012\s+\[0\.008, 0\.016\]", words)
    audit = re.sub(r"<[^>]+>", " ", section(render_html(history(campaigns, sample="audit"))))
    assert "The model before round 2, on the audit draw" in audit


def test_a_panel_shows_shares_their_intervals_and_where_items_lie(campaigns: ModuleType) -> None:
    drawn = reliability_diagram(history(campaigns))
    assert len(drawn.axes) == 4
    panel = drawn.axes[0]
    lines = [(*line.get_xdata(), *line.get_ydata()) for line in panel.lines if len(line.get_xdata()) == 2]
    found = history(campaigns)["rounds"][-1]["findings"]["calibration"][0]["labels"][0]["bins"][1]
    assert (0.8, 0.8, found["share"]["low"], found["share"]["high"]) in lines
    assert (0, 1, 0, 1) in lines
    assert "believed 80%, found 0.70 [0.64, 0.75] (31 items)" in tips(drawn)
    assert "90% of the items, near 10%" in tips(drawn)


@pytest.mark.parametrize("width", [720, 380])
@pytest.mark.parametrize("count", [1, 4, 5, 40])
def test_many_labels_have_the_first_panels(campaigns: ModuleType, count: int, width: int) -> None:
    names = tuple(f"label {number}" for number in range(count))
    drawn = reliability_diagram(history(campaigns, names), width)
    assert [axes.get_title("left") for axes in drawn.axes[::2]] == list(names[:MOST_PANELS])


@pytest.mark.parametrize(
    ("bias", "p", "z", "words"),
    [
        ((0.01, 0.03), 0.5, 0.1, "too high"),
        ((-0.03, -0.01), 0.001, 3.0, "too low"),
        ((-0.01, 0.02), 0.001, 3.0, "too sure"),
        ((-0.01, 0.02), 0.001, -3.0, "not sure enough"),
        ((-0.01, 0.02), 0.4, 3.0, "not refuted"),
        ((-0.01, 0.02), None, 0.0, "not refuted"),
    ],
)
def test_what_may_be_said_of_a_label(campaigns: ModuleType, bias: Any, p: Any, z: float, words: str) -> None:
    assert verdict(label(campaigns, "a", bias, p, z)) == words


def test_what_is_not_known_says_why_and_what_to_do(campaigns: ModuleType) -> None:
    made = history(campaigns)
    for row in made["rounds"][-1]["findings"]["calibration"][0]["labels"][0]["figures"]:
        row.update(value=None, method="too few: 3 items with the label, worth 3")
    words = section(render_html(made))
    assert words.count("too few: 3 items with the label, worth 3") == 6
    assert "benchmark" in section(render_html(campaigns.sample(1)))
    assert "Nothing to compare probabilities with yet" in section(render_html(campaigns.empty()))
    assert believable([]) is None


def test_hostile_labels_stay_words(campaigns: ModuleType, page: Any) -> None:
    read = page(render_html(history(campaigns, campaigns.HOSTILE)))
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert all(value.startswith("#") for value in read.attributes("href"))
