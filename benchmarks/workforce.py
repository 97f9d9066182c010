"""Signals about people, by simulation: how often honest people are named, how soon others are, and what it is worth.

    python benchmarks/workforce.py [--quick]

Campaigns of 100 people of whom all are honest give the false-alarm rate: under even and rare labels, and where a third
person is asked only when two disagree. Campaigns of which ten are planted (random, lazy, adversarial, two colluding,
drifting, copying) give detection and delay: the record is looked at after every 25 answers of each person, as rounds
do. Then the labels of those who were named at the last look are set aside, and the rest is resolved again; on real
texts (davidson), a model is trained on both.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from common import Goal, finish, shared
from planted_people import HABITS, PEOPLE, TURNS, Shift, World, plant

import hitl
from hitl.labels import RESOLVERS, AnswerTable
from hitl.metrics.counts import proportion
from hitl.metrics.multiplicity import holm
from hitl.types import Bools, Estimate, Floats, Ints, Targets
from hitl.workforce.signals import LEVEL, SIGNALS, propose

PLANTED = (
    "random",
    "random",
    "lazy",
    "lazy",
    "adversarial",
    "colluding",
    "colluding",
    "drifting",
    "drifting",
    "copying",
)
SHIFTS = {
    "three people a task": Shift(),
    "rare labels": Shift(mix=(0.9, 0.05, 0.03, 0.02)),
    "a third if two disagree": Shift(third_opinion=True),
}
LOOK, WITHIN = 25, 200
WANTED = {"random": 0.9, "lazy": 0.8, "adversarial": 0.9, "colluding": 0.9, "drifting": 0.8, "copying": 0.5}
"""Share that shall be named within `WITHIN` answers; of the drifting, since they drift."""


def looks(world: World, every: int) -> Iterator[tuple[int, Bools]]:
    """Answers a person so far, and who is named by which signal (s, w), look after look."""
    last = int(world.turn.max()) + 1
    for turns in [*range(every, last, every), last]:
        yield turns, propose(world.until(turns), SIGNALS, holm).flagged


def mean(values: Floats, name: str) -> Estimate:
    """The mean over campaigns with its 95 % interval (Student)."""
    from scipy.stats import t

    n = len(values)
    half = t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5 if n > 1 else np.inf
    return Estimate(name, float(values.mean()), float(values.mean() - half), float(values.mean() + half), n)


@dataclass
class Alarms:
    """Campaigns in which all are honest: in how many a signal names anybody, at any look, and how many people."""

    campaigns: int = 0
    named: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    people: int = 0

    @classmethod
    def of(cls, shift: Shift, campaigns: int, first: int) -> Alarms:
        found = cls(campaigns)
        for seed in range(first, first + campaigns):
            ever = np.logical_or.reduce([flagged for _, flagged in looks(plant(seed, (), shift), 150)])
            for name, one in zip(SIGNALS, ever, strict=True):
                found.named[name] += bool(one.any())
            found.named["any"] += bool(ever.any())
            found.people += int(ever.any(axis=0).sum())
        return found

    def rate(self, name: str) -> Estimate:
        return proportion(self.named[name], self.campaigns, name=name)


@dataclass
class Found:
    """Planted campaigns: of each habit, after how many answers each person was named (inf: never), and by what."""

    delays: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    by: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    honest_named: int = 0
    campaigns_false: int = 0
    gains: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, world: World) -> Bools:
        """One campaign looked through; who is named at its end (w,)."""
        first, flagged = np.full(PEOPLE, np.inf), np.zeros((len(SIGNALS), PEOPLE), dtype=np.bool_)
        for turns, now in looks(world, LOOK):
            flagged |= now
            first = np.where(np.isinf(first) & flagged.any(axis=0), turns, first)
        for habit in HABITS:
            mine = world.of(habit)
            self.delays[habit] += (first[mine] - (TURNS if habit == "drifting" else 0)).tolist()
            for name, one in zip(SIGNALS, flagged, strict=True):
                self.by[habit][name] += int(one[mine].sum())
        wrongly = int(flagged[:, world.of("")].any(axis=0).sum())
        self.honest_named += wrongly
        self.campaigns_false += wrongly > 0
        return flagged.any(axis=0)

    def share(self, habit: str) -> Estimate:
        delays = np.array(self.delays[habit])
        return proportion(int((delays <= WITHIN).sum()), len(delays), name="found")

    def told(self, habit: str) -> list[str]:
        delays = np.array(self.delays[habit])
        seen = delays[np.isfinite(delays)]
        spread = "{:.0f} ({:.0f} to {:.0f})".format(*np.quantile(seen, [0.5, 0.1, 0.9])) if len(seen) else "–"
        which = sorted(self.by[habit].items(), key=lambda pair: -pair[1])
        by = ", ".join(f"{name} {count / len(delays):.0%}" for name, count in which if count)
        return [f"planted: {habit}", str(len(delays)), self.share(habit).figures, spread, by]


def resolved(world: World, kept: Bools, resolver: str) -> tuple[Ints, float]:
    """Labels of the tasks (t,) from the answers of some people (w,), and how many are right, gold aside.

    Ties count in expectation, and a task whose answers are all set aside as a guess.
    """
    stream = world.stream
    rows = kept[stream.worker]
    tasks, k = len(world.truth), len(stream.labels)
    names = tuple(map(str, range(tasks)))
    table = AnswerTable(
        stream.task[rows], stream.worker[rows], stream.label[rows], names, stream.workers, stream.labels, stream.truth
    )
    settled = RESOLVERS[resolver](table)
    top = settled.posterior >= settled.posterior.max(axis=1, keepdims=True) - 1e-9
    credit = top[np.arange(tasks), world.truth] / top.sum(axis=1)
    answered = np.bincount(table.task, minlength=tasks) > 0
    open_ = stream.truth < 0
    return settled.labels, float(np.where(answered, credit, 1 / k)[open_].mean())


def planted(runs: int) -> Found:
    """Campaigns with ten planted people: who is found, and what setting their labels aside does to the labels."""
    found = Found()
    for seed in range(runs):
        world = plant(10_000 + seed, PLANTED)
        named = found.add(world)
        for resolver in ("majority", "dawid_skene"):
            both = [resolved(world, kept, resolver)[1] for kept in (np.ones(PEOPLE, dtype=np.bool_), ~named)]
            found.gains[resolver].append((both[0], both[1]))
    return found


def models(runs: int) -> list[tuple[float, float, float]]:
    """Macro-F1 on held-out texts of models trained on labels with everybody, without those named, and on the truth."""
    from simulated import load
    from sklearn.metrics import f1_score

    folder = shared()
    if folder is None:
        return []
    data = load("davidson", folder)
    model = hitl.TextLinear()
    features = model.features(data.pool, None)
    told, k = [], len(data.labels)
    for seed in range(runs):
        order = np.random.default_rng(20_000 + seed).permutation(len(data.truth))
        shift = Shift(mix=(1 / k,) * k, answers=120)
        items, test = np.sort(order[: shift.tasks]), np.sort(order[-5_000:])
        world = plant(20_000 + seed, PLANTED, shift, data.truth[items])
        named = propose(world.stream, SIGNALS, holm).flagged.any(axis=0)
        everybody = np.ones(PEOPLE, dtype=np.bool_)
        labels = [resolved(world, kept, "majority")[0] for kept in (everybody, ~named)]
        figures = []
        for given in (*labels, world.truth):
            rows = np.flatnonzero(given >= 0)
            targets = Targets(items[rows], np.eye(k)[given[rows]], data.labels, np.ones(len(rows)))
            fitted = model.fit(features, targets, np.random.default_rng(seed), multi_label=False)
            said = fitted.predict(features.take(test)).proba.argmax(axis=1)
            figures.append(float(f1_score(data.truth[test], said, average="macro")))
        told.append((figures[0], figures[1], figures[2]))
    return told


def alarm_goals(alarms: dict[str, Alarms], found: Found, runs: int) -> list[Goal]:
    """Whether honest people are left in peace."""
    goals = []
    for name in (*SIGNALS, "any"):
        n = sum(one.campaigns for one in alarms.values())
        rate = proportion(sum(one.named[name] for one in alarms.values()), n, name=name)
        goals.append(
            Goal(
                f"false alarms, {name}",
                f"somebody named in at most {LEVEL:.0%} of honest campaigns, within simulation error",
                f"{rate.value:.2%} [{rate.low:.2%}, {rate.high:.2%}] of {n:,}",
                rate.low <= LEVEL,
            )
        )
    honest, beside = runs * (PEOPLE - len(PLANTED)), proportion(found.campaigns_false, runs)
    goals.append(
        Goal(
            "honest people beside planted ones",
            f"at most {LEVEL:.0%} of campaigns name one",
            f"{beside.figures} of campaigns; {found.honest_named} of {honest:,} people",
            beside.low <= LEVEL,
        )
    )
    return goals


def worth_goals(found: Found, trained: list[tuple[float, float, float]]) -> list[Goal]:
    """Whether those who should be are found, and setting their labels aside does no harm."""
    goals = []
    for habit in HABITS:
        share = found.share(habit)
        wanted = f"{WANTED[habit]:.0%} within {WITHIN} answers" + (" of drift" if habit == "drifting" else "")
        goals.append(Goal(f"found: {habit}", wanted, share.figures, share.value >= WANTED[habit]))
    for resolver, pairs in found.gains.items():
        with_, without = np.array(pairs).T
        gain = mean(100 * (without - with_), "points")
        said = f"{with_.mean():.2%} → {without.mean():.2%}: {gain.figures} points"
        goals.append(Goal(f"labels right, {resolver}", "not below without the quarantine", said, gain.value >= 0))
    if trained:
        with_, without, true = np.array(trained).T
        gain = mean(100 * (without - with_), "points")
        said = f"{with_.mean():.3f} → {without.mean():.3f} (true labels {true.mean():.3f}): {gain.figures} points"
        goals.append(Goal("model's macro-F1, davidson", "not below without, beyond chance", said, gain.high >= 0))
    return goals


def main() -> None:
    """Simulate, print and keep the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    campaigns, runs, fits = (60, 12, 4) if options.quick else (400, 60, 12)
    begun = time.perf_counter()
    alarms = {
        name: Alarms.of(shift, campaigns, 1_000_000 * at) for at, (name, shift) in enumerate(SHIFTS.items(), start=1)
    }
    print(f"{len(SHIFTS) * campaigns:,} honest campaigns in {time.perf_counter() - begun:,.0f} s")
    found, trained = planted(runs), models(fits)
    print(f"all in {time.perf_counter() - begun:,.0f} s")
    rows = [
        [
            f"honest, {name}",
            f"{one.campaigns:,}",
            one.rate("any").figures,
            "–",
            f"{one.people} of {PEOPLE * one.campaigns:,}",
        ]
        for name, one in alarms.items()
    ]
    rows += [found.told(habit) for habit in HABITS]
    headers = ["people", "n", f"named within {WITHIN}", "answers until named (10 to 90 %)", "by"]
    finish("workforce", [*alarm_goals(alarms, found, runs), *worth_goals(found, trained)], rows, headers)


if __name__ == "__main__":
    main()
