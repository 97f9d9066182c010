"""The workload curve: how much would be decided without a person, against how often that would be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from hitl.history import EstimateRow, ThresholdsRow, WorkPoint
from hitl.report.drawing import AUDIT, BENCHMARK, STYLE, frame, say, tell
from hitl.report.text import decimal, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Side = Literal["acted", "kept"]
_RISK: dict[Side, Literal["precision", "missed"]] = {"acted": "precision", "kept": "missed"}
_TITLE: dict[Side, str] = {"acted": "Limited or removed", "kept": "Let through"}
_Y: dict[Side, str] = {"acted": "of it violates (precision)", "kept": "of violations are in it (missed)"}


def workload(told: ThresholdsRow | None, width: int = 720, height: int = 340) -> Figure:
    """Two curves over the share of items decided without a person: precision of acting, and violations let through.

    Bands are 95 % intervals, each point by itself; the dashed line is what is promised. Sizes in CSS pixels; narrow
    figures stand one above the other. Without a curve the figure says so. O(points).

    >>> workload(None).axes[0].texts[0].get_text()
    'No workload curve yet'
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    narrow = width < 480
    with rc_context(STYLE):
        drawn = Figure(figsize=(width / 72, height * (2 if narrow else 1) / 72), layout="constrained")
        if told is None or not told["curve"]:
            say(drawn.add_subplot(), "No workload curve yet")
            return drawn
        sides: tuple[Side, ...] = ("acted", "kept")
        for place, side in enumerate(sides, 1):
            axes = drawn.add_subplot(*((2, 1) if narrow else (1, 2)), place)
            _draw(axes, told, side)
    return drawn


def _draw(axes: Axes, told: ThresholdsRow, side: Side) -> None:
    risk = _RISK[side]
    points = sorted(told["curve"], key=lambda point: point[side]["value"] or 0.0)
    colour = BENCHMARK if side == "acted" else AUDIT
    frame(axes)
    at = [point[side]["value"] or 0.0 for point in points]
    low, high = ([_end(point[risk], end) for point in points] for end in ("low", "high"))
    axes.fill_between(at, low, high, color=colour, alpha=0.16, linewidth=0)
    known = [point for point in points if point[risk]["value"] is not None]
    places, heights = [point[side]["value"] or 0.0 for point in known], [point[risk]["value"] or 0.0 for point in known]
    axes.plot(places, heights, color=colour, linewidth=1.6)
    for x, y, point in zip(places, heights, known, strict=True):
        (dot,) = axes.plot([x], [y], "o", color=colour, markersize=5)
        tell(dot, _words(point, side))
    promised = told[risk]
    axes.axhline(promised, color=colour, linewidth=1.0, dashes=(5, 4))
    axes.set_title(_TITLE[side], loc="left", fontsize=13)
    axes.set_xlabel("share of items, without a person")
    axes.set_ylabel(_Y[side])
    axes.set_ylim(*_limits([*low, *high, promised]))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))


def _words(point: WorkPoint, side: Side) -> str:
    risk, views = point[_RISK[side]], point["acted_by_views" if side == "acted" else "kept_by_views"]
    return (
        f"From probability {decimal(point['at'], 3)}: {_span(point[side])} of items, {_span(views)} of views; "
        f"{_RISK[side]} {_span(risk)}"
    )


def _span(row: EstimateRow) -> str:
    return f"{percent(row['value'])} [{percent(row['low'])}, {percent(row['high'])}]"


def _end(row: EstimateRow, end: Literal["low", "high"]) -> float:
    found = row[end]
    return (0.0 if end == "low" else 1.0) if found is None else found


def _limits(heights: Sequence[float]) -> tuple[float, float]:
    low, high = min(heights), max(heights)
    room = max((high - low) * 0.06, 0.01)
    return max(low - room, 0.0), min(high + room, 1.01)
