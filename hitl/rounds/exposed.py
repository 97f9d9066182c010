"""What people had to see, from the record: one row a person, beside the caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hitl.history.routing import ExposureRow
from hitl.labels.voices import voices
from hitl.rounds.review import named
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Floats, Task
from hitl.types.times import utc
from hitl.workforce.cases import encode, one_hot
from hitl.workforce.exposure import Sights, exposure


def exposed(walk: Walk, tasks: Sequence[Task], annotations: Sequence[Annotation], now: str) -> list[ExposureRow]:
    """What each person saw by now, whatever they made of it: skipped, unsure and deleted answers count, too.

    An item is as severe as what it was resolved to, in its region; where that is open, as the worst that anybody named.
    Days are those of UTC. O(annotations + tasks).
    """
    first: dict[tuple[str, str], str] = {}
    for one in annotations:
        at = one.worker, one.task_key
        first[at] = min(first.get(at, one.submitted), one.submitted)
    severity = dict(zip((task.key for task in tasks), _severities(walk, tasks, annotations).tolist(), strict=True))
    seen = [(worker, day_of(when), severity[key]) for (worker, key), when in sorted(first.items()) if key in severity]
    seen = [one for one in seen if one[1]]
    worker, workers = encode([name for name, _, _ in seen])
    day, days = encode([when for _, when, _ in seen])
    sights = Sights(workers, days, worker, day, np.array([worst for _, _, worst in seen], dtype=np.float64))
    return exposure(sights, walk.caps, day_of(now))


def day_of(moment: str) -> str:
    """The day (UTC) of an ISO 8601 time; empty where that is none.

    >>> day_of("2026-03-02T23:30:00-05:00"), day_of("")
    ('2026-03-03', '')
    """
    try:
        return utc(moment).date().isoformat()
    except ValueError:
        return ""


def _severities(walk: Walk, tasks: Sequence[Task], annotations: Sequence[Annotation]) -> Floats:
    """(tasks,) how severe each task's item is, by what is known of it."""
    heard: Mapping[str, Sequence[Annotation]] = voices(annotations)
    settled = _settled(walk)
    said = named(walk, [heard.get(task.key, ()) for task in tasks])
    known = np.array([task.item_id in settled for task in tasks], dtype=np.bool_)
    labels = one_hot([settled.get(task.item_id, ()) for task in tasks], walk.policy.names)
    codes, regions = walk.regions
    severity = walk.policy.costs(regions).severity[codes[np.array([task.position for task in tasks], dtype=np.int64)]]
    worst: Floats = (np.where(known[:, None], labels, said) * severity).max(axis=1, initial=0.0)
    return worst


def _settled(walk: Walk) -> dict[str, tuple[str, ...]]:
    """Item id → its labels, as they were last resolved."""
    for row in reversed(walk.ledger.rounds()):
        found = walk.ledger.resolutions(row["round"])
        if found:
            return {one.item_id: one.labels for one in found if one.labels is not None}
    return {}
