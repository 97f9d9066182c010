"""What the report's plots are drawn with: colours, points that tell their words, axes; nothing here touches pyplot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hitl.history import EstimateRow
from hitl.report.text import decimal, known

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, RULE, PAPER = "#1b2733", "#5b6875", "#d9dfe5", "#ffffff"
BENCHMARK, AUDIT = "#0b66a8", "#a8500b"
THEME = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", BENCHMARK: "accent", AUDIT: "warm"}
"""Colours that follow the page's light or dark scheme, by the name of their CSS variable."""

TIP = "tip-"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 13,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "none",
    "path.simplify": False,
}
_LEAST_SPAN = 0.4  # of the learning curve's scale


@dataclass(frozen=True)
class Series:
    """Points of one line: where they stand, the figure, and what is told when one is pointed at."""

    name: str
    colour: str
    marker: str
    at: list[float]
    rows: list[EstimateRow]
    told: list[str]


def tell(artist: Any, words: str) -> None:
    """Give an artist words that its SVG shows when it is pointed at."""
    artist.set_gid(TIP)
    artist.set_label(f"_{words}")


def told(artist: Any) -> str:
    """The words that `tell` gave."""
    return str(artist.get_label())[1:]


def draw(axes: Axes, line: Series, shift: float = 0, *, values: bool = False, joined: bool = False) -> None:
    """Points with their intervals, moved to the right by `shift` pixels."""
    from matplotlib.transforms import ScaledTranslation

    beside = axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)
    heights: list[Any] = [row["value"] for row in line.rows]
    if joined:
        axes.plot(line.at, heights, color=line.colour, linewidth=1.6, alpha=0.5, transform=beside)
    for x, row in zip(line.at, line.rows, strict=True):
        if known(row["low"]) and known(row["high"]):
            ends: list[Any] = [row["low"], row["high"]]
            axes.plot([x, x], ends, color=line.colour, linewidth=1.6, transform=beside)
    fill = line.colour if line.marker == "o" else PAPER
    look: dict[str, Any] = {
        "color": line.colour,
        "marker": line.marker,
        "markersize": 8,
        "markerfacecolor": fill,
        "transform": beside,
    }
    for x, y, words in zip(line.at, heights, line.told, strict=True):
        (point,) = axes.plot([x], [y], linestyle="none", **look)
        tell(point, words)
        if values and len(heights) <= 8:
            axes.annotate(decimal(y), (x, y), (-9, 5), textcoords="offset points", ha="right", color=INK)
    axes.plot([], [], linestyle="none", label=line.name, **{**look, "transform": axes.transData})


def limits(axes: Axes, heights: Sequence[float]) -> None:
    """A scale that holds all heights, and on which small changes look small."""
    low, high = min(heights), max(heights)
    room = max((high - low) * 0.08, 0.02, (_LEAST_SPAN - (high - low)) / 2)
    bottom = max(low - room, 0.0) if low >= 0 else low - room
    axes.set_ylim(bottom, min(high + room, 1.01) if high <= 1 else high + room)
    axes.yaxis.set_major_formatter(lambda value, _: decimal(value))


def frame(axes: Axes) -> None:
    """A scale without a box."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.tick_params(length=0, pad=6)
    axes.set_axisbelow(True)


def say(axes: Axes, words: str) -> None:
    """Words in place of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=MUTED)


def on(colour: str) -> str:
    """A colour for words on a colour."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#fefefe" if 0.299 * red + 0.587 * green + 0.114 * blue < 105 else "#111111"
