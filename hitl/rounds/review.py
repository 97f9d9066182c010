"""Review: what people could not settle goes to seniors, in a queue of its own, the costliest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hitl.labels.voices import is_answer, out_of
from hitl.policy import Policy
from hitl.rounds.intents import send_intents
from hitl.rounds.walk import Walk
from hitl.tasks.task import Asking, make_tasks
from hitl.types import Annotation, Floats, Pick, Resolution, Task

LONGEST_NOTE = 300
"""Characters of a note that a senior is shown."""

Heard = Mapping[str, Sequence[Annotation]]
"""Task key → what each person says of it now."""


def send_to_review(
    walk: Walk, number: int, tasks: Sequence[Task], settled: Mapping[str, Resolution], heard: Heard
) -> bool:
    """Ask seniors about those of the tasks that are still open, or escalated by somebody; whether there are any.

    `settled` are the resolutions by item. What is asked is on record before it is pushed: a run that is killed in
    between goes on with the same tasks.
    """
    wanting = [
        task
        for task in tasks
        if settled[task.item_id].labels is None or any(out_of(one) == "escalate" for one in heard.get(task.key, ()))
    ]
    if not wanting:
        return False
    asked = review_tasks(walk, number, wanting, heard)
    with walk.ledger.transaction() as writer:
        writer.add_tasks(asked)
        writer.intend("push", {task.key: number for task in asked})
    send_intents(walk)
    return True


def review_tasks(walk: Walk, number: int, tasks: Sequence[Task], heard: Heard) -> tuple[Task, ...]:
    """The same items as questions to one senior each, with what others said unless the plan hides it."""
    said = [heard.get(task.key, ()) for task in tasks]
    at = np.array([task.position for task in tasks])
    served = _stakes(walk, tasks, said).tolist()
    picks = [Pick(task.position, task.item_id, "review", score) for task, score in zip(tasks, served, strict=True)]
    rows = [
        {**row, "opinions": "" if walk.plan.review_blind else opinions(one, walk.policy)}
        for row, one in zip(walk.pool.rows(at).to_pylist(), said, strict=True)
    ]
    form, model = replace(walk.form, queue="review"), walk.model_before(number)
    asking = Asking(campaign=walk.campaign, round=number, form=form, model_id=model, queue="review")
    return make_tasks(asking, picks, rows, [task.predicted for task in tasks])


def opinions(said: Sequence[Annotation], policy: Policy) -> str:
    """What people said, counted and without who said it, the most frequent first; their notes behind it.

    >>> from hitl.types import Answer
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: fine, violating: false}, {name: very_rude}]}")
    >>> told = [Answer(("very_rude",), note="The last word."), Answer(("fine",)), Answer(("very_rude",))]
    >>> opinions([Annotation(f"{i}", "t", f"w{i}", one, "", 3.0) for i, one in enumerate(told)], policy)
    '2 × Very rude, 1 × Fine; notes: “The last word.”'
    """
    answers = [one for one in said if is_answer(one)]
    stances = Counter(_stance(one, policy) for one in answers)
    counted = [f"{count} × {stance}" for stance, count in sorted(stances.items(), key=lambda pair: (-pair[1], pair[0]))]
    notes = {" ".join(one.answer.note.split())[:LONGEST_NOTE] for one in answers if one.answer}
    told = ", ".join(f"“{note}”" for note in sorted(notes - {""}))
    return ", ".join(counted or ["no answer"]) + (f"; notes: {told}" if told else "")


def _stance(annotation: Annotation, policy: Policy) -> str:
    out = out_of(annotation)
    labels = () if out or annotation.answer is None else annotation.answer.labels
    words = out or " + ".join(name for name in policy.names if name in labels) or "none of the labels"
    told = words.replace("_", " ")
    return told[:1].upper() + told[1:]


def _stakes(walk: Walk, tasks: Sequence[Task], said: Sequence[Sequence[Annotation]]) -> Floats:
    """Severity × reach of each task, on the scale of the pool's mean reach and the policy's mean severity, in [0, 1).

    The severity is the worst that anybody named; where nobody named any, what the model expects, or the policy's mean.
    """
    policy, (codes, regions) = walk.policy, walk.regions
    severity = policy.costs(regions).severity
    positions = np.array([task.position for task in tasks])
    named = np.array([[float(name in _named(heard)) for name in policy.names] for heard in said])
    rows = severity[codes[positions]]
    expected = np.array([[task.predicted.get(name, 0.0) for name in policy.names] for task in tasks])
    mean = float(severity[:, policy.violating].mean()) or 1.0
    guess = np.where(expected.any(axis=1), (expected * rows).sum(axis=1), mean)
    worst = np.where((named * rows).any(axis=1), (named * rows).max(axis=1), guess)
    stake = worst / mean * walk.pool.reach[positions] / (float(walk.pool.reach.mean()) or 1.0)
    stakes: Floats = stake / (1 + stake)
    return stakes


def _named(heard: Sequence[Annotation]) -> set[str]:
    return {label for one in heard if one.answer is not None for label in one.answer.labels}
