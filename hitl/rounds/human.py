"""What people decided in a round, and how long it took them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hitl.history.transparency import ALL, UNKNOWN
from hitl.labels.voices import is_answer, voices
from hitl.metrics.ops import AWAY, median_estimate
from hitl.rounds.in_force import Period, under
from hitl.rounds.logged import Cell
from hitl.rounds.people import pushed_at, seconds_between
from hitl.rounds.walk import Walk
from hitl.types import Estimate, Task


@dataclass
class _Work:
    """The work of one cell: settled items, active seconds of each answer, hours from asking to those that tell."""

    settled: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)

    def figures(self) -> list[Estimate]:
        """Counts and medians."""
        items, answers = len(self.settled), len(self.seconds)
        return [
            Estimate("human_decisions", items, items, items, items, method="count"),
            Estimate("human_answers", answers, answers, answers, answers, method="count"),
            _median(self.seconds, "human_seconds"),
            _median(self.hours, "human_turnaround"),
        ]


def human_work(walk: Walk, period: Period) -> Iterator[tuple[Cell, list[Estimate]]]:
    """The figures of a round that has begun, all first, then by language and category that occur.

    Gold and the exam are left out, whose labels are known. Turnaround is that of the campaign's own queue: when a
    senior was asked is not on record. O(tasks and answers of the round).
    """
    number = period.number
    gold = walk.gold.known
    tasks = [t for t in walk.ledger.tasks(number) if t.queue != "exam" and t.item_id not in gold]
    if not tasks:
        return
    items = [task.item_id for task in tasks]
    settled = {r.item_id: r.labels for r in walk.ledger.resolutions(number, items=items) if r.labels is not None}
    heard, pushed = voices(walk.ledger.annotations(number)), pushed_at(walk).get(number, "")
    violating = {label.name for label in under(walk, period.policy_version).policy.labels if label.violating}
    cells: defaultdict[tuple[str, str], _Work] = defaultdict(_Work, {(ALL, ALL): _Work()})
    for task, language in zip(tasks, _languages(walk, tasks), strict=True):
        labels = settled.get(task.item_id)
        categories = (ALL, *violating.intersection(labels or ()))
        mine = [cells[spoken, category] for spoken in (ALL, language) for category in categories]
        for work in mine if labels is not None else ():
            work.settled.add(task.item_id)
        for one in filter(is_answer, heard.get(task.key, ())):
            wait = None if task.queue else seconds_between(pushed, one.submitted)
            for work in mine:
                work.seconds.append(min(max(one.seconds, 0.0), AWAY))
                work.hours += [] if wait is None else [wait / 3600]
    for language, category in sorted(cells, key=lambda cell: (cell[0] != ALL, cell[0], cell[1] != ALL, cell[1])):
        yield Cell(language, category, "human"), cells[language, category].figures()


def _languages(walk: Walk, tasks: Sequence[Task]) -> list[str]:
    codes, names = walk.pool.codes("language")
    return [names[code] or UNKNOWN for code in codes[walk.positions(task.item_id for task in tasks)].tolist()]


def _median(values: Sequence[float], name: str) -> Estimate:
    found = median_estimate(values, name)
    return found if found.n else replace(found, method="no such time is on record")
