"""Reviewers who answer from a known truth, each with errors and a pace of their own.

All chance comes from (seed, reviewer, task): the same person gives the same answer to the same task in any order,
after any restart, on any server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import numpy as np

from hitl.errors import ConfigError
from hitl.policy import Policy
from hitl.types import Answer, Floats

MISSED_SHARE = 0.6
"""Of the errors on violating content, how many overlook it; the rest take it for another label."""

INVENTED_SHARE = 0.4
"""How often an error on harmless content happens, relative to one on violating content."""

FOREIGN_SHARE = 0.4
"""How much of the way from guessing to their accuracy people keep in a language they do not read."""

HABIT_SHARE = 0.85
"""How often a careless person gives the usual answer without looking."""

Habit = Literal["", "random", "adversarial", "drifting"]
"""How somebody works badly: guessing evenly, never right on purpose, or guessing from the first active round on."""


@dataclass(frozen=True)
class Reviewer:
    """One simulated person.

    `accuracy` is the probability of judging a violating item rightly, `seconds` the median time on an item,
    `languages` what they read (empty: all). Some are planted to be found: by a `habit`; `careless` ones, who nearly
    always give the usual answer; and those who answer as the person would whom they `follow`, given the same accuracy.
    Raises `ConfigError` for rates outside [0, 1] or a time that is not positive.

    >>> Reviewer("mira", accuracy=0.9, seconds=8, languages=("en",)).reads("de")
    False
    """

    name: str
    accuracy: float = 0.9
    seconds: float = 8.0
    languages: tuple[str, ...] = ()
    skip_rate: float = 0.01
    unsure_rate: float = 0.02
    careless: bool = False
    habit: Habit = ""
    follow: str = ""

    def __post_init__(self) -> None:
        rates = {"accuracy": self.accuracy, "skip_rate": self.skip_rate, "unsure_rate": self.unsure_rate}
        wrong = [f"{name} {rate:g}" for name, rate in rates.items() if not 0 <= rate <= 1]
        if wrong or self.skip_rate + self.unsure_rate > 1:
            raise ConfigError(
                f"reviewer {self.name}: {', '.join(wrong) or 'skip_rate + unsure_rate'} must be within 0 and 1"
            )
        if not self.seconds > 0:
            raise ConfigError(f"reviewer {self.name}: seconds must be above 0, not {self.seconds:g}")

    @property
    def voice(self) -> str:
        """Whose answers they give: all chance in them comes from this name."""
        return self.follow or self.name

    def reads(self, language: str) -> bool:
        """Whether this person reads the language; everybody reads one that is not known ("")."""
        return not language or not self.languages or language in self.languages


@dataclass(frozen=True)
class Response:
    """What a simulated person did with a task: an answer, or None for a skip, after so many seconds."""

    answer: Answer | None
    seconds: float


TEAM = (
    Reviewer("ana", accuracy=0.97, seconds=14.0, languages=("en", "de", "ar"), unsure_rate=0.01),
    Reviewer("budi", accuracy=0.92, seconds=9.0, languages=("en", "id", "hi")),
    Reviewer("clara", accuracy=0.88, seconds=7.0, languages=("en", "de", "ja"), skip_rate=0.02),
    Reviewer("dalia", accuracy=0.94, seconds=11.0, languages=("en", "ar", "hi", "id"), unsure_rate=0.03),
    Reviewer("emi", accuracy=0.85, seconds=6.0, languages=("en", "ja", "id"), skip_rate=0.03),
    Reviewer("finn", accuracy=0.7, seconds=2.0, languages=("en",), skip_rate=0.0, unsure_rate=0.0, careless=True),
)
"""Six people: each language of the demo is read by two or more; finn answers fast and nearly always the same."""


def assign(task_key: str, language: str, reviewers: Sequence[Reviewer], people: int) -> tuple[Reviewer, ...]:
    """Who judges a task: `people` different reviewers, or all when there are fewer.

    Rendezvous hashing among those who read the language, then among the others: the choice depends on the task and the
    names alone, and asking for more people extends the same list. O(r log r) for r reviewers.
    Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998.

    >>> [reviewer.name for reviewer in assign("task-1", "ja", TEAM, 3)]
    ['emi', 'clara', 'finn']
    """

    def rank(reviewer: Reviewer) -> tuple[bool, bytes]:
        return not reviewer.reads(language), _digest("assign", reviewer.name, task_key)

    return tuple(sorted(reviewers, key=rank)[: max(people, 0)])


def respond(
    reviewer: Reviewer,
    task_key: str,
    truth: tuple[str, ...],
    policy: Policy,
    seed: int,
    language: str = "",
    when: int = 0,
) -> Response:
    """What the reviewer answers, in round `when`, to a task whose right answer is `truth`; a pure function.

    Violating content is overlooked more often than harmless content is accused, and what is confused lies near in the
    policy's order. A truth that the policy does not know is answered with `no_policy`, none at all in a single-label
    policy with `unsure`. A note is written where the label wants one; stars are given where the policy has a rubric.

    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> respond(Reviewer("mira", accuracy=1.0), "task-1", ("spam",), policy, seed=0).answer.labels
    ('spam',)
    """
    rng = np.random.default_rng(int.from_bytes(_digest("respond", str(seed), reviewer.voice, task_key), "big"))
    spread, out, habit = rng.lognormal(0.0, 0.45), rng.random(), rng.random()
    seconds = round(max(reviewer.seconds * spread * (1.0 if reviewer.careless else 1.0 + 0.25 * len(truth)), 0.5), 2)
    if out < reviewer.skip_rate:
        return Response(None, round(seconds / 2, 2))
    if out < reviewer.skip_rate + reviewer.unsure_rate:
        return Response(_out(rng), seconds)
    if not set(truth) <= set(policy.names):
        return Response(Answer(out="no_policy"), seconds)
    if not truth and not policy.multi_label:
        return Response(Answer(out="unsure"), seconds)
    labels: tuple[str, ...] = ()
    if reviewer.habit and (reviewer.habit != "drifting" or when > 0):
        labels = _planted(reviewer.habit, truth, policy, rng)
    elif not reviewer.careless or habit >= HABIT_SHARE:
        judge = _several if policy.multi_label else _one
        labels = judge(truth, policy, _accuracy(reviewer, language, len(policy.names)), rng)
    return Response(replace(_answer(labels, policy), ratings=_stars(reviewer, task_key, policy, seed)), seconds)


def _stars(reviewer: Reviewer, task_key: str, policy: Policy, seed: int) -> tuple[tuple[str, int], ...]:
    """What the reviewer gives on each criterion of the policy's rubric.

    Nobody knows what an item deserves: it is drawn evenly from the scale, the same for all reviewers. Each finds it
    with the probability of their accuracy, and misses it by one star otherwise.
    """
    due = np.random.default_rng(int.from_bytes(_digest("deserves", str(seed), task_key), "big"))
    rng = np.random.default_rng(int.from_bytes(_digest("stars", str(seed), reviewer.voice, task_key), "big"))
    given = []
    for criterion in policy.rubric:
        deserved, right, step = int(due.integers(1, criterion.scale + 1)), rng.random(), int(rng.choice((-1, 1)))
        beside = deserved + step if 1 <= deserved + step <= criterion.scale else deserved - step
        given.append((criterion.name, deserved if right < reviewer.accuracy else beside))
    return tuple(given)


def _accuracy(reviewer: Reviewer, language: str, labels: int) -> float:
    if reviewer.reads(language):
        return reviewer.accuracy
    guessing = min(1 / labels, reviewer.accuracy)
    return guessing + FOREIGN_SHARE * (reviewer.accuracy - guessing)


def _one(truth: tuple[str, ...], policy: Policy, accuracy: float, rng: np.random.Generator) -> tuple[str, ...]:
    """One label: the right one, the harmless one instead of it, or one that lies near."""
    right = policy.names.index(truth[0])
    harmful = bool(policy.violating[right])
    if rng.random() >= (1 - accuracy) * (1.0 if harmful else INVENTED_SHARE):
        return (truth[0],)
    alone = harmful and int(policy.violating.sum()) == 1
    if alone or (harmful and rng.random() < MISSED_SHARE):
        return ()
    return (_near(right, policy, rng),)


def _several(truth: tuple[str, ...], policy: Policy, accuracy: float, rng: np.random.Generator) -> tuple[str, ...]:
    """Each right label kept, dropped or mistaken for its neighbour; now and then one too many."""
    given: set[str] = set()
    for name in truth:
        if rng.random() < accuracy:
            given.add(name)
        elif rng.random() >= MISSED_SHARE:
            given.add(_near(policy.names.index(name), policy, rng))
    if rng.random() < (1 - accuracy) * INVENTED_SHARE:
        given.add(str(rng.choice(policy.names)))
    return tuple(given)


def _planted(habit: Habit, truth: tuple[str, ...], policy: Policy, rng: np.random.Generator) -> tuple[str, ...]:
    """One label by a bad habit: any, or any that is wrong; of a single label that is all there is, the right one."""
    wrong = [name for name in policy.names if name not in truth]
    names = wrong if habit == "adversarial" and wrong else policy.names
    return (str(rng.choice(names)),)


def _near(right: int, policy: Policy, rng: np.random.Generator) -> str:
    """Another label that violates, the nearer in the policy's order the likelier; the right one if there is none."""
    distance = np.abs(np.arange(len(policy.names)) - right)
    weights: Floats = np.where(policy.violating & (distance > 0), 1.0 / np.maximum(distance, 1) ** 2, 0.0)
    if not weights.any():
        return policy.names[right]
    return policy.names[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _answer(labels: tuple[str, ...], policy: Policy) -> Answer:
    """The labels in the policy's order, with a note where one is wanted; no label means the harmless one of several."""
    if not labels and not policy.multi_label:
        labels = (policy.names[int(np.flatnonzero(~policy.violating)[0])],)
    ordered = tuple(name for name in policy.names if name in labels)
    wanting = [name for name in ordered if _wants_note(name, policy)]
    return Answer(ordered, note=f"Meets the definition of {' and '.join(wanting)}." if wanting else "")


def _wants_note(name: str, policy: Policy) -> bool:
    """Whether the label wants a note in the common text or in any region: the form then asks for it everywhere."""
    changed = [region.labels[name].note_required for region in policy.regions.values() if name in region.labels]
    return policy.label(name).note_required or any(changed)


def _out(rng: np.random.Generator) -> Answer:
    outs: tuple[Literal["unsure", "escalate", "no_policy"], ...] = ("unsure", "escalate", "no_policy")
    return Answer(out=outs[int(rng.choice(3, p=[0.8, 0.15, 0.05]))])


def _digest(*parts: str) -> bytes:
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
