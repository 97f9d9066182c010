"""Routing: where the answers do not settle an item, it goes on by the campaign's rules, and the record says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.errors import ConfigError
from hitl.labels.settle import Settlement
from hitl.labels.voices import disagree, is_answer, out_of, voices
from hitl.policy import OUTS, Policy
from hitl.rounds.counted import answers
from hitl.rounds.intents import send_intents
from hitl.rounds.review import Heard, Said, named, review_tasks, severities, stakes
from hitl.rounds.walk import Walk
from hitl.sampling.plan import FIXED, Plan
from hitl.types import SETTLING, Annotation, Floats, Ints, Queue, Resolution, Task
from hitl.workforce.cases import Cases, encode, one_hot
from hitl.workforce.routing import ACCEPTED, QUEUES, Route, check_routes, leading, route_all, served

ROUTED = "routed"
"""The event that tells which cases were sent where, by which rule, and why; its time is when that was decided."""

Settle = Callable[[Sequence[Task], Sequence[Annotation]], Settlement]


def checked(routes: Iterable[Route], policy: Policy, plan: Plan) -> tuple[Route, ...]:
    """A campaign's own rules; raises `ConfigError` for what cannot be meant under its policy and plan."""
    rules = tuple(routes)
    check_routes(rules, policy.names, [*plan.arms, *(arm for arm in FIXED if arm not in plan.arms)])
    if rules and (plan.review or not plan.third_opinion):
        raise ConfigError(
            "routes: they say who is asked further, and so do plan.third_opinion and plan.review; leave those two out "
            "of the plan"
        )
    return rules


def send_on(
    walk: Walk, number: int, tasks: Sequence[Task], open_keys: set[str], settle: Settle, *, waiting: bool
) -> bool:
    """Send what people are done with where the campaign's rules say; whether somebody must work again.

    The leading rules with a deadline act at once, the others when the round no longer waits. Of these further reviewers
    come first: what they say of people may settle other items, too. Queues are filled when nobody more is to be asked.
    What is asked is on record before it is pushed: a run that is killed in between goes on with the same tasks.
    """
    early = _sent(walk, number, leading(walk.routes), lambda: _standing(walk, tasks, open_keys, None))
    if early or waiting:
        return early
    return _sent(walk, number, walk.routes, lambda: _standing(walk, tasks, open_keys, settle), in_turn=True)


def _sent(
    walk: Walk, number: int, routes: Sequence[Route], standing: Callable[[], _Standing], *, in_turn: bool = False
) -> bool:
    """Send on by these rules; whether there was anything. `in_turn`, queues wait for further reviewers."""
    if all(rule.to == "accept" for rule in routes):
        return False
    stand = standing()
    cases = stand.cases(routes)
    fired = route_all(cases, routes)
    to = np.array([routes[at].to if at != ACCEPTED else "accept" for at in fired.tolist()], dtype=np.str_)
    chosen = np.flatnonzero(to != "accept")
    if in_turn and (to == "another").any():
        chosen = np.flatnonzero(to == "another")
    if not len(chosen):
        return False
    _send(stand, number, cases, [routes[at] for at in fired[chosen].tolist()], chosen)
    return True


@dataclass(frozen=True, eq=False)
class _Standing:
    """Tasks that people are done with and whose item may go on, with what was said of each item, and by whom last."""

    walk: Walk
    tasks: Sequence[Task]
    said: Said
    reviewed: Sequence[bool]
    settled: Mapping[str, Resolution]

    def cases(self, routes: Sequence[Route]) -> Cases:
        """The tasks as rules see them; what no rule asks about is not read."""
        walk, tasks = self.walk, self.tasks
        at = np.array([task.position for task in tasks], dtype=np.int64)
        (codes, regions), (spoken, languages) = walk.regions, walk.pool.codes("language")
        heard = [[one for one in said if one.task_key == task.key] for task, said in zip(tasks, self.said, strict=True)]
        given = [[one for one in said if is_answer(one)] for said in heard]
        settled = [self.settled.get(task.item_id) for task in tasks]
        return Cases(
            names=walk.policy.names,
            named=named(walk, heard),
            outs=one_hot([[out_of(one) for one in said] for said in heard], OUTS),
            severity=severities(walk, tasks, self.said),
            confidence=np.array([one.confidence if one else 0.0 for one in settled], dtype=np.float64),
            reach=walk.pool.reach[at],
            flags=self._flags(at) if any(rule.flags_from is not None for rule in routes) else np.zeros(len(at)),
            answers=np.array([len(said) for said in given], dtype=np.int64),
            asked=np.array([task.overlap for task in tasks], dtype=np.int64),
            disagreement=np.array([disagree(said) for said in given], dtype=np.bool_),
            labelled=np.array([not all(map(out_of, said)) for said in given], dtype=np.bool_),
            resolved=np.array([one is not None and one.labels is not None for one in settled], dtype=np.bool_),
            reviewed=np.array(self.reviewed, dtype=np.bool_),
            region=(codes[at], regions),
            language=(spoken[at], languages),
            arm=encode(self._arms() if any(rule.arms for rule in routes) else [""] * len(at)),
        )

    def _flags(self, at: Ints) -> Floats:
        flags: Floats = self.walk.pool.rows(at, ["flags"])["flags"].to_numpy().astype(np.float64)
        return flags

    def _arms(self) -> list[str]:
        rounds = {task.round for task in self.tasks}
        arms = {(number, pick.item_id): pick.arm for number in rounds for pick in self.walk.ledger.picks(number)}
        return [arms.get((task.round, task.item_id), "") for task in self.tasks]


def _standing(walk: Walk, tasks: Sequence[Task], open_keys: set[str], settle: Settle | None) -> _Standing:
    """What may go on: of the campaign's own queue what no other was asked about, of seniors what lawyers were not.

    Known labels stay what they are. Without `settle`, no more is read than the answers to the tasks' own rounds.
    """
    closed, certain = open_keys | walk.ledger.lost_tasks(), walk.gold.known.keys() | walk.ruled.keys()
    known = [task for task in walk.ledger.tasks() if task.policy_version == walk.policy.version]
    passed: dict[Queue, set[str]] = {queue: {t.item_id for t in known if t.queue == queue} for queue in SETTLING}
    further = {"": set[str]().union(*passed.values()), "review": passed["legal"]}
    done = [
        task
        for task in tasks
        if task.key not in closed
        and task.item_id not in certain
        and task.item_id not in further.get(task.queue, {task.item_id})
    ]
    read: list[int | None] = [None] if settle else [*sorted({task.round for task in tasks})]
    annotations = [one for number in read for one in answers(walk, number)]
    heard = voices(annotations)
    settled = {one.item_id: one for one in settle(known, annotations).resolutions} if settle else {}
    return _Standing(walk, done, _said(done, known, heard), [task.queue == "review" for task in done], settled)


def _said(done: Sequence[Task], known: Sequence[Task], heard: Heard) -> list[list[Annotation]]:
    """What was said of each task; of one that seniors answered, what was said of its item before, too."""
    earlier: dict[str, list[Annotation]] = {}
    for task in known if any(task.queue for task in done) else ():
        if not task.queue:
            earlier.setdefault(task.item_id, []).extend(heard.get(task.key, ()))
    return [[*(earlier.get(task.item_id, ()) if task.queue else ()), *heard.get(task.key, ())] for task in done]


def _send(stand: _Standing, number: int, cases: Cases, rules: Sequence[Route], chosen: Ints) -> None:
    """Put on record what the rules of the chosen tasks ask for, then do it."""
    walk, tasks = stand.walk, [stand.tasks[at] for at in chosen.tolist()]
    scores = served(walk.routes, rules, stakes(walk, tasks, cases.severity[chosen]))
    keys = [task.key for task in tasks]
    asked: list[Task] = []
    for queue in SETTLING:
        mine = [row for row, rule in enumerate(rules) if QUEUES.get(rule.to) == queue]
        if mine:
            said = [stand.said[at] for at in chosen[mine].tolist()]
            made = review_tasks(walk, number, queue, [tasks[row] for row in mine], said, scores[mine])
            asked += made
            for row, task in zip(mine, made, strict=True):
                keys[row] = task.key
    more = {
        task.key: int(cases.answers[at]) + 1
        for task, rule, at in zip(tasks, rules, chosen.tolist(), strict=True)
        if rule.to == "another"
    }
    told = [
        _told(rule, task.item_id, key, more.get(key, 1), rule.why(cases, at))
        for rule, task, key, at in zip(rules, tasks, keys, chosen.tolist(), strict=True)
    ]
    with walk.ledger.transaction() as writer:
        writer.add_tasks(asked)
        writer.intend("push", {task.key: number for task in asked})
        writer.intend("overlap", more)
        writer.event(ROUTED, {"round": number, "cases": told})
    send_intents(walk)


def _told(rule: Route, item: str, key: str, people: int, why: str) -> dict[str, Any]:
    return {
        "item": item,
        "task": key,
        "rule": rule.called,
        "to": rule.to,
        "people": people,
        "priority": rule.priority,
        "within": rule.within or "",
        "why": why,
    }
