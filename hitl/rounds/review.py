"""Review: what people could not settle goes to seniors or lawyers, in a queue of its own, the costliest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hitl.labels.voices import is_answer, out_of
from hitl.policy import Policy
from hitl.rounds.walk import Walk
from hitl.tasks.task import Asking, make_tasks
from hitl.types import Annotation, Bools, Floats, Pick, Queue, Task

LONGEST_NOTE = 300
"""Characters of a note that a senior is shown."""

Heard = Mapping[str, Sequence[Annotation]]
"""Task key → what each person says of it now."""

Said = Sequence[Sequence[Annotation]]
"""What was said of each of some tasks, in their order."""


def review_tasks(
    walk: Walk, number: int, queue: Queue, tasks: Sequence[Task], said: Said, priorities: Floats
) -> tuple[Task, ...]:
    """The same items as questions to one person each in a queue, with what others said unless the plan hides it."""
    at = np.array([task.position for task in tasks], dtype=np.int64)
    picks = [
        Pick(task.position, task.item_id, queue, priority)
        for task, priority in zip(tasks, priorities.tolist(), strict=True)
    ]
    rows = [
        {**row, "opinions": "" if walk.plan.review_blind else opinions(one, walk.policy)}
        for row, one in zip(walk.pool.rows(at).to_pylist(), said, strict=True)
    ]
    form, model = replace(walk.form, queue=queue), walk.model_before(number)
    asking = Asking(campaign=walk.campaign, round=number, form=form, model_id=model, queue=queue)
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


def named(walk: Walk, said: Said) -> Bools:
    """(n, k) which labels somebody named of each of some tasks."""
    names = walk.policy.names
    found = [{label for one in heard if one.answer is not None for label in one.answer.labels} for heard in said]
    return np.array([[name in mine for name in names] for mine in found], dtype=np.bool_).reshape(len(said), len(names))


def severities(walk: Walk, tasks: Sequence[Task], said: Said) -> Floats:
    """(n,) how severe each item is in its region: the worst that anybody named.

    Where nobody named any that violates, what the model expects; without a model, the policy's mean.
    """
    rows, mean = _by_label(walk, tasks)
    mine = named(walk, said) * rows
    expected = np.array([[task.predicted.get(name, 0.0) for name in walk.policy.names] for task in tasks])
    expected = expected.reshape(rows.shape)
    guess = np.where(expected.any(axis=1), (expected * rows).sum(axis=1), mean)
    worst: Floats = np.where(mine.any(axis=1), mine.max(axis=1), guess)
    return worst


def stakes(walk: Walk, tasks: Sequence[Task], severity: Floats) -> Floats:
    """(n,) severity × reach on the scale of the policy's mean severity and the pool's mean reach, in [0, 1)."""
    _, mean = _by_label(walk, tasks)
    reach = walk.pool.reach[np.array([task.position for task in tasks], dtype=np.int64)]
    stake = severity / mean * reach / (float(walk.pool.reach.mean()) or 1.0)
    found: Floats = stake / (1 + stake)
    return found


def _by_label(walk: Walk, tasks: Sequence[Task]) -> tuple[Floats, float]:
    """Severity by task and label (n, k), and the mean of the labels that violate."""
    codes, regions = walk.regions
    severity = walk.policy.costs(regions).severity
    rows: Floats = severity[codes[np.array([task.position for task in tasks], dtype=np.int64)]]
    violating = severity[:, walk.policy.violating]
    return rows, (float(violating.mean()) if violating.size else 0.0) or 1.0
