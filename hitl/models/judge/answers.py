"""What came back from a language model, read strictly: a judgement, or what is wrong with the answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hitl.models.judge.cost import Cost
from hitl.types import Floats

RATIONALE = 600
"""Characters of a rationale that are kept."""

SURE = 1e-4
"""Probabilities nearer to 0 or 1 than this are not told apart: what a language model says is not that exact."""

_LONGEST = 200_000
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class Judgement:
    """What a judge says of one item: the probability of each label (k,), in the policy's order, and why.

    Where `problem` says why there is no answer, there are no probabilities.
    """

    proba: tuple[float, ...] = ()
    rationale: str = ""
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Judgements:
    """Judgements of n items, aligned: `proba` (n, k) float64, NaN where there is no answer and `problems` says why.

    The x of a policy judge's features: `logits` are what its predictions are made of.
    """

    proba: Floats  # (n, k)
    rationales: tuple[str, ...]
    problems: tuple[str, ...]
    multi_label: bool
    cost: Cost = field(default_factory=Cost)

    @property
    def shape(self) -> tuple[int, int]:
        """Items and labels."""
        return self.proba.shape[0], self.proba.shape[1]

    @property
    def logits(self) -> Floats:
        """Logits (n, k) of probabilities in [0.0001, 0.9999]; single-label, their logarithms. NaN: no answer."""
        clipped = np.clip(self.proba, SURE, 1 - SURE)
        return np.log(clipped) - np.log1p(-clipped) if self.multi_label else np.log(clipped)

    def __len__(self) -> int:
        return len(self.proba)

    def __repr__(self) -> str:
        silent = sum(map(bool, self.problems))
        return f"Judgements({len(self):,} items × {self.shape[1]} labels, {silent:,} without an answer)"


def read_answer(text: str, labels: tuple[str, ...], *, multi_label: bool) -> Judgement:
    """The judgement that an answer holds, or one whose `problem` names what is wrong with it; raises nothing.

    The answer must be one JSON object, bare or in one fence, after a model's thoughts if it shows any:
    `{"labels": {name: number in [0, 1]}, "rationale": text}` with all labels and no others. Single-label, the
    probabilities are divided by their sum. A problem quotes nothing of the answer. O(characters).

    >>> read_answer('{"labels": {"ok": 0.2, "rude": 0.2}, "rationale": "insults"}', ("ok", "rude"), multi_label=False)
    Judgement(proba=(0.5, 0.5), rationale='insults', problem='')
    >>> read_answer('{"labels": {"ok": 0.2}}', ("ok", "rude"), multi_label=False).problem
    'the label "rude" has no probability'
    """
    try:
        told = _object(text)
        proba = _probabilities(told.get("labels"), labels)
        if not multi_label:
            total = math.fsum(proba)
            if not total > 0:
                raise _Wrong("the probabilities are all 0, and one label applies")
            proba = tuple(value / total for value in proba)
        return Judgement(proba, _rationale(told.get("rationale", "")))
    except _Wrong as wrong:
        return Judgement(problem=str(wrong))


class _Wrong(Exception):  # noqa: N818 - it never leaves this file
    """What is wrong with an answer."""


def _object(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise _Wrong("the answer is too long")
    try:
        told = json.loads(_bare(text), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _Wrong("the answer is not one valid JSON object") from None
    if not isinstance(told, dict):
        raise _Wrong("the answer is JSON, but no object")
    if not set(told) <= {"labels", "rationale"}:
        raise _Wrong('the object has fields other than "labels" and "rationale"')
    return told


def _bare(text: str) -> str:
    """The answer without the thoughts before it and the one fence around it."""
    text = text.strip()
    if text.startswith("<think>"):
        text = text.partition("</think>")[2].strip()
    opening, _, rest = text.partition("\n")
    return rest[:-3] if opening.strip() in ("```", "```json") and rest.endswith("```") else text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Wrong("a field stands twice")
    return found


def _no_number(name: str) -> float:
    raise _Wrong("a probability is not a finite number")


def _probabilities(told: Any, labels: tuple[str, ...]) -> tuple[float, ...]:
    if not isinstance(told, dict):
        raise _Wrong('the object has no field "labels" with a probability for each label')
    if not set(told) <= set(labels):
        raise _Wrong(f"a label is not of the policy, which has {', '.join(map(json.dumps, labels))}")
    for name in labels:
        value = told.get(name)
        if value is None:
            raise _Wrong(f"the label {json.dumps(name)} has no probability")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise _Wrong(f"the probability of {json.dumps(name)} is not a number from 0 to 1")
    return tuple(float(told[name]) for name in labels)


def _rationale(told: Any) -> str:
    if not isinstance(told, str):
        raise _Wrong('"rationale" is not a text')
    return shown(told)


def shown(rationale: str) -> str:
    """A rationale on one line, without signs that cannot be seen, cut to `RATIONALE` characters."""
    visible = "".join(sign if sign.isprintable() or sign in _JOINERS else " " for sign in rationale)
    return " ".join(visible.split())[:RATIONALE]
