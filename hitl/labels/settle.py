"""A campaign's annotations as resolutions, one a task, and what the answers say of the people who gave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.errors import ConfigError
from hitl.labels import RESOLVERS
from hitl.labels.table import SAME, UNRESOLVED, AnswerTable, Settled, shares
from hitl.labels.voices import out_of, voices
from hitl.policy import Policy
from hitl.types import Annotation, Bools, Estimate, Floats, Ints, Resolution, Task

NOTHING = "(none)"
"""How an answer that no label applies reads in a table."""


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
) -> Settlement:
    """Resolve every task from the answers on it, whatever order they come in.

    The last revision of an annotation counts, and of a person one voice a task (`voices`). Skips, outs and answers
    that cannot be read, or that name what the policy does not know, are counted in `Resolution.outs` (`skip`,
    `unsure`, `escalate`, `no_policy`, `unreadable`) and never guessed into a label. A multi-label policy is settled
    label by label; one open label leaves the item open, and its confidence is that of its least certain label. A label
    that nobody gave is no resolution, however the resolver weighs those who answered: such an item stays open, too.
    Raises `ConfigError` for an unknown resolver. Give all tasks of the campaign: people are known by all their answers.

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
    table = answer_table(annotations, tasks, policy)
    outcome = (_settle_sets if policy.multi_label else _settle_one)(table, policy, resolver)
    row = {key: place for place, key in enumerate(table.tasks)}
    resolutions = []
    for task in tasks:
        heard = spoken.get(task.key, ())
        reasons = Counter(out for one in heard if (out := _out(one, policy)))
        confidence = float(outcome.confidence[row[task.key]])
        resolutions.append(
            Resolution(
                item_id=task.item_id,
                position=task.position,
                labels=outcome.labels[row[task.key]] if confidence >= min_confidence else None,
                confidence=confidence,
                method=resolver,
                policy_version=task.policy_version,
                annotations=tuple(one.id for one in heard),
                outs=dict(sorted(reasons.items())),
            )
        )
    return Settlement(tuple(resolutions), _workers(table, outcome, resolver))


def answer_table(annotations: Sequence[Annotation], tasks: Sequence[Task], policy: Policy) -> AnswerTable:
    """The answers that count, whole: a row a person and task, skips, outs and unreadable ones left out.

    Labels are the policy's; in a multi-label policy each distinct set of labels is one, joined by `, `, and the
    empty set `(none)`. Tasks and workers are in sorted order, whatever order the annotations come in.
    """
    spoken = voices(annotations)
    keys = sorted({task.key for task in tasks})
    rows = [
        (key, one.worker, _word(one.answer.labels, policy))
        for key in keys
        for one in spoken.get(key, ())
        if one.answer is not None and not _out(one, policy)
    ]
    labels = sorted({label for _, _, label in rows}) if policy.multi_label else policy.names
    return AnswerTable.of(rows, tasks=keys, workers=sorted({worker for _, worker, _ in rows}), labels=labels)


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
        about = AnswerTable(
            table.task, table.worker, member[table.label], table.tasks, table.workers, (f"not {name}", name)
        )
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
