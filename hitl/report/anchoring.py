"""What the section on anchoring shows: how far predictions that people see pull their answers."""

from __future__ import annotations

from typing import Any

from hitl.history import AnchoringRow, EffectRow, History
from hitl.report.latest import latest
from hitl.report.text import duration, known
from hitl.report.trends import points

MOST_LABELS = 24

_WHERE = {
    "all": "All tasks",
    "model right": "Where the model is right",
    "model wrong": "Where the model is wrong",
    "model sure": "Where it is sure (80% or more)",
    "model unsure": "Where it is less sure",
    "right answers": "Answers that are right",
}


def pulled(history: History) -> dict[str, Any]:
    """The trial of the latest round that had one, what it amounts to in a sentence, and what could be measured."""
    told = latest(history["rounds"], "anchoring")
    if told is None:
        return {"found": None, "shows": bool(history["plan"].get("show_predictions"))}
    row, found = told
    effects = {effect["about"]: effect for effect in found["effects"] if effect["about"] != "label"}
    labels = [effect for effect in found["effects"] if effect["about"] == "label"]
    return {
        "round": row,
        "found": found,
        "shows": True,
        "verdict": verdict(effects["all"]),
        "harm": _harm(effects),
        "time": _time(found),
        "rows": [_line(_WHERE[about], effect) for about, effect in effects.items()],
        "labels": [_line(effect["label"], effect) for effect in labels[:MOST_LABELS]],
        "gold": bool(effects["right answers"]["difference"]["n"]),
    }


def verdict(effect: EffectRow) -> str:
    """One sentence on the whole: pulled, no pull shown, or why that is not known."""
    told, low, high = (effect["difference"][key] for key in ("value", "low", "high"))
    if told is None or low is None or high is None:
        return f"How far predictions pull answers is not known yet ({effect['difference']['method']})."
    said = points(effect["difference"])
    if low > 0:
        return f"Seeing the prediction pulls answers towards it: {said}."
    if high < 0:
        return f"People who see the prediction follow it less often: {said}."
    least = effect["detectable"]
    finds = f"; a trial of this size would find {100 * least:.1f} points" if least is not None and known(least) else ""
    return f"No pull is shown: {said}{finds}."


def _harm(effects: dict[str, EffectRow]) -> str:
    """What becomes of the answers where the model is wrong: that is what anchoring costs."""
    wrong, right = effects["model wrong"]["difference"], effects["right answers"]["difference"]
    told = []
    if wrong["value"] is not None:
        told.append(f"Where the model is wrong, its mistake is taken over more often by {points(wrong)}.")
    if right["value"] is not None:
        told.append(f"Right answers: {points(right)} where it was shown.")
    return " ".join(told)


def _time(found: AnchoringRow) -> str:
    saved = found["seconds_saved"]
    value, low, high = (saved[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return f"Time saved is not known yet ({saved['method']})."
    word = "saves" if value >= 0 else "costs"
    ends = (low, high) if value >= 0 else (-high, -low)
    said = " to ".join(duration(end) if end >= 0 else f"−{duration(-end)}" for end in ends)
    return f"A shown prediction {word} {duration(abs(value))} an answer [{said}]."


def _line(where: str, effect: EffectRow) -> dict[str, Any]:
    return {"where": where, "row": effect, "points": points(effect["difference"])}
