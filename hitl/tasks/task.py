"""A pick becomes a task: the same pick always the same key, and nothing in it that tells why it was picked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from hitl.errors import DataError
from hitl.tasks.content import readable, shown
from hitl.tasks.form import Form
from hitl.tasks.wording import guidance
from hitl.types import SETTLING, Pick, Queue, Task


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What the tasks of one push have in common."""

    campaign: str
    round: int
    form: Form
    model_id: str = ""
    repeat: int = 0
    queue: Queue = ""

    @property
    def asked(self) -> str:
        """What the form is called in a task's key: each queue asks by itself."""
        return f"{self.form.name}:{self.queue}" if self.queue else self.form.name


def task_key(campaign: str, round: int, item_id: str, policy_version: str, form: str, repeat: int = 0) -> str:  # noqa: A002
    """The name of a question, 20 hex digits of BLAKE2b: the same pick always has the same key.

    >>> task_key("demo", 1, "item-7", "1", "classify")
    '...'
    """
    parts = json.dumps([campaign, round, item_id, policy_version, form, repeat], ensure_ascii=True)
    return blake2b(parts.encode(), digest_size=10).hexdigest()


def served_by(model_id: str, policy_version: str) -> str:
    """The name under which a model's predictions are served, which holds no commas; without a model the policy's.

    >>> served_by("text-linear-3", "1"), served_by("", "1")
    ('text-linear-3', 'seed-1')
    """
    return (model_id or f"seed-{policy_version}").replace(",", ";")


def make_tasks(
    asking: Asking,
    picks: Sequence[Pick],
    rows: Sequence[Mapping[str, Any]],
    predicted: Sequence[Mapping[str, float]] = (),
    people: Sequence[int] = (),
) -> tuple[Task, ...]:
    """Render picks as tasks, in their order.

    `rows` are the picked rows of the pool (`text` or `media`, `region`, `language`; of a video `moments`, and in the
    queues of `SETTLING` `opinions`, too), `predicted` label → probability and `people` how many are asked, each aligned
    with `picks` or left out. Raises `DataError` when they do not align, an item has nothing to show or is no
    conversation or pair where it should be, or a score is no number. O(picks).
    """
    for name, column in (("rows", rows), ("predicted", predicted), ("people", people)):
        if len(column) != len(picks) and (name == "rows" or len(column)):
            raise DataError(f"{len(column)} {name} for {len(picks)} picks; give one for each, in the same order")
    told = lru_cache(maxsize=None)(lambda region: guidance(asking.form.policy, region))
    return tuple(
        _task(asking, pick, rows[at], predicted[at] if predicted else {}, people[at] if people else 1, told)
        for at, pick in enumerate(picks)
    )


def _task(
    asking: Asking,
    pick: Pick,
    row: Mapping[str, Any],
    predicted: Mapping[str, float],
    overlap: int,
    told: Any,
) -> Task:
    form, version = asking.form, asking.form.policy.version
    content, region = shown(form.modality, row, pick.item_id), str(row.get("region") or "")
    if not math.isfinite(pick.score) or overlap < 1:
        raise DataError(f"item {pick.item_id!r}: score {pick.score} or overlap {overlap} is not usable")
    key = task_key(asking.campaign, asking.round, pick.item_id, version, asking.asked, asking.repeat)
    data = {
        "hitl_key": key,
        **content,
        "language": readable(str(row.get("language") or "")),
        "region": readable(region),
        "guidance": readable(told(region)),
    }
    if form.modality == "video":
        data["moments"] = readable(str(row.get("moments") or ""))
    if asking.queue in SETTLING:
        data["opinions"] = readable(str(row.get("opinions") or ""))
    return Task(
        key=key,
        round=asking.round,
        item_id=pick.item_id,
        position=pick.position,
        form=form.name,
        policy_version=version,
        region=region,
        data=data,
        priority=min(1.0, max(0.0, pick.score)),
        overlap=overlap,
        predicted=dict(predicted),
        model_id=asking.model_id,
        queue=asking.queue,
    )
