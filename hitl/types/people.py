"""Values of people: what is asked, what they answer, and what the answers amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hitl import markup

Arm = str
"""Why an item was picked: `audit` and `benchmark` are probability samples; `random`, `keyword`, `exemplar`, `diverse`,
`relabel` and the arms that a plan names are not."""


Queue = Literal["", "exam", "review", "legal"]
"""Where a task is served: the campaign's own queue, its onboarding exam, the seniors who review, or the lawyers."""

SETTLING: tuple[Queue, ...] = ("review", "legal")
"""Queues whose word settles an item, each above those before it; they are shown what was said before."""


@dataclass(frozen=True)
class Pick:
    """One item chosen for people, and why.

    `inclusion` is the probability with which a probability sample (`audit`, `benchmark`) drew it, None elsewhere.
    `stands_for` counts the near-duplicates folded into it, itself included.
    """

    position: int  # row in the pool
    item_id: str
    arm: Arm
    score: float  # priority in [0, 1] with which it is served
    parts: Mapping[str, float] = field(default_factory=dict)
    inclusion: float | None = None
    stratum: str = ""
    stands_for: int = 1
    label: str = ""  # the starved label that it was to serve, if any


@dataclass(frozen=True)
class Selection:
    """The picks of one round in the order of their arms, and what was seen while choosing."""

    picks: tuple[Pick, ...]
    pool_stats: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.picks)

    def by_arm(self) -> dict[str, int]:
        """How many picks each arm holds."""
        arms = [pick.arm for pick in self.picks]
        return {arm: arms.count(arm) for arm in dict.fromkeys(arms)}

    def __repr__(self) -> str:
        arms = ", ".join(f"{arm} {n}" for arm, n in self.by_arm().items())
        return f"Selection({len(self)} picks: {arms or 'none'})"

    def _repr_html_(self) -> str:
        strata = sorted({pick.stratum for pick in self.picks})[:12]
        rows = []
        for arm, count in self.by_arm().items():
            mine = [pick for pick in self.picks if pick.arm == arm]
            by = [sum(pick.stratum == name for pick in mine) for name in strata]
            rows.append([arm, *map(str, [count, *by, sum(pick.stands_for - 1 for pick in mine)])])
        head = ["arm", "picks", *(name or "(all)" for name in strata), "near-copies folded in"]
        return markup.table(head, rows, caption=repr(self), numbers=range(1, len(head)))


@dataclass(frozen=True)
class Task:
    """One question to people: a pick, rendered for a form that is pinned to a policy version and region.

    `key` is derived from campaign, round, item, policy version, form and repeat: the same pick has the same key.
    `data` is all that a reviewer can see; nothing in it tells why the item was picked.
    """

    key: str
    round: int
    item_id: str
    position: int
    form: str
    policy_version: str
    region: str
    data: Mapping[str, Any]
    priority: float = 0.5  # in [0, 1], higher is served sooner
    overlap: int = 1  # how many different people are asked
    predicted: Mapping[str, float] = field(default_factory=dict)  # label → probability, empty without a model
    model_id: str = ""
    queue: Queue = ""


@dataclass(frozen=True)
class Span:
    """Where in a video a label holds, in seconds from its start."""

    label: str
    start: float
    stop: float


@dataclass(frozen=True)
class Answer:
    """What one person said: labels of the policy, or one of the outs, never both.

    `out` is `unsure`, `escalate` or `no_policy` (no policy fits), empty when labels were given. An answer with
    neither labels nor out is, in a multi-label policy, the statement that no label applies. `spans` say where in a
    video, `ratings` how many stars each criterion of a rubric was given.
    """

    labels: tuple[str, ...] = ()
    out: Literal["", "unsure", "escalate", "no_policy"] = ""
    note: str = ""
    spans: tuple[Span, ...] = ()
    ratings: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Annotation:
    """One person's work on one task, as the server held it at a revision.

    `id` is the server's; a new `revision` (from 1) is written whenever the content changed. `answer` is None for a
    skip, and where `problem` says why the answer could not be read (it is then quarantined, never dropped).
    `changed_by` is who touched it last, by the server's word: where that is not `worker`, somebody changed another's
    work, or made work in another's name.
    """

    id: str
    task_key: str
    worker: str  # a pseudonym
    answer: Answer | None
    submitted: str  # ISO 8601, UTC
    seconds: float  # active time
    revision: int = 1
    skipped: bool = False
    deleted: bool = False
    problem: str = ""
    changed_by: str = ""  # a pseudonym, empty where the place does not say


@dataclass(frozen=True)
class Resolution:
    """What the answers on one item amount to under one policy version.

    `labels` is None while unresolved (tie, too few answers, all unsure); `()` says that no label applies.
    """

    item_id: str
    position: int
    labels: tuple[str, ...] | None
    confidence: float
    method: str
    policy_version: str
    annotations: tuple[str, ...] = ()
    outs: Mapping[str, int] = field(default_factory=dict)  # unsure, escalate, no_policy, skip → count


@dataclass(frozen=True)
class Pull:
    """What came back since a cursor: annotations that are new or changed, and the cursor to go on from.

    `drafts` are answers begun and not given: they say who is at work, and are no labels. `settings` is how the place is
    set up now, by name (`queue/setting`), empty where it was not looked at.
    """

    annotations: tuple[Annotation, ...]
    cursor: str
    missing_tasks: tuple[str, ...] = ()  # keys that we pushed and the server no longer holds
    seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # re-read task key → annotation ids it holds now
    drafts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # re-read task key → workers who began
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """What a push left on the server: the server's id of each task key."""

    server_ids: Mapping[str, str]
    sent: int = 0  # how many this call had to send; 0 when all were there already


@dataclass(frozen=True)
class Tab:
    """A named view of one queue, for those who look after it: of one language, of some tasks, of what is (un)answered.

    A task is `answered` once it has all the answers that were asked for.
    """

    name: str
    language: str | None = None
    keys: tuple[str, ...] | None = None
    answered: bool | None = None
    queue: Queue = ""


@dataclass(frozen=True)
class Difference:
    """One thing in which the place where people work and the record differ, and whether it was mended.

    `kind` is `missing` (a task is not there), `doubled`, `foreign` (a task that is not ours), `altered` (its content is
    not what was sent), `unpredicted` (it lost its priority), `closed` (asked of fewer people than wanted), `settings`.
    """

    kind: Literal["missing", "doubled", "foreign", "altered", "unpredicted", "closed", "settings"]
    about: str  # task key, the server's id of a foreign task, or the name of the setting
    detail: str
    mended: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing that `doctor` looked at, how it stands, and what to do when it does not."""

    check: str
    state: Literal["ok", "warn", "fail", "skip"]
    detail: str
    remedy: str = ""
