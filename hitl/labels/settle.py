"""A campaign's annotations as resolutions, one a task, and what the answers say of the people who gave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from hitl.errors import ConfigError
from hitl.labels import RESOLVERS
from hitl.labels.table import SAME, UNRESOLVED, AnswerTable, Settled, shares
from hitl.labels.voices import is_answer, out_of, voices
from hitl.policy import Policy
from hitl.types import Annotation, Bools, Estimate, Floats, Ints, Resolution, Task

NOTHING = "(none)"
"""How an answer that no label applies reads in a table."""

NO_GOLD: Mapping[str, tuple[str, ...]] = MappingProxyType({})
"""No item has a known label."""


@dataclass(frozen=True, eq=False)
class WorkerEstimate:
    """What the answers say of one person: `accuracy` where others judged, too, and P(answer | truth) (k, k) or None."""

    worker: str
    answers: int
    accuracy: Estimate
    confusion: Floats | None = None

    def __repr__(self) -> str:
        return f"WorkerEstimate({self.worker!r}, {self.answers} answers: {self.accuracy})"


@dataclass(frozen=True)
class Settlement:
    """One resolution for every task, in the tasks' order, and one estimate a person, in the order of their names."""

    resolutions: tuple[Resolution, ...]
    workers: tuple[WorkerEstimate, ...]

    def __repr__(self) -> str:
        open_ = sum(resolution.labels is None for resolution in self.resolutions)
        return f"Settlement({len(self.resolutions)} tasks, {open_} unresolved, {len(self.workers)} workers)"


@dataclass(frozen=True, eq=False)
class _Outcome:
    """For each task of a table: its labels (None: unresolved) and the confidence in them."""

    labels: tuple[tuple[str, ...] | None, ...]
    confidence: Floats
    settled: tuple[Settled, ...]


def settle(
    annotations: Sequence[Annotation],
    tasks: Sequence[Task],
    policy: Policy,
    *,
    resolver: str = "dawid_skene",
    min_confidence: float = 0.0,
    gold: Mapping[str, tuple[str, ...]] = NO_GOLD,
) -> Settlement:
    """Resolve every task of the campaign's own queue from the answers on it, whatever order they come in.

    The last revision of an annotation counts, and of a person one voice a task (`voices`). Skips, outs and answers
    that cannot be read, that somebody else touched, or that name what the policy does not know, are counted in
    `Resolution.outs` (`skip`, `unsure`, `escalate`, `no_policy`, `unreadable`, `unconfirmed`) and never guessed into a
    label. A multi-label policy is settled label by label; one open label leaves the item open, and its confidence is
    that of its least certain label. A label that nobody gave is no resolution, however the resolver weighs those who
    answered: such an item stays open, too.

    Two things go before the resolver: the known labels of `gold` (by item id; method `gold`), by which people are
    judged as well, and the last word of a review (method `review`), which opens the item where it gives no label.
    Answers of the exam are no labels. Raises `ConfigError` for an unknown resolver. Give all tasks of the campaign:
    people are known by all their answers.

    >>> from hitl.types import Answer
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> task = Task("t1", 1, "item-9", 4, "classify", "1", "", {})
    >>> said = [Annotation("1", "t1", "ana", Answer(("spam",)), "", 3.0), Annotation("2", "t1", "bo", None, "", 1.0,
    ...     skipped=True)]
    >>> [resolution] = settle(said, [task], policy, resolver="majority").resolutions
    >>> resolution.labels, resolution.confidence, resolution.outs
    (('spam',), 1.0, {'skip': 1})
    """
    if resolver not in RESOLVERS:
        raise ConfigError(f"resolver {resolver!r} is not known; choose one of {', '.join(RESOLVERS)}")
    spoken = voices(annotations)
    stream = [task for task in tasks if not task.queue]
    table = answer_table(annotations, stream, policy, gold)
    outcome = (_settle_sets if policy.multi_label else _settle_one)(table, policy, resolver)
    row = {key: place for place, key in enumerate(table.tasks)}
    ruled = rulings(spoken, tasks, policy)
    resolutions = []
    for task in stream:
        heard = spoken.get(task.key, ())
        reasons = Counter(out for one in heard if (out := _out(one, policy)))
        confidence = float(outcome.confidence[row[task.key]])
        resolution = Resolution(
            item_id=task.item_id,
            position=task.position,
            labels=outcome.labels[row[task.key]] if confidence >= min_confidence else None,
            confidence=confidence,
            method=resolver,
            policy_version=task.policy_version,
            annotations=tuple(one.id for one in heard),
            outs=dict(sorted(reasons.items())),
        )
        if task.item_id in gold:
            resolution = replace(resolution, labels=gold[task.item_id], confidence=1.0, method="gold")
        elif task.item_id in ruled:
            resolution = _reviewed(resolution, ruled[task.item_id], policy)
        resolutions.append(resolution)
    return Settlement(tuple(resolutions), _workers(table, outcome, resolver))


def rulings(spoken: Mapping[str, Sequence[Annotation]], tasks: Sequence[Task], policy: Policy) -> dict[str, Annotation]:
    """The last word of the seniors on each item that they reviewed: item id → annotation; skips are none."""
    found: dict[str, Annotation] = {}
    for task in tasks:
        heard = [one for one in spoken.get(task.key, ()) if is_answer(one) and _out(one, policy) != "unreadable"]
        if task.queue == "review" and heard:
            found[task.item_id] = max(heard, key=lambda one: (one.submitted, one.id))
    return found


def _reviewed(resolution: Resolution, ruling: Annotation, policy: Policy) -> Resolution:
    """What a senior says settles it, also that no label can be given."""
    out = _out(ruling, policy)
    said = None if out or ruling.answer is None else ruling.answer.labels
    return replace(
        resolution,
        labels=None if said is None else tuple(name for name in policy.names if name in said),
        confidence=0.0 if said is None else 1.0,
        method="review",
        annotations=(*resolution.annotations, ruling.id),
        outs=dict(sorted((Counter(resolution.outs) + Counter([out] if out else [])).items())),
    )


def answer_table(
    annotations: Sequence[Annotation],
    tasks: Sequence[Task],
    policy: Policy,
    gold: Mapping[str, tuple[str, ...]] = NO_GOLD,
) -> AnswerTable:
    """The answers that count, whole: a row a person and task, skips, outs and unreadable ones left out.

    Labels are the policy's; in a multi-label policy each distinct set of labels is one, joined by `, `, and the
    empty set `(none)`. Tasks and workers are in sorted order, whatever order the annotations come in. The `truth` of a
    task is what `gold` knows of its item.
    """
    spoken = voices(annotations)
    known = {task.key: _word(gold[task.item_id], policy) for task in tasks if task.item_id in gold}
    keys = sorted({task.key for task in tasks})
    rows = [
        (key, one.worker, _word(one.answer.labels, policy))
        for key in keys
        for one in spoken.get(key, ())
        if one.answer is not None and not _out(one, policy)
    ]
    said = {label for _, _, label in rows} | set(known.values())
    labels = sorted(said) if policy.multi_label else policy.names
    table = AnswerTable.of(rows, tasks=keys, workers=sorted({worker for _, worker, _ in rows}), labels=labels)
    if not known:
        return table
    truth = [table.labels.index(known[key]) if key in known else -1 for key in table.tasks]
    return replace(table, truth=np.array(truth, dtype=np.int64))


def _out(annotation: Annotation, policy: Policy) -> str:
    out = out_of(annotation)
    if out or annotation.answer is None:
        return out
    labels = annotation.answer.labels
    known = set(labels) <= set(policy.names) and (policy.multi_label or len(labels) == 1)
    return "" if known else "unreadable"


def _word(labels: tuple[str, ...], policy: Policy) -> str:
    return ", ".join(name for name in policy.names if name in labels) or NOTHING


def _settle_one(table: AnswerTable, policy: Policy, resolver: str) -> _Outcome:
    settled = RESOLVERS[resolver](table)
    codes = _given(table, settled)
    labels = tuple(None if code == UNRESOLVED else (policy.names[code],) for code in codes.tolist())
    return _Outcome(labels, settled.confidence, (settled,))


def _settle_sets(table: AnswerTable, policy: Policy, resolver: str) -> _Outcome:
    said = [set() if word == NOTHING else set(word.split(", ")) for word in table.labels]
    codes, confidence, each = [], [], []
    for name in policy.names:
        member = np.array([name in word for word in said], dtype=np.int64)
        truth = None if table.truth is None else np.where(table.known, member[table.truth], -1)
        words = (f"not {name}", name)
        about = AnswerTable(table.task, table.worker, member[table.label], table.tasks, table.workers, words, truth)
        settled = RESOLVERS[resolver](about)
        codes.append(_given(about, settled))
        confidence.append(settled.confidence)
        each.append(settled)
    decided = np.stack(codes, axis=1)
    open_: Bools = (decided == UNRESOLVED).any(axis=1)
    labels = tuple(
        None if unresolved else tuple(name for name, code in zip(policy.names, row, strict=True) if code == 1)
        for unresolved, row in zip(open_.tolist(), decided.tolist(), strict=True)
    )
    return _Outcome(labels, np.min(confidence, axis=0), tuple(each))


def _given(table: AnswerTable, settled: Settled) -> Ints:
    """The settled codes, unresolved where nobody gave that label."""
    said = shares(table)[np.arange(len(settled.labels)), settled.labels] > SAME
    codes: Ints = np.where((settled.labels != UNRESOLVED) & said, settled.labels, UNRESOLVED)
    return codes


def _workers(table: AnswerTable, outcome: _Outcome, resolver: str) -> tuple[WorkerEstimate, ...]:
    answers = np.bincount(table.worker, minlength=len(table.workers))
    judged = outcome.settled[0].judged
    correct = np.mean([settled.correct for settled in outcome.settled], axis=0)
    low, high = _jeffreys(correct, judged)
    by = f"{resolver}, answers that others judged, too" + ("; mean over labels" if len(outcome.settled) > 1 else "")
    matrices: Mapping[int, Floats] = {}
    if len(outcome.settled) == 1 and outcome.settled[0].confusion is not None:
        matrices = dict(enumerate(outcome.settled[0].confusion))
    return tuple(
        WorkerEstimate(
            worker=name,
            answers=int(answers[w]),
            accuracy=Estimate(
                "accuracy",
                float(correct[w] / judged[w]) if judged[w] else float("nan"),
                float(low[w]),
                float(high[w]),
                int(judged[w]),
                method=f"{by}; Jeffreys" if judged[w] else "nobody else judged these tasks",
            ),
            confusion=matrices.get(w),
        )
        for w, name in enumerate(table.workers)
    )


def _jeffreys(correct: Floats, judged: Ints) -> tuple[Floats, Floats]:
    """Equal-tailed 95 % interval of a share under Jeffreys' prior (Brown, Cai and DasGupta 2001, Stat. Sci. 16:101)."""
    from scipy.special import betaincinv

    wrong = judged - correct
    low = np.where(correct > 0.5, betaincinv(correct + 0.5, wrong + 0.5, 0.025), 0.0)
    high = np.where(wrong > 0.5, betaincinv(correct + 0.5, wrong + 0.5, 0.975), 1.0)
    return np.where(judged > 0, low, 0.0), np.where(judged > 0, high, 1.0)
