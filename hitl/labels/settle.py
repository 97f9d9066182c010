"""A campaign's annotations as resolutions, one a task, and what the answers say of the people who gave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from hitl.errors import ConfigError
from hitl.labels import RESOLVERS, begun
from hitl.labels.table import SAME, UNRESOLVED, AnswerTable, Resolver, Settled, shares
from hitl.labels.voices import is_answer, out_of, voices
from hitl.labels.worth import Question, WorkerEstimate, machine_estimate, worker_estimates
from hitl.policy import Policy
from hitl.types import SETTLING, Annotation, Bools, Floats, Ints, Resolution, Task

NOTHING = "(none)"
"""How an answer that no label applies reads in a table."""

NO_GOLD: Mapping[str, tuple[str, ...]] = MappingProxyType({})
"""No item has a known label."""


@dataclass(frozen=True)
class Settlement:
    """One resolution for every task, in the tasks' order, and one estimate a person, in the order of their names.

    `machine` is the estimate of the model, where it had a voice.
    """

    resolutions: tuple[Resolution, ...]
    workers: tuple[WorkerEstimate, ...]
    machine: WorkerEstimate | None = None

    def __repr__(self) -> str:
        open_ = sum(resolution.labels is None for resolution in self.resolutions)
        return f"Settlement({len(self.resolutions)} tasks, {open_} unresolved, {len(self.workers)} workers)"


@dataclass(frozen=True, eq=False)
class _Outcome:
    """For each task of a table: its labels (None: unresolved) and the confidence in them."""

    labels: tuple[tuple[str, ...] | None, ...]
    confidence: Floats
    questions: tuple[Question, ...]


@dataclass(frozen=True, eq=False)
class _Asked:
    """How answers are settled: the plan's resolver, what a model believed (t, labels), who is known from before."""

    by: Resolver
    opinions: Floats | None
    known: Sequence[WorkerEstimate]

    def resolver(self, labels: tuple[str, ...], about: str) -> Resolver:
        """The resolver of one question, beginning from what is known of people's answers to it."""
        matrices = ((one.worker, matrix) for one in self.known for matrix in one.confusions)
        start = {who: m.value for who, m in matrices if (m.labels, m.about) == (labels, about)}
        return begun(self.by, start) if start else self.by


def settle(
    annotations: Sequence[Annotation],
    tasks: Sequence[Task],
    policy: Policy,
    *,
    resolver: str = "dawid_skene",
    min_confidence: float = 0.0,
    gold: Mapping[str, tuple[str, ...]] = NO_GOLD,
    aided: Collection[str] = (),
    before: Settlement | None = None,
) -> Settlement:
    """Resolve every task of the campaign's own queue from the answers on it, whatever order they come in.

    The last revision of an annotation counts, and of a person one voice a task (`voices`). Skips, outs and answers
    that cannot be read, that somebody else touched, or that name what the policy does not know, are counted in
    `Resolution.outs` (`skip`, `unsure`, `escalate`, `no_policy`, `unreadable`, `unconfirmed`) and never guessed into a
    label. A multi-label policy is settled label by label; one open label leaves the item open, and its confidence is
    that of its least certain label. A label that nobody gave is no resolution, however the resolver weighs those who
    answered: such an item stays open, too.

    Two things go before the resolver: the known labels of `gold` (by item id; method `gold`), by which people are
    judged as well, and the last word of a review (method `review` or `legal`), which opens the item where it gives no
    label.
    The resolver `with_model` hears what the model believed (`Task.predicted`) of the items in `aided`, and of no
    others: leave out those by which models are judged (benchmark, audit, random), and those on which people saw the
    prediction.
    `before` is an earlier settlement, from whose confusions EM begins: it ends sooner, mostly in the same place.

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
    opinions = _opinions(table, stream, policy, aided)
    asked = _Asked(RESOLVERS[resolver], opinions, before.workers if before else ())
    outcome = (_settle_sets if policy.multi_label else _settle_one)(table, policy, asked)
    row = {key: place for place, key in enumerate(table.tasks)}
    ruled = rulings(spoken, tasks, policy)
    queues = {task.key: task.queue for task in tasks}
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
            ruling = ruled[task.item_id]
            resolution = _reviewed(resolution, ruling, queues[ruling.task_key], policy)
        resolutions.append(resolution)
    people = worker_estimates(table, outcome.questions, resolver)
    return Settlement(tuple(resolutions), people, machine_estimate(outcome.questions, resolver))


def rulings(spoken: Mapping[str, Sequence[Annotation]], tasks: Sequence[Task], policy: Policy) -> dict[str, Annotation]:
    """The last word of the seniors on each item that they reviewed: item id → annotation; skips are none.

    A word from a later queue of `SETTLING` stands above one from an earlier.
    """
    found: dict[str, Annotation] = {}
    for task in sorted((task for task in tasks if task.queue in SETTLING), key=lambda task: SETTLING.index(task.queue)):
        heard = [one for one in spoken.get(task.key, ()) if is_answer(one) and _out(one, policy) != "unreadable"]
        if heard:
            found[task.item_id] = max(heard, key=lambda one: (one.submitted, one.id))
    return found


def _reviewed(resolution: Resolution, ruling: Annotation, queue: str, policy: Policy) -> Resolution:
    """What a senior says settles it, also that no label can be given."""
    out = _out(ruling, policy)
    said = None if out or ruling.answer is None else ruling.answer.labels
    return replace(
        resolution,
        labels=None if said is None else tuple(name for name in policy.names if name in said),
        confidence=0.0 if said is None else 1.0,
        method=queue,
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


def _opinions(table: AnswerTable, tasks: Sequence[Task], policy: Policy, aided: Collection[str]) -> Floats | None:
    """(t, labels) what a model believed of tasks when they were asked, NaN where it has no voice; None without any."""
    heard = {task.key: task.predicted for task in tasks if task.predicted and task.item_id in aided}
    if not heard:
        return None
    silent = dict.fromkeys(policy.names, float("nan"))
    rows = [[(silent | dict(heard.get(key, {})))[name] for name in policy.names] for key in table.tasks]
    return np.array(rows)


def _out(annotation: Annotation, policy: Policy) -> str:
    out = out_of(annotation)
    if out or annotation.answer is None:
        return out
    labels = annotation.answer.labels
    known = set(labels) <= set(policy.names) and (policy.multi_label or len(labels) == 1)
    return "" if known else "unreadable"


def _word(labels: tuple[str, ...], policy: Policy) -> str:
    return ", ".join(name for name in policy.names if name in labels) or NOTHING


def _settle_one(table: AnswerTable, policy: Policy, asked: _Asked) -> _Outcome:
    if asked.opinions is not None:
        total = asked.opinions.sum(axis=1, keepdims=True)
        table = replace(
            table, opinion=np.divide(asked.opinions, total, where=total > 0, out=np.full_like(asked.opinions, np.nan))
        )
    question = Question(asked.resolver(policy.names, "")(table), policy.names)
    codes = _given(table, question.settled)
    labels = tuple(None if code == UNRESOLVED else (policy.names[code],) for code in codes.tolist())
    return _Outcome(labels, question.settled.confidence, (question,))


def _settle_sets(table: AnswerTable, policy: Policy, asked: _Asked) -> _Outcome:
    said = [set() if word == NOTHING else set(word.split(", ")) for word in table.labels]
    codes, confidence, each = [], [], []
    for column, name in enumerate(policy.names):
        member = np.array([name in word for word in said], dtype=np.int64)
        truth = None if table.truth is None else np.where(table.known, member[table.truth], -1)
        words = (f"not {name}", name)
        about = AnswerTable(table.task, table.worker, member[table.label], table.tasks, table.workers, words, truth)
        if asked.opinions is not None:
            about = replace(about, opinion=np.stack([1 - asked.opinions[:, column], asked.opinions[:, column]], axis=1))
        settled = asked.resolver(words, name)(about)
        codes.append(_given(about, settled))
        confidence.append(settled.confidence)
        each.append(Question(settled, words, name))
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
