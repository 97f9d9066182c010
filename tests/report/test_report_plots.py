"""Plots: what stands where, and that words in them stay words."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

from matplotlib.colors import to_hex

from hitl.report import arms_by_round, learning_curve, outlook
from hitl.report.drawing import TIP, told
from hitl.report.plots import ARM_COLOURS
from hitl.report.svg import to_svg


def tips(figure: Any) -> list[str]:
    return [told(artist) for artist in figure.findobj(lambda artist: (artist.get_gid() or "").startswith(TIP))]


def segments(figure: Any) -> set[tuple[float, float, float]]:
    lines = [(line.get_xdata(), line.get_ydata()) for line in figure.axes[0].lines]
    return {(x[0], y[0], y[1]) for x, y in lines if len(x) == 2 and x[0] == x[1]}


def test_every_point_carries_its_interval(campaigns: ModuleType) -> None:
    history = campaigns.sample()
    drawn = segments(learning_curve(history))
    for row in history["rounds"]:
        shown = row["benchmark"][0]
        assert (row["labels_so_far"], shown["low"], shown["high"]) in drawn


def test_an_audit_point_stands_where_its_model_was_trained(campaigns: ModuleType) -> None:
    history = campaigns.sample()
    shown = history["rounds"][3]["audit"][0]
    assert (history["rounds"][2]["labels_so_far"], shown["low"], shown["high"]) in segments(learning_curve(history))
    assert "Audit in round 3 of the model of round 2: 0.63 [0.52, 0.73]" in tips(learning_curve(history))


def test_unknown_figures_are_left_out(campaigns: ModuleType) -> None:
    history = campaigns.sample(2)
    history["rounds"][0]["benchmark"] = [campaigns.estimate("macro_f1", None)]
    history["rounds"][1]["audit"] = []
    assert tips(learning_curve(history)) == ["Round 1, 200 labels: 0.55 [0.49, 0.60]"]


def test_rounds_that_bought_nothing_can_be_drawn(campaigns: ModuleType) -> None:
    history = campaigns.sample(3)
    for row in history["rounds"]:
        row["labels_so_far"] = 100
    assert to_svg(learning_curve(history), "same", "curve").startswith("<svg")


def test_bars_count_each_arm_of_each_round(campaigns: ModuleType) -> None:
    said = tips(arms_by_round(campaigns.sample(2)))
    assert "Round 1: 36 uncertain" in said
    assert "Round 0: 200 benchmark (frozen)" in said
    assert len(said) == 9


def test_arms_have_colours_in_the_order_of_their_first_use(campaigns: ModuleType) -> None:
    history = campaigns.sample(2)
    for row, arms in zip(history["rounds"], ({"late": 0, "one": 3}, {"two": 2, "one": 4, "late": 1}), strict=True):
        row["arms"] = arms
    drawn = arms_by_round(history).axes[0].containers
    assert [bars.get_label() for bars in drawn] == ["one", "two", "late"]
    assert [to_hex(bars[0].get_facecolor()) for bars in drawn] == list(ARM_COLOURS[:3])
    history["rounds"][0]["arms"] = {f"arm {number}": 1 for number in range(40)}
    assert len(tips(arms_by_round(history))) == 43


def test_the_outlook_shows_the_band_the_points_and_the_target(campaigns: ModuleType) -> None:
    history = campaigns.sample()
    axes = outlook(history).axes[0]
    curve = history["stopping"]["curve"]
    edge = axes.collections[0].get_paths()[0].vertices
    assert edge[:, 0].max() == curve[-1]["labels"] > history["rounds"][-1]["labels_so_far"]
    assert edge[:, 1].max() == max(point["high"] for point in curve)
    assert [0.75, 0.75] in [list(line.get_ydata()) for line in axes.lines]
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    assert list(dots.get_ydata()) == [row["benchmark"][0]["value"] for row in history["rounds"]]
    low, high = axes.get_ylim()
    assert low <= min(point["low"] for point in curve)
    assert high >= 0.75
    assert outlook(campaigns.sample(2)).axes[0].texts[0].get_text() == "No extrapolation yet"


def test_hostile_names_stay_words(campaigns: ModuleType, page: Any) -> None:
    history = campaigns.sample(2)
    history["headline"] = campaigns.HOSTILE[5]
    for row in history["rounds"]:
        row["arms"] = dict.fromkeys(campaigns.HOSTILE, 3)
        row["benchmark"][0]["name"] = history["headline"]
    for figure in (
        learning_curve(history),
        outlook(campaigns.sample(headline=history["headline"])),
        arms_by_round(history),
    ):
        read = page(to_svg(figure, "hostile", campaigns.HOSTILE[1]))
        known = {"svg", "g", "path", "text", "tspan", "use", "defs", "clippath", "rect", "title"}
        assert {tag for tag, _ in read.tags} <= known
        assert read.named("svg")[0]["aria-label"] == campaigns.HOSTILE[1]
    assert "<script>alert('x')</script>" in read.shown
    assert "safe⟨U+202E⟩exe.gpj" in read.shown


def test_tooltips_belong_to_their_points(campaigns: ModuleType) -> None:
    svg = to_svg(learning_curve(campaigns.sample(2)), "curve", "curve")
    assert svg.count("<title>") == 3
    assert "<title>Round 1, 200 labels: 0.55 [0.49, 0.60]</title>" in svg


def test_colours_follow_the_page(campaigns: ModuleType) -> None:
    svg = to_svg(learning_curve(campaigns.sample(2)), "curve", "curve")
    assert "var(--accent, #0b66a8)" in svg
    assert "font-family" not in svg


def test_plots_leave_matplotlib_as_it_was(campaigns: ModuleType) -> None:
    code = (
        "import sys, hitl.report; assert 'matplotlib' not in sys.modules and 'jinja2' not in sys.modules\n"
        "from hitl.report import learning_curve; import matplotlib; before = matplotlib.rcParams.copy()\n"
        "learning_curve({'headline': 'f1', 'rounds': []})\n"
        "assert matplotlib.rcParams.copy() == before and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
