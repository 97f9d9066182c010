"""A control chart drawn: the rate of each period, its limits, and the periods that lie beyond them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hitl.history.qa import ChartRow
from hitl.report.drawing import AUDIT, BENCHMARK, MUTED, PAPER, RULE, STYLE, frame, tell
from hitl.report.text import count, figure, name, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def control_chart(chart: ChartRow, width: int = 720, height: int = 280) -> Figure:
    """Rates by period with each period's own limits as steps; periods with a signal are drawn open and named.

    Sizes in CSS pixels. Raises nothing of its own: an empty chart gives empty axes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        made = Figure(figsize=(width / 72, height / 72), layout="constrained")
        axes = made.add_subplot()
        frame(axes)
        points = [one for one in chart["points"] if one["value"] is not None]
        places = list(range(len(points)))
        for side in ("low", "high"):
            heights: list[Any] = [one[side] for one in points]
            axes.step(places, heights, where="mid", color=MUTED, linewidth=1.2, dashes=(4, 3))
        centres: list[Any] = [one["centre"] for one in points]
        axes.step(places, centres, where="mid", color=RULE, linewidth=1.6)
        values: list[Any] = [one["value"] for one in points]
        axes.plot(places, values, color=BENCHMARK, linewidth=1.6, alpha=0.5)
        _points(axes, chart)
        step = max(-(-len(points) // (10 if width >= 480 else 5)), 1)
        axes.set_xticks(places[::step], [name(one["period"], 20) for one in points[::step]])
        axes.yaxis.set_major_formatter(lambda value, _: percent(value))
        axes.set_ylim(0, max([*values, *(one["high"] for one in points if one["high"] < 1), 0.02]) * 1.15)
        axes.set_ylabel(figure(chart["rate"]))
    return made


def _points(axes: Axes, chart: ChartRow) -> None:
    for at, one in enumerate(point for point in chart["points"] if point["value"] is not None):
        colour = AUDIT if one["signal"] else BENCHMARK
        height: Any = one["value"]
        (point,) = axes.plot(
            [at], [height], "o", color=colour, markersize=7, markerfacecolor=PAPER if one["signal"] else colour
        )
        limits = f"limits {percent(one['low'])} to {percent(one['high'])}"
        said = f", {one['signal']}" if one["signal"] else ""
        tell(
            point, f"{name(one['period'], 20)}: {percent(one['value'])} of {count(one['n'])} looked at, {limits}{said}"
        )
