"""Tabs for those who look after the queues: a convenience, which never stops a round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hitl.errors import ConnectorError
from hitl.labels.voices import disagree, is_answer, wants_people
from hitl.rounds.review import Heard
from hitl.rounds.walk import Walk
from hitl.types import SETTLING, Bools, Queue, Tab, Task
from hitl.workforce.exposure import suspected

FAILED = "tabs not shown"
"""The event that tells, once in a campaign, that the tabs could not be shown."""

CALM = "Not severe"
"""The tab for people who have reached their cap of severe content for the day."""

_ASKED = {"review": "Under review", "legal": "With legal"}


def tabs(tasks: Sequence[Task], heard: Heard) -> Iterator[Tab]:
    """Of each queue what is open, what is answered, and what is open in each language, for those who read it.

    Of the campaign's own queue also what people disagree on, and what others are asked about. A language has a tab
    where there are several.

    >>> told = [Task(key, 0, key, 0, "classify", "1", "", {"language": key}) for key in ("de", "en")]
    >>> [tab.name for tab in tabs(told, {})]
    ['Open', 'Answered', 'Language: de', 'Language: en', 'Disagreements']
    """
    stream = [task for task in tasks if not task.queue]
    yield from _of_queue("", stream, heard)
    split = [task.key for task in stream if disagree([one for one in heard.get(task.key, ()) if is_answer(one)])]
    yield Tab("Disagreements", keys=tuple(split))
    for queue in SETTLING:
        mine = [task for task in tasks if task.queue == queue]
        if mine:
            asked = {task.item_id for task in mine}
            yield Tab(_ASKED[queue], keys=tuple(task.key for task in stream if task.item_id in asked))
            yield from _of_queue(queue, mine, heard)


def _of_queue(queue: Queue, tasks: Sequence[Task], heard: Heard) -> Iterator[Tab]:
    yield from (Tab("Open", answered=False, queue=queue), Tab("Answered", answered=True, queue=queue))
    spoken = [str(task.data.get("language", "")) for task in tasks]
    languages = sorted(set(spoken) - {""})
    if len(languages) > 1:
        yield from (Tab(f"Language: {name}", language=name, answered=False, queue=queue) for name in languages)
        # What is in no known language would be in no tab that people work from.
        unknown = [task for task, language in zip(tasks, spoken, strict=True) if not language]
        left = [task.key for task in unknown if wants_people(task, heard.get(task.key, ()))]
        if unknown:
            yield Tab("Language: not known", keys=tuple(left), queue=queue)


def calm(walk: Walk, tasks: Sequence[Task], heard: Heard) -> Tab:
    """What is open and suspected of no severity that is capped; before the first model that is nothing."""
    least = min(cap.severity_from for cap in walk.caps)
    mild = _suspected_below(walk, tasks, least)
    open_ = [wants_people(task, heard.get(task.key, ())) and not task.queue for task in tasks]
    keys = [task.key for task, fine, asked in zip(tasks, mild.tolist(), open_, strict=True) if fine and asked]
    return Tab(CALM, keys=tuple(keys))


def _suspected_below(walk: Walk, tasks: Sequence[Task], least: float) -> Bools:
    codes, regions = walk.regions
    severity = walk.policy.costs(regions).severity[codes[np.array([task.position for task in tasks], dtype=np.int64)]]
    proba = np.array([[task.predicted.get(name, 0.0) for name in walk.policy.names] for task in tasks])
    below: Bools = suspected(proba.reshape(severity.shape), severity) < least
    return below


def show_tabs(walk: Walk, tasks: Sequence[Task], heard: Heard) -> None:
    """Show the tabs as they are now; the first time that this fails it is put on record, and told in the report."""
    shown = [*tabs(tasks, heard), *([calm(walk, tasks, heard)] if walk.caps else ())]
    try:
        walk.connector.sort(tuple(shown))
    except ConnectorError as error:
        if not walk.ledger.events(FAILED):
            with walk.ledger.transaction() as writer:
                writer.event(FAILED, {"why": str(error)})
