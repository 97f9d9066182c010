"""Answers as they were first asked for: what people say before disagreement or doubt calls for another opinion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hitl.labels.voices import is_answer, voices
from hitl.rounds.counted import answers
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Task


@dataclass(frozen=True, eq=False)
class FirstAsked:
    """Tasks with the answers that each was planned to have, and how many more were given.

    A third person is asked where two disagree, and a second where a single answer is not believed: counted with the
    rest they would make people look less agreed than they are. Who answered first is nobody's choice.
    """

    tasks: tuple[Task, ...]
    said: tuple[Annotation, ...]
    further: int
    arms: Mapping[str, str]
    """Task key → the arm that picked its item."""
    inclusion: Mapping[str, float]
    """Task key → the probability with which a draw took its item; of probability samples alone."""

    @classmethod
    def of(cls, walk: Walk, number: int, *, alone: bool = False) -> FirstAsked:
        """What was asked until a round, or in it `alone`, under the present policy; O(tasks + annotations).

        Gold is left out, where people were to show that they know what is right, and what was asked in other queues.
        """
        gold, version = walk.gold.known, walk.policy.version
        rounds = [number] if alone else list(range(number + 1))
        tasks = [
            task
            for at in rounds
            for task in walk.ledger.tasks(at)
            if task.policy_version == version and not task.queue and task.item_id not in gold
        ]
        picks = {(at, pick.item_id): pick for at in rounds for pick in walk.ledger.picks(at) if pick.arm != "relabel"}
        picked = {task.key: picks.get((task.round, task.item_id)) for task in tasks}
        planned = _planned(walk)
        heard = voices(answers(walk, number if alone else None))
        said: list[Annotation] = []
        further = 0
        for task in tasks:
            mine = sorted(filter(is_answer, heard.get(task.key, ())), key=lambda one: (one.submitted, one.id))
            first = mine[: planned.get(task.key, task.overlap)]
            said += first
            further += len(mine) - len(first)
        arms = {key: pick.arm for key, pick in picked.items() if pick}
        drawn = {key: pick.inclusion for key, pick in picked.items() if pick and pick.inclusion}
        return cls(tuple(tasks), tuple(said), further, arms, drawn)


def _planned(walk: Walk) -> dict[str, int]:
    """Task key → of how many people it was first asked, where more were asked since: one less than the first intent."""
    planned: dict[str, int] = {}
    for key, people, _ in walk.ledger.intended("overlap"):
        planned[key] = min(planned.get(key, people - 1), people - 1)
    return {key: max(people, 1) for key, people in planned.items()}
