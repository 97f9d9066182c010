"""A hundred people with known habits who judge items of known truth: what `benchmarks/workforce.py` looks for.

Honest people differ: in skill, pace, which labels they mix up, and how far a shown prediction draws them; some are
three times as fast as others and as right. Items differ in how hard they are, and have a wrong label that tempts
everybody, so that honest people err alike. Each task is asked of three people of one desk of five; one in ten is gold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hitl.types import Bools, Floats, Ints
from hitl.workforce.signals import Stream

PEOPLE, DESK, OVERLAP = 100, 5, 3
GOLD, SHOWN, MODEL = 0.1, 0.7, 0.75
"""Share of gold, of tasks whose prediction is shown, and how often the model is right."""

TURNS = 100
"""Answers that a drifting person gives before they stop looking."""

HABITS = ("random", "lazy", "adversarial", "colluding", "drifting", "copying")


@dataclass(frozen=True)
class Shift:
    """What is asked: how frequent labels are, answers a person, and whether a third is asked only on disagreement."""

    mix: tuple[float, ...] = (0.55, 0.2, 0.15, 0.1)
    answers: int = 300
    third_opinion: bool = False

    @property
    def tasks(self) -> int:
        return PEOPLE * self.answers // OVERLAP


@dataclass(frozen=True, eq=False)
class World:
    """Answers in order of time, and what only the planter knows: the truth of tasks (t,) and each person's habit."""

    stream: Stream
    truth: Ints
    habit: tuple[str, ...]  # empty for the honest
    turn: Ints  # (m,) how many answers its author gave before

    def of(self, habit: str) -> Ints:
        """Codes of the people of a habit."""
        return np.flatnonzero(np.array(self.habit) == habit)

    def until(self, turns: int) -> Stream:
        """The record when everybody had given so many answers at most."""
        return self.stream.first(self.turn < turns)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Tasks (t,) and answers (m,) before anybody gave them."""

    truth: Ints
    tempting: Ints
    predicted: Ints
    shown: Bools
    task: Ints
    worker: Ints
    turn: Ints
    k: int


def plant(seed: int, habits: tuple[str, ...] = (), shift: Shift | None = None, truth: Ints | None = None) -> World:
    """One shift of all people; `habits` are those of the planted, colluding ones two by two.

    `truth` (t,) is that of given items; drawn from the shift's mix when left out.
    """
    shift = shift or Shift()
    rng = np.random.default_rng(seed)
    k = len(shift.mix)
    truth = rng.choice(k, shift.tasks, p=np.array(shift.mix)) if truth is None else truth
    asked, habit = _asked(truth, k, rng), _seats(habits, rng)
    label, seconds = _honest(asked, rng), _seconds(asked, rng)
    for code, name in enumerate(habit):
        rows = np.flatnonzero(asked.worker == code)
        if name and name != "colluding":
            label[rows], seconds[rows] = _bad(name, asked, rows, label[rows], seconds[rows], rng)
    _collude(habit, asked, label, rng)
    stream = Stream.of(
        asked.task, asked.worker, label,
        workers=[f"p{at:03}" for at in range(PEOPLE)], labels=[f"l{at}" for at in range(k)],
        truth=np.where(rng.random(len(truth)) < GOLD, truth, -1), seconds=seconds,
        predicted=asked.predicted[asked.task], shown=asked.shown[asked.task],
    )  # fmt: skip
    world = World(stream, truth, habit, asked.turn)
    return _thinned(world) if shift.third_opinion else world


def _asked(truth: Ints, k: int, rng: np.random.Generator) -> _Asked:
    tasks = len(truth)
    desk = rng.integers(0, PEOPLE // DESK, tasks)
    seats = rng.permuted(np.tile(np.arange(DESK), (tasks, 1)), axis=1)[:, :OVERLAP]
    worker, task = (desk[:, None] * DESK + seats).ravel(), np.repeat(np.arange(tasks), OVERLAP)
    order = np.argsort(task + rng.random(len(task)) * 60, kind="stable")  # people of a desk work side by side
    tempting = (truth + rng.integers(1, k, tasks)) % k
    wrong = np.where(rng.random(tasks) < 0.5, tempting, (truth + 1) % k)
    return _Asked(
        truth=truth,
        tempting=tempting,
        predicted=np.where(rng.random(tasks) < MODEL, truth, wrong),
        shown=rng.random(tasks) < SHOWN,
        task=task[order],
        worker=worker[order],
        turn=_turns(worker[order]),
        k=k,
    )


def _turns(worker: Ints) -> Ints:
    order = np.argsort(worker, kind="stable")
    sizes = np.bincount(worker, minlength=PEOPLE)
    turn = np.empty(len(worker), dtype=np.int64)
    turn[order] = np.arange(len(worker)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return turn


def _seats(habits: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """Who sits where: colluding people share a desk, two by two, all others sit anywhere."""
    seats = [""] * PEOPLE
    for desk in rng.permutation(PEOPLE // DESK)[: habits.count("colluding") // 2].tolist():
        seats[desk * DESK] = seats[desk * DESK + 1] = "colluding"
    free = rng.permutation([at for at in range(PEOPLE) if not seats[at]]).tolist()
    for at, name in zip(free, [name for name in habits if name != "colluding"], strict=False):
        seats[at] = name
    return tuple(seats)


def _honest(asked: _Asked, rng: np.random.Generator) -> Ints:
    task, worker, m = asked.task, asked.worker, len(asked.task)
    skill, hard = rng.normal(2.3, 0.55, PEOPLE), rng.normal(0.0, 0.9, len(asked.truth))
    favourite = rng.integers(0, asked.k, PEOPLE)
    pulled = rng.beta(2, 12, PEOPLE)  # how often the shown prediction is taken as it is
    right = rng.random(m) < 1 / (1 + np.exp(hard[task] - skill[worker]))
    how, chance = rng.random(m), rng.integers(0, asked.k, m)
    other = np.where(how < 0.5, asked.tempting[task], np.where(how < 0.7, favourite[worker], chance))
    label = np.where(right, asked.truth[task], other)
    return np.where(asked.shown[task] & (rng.random(m) < pulled[worker]), asked.predicted[task], label)


def _seconds(asked: _Asked, rng: np.random.Generator) -> Floats:
    pace = rng.normal(0.0, 0.35, PEOPLE)
    pace[rng.random(PEOPLE) < 0.05] = -np.log(3)  # fast, and as right as others
    long = rng.normal(0.0, 0.5, len(asked.truth))
    return np.exp(np.log(10) + pace[asked.worker] + long[asked.task] + rng.normal(0.0, 0.45, len(asked.task)))


def _bad(
    name: str, asked: _Asked, rows: Ints, label: Ints, seconds: Floats, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """What somebody of a habit says on their rows, and after how long; `label` is what they say if they look."""
    task, n = asked.task[rows], len(rows)
    chance, blind = rng.integers(0, asked.k, n), rng.random(n)
    if name == "random":
        return chance, seconds
    if name == "adversarial":
        return (asked.truth[task] + rng.integers(1, asked.k, n)) % asked.k, seconds
    if name == "lazy":  # the usual answer, without looking
        return np.where(blind < 0.85, 0, label), np.exp(np.log(2.5) + rng.normal(0.0, 0.45, n))
    if name == "copying":
        return np.where(asked.shown[task] & (blind < 0.95), asked.predicted[task], label), seconds
    return np.where((asked.turn[rows] >= TURNS) & (blind < 0.85), chance, label), seconds


def _collude(habit: tuple[str, ...], asked: _Asked, label: Ints, rng: np.random.Generator) -> None:
    """Pairs who divide the work: one answers in haste, half of it right, and the other says the same; into `label`."""
    n = len(asked.truth)
    for leader in (at for at, name in enumerate(habit) if name == "colluding" and at % DESK == 0):
        hasty = np.where(rng.random(n) < 0.4, asked.tempting, 0)
        said = np.where(rng.random(n) < 0.5, asked.truth, hasty)
        for one in (leader, leader + 1):
            rows = np.flatnonzero(asked.worker == one)
            slips = rng.random(len(rows)) < 0.02
            label[rows] = np.where(slips, rng.integers(0, asked.k, len(rows)), said[asked.task[rows]])


def _thinned(world: World) -> World:
    """The same with the third answer left out wherever the first two agree; all three stay on gold."""
    stream = world.stream
    order = np.lexsort((np.arange(len(stream)), stream.task))
    first, second, third = order.reshape(-1, OVERLAP).T
    needless = (stream.label[first] == stream.label[second]) & (stream.truth < 0)
    kept = np.ones(len(stream), dtype=np.bool_)
    kept[third[needless]] = False
    return replace(world, stream=stream.first(kept), turn=_turns(stream.worker[kept]))
