"""Tabs for those who look after the queues: a convenience, which never stops a round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hitl.errors import ConnectorError
from hitl.labels.voices import disagree, is_answer
from hitl.rounds.review import Heard
from hitl.rounds.walk import Walk
from hitl.types import Tab, Task

FAILED = "tabs not shown"
"""The event that tells, once in a campaign, that the tabs could not be shown."""


def tabs(tasks: Sequence[Task], heard: Heard) -> Iterator[Tab]:
    """What is open and what is answered, each language if there are several, what people disagree on, what seniors see.

    >>> told = [Task(key, 0, key, 0, "classify", "1", "", {"language": key}) for key in ("de", "en")]
    >>> [tab.name for tab in tabs(told, {})]
    ['Open', 'Answered', 'Language: de', 'Language: en', 'Disagreements']
    """
    stream = [task for task in tasks if not task.queue]
    yield from (Tab("Open", answered=False), Tab("Answered", answered=True))
    languages = sorted({str(task.data.get("language", "")) for task in stream} - {""})
    if len(languages) > 1:
        yield from (Tab(f"Language: {language}", language=language) for language in languages)
    split = [task.key for task in stream if disagree([one for one in heard.get(task.key, ()) if is_answer(one)])]
    yield Tab("Disagreements", keys=tuple(split))
    asked = {task.item_id for task in tasks if task.queue == "review"}
    if asked:
        yield Tab("Under review", keys=tuple(task.key for task in stream if task.item_id in asked))


def show_tabs(walk: Walk, tasks: Sequence[Task], heard: Heard) -> None:
    """Show the tabs as they are now; the first time that this fails it is put on record, and told in the report."""
    try:
        walk.connector.sort(tuple(tabs(tasks, heard)))
    except ConnectorError as error:
        if not walk.ledger.events(FAILED):
            with walk.ledger.transaction() as writer:
                writer.event(FAILED, {"why": str(error)})
