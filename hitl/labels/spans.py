"""Where in a video people agree that a label holds: from the stretches that each marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from hitl.labels.voices import out_of, voices
from hitl.types import Annotation, Answer, Resolution, Spans

Stretch = tuple[float, float]


def settled_spans(
    annotations: Mapping[str, Sequence[Annotation]], resolutions: Sequence[Resolution], labels: Sequence[str]
) -> Spans:
    """The stretches of time that at least half of the people who gave a settled label marked with it.

    `annotations` are by item id, of all its tasks, in any order; `resolutions` stand in the order of the targets, and
    `Spans.rows` counts them; `labels` are the targets' columns. The last word of each person counts (`voices`). Who
    gave the label and marked nothing counts as one who marked no stretch. Of a label on which too few agree nothing is
    said. Stretches are in seconds, apart from one another, in the order of rows, labels and time. O(m log m) time for
    m marks.

    >>> from hitl.types import Span
    >>> def said(who, start, stop):
    ...     answer = Answer(("rude",), spans=(Span("rude", start, stop),))
    ...     return Annotation(who, "task-1", who, answer, "2025-01-01T10:00:00Z", 9.0)
    >>> settled = Resolution("clip-1", 0, ("rude",), 0.9, "majority", "1")
    >>> found = settled_spans({"clip-1": [said("ana", 1.0, 4.0), said("bo", 3.0, 6.0), said("cy", 3.5, 5.0)]},
    ...     [settled], ["fine", "rude"])
    >>> found.rows, found.labels, found.start, found.stop
    (array([0]), array([1]), array([3.]), array([5.]))
    """
    rows = [
        (row, column, *stretch)
        for row, resolution in enumerate(resolutions)
        for column, label in enumerate(labels)
        if label in (resolution.labels or ())
        for stretch in _agreed(_marks(annotations.get(resolution.item_id, ()), label))
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Spans(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3])


def _marks(annotations: Iterable[Annotation], label: str) -> list[list[Stretch]]:
    """For each person who gave the label: the stretches marked with it, those that touch joined."""
    answers = _answers(annotations)
    given = [answer for answer in answers if label in answer.labels]
    return [
        list(_joined(sorted((span.start, span.stop) for span in answer.spans if span.label == label)))
        for answer in given
    ]


def _answers(annotations: Iterable[Annotation]) -> Iterable[Answer]:
    """What each person says of the item now, whichever of its tasks it was said on."""
    said = [one for group in voices(annotations).values() for one in group if not out_of(one)]
    last = {one.worker: one.answer for one in sorted(said, key=lambda one: (one.submitted, one.id))}
    return [answer for answer in last.values() if answer is not None]


def _joined(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Stretches in the order of their starts, with those that overlap or touch as one."""
    held: Stretch | None = None
    for start, stop in stretches:
        if held is not None and start <= held[1]:
            held = held[0], max(held[1], stop)
            continue
        if held is not None:
            yield held
        held = start, stop
    if held is not None:
        yield held


def _agreed(people: Sequence[Sequence[Stretch]]) -> Iterator[Stretch]:
    """Where half of the people or more have a stretch."""
    starts = [(start, 1) for marks in people for start, _ in marks]
    stops = [(stop, -1) for marks in people for _, stop in marks]
    # Starts go before stops, so that the stretches of two people that meet make one.
    here, since = 0, 0.0
    for time, step in sorted(starts + stops, key=lambda edge: (edge[0], -edge[1])):
        enough = 2 * here >= len(people)
        here += step
        if not enough and 2 * here >= len(people):
            since = time
        elif enough and 2 * here < len(people) and time > since:
            yield since, time
