"""How far a prediction that people see pulls their answers: a trial within the stream, by chance, task by task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.errors import DataError
from hitl.metrics.counts import proportion
from hitl.metrics.intervals import FEWEST, Z, unless_few
from hitl.metrics.ops import AWAY
from hitl.types import Bools, Estimate, Floats

About = Literal["all", "model right", "model wrong", "model sure", "model unsure", "label", "right answers"]

SURE = 0.8
"""From which probability of its own answer on a model is called sure."""

POWER_Z = 0.8416212335729143
"""The normal quantile of a power of 80 %."""


@dataclass(frozen=True, eq=False)
class Trial:
    """n tasks whose prediction was shown or kept back by chance, each with the first answer that was given to it.

    Later answers are left out: whether there are any hangs on what the first ones said, and so on what they saw.
    `suggested` and `answered` (n, k) are the labels that the model gives and the person gave; an out (unsure,
    escalated) gives none and has `gave` False. `belief` (n,) is the model's probability of what it suggests, `truth`
    (n, k) the known labels, NaN where unknown: they must not rest on answers that saw a prediction, or a pulled answer
    would make itself right. `seconds` (n,) are active time. Raises `DataError` for shapes.

    >>> saw, alone = np.arange(400) % 2 == 0, np.arange(400) % 4 == 1
    >>> says = np.tile([True, False], (400, 1))
    >>> said = np.where((saw | alone)[:, None], says, ~says)  # half of those who see nothing say the same
    >>> trial = Trial(saw, says, said, np.ones(400, bool), np.full(400, 0.9), np.full((400, 2), np.nan), np.ones(400))
    >>> print(effects(trial, ("ok", "spam"))[0].difference)
    agreement 0.500 [0.429, 0.569] (n=400)
    """

    shown: Bools
    suggested: Bools
    answered: Bools
    gave: Bools
    belief: Floats
    truth: Floats
    seconds: Floats

    def __post_init__(self) -> None:
        n, k = self.suggested.shape
        held = {name: part.shape for name, part in vars(self).items()}
        wide = dict.fromkeys(("suggested", "answered", "truth"), (n, k))
        wrong = [name for name, shape in held.items() if shape != wide.get(name, (n,))]
        if wrong:
            raise DataError(f"{wrong[0]} has the shape {held[wrong[0]]}; {n} tasks and {k} labels need another")

    @property
    def agreed(self) -> Bools:
        """(n,) whether the answer is the model's, label for label."""
        return np.asarray((self.suggested == self.answered).all(axis=1) & self.gave)

    @property
    def known(self) -> Bools:
        """(n,) whether the right answer is known."""
        return np.asarray(~np.isnan(self.truth).any(axis=1))

    def right(self, labels: Bools) -> Bools:
        """(n,) whether labels (n, k) are the right ones; False where unknown."""
        return np.asarray(((self.truth > 0) == labels).all(axis=1) & self.known)


@dataclass(frozen=True)
class Effect:
    """What showing did to one share: that among the tasks shown, among those kept back, and the first less the second.

    `detectable` is the difference that a trial of this size finds with a power of 80 %, NaN where there is none.
    """

    about: About
    label: str
    shown: Estimate
    hidden: Estimate
    difference: Estimate
    detectable: float


def effects(trial: Trial, labels: tuple[str, ...]) -> list[Effect]:
    """How much more often people give the model's answer when they see it, by intention to treat. O(n k).

    First on all tasks, then where the model is right and where it is wrong (by known labels), and where it is sure or
    not; then by each label that it suggests, of whether the answer has it; last, how often answers are right. What a
    task was dealt decides its side, whatever the person looked at; an answer without a label does not agree. Each
    interval stands for itself: of twenty labels that are not pulled, one will look as if it were.
    """
    agreed, model_right = trial.agreed, trial.right(trial.suggested)
    sure = trial.belief >= SURE
    parts: list[tuple[About, Bools]] = [
        ("all", np.ones(len(agreed), dtype=np.bool_)),
        ("model right", model_right),
        ("model wrong", trial.known & ~model_right),
        ("model sure", sure),
        ("model unsure", ~sure),
    ]
    found = [_effect(about, "", agreed, trial.shown, rows) for about, rows in parts]
    found += [
        _effect("label", label, trial.answered[:, at] & trial.gave, trial.shown, trial.suggested[:, at])
        for at, label in enumerate(labels)
        if trial.suggested[:, at].any()
    ]
    right = trial.right(trial.answered) & trial.gave
    return [*found, _effect("right answers", "", right, trial.shown, trial.known)]


def seconds_saved(trial: Trial) -> Estimate:
    """Mean seconds that an answer takes without the prediction, less those with it, at most `AWAY` each.

    Welch's (1947, Biometrika 34:28) interval with Satterthwaite's degrees of freedom. O(n).
    """
    from scipy.special import stdtrit

    spent = np.clip(trial.seconds, 0.0, AWAY)
    sides = [spent[~trial.shown], spent[trial.shown]]
    n = np.array([len(side) for side in sides], dtype=np.float64)
    if n.min() < 2:
        why = "too few answers on one side to compare times"
        return Estimate("seconds_saved", float("nan"), -AWAY, AWAY, len(spent), method=why)
    error = np.array([side.var(ddof=1) for side in sides]) / n
    value, size = float(sides[0].mean() - sides[1].mean()), float(error.sum() ** 0.5)
    freedom = float(error.sum() ** 2 / (error**2 / (n - 1)).sum()) if size else float(n.min() - 1)
    half = float(stdtrit(freedom, 0.975)) * size
    found = Estimate(
        "seconds_saved", value, value - half, value + half, len(spent), method="difference of means, Welch"
    )
    return unless_few(found, float(n.min()), "answers on one side")


def difference(hits: tuple[int, int], of: tuple[int, int], name: str = "difference", label: str = "") -> Estimate:
    """The share of `hits[0]` in `of[0]` less that of `hits[1]` in `of[1]`, two independent samples.

    Newcombe's interval (1998, Statistics in Medicine 17:873, method 10) of the two Wilson intervals. With chance dealt
    task by task it is a conservative one for the average effect (Neyman 1923), however people differ. NaN in [-1, 1]
    where a side is empty, and without a value where one has fewer than `FEWEST`.

    >>> print(difference((56, 48), (70, 80)))  # Newcombe's example (a)
    difference 0.200 [0.052, 0.334] (n=150)
    """
    sides = [proportion(k, n) for k, n in zip(hits, of, strict=True)]
    total = sum(of)
    if not min(of):
        why = "there are no such tasks" if not total else "none was kept back" if of[0] else "none was shown"
        return Estimate(name, float("nan"), -1.0, 1.0, total, label, method=why)
    (p, low, high), (q, below, above) = ((one.value, one.low, one.high) for one in sides)
    ends = p - q - float(np.hypot(p - low, above - q)), p - q + float(np.hypot(high - p, q - below))
    found = Estimate(name, p - q, ends[0], ends[1], total, label, method="Newcombe, of two independent shares")
    return unless_few(found, min(of), "answers on one side")


def detectable(of: tuple[int, int], share: float) -> float:
    """The difference of two shares near `share` that samples of these sizes find with a power of 80 %, at 5 %.

    Bloom's minimum detectable effect (1995, Evaluation Review 19:547); NaN where even 1 would be missed.
    """
    if not min(of):
        return float("nan")
    found = (Z + POWER_Z) * (share * (1 - share) * (1 / of[0] + 1 / of[1])) ** 0.5
    return found if 0 < found <= 1 else float("nan")


def _effect(about: About, label: str, hit: Bools, shown: Bools, rows: Bools) -> Effect:
    of = int((shown & rows).sum()), int((~shown & rows).sum())
    hits = int((hit & shown & rows).sum()), int((hit & ~shown & rows).sum())
    name = "accuracy" if about == "right answers" else "agreement"
    sides = [unless_few(proportion(k, n, name=name, label=label), n, "answers") for k, n in zip(hits, of, strict=True)]
    pooled = (sum(hits) + 1) / (sum(of) + 2)
    least = detectable(of, pooled) if min(of) >= FEWEST else float("nan")
    return Effect(about, label, sides[0], sides[1], difference(hits, of, name, label), least)
