"""Signals about people's work in a campaign: proposals to look, from all answers that count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitl.history import ProposalRow, SignalRow, SignalsRow
from hitl.labels.settle import NOTHING, answer_table
from hitl.labels.voices import voices
from hitl.metrics.multiplicity import holm
from hitl.rounds.counted import answers
from hitl.rounds.judged import Measured
from hitl.rounds.showing import Showing
from hitl.rounds.walk import Walk
from hitl.tasks.answers import suggestion
from hitl.types import Annotation, Task
from hitl.workforce.signals import SIGNALS, Proposals, Stream, propose
from hitl.workforce.signals.collusion import COLLUSION


def signalled(at: Measured) -> SignalsRow | None:
    """What the signals propose after a round; None while nobody has answered. O(tasks + annotations × labels).

    Answers of the exam and of seniors are no part of it, nor what was asked under another version of the policy.
    """
    stream = stream_of(at.walk)
    return rows(stream, propose(stream, SIGNALS, holm)) if len(stream) else None


def stream_of(walk: Walk) -> Stream:
    """The answers that count, the earliest first, each with what its author saw."""
    tasks = [task for task in walk.ledger.tasks() if not task.queue and task.policy_version == walk.policy.version]
    return stream_from(walk, tasks, answers(walk))


def stream_from(walk: Walk, tasks: Sequence[Task], annotations: Sequence[Annotation]) -> Stream:
    """The stream of some tasks and annotations of the campaign."""
    table = answer_table(annotations, tasks, walk.policy, walk.gold.known)
    spoken = {(one.task_key, one.worker): one for said in voices(annotations).values() for one in said}
    named = zip(table.task.tolist(), table.worker.tolist(), strict=True)
    said = [spoken[table.tasks[task], table.workers[worker]] for task, worker in named]
    order = np.array(sorted(range(len(said)), key=lambda row: (said[row].submitted, said[row].id)), dtype=np.int64)
    by_key = {task.key: task for task in tasks}
    asked = [by_key[key] for key in table.tasks]
    code = {word: at for at, word in enumerate(table.labels)}
    showing = Showing.of(walk)
    predicted = np.array([code.get(_suggested(walk, task), -1) for task in asked], dtype=np.int64)
    shows = np.array([showing.shows(task) for task in asked], dtype=np.bool_)
    languages = [str(task.data.get("language", "")) for task in asked]
    task, seconds = table.task[order], np.array([one.seconds for one in said], dtype=np.float64)[order]
    return Stream(
        task=task,
        worker=table.worker[order],
        label=table.label[order],
        seconds=np.where(seconds > 0, seconds, np.nan),
        predicted=predicted[task],
        shown=shows[task],
        truth=np.full(len(asked), -1) if table.truth is None else table.truth,
        size=np.array([len(str(task.data.get("text", ""))) or np.nan for task in asked], dtype=np.float64),
        group=np.unique(np.array(languages), return_inverse=True)[1].astype(np.int64),
        workers=table.workers,
        labels=table.labels,
    )


def _suggested(walk: Walk, task: Task) -> str:
    """What the model suggests of a task, as the answers' table calls it; empty without a model."""
    labels = suggestion(walk.policy, task.predicted)
    return "" if labels is None else ", ".join(labels) or NOTHING


def rows(stream: Stream, found: Proposals) -> SignalsRow:
    """Proposals as plain values, by person in alphabetical order."""
    flagged, few = found.flagged, found.few
    compared = stream.reference >= 0
    return SignalsRow(
        level=found.level,
        people=len(stream.workers),
        answers=len(stream),
        compared=int(compared.sum()),
        shown=int((stream.shown & (stream.predicted >= 0)).sum()),
        signals=[
            SignalRow(
                signal=signal.name,
                title=signal.title,
                people=int((~few[at]).sum()),
                few=int(few[at].sum()),
                named=int(flagged[at].sum()),
            )
            for at, signal in enumerate(found.signals)
        ],
        proposals=[
            _proposal(stream, found, int(at), worker)
            for worker in range(len(stream.workers))
            for at in np.flatnonzero(flagged[:, worker])
        ],
    )


def _proposal(stream: Stream, found: Proposals, at: int, worker: int) -> ProposalRow:
    signal = found.signals[at]
    evidence = found.evidence[signal.name]
    return ProposalRow(
        worker=stream.workers[worker],
        signal=signal.name,
        title=signal.title,
        told=signal.told(stream, evidence, worker),
        look=signal.look,
        innocent=signal.innocent,
        partner=stream.workers[evidence.about[worker]] if signal.name == COLLUSION.name else "",
        answers=int(evidence.answers[worker]),
        p=float(evidence.p[worker]),
        adjusted=float(found.adjusted[at, worker]),
    )
