"""The values that travel between the rooms: frozen, typed, and without behaviour of their own.

An item walks as: pool row → `PoolView` and `Scores` → `Pick` → `Task` → `Annotation` → `Resolution` → `Targets`;
what is said about the walk at its end is an `Estimate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hitl import markup

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Keys = NDArray[np.uint64]
Proba = NDArray[np.float32]
Embeddings = NDArray[np.int16]
"""Unit rows on the grid 1/2048 (`rint(2048 x)`), so that a dot product of two in float32 is exact; zero is "none"."""

Arm = str
"""Why an item was picked: `audit` and `benchmark` are probability samples; `random`, `keyword`, `exemplar`, `diverse`,
`relabel` and the arms that a plan names are not."""

Verdict = Literal["helped", "no evidence", "hurt"]

Progress = Callable[[str, int, int | None], None]
"""Told as `progress("reading the pool", done, total)`; total is None when unknown."""


def silent(label: str, done: int, total: int | None) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True, eq=False)
class Unreadable:
    """Items of a pool that a model could not read: where they stand (u,), ascending, and why."""

    positions: Ints
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        first = f", first at {self.positions[0]}: {self.reasons[0]}" if len(self) else ""
        return f"Unreadable({len(self):,} items{first})"


READABLE = Unreadable(np.zeros(0, dtype=np.int64), ())
"""No item was unreadable."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model believes of n items: probabilities (n, k) in the order of `labels`, from the model `model_id`.

    `proba` is calibrated. `raw` (n, k) is the opinion before that, in which labels may count alike however rare they
    are, and `committee` the same by h heads; None where there is none. `thresholds` say how to decide on `proba` by
    `hitl.deciding.decide`: None for the usual way, 0.5 for each label or the most probable one.
    """

    proba: Proba
    labels: tuple[str, ...]
    model_id: str
    committee: Proba | None = None  # (h, n, k)
    thresholds: Floats | None = None  # (k,)
    raw: Proba | None = None  # (n, k)

    def __len__(self) -> int:
        return len(self.proba)

    @property
    def opinion(self) -> Proba:
        """What arms pick by (n, k): `raw`, in which the uncertain of a rare label is not drowned by its rarity."""
        return self.proba if self.raw is None else self.raw

    def __repr__(self) -> str:
        return f"Predictions({len(self):,} items × {len(self.labels)} labels, model {self.model_id!r})"


@dataclass(frozen=True, eq=False)
class Known:
    """What the campaign knows of the space that embeddings span, bounded however long it runs.

    `labelled` are representatives of the items that have labels; `anchors` holds for each label of the policy its
    known positives (p, d), none for a label without any and for one that violates nothing. `centre` is the mean
    direction of the pool, None where nobody asked for it.
    """

    labelled: Embeddings  # (r, d)
    anchors: tuple[Embeddings, ...]  # k times (p, d)
    centre: Embeddings | None = None  # (d,)

    def __repr__(self) -> str:
        return f"Known({len(self.labelled):,} labelled, {sum(map(len, self.anchors)):,} anchors)"


@dataclass(frozen=True, eq=False)
class PoolView:
    """What a scorer may look at: n items with the model's probabilities and the policy's costs, aligned by row.

    The costs are those of each item's region. `benign_cost` is the cost of acting on an item that does not deserve
    it; `severity` the cost of leaving it up, per view; `act_at` the lowest probability at which the policy acts
    (limits or removes), infinite where it never does. For a label that violates nothing (`violating` False), severity
    is 0 and `act_at` infinite. `draw` is one uniform number an item, in [0, 1), that depends on the item's key and
    the round's seed alone: scorers that need chance, and ties, use it.

    What not every round has is None without it; a scorer that needs it says so. Only views of items that have been
    labelled tell how: `settled` is 1 where the label was resolved to apply, 0 where not to, NaN where unresolved.
    """

    keys: Keys  # (n,) hash of the item id
    proba: Proba  # (n, k)
    labels: tuple[str, ...]
    multi_label: bool
    violating: Bools  # (k,)
    reach: Floats  # (n,) views, >= 0
    severity: Floats  # (n, k)
    benign_cost: Floats  # (n, k)
    act_at: Floats  # (n, k)
    draw: Floats  # (n,)
    cuts: Floats | None = None  # (n, k, a) thresholds to review, limit, remove; infinite where there is none
    embeddings: Embeddings | None = None  # (n, d)
    committee: Proba | None = None  # (h, n, k) the same probabilities by h bootstrap heads
    known: Known | None = None
    settled: Floats | None = None  # (n, k)
    confidence: Floats | None = None  # (n,) of the resolution, in [0, 1]

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"PoolView({len(self):,} items × {len(self.labels)} labels)"


@dataclass(frozen=True, eq=False)
class Scores:
    """A named priority for n items: higher always means ask sooner."""

    name: str
    values: Floats  # (n,)
    parts: Mapping[str, Floats] = field(default_factory=dict)  # what it was combined from, each (n,)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        parts = f" from {', '.join(self.parts)}" if self.parts else ""
        return f"Scores({self.name!r}, {len(self):,} items{parts})"


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


@dataclass(frozen=True)
class Answer:
    """What one person said: labels of the policy, or one of the outs, never both.

    `out` is `unsure`, `escalate` or `no_policy` (no policy fits), empty when labels were given. An answer with
    neither labels nor out is, in a multi-label policy, the statement that no label applies.
    """

    labels: tuple[str, ...] = ()
    out: Literal["", "unsure", "escalate", "no_policy"] = ""
    note: str = ""


@dataclass(frozen=True)
class Annotation:
    """One person's work on one task, as the server held it at a revision.

    `id` is the server's; a new `revision` (from 1) is written whenever the content changed. `answer` is None for a
    skip, and where `problem` says why the answer could not be read (it is then quarantined, never dropped).
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


@dataclass(frozen=True, eq=False)
class Spans:
    """What timelines say of videos: the label in column `labels` holds for item `rows` from `start` to `stop` (s,)."""

    rows: Ints  # (s,) of the targets
    labels: Ints  # (s,)
    start: Floats  # (s,) seconds
    stop: Floats  # (s,) seconds

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Targets:
    """What a model learns from: pool positions (m,), labels (m, k) of 0, 1 or NaN (unknown, masked), weights (m,).

    `stands_for` (m,) says how many items of the pool each stands for, 0 where it was not drawn by chance; with it the
    model is calibrated to the pool. `spans` are timelines of videos.
    """

    positions: Ints
    y: Floats
    labels: tuple[str, ...]
    weights: Floats
    stands_for: Floats | None = None
    spans: Spans | None = None

    def take(self, rows: Ints) -> Targets:
        """Some of the items, ascending, with the spans that are theirs."""
        draws = None if self.stands_for is None else self.stands_for[rows]
        spans = self.spans
        if spans is not None and len(spans):
            at = np.minimum(np.searchsorted(rows, spans.rows), max(len(rows) - 1, 0))
            kept = np.flatnonzero(rows[at] == spans.rows) if len(rows) else np.zeros(0, dtype=np.int64)
            spans = Spans(at[kept], spans.labels[kept], spans.start[kept], spans.stop[kept])
        return Targets(self.positions[rows], self.y[rows], self.labels, self.weights[rows], draws, spans)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Targets({len(self):,} items × {len(self.labels)} labels)"


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval: `low` and `high` bound it at `level`, `n` answers carry it.

    A figure that cannot be known yet is NaN with the interval it could have, and `method` says why.
    """

    name: str  # e.g. "macro_f1", "recall@remove", "prevalence_by_views"
    value: float
    low: float
    high: float
    n: int
    label: str = ""  # the policy label it is about, empty for all
    level: float = 0.95
    method: str = ""

    def __repr__(self) -> str:
        about = f"{self.name}[{self.label}]" if self.label else self.name
        if self.value != self.value:
            return f"{about} unknown: {self.method or 'nothing bears on it'}"
        return f"{about} {self.figures} (n={self.n})"

    @property
    def figures(self) -> str:
        """Value and interval in words: `0.610 [0.550, 0.670]`, without decimals from 100 on, – where unknown."""
        if self.value != self.value:
            return "–"
        places = 3 if max(abs(self.value), abs(self.low), abs(self.high)) < 100 else 0
        return f"{self.value:,.{places}f} [{self.low:,.{places}f}, {self.high:,.{places}f}]"


@dataclass(frozen=True)
class Comparison:
    """New model against old on the same items: the difference of a figure and what may be said of it."""

    verdict: Verdict
    difference: Estimate
    old: Estimate
    new: Estimate

    def __repr__(self) -> str:
        if self.difference.value != self.difference.value:
            return f"{self.verdict}: {self.difference}"
        by = f"{self.difference.value:+.3f} [{self.difference.low:+.3f}, {self.difference.high:+.3f}]"
        about = f"{self.difference.name} {self.difference.label}".strip()
        return f"{self.verdict}: {about} {by} ({self.old.value:.3f} → {self.new.value:.3f}, n={self.difference.n})"


@dataclass(frozen=True)
class Pull:
    """What came back since a cursor: annotations that are new or changed, and the cursor to go on from."""

    annotations: tuple[Annotation, ...]
    cursor: str
    missing_tasks: tuple[str, ...] = ()  # keys that we pushed and the server no longer holds
    seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # re-read task key → annotation ids it holds now


@dataclass(frozen=True)
class Receipt:
    """What a push left on the server: the server's id of each task key."""

    server_ids: Mapping[str, str]
    sent: int = 0  # how many this call had to send; 0 when all were there already


@dataclass(frozen=True)
class Finding:
    """One thing that `doctor` looked at, how it stands, and what to do when it does not."""

    check: str
    state: Literal["ok", "warn", "fail", "skip"]
    detail: str
    remedy: str = ""
