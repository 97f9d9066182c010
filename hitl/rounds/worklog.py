"""What the record holds of people's work, as columns: who did what and when, and when each task was asked and done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.labels.voices import is_answer, out_of, voices, wants_people
from hitl.metrics.ops import OUTS, Grouping, TaskLog, WorkLog, active
from hitl.metrics.ops.backlog import DAY
from hitl.rounds.collect import in_hand
from hitl.rounds.counted import aside
from hitl.rounds.walk import Walk
from hitl.rounds.workforce import Home
from hitl.types import Annotation, Bools, Floats, Task
from hitl.types.times import seconds_since_1970

MAIN = "main"
"""How the campaign's own queue is called."""


@dataclass(frozen=True, eq=False)
class Record:
    """Work and tasks as columns, and what else planning needs of a campaign.

    `further` (m,) are moments at which answers were asked for beyond what a round began with (further opinions,
    review); `open_from` and `open_to` (r,) between which rounds waited for people. Of items: the seconds that went into
    each (i,) and whether it got a label. Moments are in seconds since 1970.
    """

    work: WorkLog
    tasks: TaskLog
    further: Floats
    further_by: Mapping[str, Grouping]
    open_from: Floats
    open_to: Floats
    item_seconds: Floats
    labelled: Bools
    round_hours: Mapping[int, float]

    def waited(self, now: float, days: int) -> Bools:
        """(d,) on which of the last days, the latest first, some round waited for people from beginning to end."""
        end = now - np.arange(days) * DAY
        inside = (self.open_from <= end[:, None] - DAY) & (self.open_to >= end[:, None])
        return np.asarray(inside.any(axis=1))


def record(walk: Walk, annotations: Sequence[Annotation], at: str, homes: Mapping[Home, Mapping[str, str]]) -> Record:
    """The record as columns as of `at`; `homes` are as of `hitl.rounds.workforce.homes_of`.

    The exam is left out, and so is what somebody else wrote in a person's name. O(annotations + tasks).
    """
    tasks = {task.key: task for task in walk.ledger.tasks() if task.queue != "exam"}
    heard = {key: said for key, said in voices(annotations).items() if key in tasks}
    clock = _Clock.of(walk, seconds_since_1970(at))
    done = [(tasks[key], one) for key, said in heard.items() for one in said if out_of(one) != "unconfirmed"]
    gone = aside(walk, annotations)  # it took its time, and is wanted anew
    counted = voices(one for one in annotations if one.id not in gone) if gone else heard
    asks = list(_asks(walk, tasks.values(), counted, clock))
    spent, labels = _spent(done), _labelled(walk)
    further = list(clock.further(tasks))
    opened = np.array([clock.pushed[number] for number in clock.pushed])
    return Record(
        work=_work(done, homes),
        tasks=TaskLog(
            asked=np.array([ask.asked for ask in asks]),
            ended=np.array([ask.ended for ask in asks]),
            until=np.array([ask.until for ask in asks]),
            wanting=np.array([ask.wanting for ask in asks], dtype=np.int64),
            by=_by_task([ask.task for ask in asks]),
        ),
        further=np.array([when for _, when in further], dtype=np.float64),
        further_by=_by_task([task for task, _ in further]),
        open_from=opened,
        open_to=np.array([clock.left.get(number, clock.now) for number in clock.pushed]),
        item_seconds=np.array(list(spent[0].values())),
        labelled=np.array([item in labels for item in spent[0]], dtype=np.bool_),
        round_hours=spent[1],
    )


@dataclass(frozen=True)
class _Clock:
    """When rounds were on the server, and when they went on; and when more was asked for than a round began with."""

    now: float
    pushed: Mapping[int, float]
    left: Mapping[int, float]
    more: Mapping[str, Sequence[float]]  # task key → when one person more was asked, each time
    reviews: Mapping[str, float]  # task key → when it joined its round

    @classmethod
    def of(cls, walk: Walk, now: float) -> _Clock:
        pushed, left = (
            {n: seconds_since_1970(when) for n, when in walk.ledger.completed(step).items()}
            for step in ("push", "pull")
        )
        more = defaultdict[str, list[float]](list)
        for key, _, when in walk.ledger.intended("overlap"):
            more[key].append(seconds_since_1970(when))
        return cls(
            now, pushed, left, more, {key: seconds_since_1970(when) for key, _, when in walk.ledger.intended("push")}
        )

    def late(self, task: Task) -> list[float]:
        """When one person more was asked after the task's round had gone on: another round began with it."""
        return [when for when in self.more.get(task.key, ()) if when > self.left.get(task.round, float("inf"))]

    def further(self, tasks: Mapping[str, Task]) -> Iterator[tuple[Task, float]]:
        """Each answer that was asked for on the way, while a round waited: of which task, and when."""
        for key in self.more.keys() & tasks.keys():
            late = self.late(tasks[key])
            yield from ((tasks[key], when) for when in self.more[key] if when not in late)
        yield from ((tasks[key], when) for key, when in self.reviews.items() if key in tasks)


@dataclass(frozen=True)
class _Ask:
    """A task, or another asking of it when its round was long over, which is a wait of its own."""

    task: Task
    asked: float
    ended: float
    until: float
    wanting: int


def _asks(
    walk: Walk, tasks: Iterable[Task], heard: Mapping[str, Sequence[Annotation]], clock: _Clock
) -> Iterator[_Ask]:
    """Every task that was not let go; what an earlier round left open is looked at until that round went on."""
    rounds = walk.ledger.rounds()
    lost, held = walk.ledger.lost_tasks(), set[str]()
    if rounds and rounds[-1]["round"] not in clock.left:
        held = {task.key for task in in_hand(walk, rounds[-1]["round"])}
    for task in tasks:
        said = heard.get(task.key, ())
        given = sorted(seconds_since_1970(one.submitted) for one in said if is_answer(one))
        if task.key in lost or (len(given) < task.overlap and not wants_people(task, said)):
            continue
        begun, late = clock.reviews.get(task.key, clock.pushed.get(task.round, float("nan"))), clock.late(task)
        before, first = 0, task.overlap - len(late)
        for people, asked in zip(range(first, task.overlap + 1), [begun, *late], strict=True):
            ended = given[people - 1] if 0 < people <= len(given) else float("nan")
            wanting = max(people - max(len(given), before), 0) if task.key in held else 0
            left = ended != ended and not wanting
            yield _Ask(task, asked, ended, clock.left.get(task.round, clock.now) if left else clock.now, wanting)
            before = people


def _work(done: Sequence[tuple[Task, Annotation]], homes: Mapping[Home, Mapping[str, str]]) -> WorkLog:
    workers = [one.worker for _, one in done]
    more: dict[str, Grouping] = {name: _coded([of.get(one) for one in workers]) for name, of in homes.items() if of}
    return WorkLog(
        seconds=np.array([one.seconds for _, one in done], dtype=np.float64),
        out=np.array([OUTS.index(out_of(one)) for _, one in done], dtype=np.int64),
        at=np.array([seconds_since_1970(one.submitted) for _, one in done]),
        by={"worker": _coded(workers), **more, **_by_task([task for task, _ in done])},
    )


def _by_task(tasks: Sequence[Task]) -> dict[str, Grouping]:
    return {
        "language": _coded([str(task.data.get("language", "")) or None for task in tasks]),
        "queue": _coded([task.queue or MAIN for task in tasks]),
    }


def _coded(values: Sequence[str | None]) -> Grouping:
    """Codes of values in the order of their names; -1 of None."""
    names = tuple(sorted({value for value in values if value is not None}))
    place = {name: code for code, name in enumerate(names)}
    return np.array([-1 if value is None else place[value] for value in values], dtype=np.int64), names


def _spent(done: Sequence[tuple[Task, Annotation]]) -> tuple[dict[str, float], dict[int, float]]:
    """Active seconds by item, and productive hours by round."""
    seconds = active(np.array([one.seconds for _, one in done], dtype=np.float64)).tolist()
    items, rounds = defaultdict[str, float](float), defaultdict[int, float](float)
    for (task, _), spent in zip(done, seconds, strict=True):
        items[task.item_id] += spent
        rounds[task.round] += spent / 3600
    return items, rounds


def _labelled(walk: Walk) -> set[str]:
    """Items that the last round with resolutions gave a label; gold had its own before."""
    for row in reversed(walk.ledger.rounds()):
        found = walk.ledger.resolutions(row["round"])
        if found:
            return {one.item_id for one in found if one.labels is not None} - walk.gold.known.keys()
    return set()
