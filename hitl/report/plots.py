"""The report's plots as matplotlib figures, for the page and for notebooks; nothing here touches pyplot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hitl.history import EstimateRow, History, RoundRow
from hitl.report.story import find, measured
from hitl.report.text import arm, count, decimal, estimate, figure, known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#1b2733", "#5b6875", "#d9dfe5", "#ffffff"
BENCHMARK, AUDIT = "#0b66a8", "#a8500b"
THEME = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", BENCHMARK: "accent", AUDIT: "warm"}
"""Colours that follow the page's light or dark scheme, by the name of their CSS variable."""

ARM_COLOURS = {  # Okabe & Ito (2008), told apart with every kind of colour vision; those chosen by chance come last
    "explore": "#0072b2",
    "keyword": "#009e73",
    "diverse": "#56b4e9",
    "gold": "#f0e442",
    "escalation": "#d55e00",
    "audit": "#e69f00",
    "random": "#a0a7ae",
    "benchmark": "#cc79a7",
}
_OTHER = "#7f7f7f"
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
_LATEST = 24  # rounds that a bar chart shows
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


def learning_curve(history: History, width: int = 720, height: int = 360) -> Figure:
    """The headline figure by labels bought, on the benchmark and by the audit, with intervals; sizes in CSS pixels.

    The audit point of a round stands where the model that it measures was trained: one round earlier. An empty
    campaign gives a figure that says so. O(rounds).

    >>> learning_curve({"headline": "macro_f1", "rounds": []}).axes[0].texts[0].get_text()
    'Nothing measured yet'
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        drawn = Figure(figsize=(width / 72, height / 72), layout="constrained")
        axes = drawn.add_subplot()
        lines = series(history)
        if not lines:
            _say(axes, "Nothing measured yet")
            return drawn
        _frame(axes)
        for shift, line in enumerate(lines):
            _draw(axes, line, shift * 7 if len(lines) > 1 else 0, values=width >= 480 and shift == 0)
        _rounds_below(axes, history, {x for line in lines for x in line.at}, most=9 if width >= 480 else 4)
        _limits(axes, [row for line in lines for row in line.rows])
        axes.set_ylabel(figure(history["headline"]))
        drawn.legend(loc="outside upper left", ncols=1 if width < 480 else 2, frameon=False, handletextpad=0.3)
    return drawn


def arms_by_round(history: History, width: int = 720) -> Figure:
    """How many items each arm asked, a bar a round (the latest 24); sizes in CSS pixels. O(rounds × arms)."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rounds = [row for row in history["rounds"] if sum(row["arms"].values())][-_LATEST:]
    with rc_context(STYLE):
        height = 84 + 34 * len(rounds) + (52 if width < 480 else 0)
        drawn = Figure(figsize=(width / 72, height / 72), layout="constrained")
        axes = drawn.add_subplot()
        if not rounds:
            _say(axes, "Nothing picked yet")
            return drawn
        _bars(axes, rounds, least=0.03 if width >= 480 else 0.08)
        axes.set_xlabel("items asked")
        drawn.legend(loc="outside upper left", ncols=2 if width < 480 else 4, frameon=False, handlelength=1)
    return drawn


def _bars(axes: Axes, rounds: Sequence[RoundRow], least: float) -> None:
    names = list(dict.fromkeys([*ARM_COLOURS, *(name for row in rounds for name in row["arms"])]))
    widest = max(sum(row["arms"].values()) for row in rounds)
    ends = [0.0] * len(rounds)
    for label in names:
        counts = [row["arms"].get(label, 0) for row in rounds]
        if not any(counts):
            continue
        colour = ARM_COLOURS.get(label, _OTHER)
        bars = axes.barh(range(len(rounds)), counts, 0.66, ends, color=colour, label=arm(label))
        for at, (bar, number, row) in enumerate(zip(bars, counts, rounds, strict=True)):
            if number:
                tell(bar, f"Round {row['round']}: {count(number)} {arm(label)}")
            if number > widest * least:
                axes.text(ends[at] + number / 2, at, count(number), ha="center", va="center", color=_on(colour))
        ends = [end + number for end, number in zip(ends, counts, strict=True)]
    axes.set_yticks(range(len(rounds)), [_round_name(row) for row in rounds])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.xaxis.set_major_formatter(lambda value, _: count(value))
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)


def tell(artist: Any, words: str) -> None:
    """Give an artist words that its SVG shows when it is pointed at."""
    artist.set_gid(TIP)
    artist.set_label(f"_{words}")


def told(artist: Any) -> str:
    """The words that `tell` gave."""
    return str(artist.get_label())[1:]


def series(history: History) -> list[Series]:
    """What the learning curve shows: the benchmark's points and the audit's, as far as there are any."""
    return [line for line in (_benchmark(history), _audit(history)) if line.rows]


def _benchmark(history: History) -> Series:
    found = measured(history)
    words = [f"Round {row['round']}, {count(row['labels_so_far'])} labels: {estimate(shown)}" for row, shown in found]
    shown = [figure for _, figure in found]
    return Series("frozen benchmark", BENCHMARK, "o", [_labels(row) for row, _ in found], shown, words)


def _audit(history: History) -> Series:
    trained = {row["model_id"]: row for row in history["rounds"] if row["model_id"]}
    line = Series("audit of the stream", AUDIT, "D", [], [], [])
    for row in history["rounds"]:
        shown = find(row["audit"], history["headline"])
        model = trained.get(row["picked_by_model"])
        if shown is not None and known(shown["value"]) and model is not None:
            line.at.append(_labels(model))
            line.rows.append(shown)
            line.told.append(f"Audit in round {row['round']} of the model of round {model['round']}: {estimate(shown)}")
    return line


def _labels(row: RoundRow) -> float:
    return float(row["labels_so_far"])


def _draw(axes: Axes, line: Series, shift: float, values: bool) -> None:
    from matplotlib.transforms import ScaledTranslation

    beside = axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)
    heights: list[Any] = [row["value"] for row in line.rows]
    if line.marker == "o":
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


def _rounds_below(axes: Axes, history: History, places: set[float], most: int) -> None:
    names = {_labels(row): _round_name(row) for row in history["rounds"] if _labels(row) in places}
    shown = sorted(names)[::-1][:: -(-len(names) // most)]
    axes.set_xticks(shown, [f"{count(place)}\n{names[place]}" for place in shown])
    axes.set_xlabel("labels bought so far")
    room = max((max(places) - min(places)) * 0.1, 1.0)
    axes.set_xlim(min(places) - room, max(places) + room)


def _round_name(row: RoundRow) -> str:
    return "seed" if row["kind"] == "seed" else f"round {row['round']}"


def _limits(axes: Axes, rows: Sequence[EstimateRow]) -> None:
    ends = [value for row in rows for value in (row["low"], row["value"], row["high"]) if value is not None]
    low, high = min(ends), max(ends)
    room = max((high - low) * 0.08, 0.02, (_LEAST_SPAN - (high - low)) / 2)  # small changes must look small
    bottom = max(low - room, 0.0) if low >= 0 else low - room
    axes.set_ylim(bottom, min(high + room, 1.01) if high <= 1 else high + room)
    axes.yaxis.set_major_formatter(lambda value, _: decimal(value))


def _frame(axes: Axes) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.tick_params(length=0, pad=6)
    axes.set_axisbelow(True)


def _say(axes: Axes, words: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=MUTED)


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10])


def _on(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#fefefe" if 0.299 * red + 0.587 * green + 0.114 * blue < 105 else "#111111"
