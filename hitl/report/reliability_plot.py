"""Reliability diagrams: what people found against what a model believed, one small panel a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hitl.history import History, LabelCalibration
from hitl.report.drawing import BENCHMARK, INK, MUTED, STYLE, frame, say, tell
from hitl.report.reliability import drawn
from hitl.report.text import count, estimate, known, name, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 9
_TALL = 5  # of a panel, to the bars below it


def reliability_diagram(history: History, width: int = 720) -> Figure:
    """Shares found against mean probabilities, with 95 % intervals, and below where the pool's items lie.

    The latest round's model on its benchmark (the model before on the audit draw where there is no benchmark), for the
    first nine labels; sizes in CSS pixels. A campaign without such figures gives a figure that says so.

    >>> reliability_diagram({"rounds": []}).axes[0].texts[0].get_text()
    'Nothing to compare probabilities with yet'
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    found = drawn(history["rounds"])
    with rc_context(STYLE):
        if found is None:
            plain = Figure(figsize=(width / 72, 2), layout="constrained")
            say(plain.add_subplot(), "Nothing to compare probabilities with yet")
            return plain
        labels = found["labels"][:MOST_PANELS]
        down = -(-len(labels) // (4 if width >= 480 else 2))
        across = -(-len(labels) // down)
        side = min(width / across, 240) / 72
        room = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
        made = Figure(figsize=(width / 72, down * (side * 1.2 + 0.35)), layout=room)
        grid = made.add_gridspec(2 * down, across, height_ratios=[_TALL, 1] * down)
        for at, one in enumerate(labels):
            row, column = divmod(at, across)
            panel = made.add_subplot(grid[2 * row, column])
            below = made.add_subplot(grid[2 * row + 1, column], sharex=panel)
            _panel(panel, one, named=not column)
            _masses(below, one, named=not column)
        made.supxlabel("probability that the model gives", color=MUTED, fontsize=STYLE["font.size"])
    return made


def _panel(axes: Axes, one: LabelCalibration, *, named: bool) -> None:
    frame(axes)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    for part in one["bins"]:
        share = part["share"]
        if not (known(share["value"]) and known(share["low"]) and known(share["high"])):
            continue
        ends: list[Any] = [share["low"], share["high"]]
        axes.plot([part["proba"]] * 2, ends, color=BENCHMARK, linewidth=1.6)
        heights: list[Any] = [share["value"]]
        (point,) = axes.plot([part["proba"]], heights, "o", color=BENCHMARK, markersize=6)
        tell(point, f"believed {percent(part['proba'])}, found {estimate(share)} ({count(share['n'])} items)")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))
    axes.set_title(name(one["label"], 22), fontsize=STYLE["font.size"], color=INK, loc="left")
    if named:
        axes.set_ylabel("share found")
    else:
        axes.tick_params(labelleft=False)


def _masses(axes: Axes, one: LabelCalibration, *, named: bool) -> None:
    """Where the pool's items lie: a bar a bin."""
    for part in one["bins"]:
        (bar,) = axes.bar([part["proba"]], [part["mass"]], width=0.05, color=MUTED)
        tell(bar, f"{percent(part['mass'])} of the items, near {percent(part['proba'])}")
    axes.set(ylim=(0, max((part["mass"] for part in one["bins"]), default=1.0)), yticks=[])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, pad=4)
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    if named:
        axes.set_ylabel("items", rotation=0, ha="right", va="center")
