"""A `History` as one HTML file that opens offline, runs no script and loads nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from hitl.history import History
from hitl.markup import visible
from hitl.report import text
from hitl.report.latest import latest
from hitl.report.views import View, machine, view

if TYPE_CHECKING:
    from jinja2 import Environment

_CODE = re.compile(r"`([^`\n]{1,200})`")
_PLOTTED = ("round", "kind", "arms", "labels_so_far", "benchmark", "audit", "model_id", "picked_by_model")
_FOUND = ("calibration", "thresholds")
"""What of a round, and of its findings, the plots show."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def render_html(history: History) -> str:
    """The whole report as an HTML page; the same history gives the same bytes.

    Nothing in the page is executed or loaded (no script, a policy of `default-src 'none'`); everything that came from
    outside is escaped, with control and bidirectional characters shown as codes. O(rounds × (labels + people + picks)).
    """
    return _environment().get_template("template.html.j2").render(**view(history), **_plots(history))


def _plots(history: History) -> View:
    """The plots, from what they show alone: most pages are written again and again while the same rounds stand."""
    rows = [
        {name: row.get(name) for name in _PLOTTED}
        | {"findings": {name: row["findings"][name] for name in _FOUND if name in row["findings"]}}
        for row in cast(Sequence[Mapping[str, Any]], history["rounds"])
    ]
    return _drawn(json.dumps({"headline": history["headline"], "stopping": history["stopping"], "rounds": rows}))


@lru_cache(maxsize=8)
def _drawn(shown: str) -> View:
    from hitl.report.plots import arms_by_round, learning_curve, outlook, series
    from hitl.report.qa import charted
    from hitl.report.qa_plot import control_chart
    from hitl.report.reliability_plot import MOST_PANELS, reliability_diagram
    from hitl.report.svg import to_svg
    from hitl.report.thresholds_plot import workload

    history: History = json.loads(shown)
    drawn: View = {"curve": [], "outlook": [], "arms": [], "reliability": [], "panels": MOST_PANELS, "workload": []}
    drawn["control"] = []
    thresholds = latest(history["rounds"], "thresholds")
    for css, width, height in (("wide", 720, 360), ("narrow", 380, 340)):
        if series(history):
            label = f"{text.figure(history['headline'])} by labels bought; the table of rounds holds the same figures"
            curve = learning_curve(history, width, height)
            drawn["curve"].append(to_svg(curve, f"curve-{css}", label, css))
        if history["stopping"]["curve"]:
            label = (
                f"{text.figure(history['headline'])} by labels bought, extrapolated; the tables hold the same figures"
            )
            drawn["outlook"].append(to_svg(outlook(history, width, height), f"outlook-{css}", label, css))
        if thresholds:
            label = "Share of items decided without a person, against mistakes; the tables hold the figures"
            drawn["workload"].append(to_svg(workload(thresholds[1], width), f"workload-{css}", label, css))
        if any(sum(row["arms"].values()) for row in history["rounds"]):
            label = "Items asked by arm and round; the table of rounds holds the same figures"
            drawn["arms"].append(to_svg(arms_by_round(history, width), f"arms-{css}", label, css))
        if any("calibration" in row["findings"] for row in history["rounds"]):
            label = "Shares found by probability given, label by label; the table holds what they come to"
            drawn["reliability"].append(to_svg(reliability_diagram(history, width), f"reliability-{css}", label, css))
    control = charted(history.get("qa"))
    for css, width in (("wide", 720), ("narrow", 380)):
        if control is None:
            break
        label = "Error rate by period with its limits; the signals below name the periods that lie beyond them"
        drawn["control"].append(to_svg(control_chart(control, width), f"control-{css}", label, css))
    return drawn


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(lambda name: files("hitl.report").joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written: tuple[Any, ...] = (
        *(
            text.name,
            text.count,
            text.decimal,
            text.percent,
            text.estimate,
            text.change,
            text.duration,
            text.amount,
            text.needed,
        ),
        *(text.moment, text.figure, text.arm, text.listed, text.known, visible, machine),
    )
    environment.filters |= {write.__name__: write for write in written}
    environment.filters |= {"prose": _prose, "language": _language, "interval": _interval}
    return environment


def _shown(value: Any) -> Any:
    """The last gate before escaping: no string reaches the page with invisible characters in it."""
    from markupsafe import Markup

    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _prose(words: str) -> Any:
    """A sentence, escaped, in which what stands between backticks is set as code."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text.name(words, 600)))))


def _language(code: str) -> str:
    return code if _LANGUAGE.fullmatch(code) else ""


def _interval(written: str) -> list[str]:
    """`0.62 [0.55, 0.69]` as its figure and its interval."""
    value, bracket, rest = written.partition(" [")
    return [value, f"[{rest}"] if bracket else [value]
