"""The report's plots as matplotlib figures, for the page and for notebooks; nothing here touches pyplot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

from hitl.history import History, RoundRow
from hitl.report.drawing import AUDIT, BENCHMARK, INK, RULE, STYLE, Series, draw, frame, limits, on, say, tell
from hitl.report.story import find, measured
from hitl.report.text import arm, count, decimal, estimate, figure, known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ARM_COLOURS = (  # Okabe & Ito (2008), told apart with every kind of colour vision, then four of Tol's (2021)
    *("#0072b2", "#e69f00", "#a0a7ae", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"),
    *("#332288", "#88ccee", "#882255", "#999933"),
)
"""Given to arms by `arm_colours`, over again from the thirteenth on."""

_CURVE: tuple[Literal["labels"], Literal["low"], Literal["value"], Literal["high"]] = ("labels", "low", "value", "high")
_PARTS: tuple[Literal["value"], Literal["low"], Literal["high"]] = ("value", "low", "high")
_MOST_POINTS = 40  # that stand beside the extrapolation; of more every second, third and so on
_LATEST = 24  # rounds that a bar chart shows


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
            say(axes, "Nothing measured yet")
            return drawn
        frame(axes)
        for shift, line in enumerate(lines):
            draw(axes, line, shift * 7, values=width >= 480 and not shift, joined=line.colour == BENCHMARK)
        _rounds_below(axes, history, {x for line in lines for x in line.at}, most=9 if width >= 480 else 4)
        limits(axes, [end for line in lines for end in _ends(line)])
        axes.set_ylabel(figure(history["headline"]))
        drawn.legend(loc="outside upper left", ncols=1 if width < 480 else 2, frameon=False, handletextpad=0.3)
    return drawn


def outlook(history: History, width: int = 720, height: int = 340) -> Figure:
    """The headline figure by labels bought, as measured and as extrapolated, with intervals; sizes in CSS pixels.

    The band is the fitted curve's; the dashed line is the plan's target, where it has one. A campaign whose curve is
    not known gives a figure that says so. O(rounds).

    >>> outlook({"headline": "macro_f1", "rounds": [], "stopping": {"curve": []}}).axes[0].texts[0].get_text()
    'No extrapolation yet'
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        drawn = Figure(figsize=(width / 72, height / 72), layout="constrained")
        axes = drawn.add_subplot()
        if not history["stopping"]["curve"]:
            say(axes, "No extrapolation yet")
            return drawn
        frame(axes)
        _extrapolated(axes, history)
        axes.xaxis.set_major_locator(_whole_numbers(4 if width < 480 else 8))
        axes.xaxis.set_major_formatter(lambda value, _: count(value))
        axes.set_xlabel("labels bought")
        axes.set_ylabel(figure(history["headline"]))
        drawn.legend(loc="outside upper left", ncols=1 if width < 480 else 3, frameon=False, handletextpad=0.5)
    return drawn


def _extrapolated(axes: Axes, history: History) -> None:
    curve, target = history["stopping"]["curve"], history["stopping"]["target"]
    at, low, middle, high = ([point[of] for point in curve] for of in _CURVE)
    axes.fill_between(at, low, high, color=BENCHMARK, alpha=0.16, linewidth=0, label="fitted curve, 95%")
    axes.plot(at, middle, color=BENCHMARK, linewidth=1.2)
    if target is not None:
        axes.axhline(target, color=INK, linewidth=1.2, dashes=(5, 4), label=f"target {decimal(target)}")
    points = _benchmark(history)
    some = slice(None, None, -(-len(points.at) // _MOST_POINTS) or None)
    heights, lows, highs = ([row[of] or 0.0 for row in points.rows[some]] for of in _PARTS)
    axes.vlines(points.at[some], lows, highs, color=BENCHMARK, linewidth=1.6)
    axes.plot(points.at[some], heights, "o", color=BENCHMARK, markersize=8, label=points.name)
    limits(axes, [*low, *high, *_ends(points), *([] if target is None else [target])])


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
            say(axes, "Nothing picked yet")
            return drawn
        _bars(axes, rounds, arm_colours(history), least=0.03 if width >= 480 else 0.08)
        axes.set_xlabel("items asked")
        drawn.legend(loc="outside upper left", ncols=2 if width < 480 else 4, frameon=False, handlelength=1)
    return drawn


def arm_colours(history: History) -> dict[str, str]:
    """A colour for each arm that picked anything, in the order of first use. O(rounds × arms)."""
    used = dict.fromkeys(name for row in history["rounds"] for name, number in row["arms"].items() if number)
    return dict(zip(used, cycle(ARM_COLOURS)))


def _bars(axes: Axes, rounds: Sequence[RoundRow], colours: Mapping[str, str], least: float) -> None:
    widest = max(sum(row["arms"].values()) for row in rounds)
    ends = [0.0] * len(rounds)
    for label, colour in colours.items():
        counts = [row["arms"].get(label, 0) for row in rounds]
        if not any(counts):
            continue
        bars = axes.barh(range(len(rounds)), counts, 0.66, ends, color=colour, label=arm(label))
        for at, (bar, number, row) in enumerate(zip(bars, counts, rounds, strict=True)):
            if number:
                tell(bar, f"Round {row['round']}: {count(number)} {arm(label)}")
            if number > widest * least:
                axes.text(ends[at] + number / 2, at, count(number), ha="center", va="center", color=on(colour))
        ends = [end + number for end, number in zip(ends, counts, strict=True)]
    axes.set_yticks(range(len(rounds)), [_round_name(row) for row in rounds])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.xaxis.set_major_formatter(lambda value, _: count(value))
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)


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


def _ends(line: Series) -> list[float]:
    return [end for row in line.rows for end in (row["low"], row["value"], row["high"]) if end is not None]


def _labels(row: RoundRow) -> float:
    return float(row["labels_so_far"])


def _rounds_below(axes: Axes, history: History, places: set[float], most: int) -> None:
    names = {_labels(row): _round_name(row) for row in history["rounds"] if _labels(row) in places}
    shown = sorted(names)[::-1][:: -(-len(names) // most)]
    axes.set_xticks(shown, [f"{count(place)}\n{names[place]}" for place in shown])
    axes.set_xlabel("labels bought so far")
    room = max((max(places) - min(places)) * 0.1, 1.0)
    axes.set_xlim(min(places) - room, max(places) + room)


def _round_name(row: RoundRow) -> str:
    return "seed" if row["kind"] == "seed" else f"round {row['round']}"


def _whole_numbers(most: int = 6) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=most, integer=True, steps=[1, 2, 5, 10])
