"""Whether people see the model's answer on a task: never, always, or by chance; on record from the day it is asked.

Chance is a hash of the task's key and the plan's seed, and owes nothing to what the task shows. On the server a task
whose prediction is kept back has an empty one, with the score that it is served by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.rounds.walk import Walk
from hitl.sampling.uniforms import draws
from hitl.types import Task

ALONE = ("audit", "benchmark")
"""Arms whose tasks never show a prediction: what the model is measured by must be people's own word.

Gold is shown or hidden by the same chance as everything else, or its bare page would give it away.
"""


def hide(walk: Walk, number: int, tasks: Sequence[Task], arms: Mapping[str, str]) -> list[str]:
    """Keys of the tasks of a round that keep the model's answer back, sorted; `arms` by item id. O(tasks log tasks).

    Those of the arms `ALONE`, and of the rest each with the plan's chance `hide_predictions`.
    """
    keys = np.array([int(task.key[:16], 16) for task in tasks], dtype=np.uint64)
    chance = draws(keys, walk.seed(number, "hide predictions"))
    by_chance = (chance < walk.plan.hide_predictions).tolist()
    return sorted(task.key for task, hid in zip(tasks, by_chance, strict=True) if hid or arms[task.item_id] in ALONE)


@dataclass(frozen=True)
class Showing:
    """What the record says of showing: the rounds that were asked with predictions, and the tasks without theirs."""

    active: bool
    rounds: frozenset[int]
    hidden: frozenset[str]

    @classmethod
    def of(cls, walk: Walk) -> Showing:
        """By the outputs of the step `ask`, whatever the plan has become since."""
        asked = {
            number: output["hidden"] for number, output in walk.ledger.outputs("ask").items() if "hidden" in output
        }
        return cls(
            walk.plan.show_predictions, frozenset(asked), frozenset(key for keys in asked.values() for key in keys)
        )

    def shows(self, task: Task) -> bool:
        """Whether people see what the model answers to a task; seniors and those who sit the exam never do."""
        return not task.queue and task.round in self.rounds and task.key not in self.hidden

    def keeps_back(self, task: Task) -> bool:
        """Whether a task must go without its prediction; where the plan shows none at all, the settings hide them."""
        return self.active and not self.shows(task)


def as_served(walk: Walk, tasks: Sequence[Task]) -> list[Task]:
    """The tasks as the place of work is to hold them: predictions that are kept back are not there. O(tasks)."""
    showing = Showing.of(walk)
    return [replace(task, predicted={}) if showing.keeps_back(task) else task for task in tasks]
