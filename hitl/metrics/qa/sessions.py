"""Calibration sessions: the same items to everybody, a key, and how people stood to it before and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.metrics.agreement import Answers, krippendorff_alpha
from hitl.metrics.counts import proportion
from hitl.metrics.qa.change import change
from hitl.types import Estimate, Ints

JOIN = "|"
"""Between the labels of one answer, as a word of the table's vocabulary; an answer of none is the empty word."""

SAME_ITEMS = "after - before, MOVER as if independent; on the same items that is too wide rather than too narrow"


@dataclass(frozen=True)
class Missed:
    """A clause of the key: how often answers to items that have it left it out, and gave it to those that do not."""

    clause: str
    left_out: Estimate
    put_in: Estimate


@dataclass(frozen=True)
class Standing:
    """How a session's people stood at one time: agreement with each other, and with the key, in all and by person."""

    people: int
    answers: int
    alpha: Estimate
    right: Estimate
    by_person: Mapping[str, Estimate]
    missed: tuple[Missed, ...]


def standing(answers: Answers, key: Mapping[str, frozenset[str]], rng: np.random.Generator) -> Standing:
    """How people stand to each other and to the key (item → labels), which every item of the table must be in. O(m).

    A label of the table is a whole answer, labels joined by `JOIN`. Agreement is Krippendorff's alpha of whole answers.
    Shares have Wilson's intervals, as if answers were independent; the clause that was left out most stands first.

    >>> from hitl.labels import AnswerTable
    >>> said = [(f"i{at}", who, "hate" if at % 2 else "") for at in range(20) for who in ("ana", "bo")]
    >>> key = {f"i{at}": frozenset({"hate"} if at % 2 or not at else ()) for at in range(20)}
    >>> found = standing(AnswerTable.of(said), key, np.random.default_rng(0))
    >>> print(found.right, found.missed[0].left_out, sep="; ")
    right 0.950 [0.835, 0.986] (n=40); left_out[hate] 0.091 [0.025, 0.278] (n=22)
    """
    right: dict[str, list[bool]] = defaultdict(list)
    said = [frozenset(word.split(JOIN)) - {""} for word in answers.labels]
    rows = [
        (answers.tasks[task], answers.workers[worker], said[label])
        for task, worker, label in zip(*(column.tolist() for column in _columns(answers)), strict=True)
    ]
    for item, person, labels in rows:
        right[person].append(labels == key[item])
    flat = [hit for hits in right.values() for hit in hits]
    return Standing(
        people=len(right),
        answers=len(rows),
        alpha=krippendorff_alpha(answers, rng),
        right=proportion(sum(flat), len(flat), name="right"),
        by_person={person: proportion(sum(hits), len(hits), name="right") for person, hits in sorted(right.items())},
        missed=_missed([(labels, key[item]) for item, _, labels in rows]),
    )


def changes(before: Standing, after: Standing) -> tuple[Estimate, Estimate]:
    """How agreement and the share of right answers changed, with intervals that err on the wide side."""
    return change(before.alpha, after.alpha, SAME_ITEMS), change(before.right, after.right, SAME_ITEMS)


def _columns(answers: Answers) -> tuple[Ints, Ints, Ints]:
    return answers.task, answers.worker, answers.label


def _missed(pairs: Sequence[tuple[frozenset[str], frozenset[str]]]) -> tuple[Missed, ...]:
    """By clause of the key, from pairs of what was said and what the key says."""
    told = []
    for clause in sorted({label for _, truth in pairs for label in truth}):
        having = [clause not in labels for labels, truth in pairs if clause in truth]
        lacking = [clause in labels for labels, truth in pairs if clause not in truth]
        out = proportion(sum(having), len(having), name="left_out", label=clause)
        told.append(Missed(clause, out, proportion(sum(lacking), len(lacking), name="put_in", label=clause)))
    return tuple(sorted(told, key=lambda one: (-one.left_out.value, one.clause)))
