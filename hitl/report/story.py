"""What the report says in words: did the model improve, what each round did, what to do next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hitl.history import EstimateRow, History, RoundRow
from hitl.report.text import change, count, estimate, figure, inside, known, name

Tone = Literal["good", "flat", "bad", "none"]

_MARKS: dict[str, str] = {"good": "▲", "flat": "●", "bad": "▼", "none": "○"}
VERDICTS: dict[str, tuple[Tone, str]] = {
    "helped": ("good", "Helped"),
    "no evidence": ("flat", "No evidence of a change"),
    "hurt": ("bad", "Hurt"),
}


@dataclass(frozen=True)
class Told:
    """A finding in words: its tone, a short title and a sentence on it."""

    tone: Tone
    title: str
    detail: str = ""

    @property
    def mark(self) -> str:
        """A sign that tells the tone without colour."""
        return _MARKS[self.tone]


def find(rows: list[EstimateRow], metric: str, label: str = "") -> EstimateRow | None:
    """The first estimate of this figure and label, None where there is none."""
    return next((row for row in rows if row["name"] == metric and row["label"] == label), None)


def measured(history: History) -> list[tuple[RoundRow, EstimateRow]]:
    """The rounds whose headline figure on the benchmark is known, with the figure."""
    found = ((row, find(row["benchmark"], history["headline"])) for row in history["rounds"])
    return [(row, figure) for row, figure in found if figure is not None and known(figure["value"])]


def overall_gain(history: History) -> EstimateRow | None:
    """Last benchmark figure minus the first, with an interval; None with fewer than two known figures.

    The campaign's own paired difference where there is one. Else the limits combine those of the two figures (MOVER:
    Zou & Donner 2008, Statistics in Medicine 27), which is cautious, as both stand on the same items.
    """
    found = measured(history)
    if len(found) < 2:
        return None
    (_, old), (last, new) = found[0], found[-1]
    paired = last["comparison"] if len(found) == 2 else last["since_seed"]
    if paired is not None and paired["difference"]["name"] == history["headline"] and found[0][0]["round"] == 0:
        return paired["difference"]
    v0, l0, u0 = (_number(old[key]) for key in ("value", "low", "high"))
    v1, l1, u1 = (_number(new[key]) for key in ("value", "low", "high"))
    gain = v1 - v0
    low, high = gain - math.hypot(v1 - l1, u0 - v0), gain + math.hypot(u1 - v1, v0 - l0)
    return EstimateRow(
        name=history["headline"],
        label="",
        value=gain,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
        n=min(old["n"], new["n"]),
        level=new["level"],
        method="MOVER from the first and the last interval; cautious, as both stand on the same items",
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def headline(history: History) -> Told:
    """Whether the model improved and by how much; in an unfinished campaign, where it stands."""
    if not history["rounds"]:
        return Told("none", "No round has run yet.", "The first round will ask people about a few items to start from.")
    found = measured(history)
    if not found:
        return _unmeasured(history)
    metric, (first, old), (last, new) = figure(history["headline"]), found[0], found[-1]
    gain = overall_gain(history)
    if gain is None:
        detail = f"On the frozen benchmark: {estimate(new)}. A comparison comes with the next round."
        return Told("none", f"The first model reaches {inside(metric)} {estimate(new).partition(' ')[0]}.", detail)
    bought = last["labels_so_far"] - first["labels_so_far"]
    detail = (
        f"{metric} on the frozen benchmark went from {estimate(old)} after {_round_name(first)} to "
        f"{estimate(new)} after {_round_name(last)}, for {count(bought)} more labels: {change(gain)}."
    )
    if known(gain["low"]) and _number(gain["low"]) > 0:
        return Told("good", "The model improved.", detail)
    if known(gain["high"]) and _number(gain["high"]) < 0:
        return Told("bad", "The model got worse.", detail)
    return Told("flat", "There is no evidence yet that the model improved.", detail + _missed(gain))


def _missed(gain: EstimateRow) -> str:
    """How large a gain could have been missed: what a comparison with this interval finds with a power of 80 %."""
    least = (_number(gain["high"]) - _number(gain["low"])) / 2 * (1 + 0.8416 / 1.96)
    return f" A true gain of {least:.2f} or more would have been found four times in five." if least < 1 else ""


def _unmeasured(history: History) -> Told:
    last = history["rounds"][-1]
    trained = [row for row in history["rounds"] if row["model_id"]]
    if not trained:
        state = "is waiting for people" if last["state"] == "waiting" else "is under way"
        done = f"{count(last['tasks_done'])} of {count(last['tasks'])} tasks are done."
        return Told(
            "none", f"{_round_name(last).capitalize()} {state}.", f"{done} The first model is trained when they are."
        )
    metric = figure(history["headline"])
    reasons = [found for row in trained if (found := find(row["benchmark"], history["headline"]))]
    if reasons:
        why = name(reasons[-1]["method"], 160) or "the benchmark holds too few answers"
        return Told("none", f"{metric} is not known yet.", f"Why: {why}.")
    audits = [(row, found) for row in history["rounds"] if (found := find(row["audit"], history["headline"]))]
    detail = "This campaign has no benchmark, so its rounds cannot be compared."
    if audits and known(audits[-1][1]["value"]):
        audited, seen = audits[-1]
        detail += f" The audit of {_round_name(audited)} puts the model before it at {inside(metric)} {estimate(seen)}."
    return Told("none", "A model is trained, but no benchmark measures it.", detail)


def _round_name(row: RoundRow) -> str:
    return "the seed round" if row["kind"] == "seed" else f"round {row['round']}"


def verdict(row: RoundRow, metric: str) -> Told:
    """What one round did to the model, in words; `metric` is the headline figure."""
    if row["state"] != "done":
        title = "Waiting for people" if row["state"] == "waiting" else "Under way"
        return Told("none", title, f"{count(row['tasks_done'])} of {count(row['tasks'])} tasks done")
    compared = row["comparison"]
    if compared is None:
        if row["kind"] == "seed":
            return Told("none", "First model", "nothing to compare it with")
        return Told("none", "Not compared", "no benchmark figure of both models")
    tone, title = VERDICTS.get(compared["verdict"], ("none", name(compared["verdict"])))
    difference = compared["difference"]
    about = "" if difference["name"] in ("", metric) else f" {inside(figure(difference['name']))}"
    return Told(tone, title, change(difference) + about)


def next_steps(history: History) -> list[str]:
    """What to do next: the campaign's own words, or what follows from its state."""
    if history["next_steps"]:
        return [*history["next_steps"], *_for_want_of_benchmark(history)]
    if not history["rounds"]:
        return ["Start the campaign with `hitl run CONFIG`; it stops where people must work."]
    last = history["rounds"][-1]
    if last["state"] == "waiting":
        left = last["tasks"] - last["tasks_done"]
        return [
            f"Have people answer the {count(left)} open tasks, then call `hitl run CONFIG` again: it goes on by itself."
        ]
    steps = {
        "running": "Call `hitl run CONFIG` again if nothing is running: finished steps are not repeated.",
        "done": "Raise `rounds` in the plan and call `hitl run CONFIG` to go on, or use the last model as it is.",
    }
    return [steps.get(history["state"], "Call `hitl run CONFIG` to go on."), *_for_want_of_benchmark(history)]


def _for_want_of_benchmark(history: History) -> list[str]:
    trained = [row for row in history["rounds"] if row["model_id"]]
    if not trained or any(find(row["benchmark"], history["headline"]) for row in trained):
        return []
    return ["Start the next campaign with `benchmark: 200` or more in its plan, so that rounds can be compared."]
